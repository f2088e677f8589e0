"""The blocks of STanHop-Net: associations over time and over series, and the step to the next scale.

A token is a patch of one series; states h have shape (B, C, n, d), n tokens for each of C series. With GSH(R; Y) the Hopfield layer
of eq. (3.1) with values W_V W_K Y and a learned alpha for each head, states R and stored patterns Y, the block STHM is

    over time, each series:    h <- LN(h + GSH(h; h)),                                  h <- LN(h + MLP h)
    over series, each token:   P = GSH(U; h),   h <- LN(h + GSH(h; P)),                 h <- LN(h + MLP h)

U are learned states, which pool the C series into |U| patterns: O(C |U|) associations, not O(C^2). Source: Wu et al. 2024 (arXiv
2312.17346), whose code differs (`settings.QUIRKS`, `published`).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from uhop_cli.nn.feature_map import FeatureMap
from uhop_cli.nn.hopfield import Hopfield
from uhop_cli.nn.stanhop.published import PublishedHopfield, PublishedOverSeries
from uhop_cli.nn.stanhop.settings import NetSettings
from uhop_cli.nn.wrappers import HopfieldPooling


def association(settings: NetSettings) -> Hopfield:
    """GSH, with a kernel where the settings say so."""
    mixed, one_alpha = ("heads" in settings.published), ("alpha" in settings.published)
    if mixed or one_alpha:
        return PublishedHopfield(settings.width, mixed=mixed, one_alpha=one_alpha, **_shared(settings))
    return Hopfield(settings.width, **_shared(settings))


def _shared(settings: NetSettings) -> dict[str, Any]:
    return {
        "num_heads": settings.heads,
        "kernel": FeatureMap(settings.width) if settings.kernel else None,
        "separation": "entmax:learned",
        "dropout": settings.dropout,
        "normalize": False,  # tokens come out of a layer norm
        "values": "stored",
    }


class Added(nn.Module):
    """LN(h + dropout(f)): what is added to a token."""

    def __init__(self, settings: NetSettings) -> None:
        super().__init__()
        self.dropout, self.norm = nn.Dropout(settings.dropout), nn.LayerNorm(settings.width)

    def forward(self, h: Tensor, f: Tensor) -> Tensor:
        """(..., d) and (..., d) -> (..., d)."""
        return self.norm(h + self.dropout(f))  # type: ignore[no-any-return]


class Perceptron(nn.Module):
    """LN(h + dropout(MLP h)), token by token."""

    def __init__(self, settings: NetSettings, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(settings.width, hidden), nn.GELU(), nn.Linear(hidden, settings.width))
        self.added = Added(settings)

    def forward(self, h: Tensor) -> Tensor:
        """(..., d) -> (..., d)."""
        return self.added(h, self.layers(h))  # type: ignore[no-any-return]


class OverSeries(nn.Module):
    """Tokens of one moment look each other up through pooled patterns: LN(h + GSH(h; GSH(U; h)))."""

    def __init__(self, settings: NetSettings) -> None:
        super().__init__()
        self.pool = HopfieldPooling(settings.width, quantity=settings.patterns, **_shared(settings))
        self.look_up = association(settings)
        self.added = Added(settings)

    def forward(self, h: Tensor) -> Tensor:
        """(N, C, d) -> (N, C, d)."""
        pooled = self.pool(h).unflatten(1, (-1, h.shape[2]))
        return self.added(h, self.look_up(pooled, h))  # type: ignore[no-any-return]


class TimeAndSeries(nn.Module):
    """STHM (the head of this file)."""

    def __init__(self, settings: NetSettings) -> None:
        super().__init__()
        self.over_time, self.time_added = association(settings), Added(settings)
        self.time_perceptron = Perceptron(settings, settings.hidden)
        published = "series" in settings.published
        self.over_series = PublishedOverSeries(settings, association, Added) if published else OverSeries(settings)
        self.series_perceptron = Perceptron(settings, settings.hidden)

    def forward(self, h: Tensor) -> Tensor:
        """(B, C, n, d) -> (B, C, n, d)."""
        batch, series, tokens, _ = h.shape
        x = h.flatten(0, 1)
        x = self.time_perceptron(self.time_added(x, self.over_time(x)))
        x = x.unflatten(0, (batch, series)).transpose(1, 2).flatten(0, 1)
        x = self.series_perceptron(self.over_series(x))
        return x.unflatten(0, (batch, tokens)).transpose(1, 2)  # type: ignore[no-any-return]


class Merge(nn.Module):
    """The next scale: `merge` neighbouring tokens side by side, LN, Linear; the last one is repeated to make a whole group."""

    def __init__(self, settings: NetSettings) -> None:
        super().__init__()
        self.count, self.last_ones = settings.merge, "padding" in settings.published
        self.norm = nn.LayerNorm(settings.merge * settings.width)
        self.linear = nn.Linear(settings.merge * settings.width, settings.width)

    def forward(self, h: Tensor) -> Tensor:
        """(B, C, n, d) -> (B, C, ceil(n / merge), d)."""
        return self.linear(self.norm(self.grouped(h)))  # type: ignore[no-any-return]

    def grouped(self, h: Tensor) -> Tensor:
        """(B, C, n, d) -> (B, C, ceil(n / merge), merge d)."""
        missing = -h.shape[2] % self.count
        if missing:
            ones = h[:, :, -missing:] if self.last_ones else h[:, :, -1:].expand(-1, -1, missing, -1)
            h = torch.cat([h, ones], dim=2)
        return h.reshape(*h.shape[:2], -1, self.count * h.shape[3])


def padded_left(past: Tensor, length: int) -> Tensor:
    """Windows (B, C, L) with their first value repeated in front, (B, C, length)."""
    return F.pad(past, (length - past.shape[2], 0), mode="replicate") if length > past.shape[2] else past
