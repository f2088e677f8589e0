"""Streams of random numbers for one row: unlike those of other rows and of the whole, whatever was drawn before."""

from __future__ import annotations

import numpy as np

from uhop_cli.corruption.random_streams import Draws


def test_rows_have_draws_of_their_own() -> None:
    whole, rows = Draws(3, "crop:0.5"), [Draws(3, "crop:0.5").row(index) for index in range(3)]
    drawn = np.stack([whole.uniform(4), *(row.uniform(4) for row in rows)])
    assert len(np.unique(drawn)) == 16
    assert np.array_equal(Draws(3, "crop:0.5").row(1).uniform(4), drawn[2]), "whatever was drawn for others"
    started = Draws(3, "crop:0.5")
    started.uniform(2)
    started.row(0).uniform(4)
    assert np.array_equal(started.uniform(4), whole.uniform(4)), "rows leave the whole's own sequence alone"
