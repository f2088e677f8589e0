"""Tune-and-Play: an external memory of windows and what followed them whose similarity is learned with the net.

    tokens       t_mu = LN(E [xi_mu - mean xi_mu ; y_mu - mean xi_mu]), the query's t = LN(E [x - mean x ; 0]), each series apart
    weights      p = entmax_alpha(beta <W_Q Phi t, W_K Phi t_mu>),        mu among the windows that the query may see
    pseudo-label y_mem = mean x + sum_mu p_mu (y_mu - mean xi_mu)
    forecast     y = (1 - g) y_net + g y_mem,                             g = sigmoid(a . t + b), b = -4 at the start

The weights read the stored futures themselves, so that what is learned is which windows are alike. A query that may see nothing
keeps y_net. The idea is that of STanHop-Net (Wu et al. 2024, arXiv 2312.17346), which published neither code nor a definition; this
definition is this project's.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from uhop_cli.arrays.types import Float64, Int64
from uhop_cli.errors import SettingsError
from uhop_cli.forecasting.leakage import Rule, admissible
from uhop_cli.forecasting.windows import Windows
from uhop_cli.nn.feature_map import FeatureMap
from uhop_cli.nn.hopfield import Hopfield
from uhop_cli.nn.stanhop.net import STanHopNet

GATE = -4.0  # b at the start: g = .018


class TuneAndPlay(nn.Module):
    """A net and its external memory (the head of this file).

    Args:
        net: is trained further together with the memory.
        stored: windows of the net's look-back and horizon.

    Raises:
        SettingsError: windows that do not fit the net, or none.
    """

    def __init__(self, net: STanHopNet, stored: Windows) -> None:
        super().__init__()
        sizes = net.settings
        if not len(stored) or (stored.look_back, stored.horizon, stored.past.shape[2]) != (
            sizes.look_back,
            sizes.horizon,
            sizes.series,
        ):
            raise SettingsError("the stored windows do not fit the net")
        self.net, self.starts = net, stored.starts.copy()
        self.embedding = nn.Sequential(nn.Linear(sizes.look_back + sizes.horizon, sizes.width), nn.LayerNorm(sizes.width))
        self.association = Hopfield(
            sizes.width,
            pattern_projection_size=sizes.horizon,
            kernel=FeatureMap(sizes.width),
            separation="entmax:learned",
            normalize=False,
            static=("projection",),
            out_projection=False,
        )
        self.gate = nn.Linear(sizes.width, 1)
        nn.init.zeros_(self.gate.weight)
        nn.init.constant_(self.gate.bias, GATE)
        level = stored.past.mean(axis=1, keepdims=True)
        self.past: Tensor
        self.future: Tensor
        self.register_buffer("past", _by_series(stored.past - level), persistent=False)  # (C, M, L)
        self.register_buffer("future", _by_series(stored.future - level), persistent=False)  # (C, M, H)

    def permute(self, seed: int) -> None:
        """Interchanges the futures of the stored windows at random: the control with the same parameters and the same values."""
        order = np.random.default_rng(seed).permutation(len(self.starts))
        self.future.copy_(self.future[:, torch.from_numpy(order).to(self.future.device)])

    def forward(self, past: Tensor, starts: Int64, rule: Rule = "past") -> Tensor:
        """Windows (B, L, C) that begin at the rows `starts`, (B,), -> futures (B, H, C)."""
        forecast: Tensor = self.net(past)
        level = past.mean(dim=1, keepdim=True)
        query = torch.cat([past - level, torch.zeros_like(forecast)], dim=1).permute(2, 0, 1)
        states = self.embedding(query)
        stored = self.embedding(torch.cat([self.past, self.future], dim=2))
        sizes = self.net.settings
        seen = torch.from_numpy(admissible(self.starts, starts, sizes.look_back, sizes.horizon, rule)).to(past.device)
        change = self.association(stored, states, self.future, mask=seen[None])  # (C, B, H)
        gate: Tensor = self.gate(states).sigmoid() * seen.any(dim=1)[:, None]  # (C, B, 1)
        moved: Tensor = gate * (change - (forecast - level).permute(2, 0, 1))
        return forecast + moved.permute(1, 2, 0)


def _by_series(windows: Float64) -> Tensor:
    """(M, L, C) -> (C, M, L) float32."""
    return torch.from_numpy(np.ascontiguousarray(windows.transpose(2, 0, 1), np.float32))
