"""Entmax associations read out chunk by chunk: no (L, S) matrix outlives its chunk.

    o = entmax_alpha(q k^T + m) v

Forward keeps the threshold of each row, (B, H, L), beside its inputs; backward makes the scores of a chunk again. So memory is
that of q, k, v and of one chunk, however long the sequences are, and no second search for the threshold is needed. Chunks are of
states, or of whole samples where these are small: a row's threshold needs all its scores, and in chunks of patterns each step of
the search would have to make them anew.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from uhop_cli.nn.entmax import excess, gradients, threshold, top, weights

CHUNK = {"cpu": 1 << 19}  # scores at a time: what stays in the caches
CHUNK_ON_DEVICE = 1 << 22  # 16 MB an array, of which backward has about eight alive
ADASPLASH = importlib.util.find_spec("adasplash") is not None  # fused Triton kernels for CUDA, where somebody installed them


def read_entmax(q: Tensor, k: Tensor, v: Tensor, alpha: float | Tensor, mask: Tensor | None) -> Tensor:
    """entmax_alpha(q k^T + m) v without a matrix of all weights.

    Args:
        q: states times beta, (B, H, L, d).
        k: patterns, (B, H, S, d).
        v: values, (B, H, S, P).
        alpha: above 1; a tensor (H,), one a head, may require a gradient.
        mask: None; bool, True = takes part; or float, added to the scores; broadcasts to (B, H, L, S) and gets no gradient.

    Returns:
        (B, H, L, P).
    """
    if torch.is_autocast_enabled(q.device.type):
        low = torch.get_autocast_dtype(q.device.type)
        q, k, v = q.to(low), k.to(low), v.to(low)
    if _fits_adasplash(q, k, v, alpha, mask):
        from adasplash import adasplash_v1  # type: ignore[import-not-found]

        # its own scale is 1 / sqrt(d)
        return adasplash_v1((q * math.sqrt(q.shape[-1])).contiguous(), k.contiguous(), v.contiguous(), alpha=alpha)  # type: ignore[no-any-return]
    number, heads = (1.0, alpha) if isinstance(alpha, Tensor) else (float(alpha), None)
    return _forward(q, k, v, number, heads, mask)[0]  # type: ignore[no-any-return]


def _fits_adasplash(q: Tensor, k: Tensor, v: Tensor, alpha: float | Tensor, mask: Tensor | None) -> bool:
    """Whether adasplash, where it is, can do it: self-association in a power of two of patterns, one alpha, no mask."""
    if not ADASPLASH or not q.is_cuda or torch.compiler.is_compiling() or isinstance(alpha, Tensor) or mask is not None:
        return False
    length, width = q.shape[-2:]
    return q.shape == k.shape == v.shape and length.bit_count() == 1 and length >= 64 and width in (16, 32, 64, 128, 256)


INPUTS = "Tensor q, Tensor k, Tensor v, float alpha, Tensor? alphas, Tensor? mask"


# An operator of its own: `torch.compile` takes it as one node, and does not unroll the search for the threshold chunk by chunk.
@torch.library.custom_op("uhop::read_entmax", mutates_args=(), schema=f"({INPUTS}) -> (Tensor, Tensor, Tensor)")
def _forward(
    q: Tensor, k: Tensor, v: Tensor, alpha: float, alphas: Tensor | None, mask: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """o, and of each row the largest score and the threshold beyond it, (B, H, L, 1)."""
    out, tops, cuts = _empty(q, k, v, alpha, alphas, mask)
    with _plain(q):
        for part in _parts(q, k):
            x = _scores(q[part], k[part[0]], mask, part)
            a = _excess(alpha, alphas, x)
            high = top(x)
            x -= high
            cut = threshold(x, a)
            out[part] = weights(x, cut, a).to(v.dtype) @ v[part[0]]
            tops[part], cuts[part] = high, cut
    return out, tops, cuts


@_forward.register_fake
def _empty(
    q: Tensor, k: Tensor, v: Tensor, alpha: float, alphas: Tensor | None, mask: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    wide = torch.promote_types(q.dtype, torch.float32)
    rows = q.shape[:-1]
    tops, cuts = (q.new_empty((*rows, 1), dtype=wide) for _ in range(2))
    return q.new_empty((*rows, v.shape[-1])), tops, cuts


@torch.library.custom_op(
    "uhop::read_entmax_gradients",
    mutates_args=(),
    schema=f"(Tensor do, {INPUTS}, Tensor tops, Tensor cuts) -> (Tensor, Tensor, Tensor, Tensor)",
)
def _backward(
    do: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    alpha: float,
    alphas: Tensor | None,
    mask: Tensor | None,
    tops: Tensor,
    cuts: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of q, k, v and alpha; sums over chunks are kept at least in float32."""
    wide = tops.dtype
    dq, dk, dv = torch.empty_like(q), torch.zeros_like(k, dtype=wide), torch.zeros_like(v, dtype=wide)
    dalpha = tops.new_zeros(q.shape[1])
    with _plain(q):
        for part in _parts(q, k):
            samples = part[0]
            x = _scores(q[part], k[samples], mask, part)
            a = _excess(alpha, alphas, x)
            x -= tops[part]
            p = weights(x, cuts[part], a)
            dp = (do[part] @ v[samples].mT).to(p.dtype)
            dv[samples] += p.to(v.dtype).mT @ do[part]
            dx, by_alpha = gradients(p, a, dp, alphas is not None)
            dx = dx.to(q.dtype)
            dq[part] = dx @ k[samples]
            dk[samples] += dx.mT @ q[part]
            if by_alpha is not None:
                dalpha += by_alpha.sum(dim=(0, 2, 3))
    return dq, dk.to(k.dtype), dv.to(v.dtype), dalpha


