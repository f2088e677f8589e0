"""Stage I at the paper's size, beside a plain torch loop and the bare matrices that it cannot do without."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from uhop_cli.arrays.operations import unit_rows
from uhop_cli.kernel.closed_form import decompose, second_moment
from uhop_cli.kernel.gradient import GradientSettings, descend
from uhop_cli.kernel.losses import AverageLoss

torch = pytest.importorskip("torch")
MEMORIES, STEPS = 500, 4


def test_gradient_steps(race: Any, pictures: np.ndarray) -> None:
    rows = unit_rows(pictures[:MEMORIES])
    weight = np.random.default_rng(0).standard_normal((rows.shape[1], rows.shape[1]), dtype=np.float32)
    settings = GradientSettings(loss=AverageLoss(t=2.0), iterations=STEPS, learning_rate=1.0)

    def published() -> None:
        """Algorithm 1 as the published code runs it: autograd through the distances of normalised features."""
        x, w = torch.from_numpy(rows), torch.tensor(weight, requires_grad=True)
        for _ in range(STEPS):
            features = torch.nn.functional.normalize(x @ w.T, dim=-1)
            loss = torch.pdist(features).pow(2).mul(-2).exp().mean().log()
            (gradient,) = torch.autograd.grad(loss, w)
            with torch.no_grad():
                w -= gradient

    contestants = {
        "torch: autograd, as published": published,
        "uhop: exact gradient in the span": lambda: descend(rows, weight, settings, seed=0),
    }
    race(f"{STEPS} steps of Stage I, M = {MEMORIES}, d = D = {rows.shape[1]} (W is formed once)", contestants, rounds=2)


def test_closed_form(race: Any, pictures: np.ndarray) -> None:
    def bare() -> None:
        moment = second_moment(pictures)
        np.linalg.eigh(moment)

    contestants = {
        "NumPy: second moment and its eigenvectors": bare,
        "uhop: closed form": lambda: decompose(pictures, feature_dim=1024),
    }
    race(f"Closed form, M = {len(pictures)}", contestants, {"uhop: closed form": 3}, rounds=1)
