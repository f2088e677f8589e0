"""Parts of STanHop-Net as its published code has them (`settings.QUIRKS`), so that a reader can see what each of them does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from uhop_cli.nn.hopfield import Hopfield
from uhop_cli.nn.stanhop.settings import NetSettings
from uhop_cli.nn.wrappers import SCALE


class PublishedHopfield(Hopfield):
    """A layer with learned alpha and the quirks of the published one.

    Args:
        mixed: Z (B, H, L, P), read in this order, is cut into L rows of H P values: heads and places are interchanged.
        one_alpha: alpha = 1 + sigmoid(a) with one a ~ N(0, 1) for all heads.
        arguments, settings: as in `Hopfield`.
    """

    def __init__(self, *arguments: Any, mixed: bool, one_alpha: bool, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.mixed = mixed
        if one_alpha:
            self.alpha_logit = nn.Parameter(torch.randn(1))

    @property
    def alpha(self) -> Tensor:
        """(H,)."""
        assert self.alpha_logit is not None
        return (1 + self.alpha_logit.sigmoid()).expand(self.sizes.heads)

    def forward(
        self, stored: Tensor, state: Tensor | None = None, projection: Tensor | None = None, *, mask: Tensor | None = None
    ) -> Tensor:
        """(B, L, output_size), as `Hopfield.forward` but for the order."""
        if not self.mixed:
            return super().forward(stored, state, projection, mask=mask)
        q, k, v = self.project(stored, state, projection)
        z = self._rule().read(q, k, v, mask, self.dropout if self.training else 0.0)
        assert self.out_proj is not None
        return self.out_proj(z.reshape(z.shape[0], z.shape[2], -1))  # type: ignore[no-any-return]


class PublishedOverSeries(nn.Module):
    """LN(s + GSH(h; h)) with s = GSH(h; M): series look up learned memories M, then each other, all C^2 pairs; h is not added."""

    def __init__(
        self, settings: NetSettings, association: Callable[[NetSettings], Hopfield], added: Callable[[NetSettings], nn.Module]
    ) -> None:
        super().__init__()
        self.memories = nn.Parameter(torch.randn(1, settings.patterns, settings.width) * SCALE)
        self.look_up, self.each_other = association(settings), association(settings)
        self.added = added(settings)

    def forward(self, h: Tensor) -> Tensor:
        """(N, C, d) -> (N, C, d)."""
        return self.added(self.look_up(self.memories, h), self.each_other(h))  # type: ignore[no-any-return]
