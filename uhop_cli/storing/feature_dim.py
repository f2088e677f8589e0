"""`--feature-dim auto`: the smallest D that keeps the accuracy.

The features of all smaller D are the first ones of the largest, so the accuracies for a whole grid of D come from one pass: a
sample of memories is damaged in a few ways that need different parts of the spectrum, and the numerators and norms of the cosines
are summed up over the features in steps. The smallest D is taken at which, for no damage, the better of the kernels that take part
in the choice by evidence loses more than `LOSS` of its right answers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.operations import quotient, unit_rows
from uhop_cli.arrays.types import Bool, Float32, UInt8
from uhop_cli.corruption.corruption import parse
from uhop_cli.evidence.likelihoods import RHOS
from uhop_cli.evidence.prepared import without_mean
from uhop_cli.images.patterns import PatternSpec
from uhop_cli.kernel.closed_form import Spectrum, whitening

GRID = (64, 96, 128, 192, 256, 384, 512, 768, 1024)
DAMAGE = ("half:bottom", "values:0.9", "noise-abs:0.5", "blur:4")
RIVALS = 4096  # memories among which the right one has to be found
QUERIES = 128  # of each damage
LOSS = 0.01


def smallest_dim(spectrum: Spectrum, patterns: UInt8, seed: int) -> int:
    """D for patterns (M, H, W, C); all there are where there are few."""
    full = len(spectrum.singular)
    dims = [dim for dim in GRID if dim < full] + [full]
    if len(dims) == 1:
        return full
    rng = np.random.default_rng([seed, 2])
    rows = np.sort(rng.choice(len(patterns), min(RIVALS, len(patterns)), replace=False))
    memories = unit_rows(patterns[rows])
    truth = np.sort(rng.choice(len(rows), min(QUERIES, len(rows)), replace=False))
    height, width, channels = patterns.shape[1:]
    spec = PatternSpec(width, height, channels)
    damaged = np.concatenate([parse(label)(memories[truth], spec, seed).patterns for label in DAMAGE])
    kernel = whitening(spectrum, RHOS)
    stored, asked = (without_mean(part) @ kernel.weight.T for part in (memories, damaged))
    right = accuracies(stored, asked, kernel.gains, np.tile(truth, len(DAMAGE)), dims)
    by_damage = right.reshape(*right.shape[:2], len(DAMAGE), -1).mean(axis=3).max(axis=0)  # (dims, damages)
    kept = (by_damage >= by_damage[-1] - LOSS).all(axis=1)  # (dims,)
    # Once lost, accuracy may come back by chance at a smaller D: the smallest D above which nothing is lost.
    return dims[int(np.flatnonzero(~kept)[-1]) + 1] if not kept.all() else dims[0]


def accuracies(memories: Float32, queries: Float32, gains: Float32, truth: NDArray[np.intp], dims: list[int]) -> Bool:
    """Whether a query's cosine is largest with its memory, for every kernel and every D: shape (R, len(dims), q).

    Args:
        memories, queries: features of the first kernel, (m, D) and (q, D).
        gains: of the kernels relative to it, (R, D).
        truth: row of the right memory of each query.
        dims: the numbers of leading features to look at, rising.
    """
    result = np.empty((len(gains), len(dims), len(queries)), np.bool_)
    for member, gain in enumerate(gains):
        weighted = queries * np.square(gain)
        squares = np.square(memories * gain)
        products = np.zeros((len(queries), len(memories)), np.float32)
        norms = np.zeros(len(memories), np.float32)
        start = 0
        for place, dim in enumerate(dims):
            products += weighted[:, start:dim] @ memories[:, start:dim].T
            norms += squares[:, start:dim].sum(axis=1)
            start = dim
            lengths = np.sqrt(norms)
            result[member, place] = quotient(products, lengths, otherwise=-np.inf).argmax(axis=1) == truth
    return result
