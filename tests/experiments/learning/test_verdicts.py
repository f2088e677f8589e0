"""Differences in words."""

from __future__ import annotations

from uhop_cli.experiments.learning.verdicts import interval, verdict


def test_words_say_what_the_interval_vouches_for() -> None:
    assert interval(0.0625, 0.25) == "+0.062 [-0.188, +0.312]"
    assert interval(0.5, 0.0) == "+0.500"
    assert verdict("a", "b", "AUC", 0.5, 0.25) == "a beats b in AUC, +0.500 [+0.250, +0.750]"
    assert verdict("a", "b", "AUC", -0.5, 0.25) == "a is worse than b in AUC, -0.500 [-0.750, -0.250]"
    for mean, half in ((0.25, 0.5), (-0.25, 0.5), (0.25, 0.25), (0.5, 0.0), (-0.5, 0.0)):
        assert "does not surely differ from" in verdict("a", "b", "AUC", mean, half)
