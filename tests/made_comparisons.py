"""Comparisons with an original that no picture was needed for."""

from __future__ import annotations

from uhop_cli.frames.block_evidence import Comparison

FIT = Comparison(
    evidence=3000,
    explained=0.95,
    pixels=16384,
    power=1e-3,
    noise=0.05,
    sharpness=1,
    textured=40,
    correlation=0.95,
    agreeing=0.8,
)
