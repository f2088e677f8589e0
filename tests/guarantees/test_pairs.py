"""The bound on the operator norm; the minima themselves are tested by what `diagnostics` makes of them."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.guarantees.pairs import operator_norm


def test_operator_norm_is_an_upper_bound_and_exact_for_orthogonal_rows() -> None:
    rng = np.random.default_rng(8)
    for shape in ((5, 40), (40, 5), (30, 30)):
        weight = rng.normal(size=shape)
        true = np.linalg.norm(weight, 2)
        assert true * (1 - 1e-12) <= operator_norm(weight) <= true * 1.3
    rows = np.linalg.qr(rng.normal(size=(20, 20)))[0][:8] * rng.random((8, 1))
    assert operator_norm(rows) == pytest.approx(np.linalg.norm(rows, 2))
