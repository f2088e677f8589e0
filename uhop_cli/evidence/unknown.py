"""What explains a query that nothing stored is in: two nulls that explain smooth pictures, as a straw man would not.

Each model's own "unrelated" explains nothing, so that any smooth stranger beats it. Two nulls are common to all densities, on their
scale and with their price of a parameter, ln(d)/2:

    any power in each band       L0 = L_bands(unrelated) - (W + C + 1) ln(d)/2                     (`likelihoods.unrelated`)
    the memories' own spectrum   g = max over a, t of  -1/2 sum_j [z_j^2 / (a S_j + t) + ln(a S_j + t)] + n/2 - (C/2) ln q

z are the n = d - C coefficients of the query but the means (`BandGrid`), and S_j their variance over the memories: a Gaussian with
the spectrum that Stage I learns from, as a picture of the same kind that was never stored. C offsets are free in both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from uhop_cli.arrays.library import Array, like, namespace
from uhop_cli.arrays.types import Float32
from uhop_cli.retrieval.distances import ROUNDING

CONTRASTS = np.geomspace(0.01, 3, 14)  # a: power of the query's picture relative to the memories
NOISES = np.array([1.3e-6, 1e-5, *np.geomspace(1e-4, 1, 20)])  # t: white noise in it; the smallest is that of rounding
GROUPS = 64  # of coefficients with nearly the same variance, which count as equal
LEAST = 1e-12  # variance of a coefficient that no memory has


@dataclass(frozen=True)
class Spectrum:
    """The second null, prepared for a set of memories.

    Attributes:
        groups: which coefficients are of which group, 0/1 (n, G).
        precisions: 1 / (a S + t) for each pair of a and t and each group, (A, G).
        volumes: sum_j ln(a S_j + t), (A,).
        channels: C.
    """

    groups: Float32
    precisions: Float32
    volumes: Float32
    channels: int

    @classmethod
    def of(cls, variances: Float32, channels: int) -> Spectrum:
        """From the variance of each coefficient over the memories, (n,)."""
        powers = np.maximum(variances.astype(np.float64), LEAST)
        logs = np.log(powers)
        low, high = (logs.min(), logs.max()) if logs.size else (0.0, 0.0)
        edges = np.linspace(low, high, GROUPS + 1)[1:-1]
        groups = np.eye(GROUPS)[np.digitize(logs, edges)]
        counts = groups.sum(axis=0)
        means = np.divide(groups.T @ powers, counts, out=np.ones(GROUPS), where=counts > 0)
        levels = (CONTRASTS[:, None, None] * means + NOISES[:, None]).reshape(-1, GROUPS)
        return cls(
            groups.astype(np.float32), (1 / levels).astype(np.float32), (np.log(levels) @ counts).astype(np.float32), channels
        )

    def log_likelihood(self, coefficients: Array) -> Array:
        """g of queries with these coefficients (Q, n): (Q,)."""
        xp = namespace(coefficients)
        groups, precisions, volumes = (like(coefficients, part) for part in (self.groups, self.precisions, self.volumes))
        exponents = (coefficients * coefficients) @ groups @ precisions.T + volumes
        size = coefficients.shape[1]
        return size / 2 - self.channels / 2 * math.log(ROUNDING) - xp.min(exponents, axis=1) / 2
