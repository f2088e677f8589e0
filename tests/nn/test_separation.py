"""The separation functions of the layers against the engine's, and their own."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from uhop_cli.errors import SettingsError
from uhop_cli.nn.separation import LayerSeparation, separate, support
from uhop_cli.retrieval.separation import Separation, window

SHARED = ("softmax", "sparsemax", "entmax:1.5", "entmax:1", "entmax:1.25", "top-k:2", "top-k:9", "argmax")
ZERO = torch.zeros((), dtype=torch.int64)


@pytest.mark.parametrize("label", SHARED)
def test_equals_the_engine(label: str) -> None:
    logits = 2 * torch.randn(2, 3, 4, 6, dtype=torch.float64)
    logits[0, 0, 0, :3] = logits[0, 0, 0].max()  # ties
    logits[1, 0, 0, 1:] = -math.inf
    found = separate(LayerSeparation.parse(label), logits)
    expected = Separation.parse(label)(logits.reshape(-1, 6).numpy()).reshape(logits.shape)
    assert np.abs(found.numpy() - expected).max() < 1e-12
    assert separate(LayerSeparation.parse(label), torch.full((1, 1, 1, 3), -math.inf)).sum() == 0


def test_learned_alpha_is_one_a_head() -> None:
    logits = torch.randn(2, 2, 3, 5)
    found = separate(LayerSeparation.parse("entmax:learned"), logits, torch.tensor([1.5, 2.0]))
    for head, label in enumerate(("entmax:1.5", "sparsemax")):
        assert torch.allclose(found[:, head], separate(LayerSeparation.parse(label), logits)[:, head], atol=1e-6)


def test_argmax_has_no_gradient() -> None:
    logits = torch.randn(1, 1, 2, 4, requires_grad=True)
    assert not separate(LayerSeparation.parse("argmax"), logits).requires_grad


@pytest.mark.parametrize(("length", "size"), [(4, 4), (6, 4), (3, 7)])
def test_window_is_the_engines(length: int, size: int) -> None:
    rule = LayerSeparation.parse("window:1")
    logits = torch.randn(length, size)
    inside = support(rule, (1, 1, length, size), None, ZERO)
    assert inside is not None
    found = separate(rule, logits.masked_fill(~inside, -math.inf))
    assert np.abs(found[0, 0].numpy() - window(logits.numpy(), 1)).max() < 1e-6


def test_random_keeps_a_share_of_what_takes_part() -> None:
    rule = LayerSeparation.parse("random:.4")
    allowed = torch.ones(2, 1, 1, 10, dtype=torch.bool)
    allowed[1, ..., 5:] = False
    kept = support(rule, (2, 2, 50, 10), allowed, ZERO)
    assert kept is not None
    assert kept[0].sum(-1).unique().tolist() == [4]
    assert kept[1].sum(-1).unique().tolist() == [2]
    assert not kept[1, ..., 5:].any()
    assert torch.equal(kept, support(rule, (2, 2, 50, 10), allowed, ZERO))
    assert not torch.equal(kept, support(rule, (2, 2, 50, 10), allowed, ZERO + 1))
    counts = kept[0].float().mean(dim=(0, 1))
    assert (counts - 0.4).abs().max() < 0.15  # every pattern has its chance
    assert len({tuple(row) for row in kept[0, 0].tolist()}) > 20  # and every state its own draw


def test_texts() -> None:
    assert LayerSeparation.parse("entmax:learned").learned
    assert LayerSeparation.parse("prf:64") == LayerSeparation("prf", 64)
    assert LayerSeparation.parse(" TOP-K:3 ") == LayerSeparation("top-k", 3)
    assert [LayerSeparation.parse(t).alpha for t in ("softmax", "sparsemax", "entmax:1.3", "linear")] == [1, 2, 1.3, None]


@pytest.mark.parametrize(
    "text", ["polynomial:10", "linear:2", "prf", "prf:0", "prf:x", "entmax", "entmax:.5", "top-k:0", "nothing"]
)
def test_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        LayerSeparation.parse(text)
