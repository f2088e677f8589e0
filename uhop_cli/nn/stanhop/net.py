"""STanHop-Net: a forecaster whose every association is a Hopfield layer with a learned, sparse separation.

    tokens      h = LN(E x + a)                each series cut into patches of p values, padded on the left with its first value
    encoder     h_0 = tokens,   h_1 = STHM(h_0),   h_{i+1} = STHM(Merge(h_i))
    decoder     g <- STHM(g),   g <- LN(g + GSH(g; h_i)),   g <- LN(g + MLP g),   y <- y + V g          for i = 0 .. scales

g begins as learned places, one for each patch of the future of each series, V maps a token to the p values of its patch; GSH and
STHM as in `blocks`. Source: Wu et al. 2024 (arXiv 2312.17346), corrected where its code departs from its text;
`NetSettings.published` takes these departures back in, one by one. With `NetSettings.kernel` each association has a Phi, on which
`nn.Alternation` does U-Hop's Algorithm 2.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from uhop_cli.errors import SettingsError
from uhop_cli.nn.stanhop.blocks import Added, Merge, Perceptron, TimeAndSeries, association, padded_left
from uhop_cli.nn.stanhop.settings import NetSettings
from uhop_cli.nn.wrappers import SCALE

FLAT = 1e-3  # deviations, of a window in training units, below which it is not divided by its own


class STanHopNet(nn.Module):
    """The net (the head of this file) for the sizes in `settings`."""

    def __init__(self, settings: NetSettings) -> None:
        super().__init__()
        self.settings = settings
        scale = 1.0 if "places" in settings.published else SCALE
        past, future = settings.tokens(settings.look_back), settings.tokens(settings.horizon)
        self.embedding = nn.Linear(settings.patch, settings.width)
        self.places = nn.Parameter(torch.randn(1, settings.series, past, settings.width) * scale)
        self.norm = nn.LayerNorm(settings.width)
        self.encoder = nn.ModuleList([TimeAndSeries(settings)])
        for _ in range(settings.scales - 1):
            self.encoder.append(nn.Sequential(Merge(settings), TimeAndSeries(settings)))
        self.future_places = nn.Parameter(torch.randn(1, settings.series, future, settings.width) * scale)
        self.decoder = nn.ModuleList(DecoderLayer(settings) for _ in range(settings.scales + 1))

    def forward(self, past: Tensor) -> Tensor:
        """Windows (B, L, C) -> futures (B, H, C).

        Raises:
            SettingsError: windows of another shape.
        """
        settings = self.settings
        if past.ndim != 3 or past.shape[1:] != (settings.look_back, settings.series):
            raise SettingsError(f"windows {tuple(past.shape)} must be (B, {settings.look_back}, {settings.series})")
        if not settings.standardise:
            return self._forecast(past)
        mean, deviation = past.mean(dim=1, keepdim=True), past.std(dim=1, keepdim=True, correction=0).clamp_min(FLAT)
        return mean + deviation * self._forecast((past - mean) / deviation)

    def _forecast(self, past: Tensor) -> Tensor:
        settings = self.settings
        x = padded_left(past.transpose(1, 2), settings.tokens(settings.look_back) * settings.patch)
        h = self.norm(self.embedding(x.reshape(*x.shape[:2], -1, settings.patch)) + self.places)
        encoded = [h]
        for block in self.encoder:
            encoded.append(block(encoded[-1]))
        g, total = self.future_places, torch.zeros((), dtype=past.dtype, device=past.device)
        for layer, scale in zip(self.decoder, encoded, strict=True):
            g, added = layer(g, scale)
            total = total + added
        return total.flatten(2)[:, :, : settings.horizon].transpose(1, 2)


class DecoderLayer(nn.Module):
    """g <- STHM(g), then what it finds at one scale of the encoder, and what that adds to the forecast."""

    def __init__(self, settings: NetSettings) -> None:
        super().__init__()
        self.block = TimeAndSeries(settings)
        self.look_up, self.added = association(settings), Added(settings)
        self.perceptron = Perceptron(settings, settings.width)
        self.values = nn.Linear(settings.width, settings.patch)

    def forward(self, g: Tensor, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, m, d) and (B, C, n, d) -> (B, C, m, d) and (B, C, m, p).

        g of the first layer is the same for all samples, (1, C, m, d): its block is computed once.
        """
        batch, series = encoded.shape[:2]
        g = self.block(g).expand(batch, -1, -1, -1).flatten(0, 1)
        g = self.perceptron(self.added(g, self.look_up(encoded.flatten(0, 1), g))).unflatten(0, (batch, series))
        return g, self.values(g)