@_backward.register_fake
def _empty_gradients(do: Tensor, q: Tensor, k: Tensor, v: Tensor, *others: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return torch.empty_like(q), torch.empty_like(k), torch.empty_like(v), others[-1].new_empty(q.shape[1])


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    q, k, v, ctx.alpha, alphas, mask = inputs
    ctx.save_for_backward(q, k, v, alphas, mask, *output[1:])


def _differentiate(ctx: Any, do: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
    q, k, v, alphas, mask, tops, cuts = ctx.saved_tensors
    dq, dk, dv, dalpha = _backward(do, q, k, v, ctx.alpha, alphas, mask, tops, cuts)
    return dq, dk, dv, None, None if alphas is None else dalpha.to(alphas.dtype), None


_forward.register_autograd(_differentiate, setup_context=_keep)


def _plain(q: Tensor) -> AbstractContextManager[Any]:
    """Without autocast, which backward does not see: both directions compute in the dtype of the inputs."""
    return torch.autocast(q.device.type, enabled=False)


def _parts(q: Tensor, k: Tensor) -> Iterator[tuple[slice, slice, slice]]:
    """Chunks (samples, heads, states) that have about `CHUNK` scores each."""
    batch, heads, length, _ = q.shape
    room = CHUNK.get(q.device.type, CHUNK_ON_DEVICE) // max(1, heads * k.shape[2])
    samples = max(1, room // max(1, length))
    rows = length if samples > 1 else min(length, max(1, room))
    for sample in range(0, batch, samples):
        for row in range(0, length, max(1, rows)):
            yield slice(sample, sample + samples), slice(None), slice(row, row + rows)


def _scores(q: Tensor, k: Tensor, mask: Tensor | None, part: tuple[slice, slice, slice]) -> Tensor:
    """q k^T + m of a chunk, at least in float32, an array of its own."""
    x = q @ k.mT
    x = x.float() if x.dtype.itemsize < 4 else x
    if mask is None:
        return x
    here = mask[part[0] if mask.shape[0] > 1 else slice(None), :, part[2] if mask.shape[2] > 1 else slice(None)]
    return x.masked_fill_(~here, -math.inf) if here.dtype == torch.bool else x.add_(here)


def _excess(alpha: float, alphas: Tensor | None, x: Tensor) -> float | Tensor:
    """alpha - 1, one a head where there are `alphas`, broadcasting to scores (B, H, L, S)."""
    a = excess(alpha if alphas is None else alphas, x)
    return a[:, None, None] if isinstance(a, Tensor) else a
