"""Kernel ridge on one vector a bag: what multiple instance learning needs no net for."""

from __future__ import annotations

from typing import Literal

import numpy as np

from uhop_cli.arrays.types import Bool, Float64, Int64

LAMBDA = 0.3


def bag_vectors(instances: Float64, bag: Int64, how: Literal["mean", "max"]) -> Float64:
    """Mean or maximum of the instances (n, d) of each bag, (N, d)."""
    count = int(bag.max()) + 1
    if how == "mean":
        sums = np.zeros((count, instances.shape[1]))
        np.add.at(sums, bag, instances)
        return sums / np.bincount(bag, minlength=count)[:, None]
    found = np.full((count, instances.shape[1]), -np.inf)
    np.maximum.at(found, bag, instances)
    return found


def ridge_scores(vectors: Float64, labels: Int64, train: Bool) -> Float64:
    """Scores of the vectors that are not in `train`: f = K (K_train + lambda I)^-1 (2 y - 1), K = exp(-|x - x'|^2 / (4 d)).

    Args:
        vectors: (N, d) of bags.
        labels: (N,) 0 or 1.
        train: (N,) which bags train.
    """
    squares = (vectors**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares[None] - 2 * vectors @ vectors.T, 0)
    kernel = np.exp(-distances / (4 * vectors.shape[1]))
    known = kernel[np.ix_(train, train)] + LAMBDA * np.eye(int(train.sum()))
    weights = np.linalg.solve(known, 2.0 * labels[train] - 1)
    return np.asarray(kernel[np.ix_(~train, train)] @ weights)
