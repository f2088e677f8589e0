"""A set of tokens, one association, a class: the nets of the learning experiments.

    Y = X W_E + b_E            tokens X, (B, T, P), patches of a picture or instances of a bag, embedded: (B, T, d)
    z = Z(Y)                   a learned state looks the tokens up, U-Hop eq. (3.1): (B, d)                      `HopfieldPooling`
    logits = W LN(ReLU z) + b                                                                                    (B, classes)

It is the net of the published classification (MAGICS-LAB/UHop, ViH: patch embedding, class token, ReLU, LayerNorm, Linear) with
patches smaller than the picture. Nothing tells the places of the tokens apart: a sample is a set.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from uhop_cli.arrays.types import Bool, Float32, Int64, UInt8
from uhop_cli.nn.feature_map import FeatureMap
from uhop_cli.nn.hopfield import Hopfield
from uhop_cli.nn.learning.settings import NetSettings
from uhop_cli.nn.sizes import ROLES
from uhop_cli.nn.wrappers import HopfieldPooling


@dataclass(frozen=True, eq=False)
class Samples:
    """Sets of tokens with their classes, on one device.

    Attributes:
        tokens: (N, T, P); bytes 0 to 255, which a net takes as numbers from 0 to 1, or float.
        labels: (N,) int64.
        mask: (N, T) bool, True = is a token; None: all are.
        shift, scale: (P,), taken out of the tokens before they go into a net: (x - shift) / scale.
    """

    tokens: Tensor
    labels: Tensor
    mask: Tensor | None
    shift: Tensor
    scale: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def inputs(self, rows: Tensor | slice) -> tuple[Tensor, Tensor | None]:
        """What a net is called with: tokens, (B, T, P) float32, and mask of these rows."""
        x = self.tokens[rows]
        gain = 1 / (255 * self.scale) if x.dtype == torch.uint8 else 1 / self.scale
        return torch.addcmul(-self.shift / self.scale, x.float(), gain), None if self.mask is None else self.mask[rows]

    @classmethod
    def of(
        cls,
        tokens: UInt8 | Float32,
        labels: Int64,
        mask: Bool | None = None,
        *,
        shift: Float32,
        scale: Float32,
        device: str = "cpu",
    ) -> Samples:
        """From NumPy's arrays of these shapes, copied to a device."""
        x, y, down, over = (torch.tensor(array, device=device) for array in (tokens, labels, shift, scale))
        return cls(x, y, None if mask is None else torch.tensor(mask, device=device), down, over)

    def part(self, rows: Tensor) -> Samples:
        """These rows alone."""
        return Samples(self.tokens[rows], self.labels[rows], None if self.mask is None else self.mask[rows], self.shift, self.scale)


class SetClassifier(nn.Module):
    """The net (the head of this file).

    Nets of equal sizes begin with the same parameters if made with the same random numbers: Phi, the identity, draws none.

    Args:
        settings: of it.
    """

    def __init__(self, settings: NetSettings) -> None:
        super().__init__()
        self.settings = settings
        width = settings.width
        self.pool: HopfieldPooling | None = None
        if settings.association == "none":
            self.embed: nn.Module = nn.Identity()
            self.head: nn.Module = nn.Linear(settings.tokens * settings.features, settings.classes)
            return
        self.embed = nn.Linear(settings.features, width)
        self.head = nn.Sequential(nn.ReLU(), nn.LayerNorm(width), nn.Linear(width, settings.classes))
        if settings.association == "hopfield":
            self.pool = HopfieldPooling(
                width,
                num_heads=settings.heads,
                kernel=FeatureMap(width) if settings.kernel else None,
                separation=settings.separation,
                values=settings.values,
                dropout=settings.dropout,
                normalize=False,
            )
            if settings.start == "torch":
                _start_as_linear(self.pool.hopfield)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Logits, (B, classes), of tokens (B, T, P) with a mask (B, T), True = is a token."""
        y = self.embed(tokens)
        if self.pool is not None:
            z = self.pool(y, mask=mask)
        elif self.settings.association == "mean":
            z = y.mean(dim=1) if mask is None else (y * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        else:
            z = y.flatten(1)
        return self.head(z)  # type: ignore[no-any-return]

    @property
    def layer(self) -> Hopfield | None:
        """The association."""
        return None if self.pool is None else self.pool.hopfield


def _start_as_linear(layer: Hopfield) -> None:
    """Give the projections the start of `torch.nn.Linear`."""
    parts: dict[str, tuple[Tensor | None, Tensor | None]] = {}
    for role in ROLES:
        shape = layer.sizes.shape(role)
        if shape is not None:
            linear = nn.Linear(shape[1], shape[0])
            parts[role] = (linear.weight.detach(), linear.bias.detach())
    layer.install(parts)
    if layer.out_proj is not None:
        layer.out_proj.reset_parameters()
