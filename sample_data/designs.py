"""Planets, a letter, patterns, abstract pictures and a cup of coffee."""

from __future__ import annotations

import numpy as np

from canvas import Canvas


def saturn(c: Canvas) -> None:
    c.paint(1, c.ramp("#140b2e", "#2a1450", "#0a0a23", along=(c.x + c.y) / 2))
    c.stars(55, 1.0)
    turn = np.deg2rad(-20)
    u = (c.x - 0.5) * np.cos(turn) + (c.y - 0.52) * np.sin(turn)
    v = (c.y - 0.52) * np.cos(turn) - (c.x - 0.5) * np.sin(turn)
    ring = np.hypot(u, v * 3.4)
    bands = c.ramp("#8f6b4a", "#f4dba8", "#7a5a40", "#e8c68c", "#c9a26a", along=(ring - 0.31) / 0.15)
    disc = (ring > 0.31) & (ring < 0.46)
    c.paint(disc, bands)
    globe = np.hypot(u, v) < 0.235
    c.paint(globe, c.ramp("#f7e2b0", "#d9a865", "#f0cf94", "#b97f4a", "#e6b878", "#a86f42", along=(v + 0.235) / 0.47))
    c.paint(globe * np.clip((u + v + 0.05) / 0.4, 0, 1), "#1a0d2a", 0.7)
    c.paint(disc & (v > 0), bands)
    c.paint(c.disc(0.14, 0.2, 0.045), "#c8d0e8")


def blue_planet(c: Canvas) -> None:
    c.paint(1, "#03040c")
    c.stars(40, 1.0)
    c.paint(c.disc(0.46, 0.56, 0.42, soft=0.25), "#3f9bff", 0.7)
    globe = c.disc(0.46, 0.56, 0.36)
    c.paint(globe, c.ramp("#3fa7f0", "#1566c0", "#0b3f8c"))
    for x, y, r, ry, turn in (
        (0.3, 0.42, 0.15, 0.09, 30),
        (0.36, 0.62, 0.08, 0.16, -15),
        (0.62, 0.48, 0.12, 0.1, 0),
        (0.66, 0.68, 0.07, 0.1, 20),
    ):
        c.paint(globe * c.disc(x, y, r, ry, turn=turn), "#4fae5a")
        c.paint(globe * c.disc(x + 0.02, y + 0.02, r * 0.55, ry * 0.5, turn=turn), "#c7b26a")
    for x, y, r in ((0.4, 0.3, 0.16), (0.5, 0.55, 0.13), (0.28, 0.76, 0.14), (0.6, 0.82, 0.12)):
        c.paint(globe * c.disc(x, y, r, 0.022, turn=-8), "#ffffff", 0.9)
    c.paint(globe * np.clip((c.x - c.y * 0.2 - 0.42) / 0.3, 0, 1), "#02030c", 0.8)
    c.paint(c.disc(0.86, 0.16, 0.07), "#d9d9d4")
    c.paint(c.disc(0.88, 0.14, 0.02) + c.disc(0.84, 0.18, 0.013), "#a3a39e")


def letter_a(c: Canvas) -> None:
    c.paint(1, "#f3e3c3")
    c.paint(c.box(0.06, 0.06, 0.94, 0.94), "#8c1c2b")
    c.paint(c.box(0.1, 0.1, 0.9, 0.9), "#f8edd6")
    for x, y in ((0.16, 0.16), (0.84, 0.16), (0.16, 0.84), (0.84, 0.84)):
        for a in range(0, 180, 45):
            c.paint(c.disc(x, y, 0.05, 0.016, turn=a), "#2f6b4f")
        c.paint(c.disc(x, y, 0.018), "#d9a520")
    c.paint(c.polygon((0.2, 0.8), (0.46, 0.16), (0.56, 0.16), (0.82, 0.8), (0.66, 0.8), (0.49, 0.32), (0.3, 0.8)), "#1d2f6f")
    c.paint(c.box(0.35, 0.55, 0.66, 0.62), "#1d2f6f")
    c.paint(c.box(0.15, 0.78, 0.37, 0.82) + c.box(0.6, 0.78, 0.87, 0.82), "#1d2f6f")
    c.paint(c.stroke(0.018, (0.55, 0.27), (0.72, 0.77)), "#d9a520")


def mandala(c: Canvas) -> None:
    c.paint(1, "#2b0f3a")
    distance, angle = c.polar(0.5, 0.5)
    for petals, r, wide, colour in (
        (16, 0.46, 0.1, "#6a1f7a"), (16, 0.42, 0.085, "#d6336c"), (12, 0.34, 0.1, "#f59f00"), (12, 0.3, 0.08, "#ffe066"),
        (8, 0.23, 0.09, "#0b7285"), (8, 0.19, 0.07, "#3bc9db"), (6, 0.12, 0.055, "#f8f0fc"),
    ):  # fmt: skip
        bump = np.abs(np.cos(np.pi * petals * angle))
        c.paint(distance < r - wide * (1 - bump), colour)
    for k in range(16):
        a = 2 * np.pi * k / 16
        c.paint(c.disc(0.5 + 0.385 * np.cos(a), 0.5 + 0.385 * np.sin(a), 0.016), "#fff3bf")
    c.paint(distance < 0.045, "#d6336c")


def abstract_circles(c: Canvas) -> None:
    c.paint(1, "#f5ecd7")
    for x, y, rings in (
        (0.3, 0.3, ((0.25, "#1d3557"), (0.19, "#e63946"), (0.12, "#f1c453"), (0.06, "#1d3557"))),
        (0.72, 0.24, ((0.17, "#f4a261"), (0.11, "#264653"), (0.05, "#e9c46a"))),
        (0.66, 0.68, ((0.27, "#2a9d8f"), (0.2, "#f5ecd7"), (0.13, "#e76f51"), (0.07, "#1d3557"))),
        (0.2, 0.74, ((0.14, "#8e5aa8"), (0.08, "#f1c453"))),
    ):
        for r, colour in rings:
            c.paint(c.disc(x, y, r), colour, 0.93)
    for line in (((0.02, 0.96), (0.98, 0.06)), ((0.05, 0.55), (0.95, 0.47)), ((0.45, 0.02), (0.5, 0.98))):
        c.paint(c.stroke(0.012, *line), "#1b1b1e")


def colour_blocks(c: Canvas) -> None:
    c.paint(1, "#f7f4ec")
    for area, colour in (
        ((0.0, 0.0, 0.3, 0.42), "#d62828"), ((0.66, 0.0, 1.0, 0.2), "#f6c90e"), ((0.66, 0.58, 1.0, 1.0), "#1d4fa3"),
        ((0.0, 0.78, 0.3, 1.0), "#f6c90e"), ((0.3, 0.42, 0.66, 0.58), "#1b1b1b"), ((0.3, 0.8, 0.5, 1.0), "#d62828"),
    ):  # fmt: skip
        c.paint(c.box(*area), colour)
    for x in (0.3, 0.66):
        c.paint(c.box(x - 0.018, 0, x + 0.018, 1), "#111111")
    for y in (0.42, 0.58, 0.79):
        c.paint(c.box(0, y - 0.018, 1, y + 0.018), "#111111")
    c.paint(c.box(0.66, 0.19, 1, 0.225) + c.box(0.482, 0.79, 0.518, 1), "#111111")


def scale_pattern(c: Canvas) -> None:
    c.paint(1, "#0b2545")
    colours = ("#13315c", "#134074", "#1f7a8c", "#3d9db5", "#8ecae6")
    for row in range(9):
        for k in range(-1, 6):
            x, y = (k + 0.5 * (row % 2)) * 0.22, row * 0.125 + 0.02
            for ring, r in enumerate((0.125, 0.1, 0.075, 0.05, 0.025)):
                c.paint(c.disc(x, y + 0.11, r) * (c.y < y + 0.13), colours[(ring + row) % 5] if ring % 2 else "#f0f4ef")


def quilt(c: Canvas) -> None:
    palette = ("#e07a5f", "#3d405b", "#81b29a", "#f2cc8f", "#c8553d", "#588b8b", "#ffd5c2")
    for i in range(4):
        for j in range(4):
            left, top = i / 4, j / 4
            first, second = c.rng.choice(len(palette), 2, replace=False)
            c.paint(c.box(left, top, left + 0.25, top + 0.25), palette[first])
            kind = c.rng.integers(4)
            if kind == 0:
                c.paint(c.polygon((left, top), (left + 0.25, top), (left, top + 0.25)), palette[second])
            elif kind == 1:
                c.paint(c.disc(left + 0.125, top + 0.125, 0.095), palette[second])
            elif kind == 2:
                c.paint(
                    c.polygon((left + 0.125, top), (left + 0.25, top + 0.125), (left + 0.125, top + 0.25), (left, top + 0.125)),
                    palette[second],
                )
            else:
                c.paint(c.box(left, top, left + 0.25, top + 0.25) * (np.floor((c.x + c.y) * 16) % 2), palette[second])
    for k in range(1, 4):
        c.paint(c.box(k / 4 - 0.006, 0, k / 4 + 0.006, 1) + c.box(0, k / 4 - 0.006, 1, k / 4 + 0.006) > 0, "#fdf6ec")


def coffee_cup(c: Canvas) -> None:
    c.paint(1, c.ramp("#e8d7c3", "#d9c0a3"))
    c.paint(c.y > 0.7, "#8a5a3c")
    c.paint(c.disc(0.46, 0.84, 0.38, 0.07), "#efe9e1")
    c.paint(c.disc(0.46, 0.83, 0.26, 0.035), "#cfc4b6")
    c.paint(c.disc(0.74, 0.57, 0.13, 0.13), "#2a6f77")
    c.paint(c.disc(0.74, 0.57, 0.075, 0.08), "#d9c3a8")
    c.paint(
        c.box(0.2, 0.42, 0.72, 0.6) + c.disc(0.46, 0.6, 0.26, 0.22) * (c.y >= 0.6) > 0,
        c.ramp("#3f98a0", "#2a6f77", "#1a4d54", along=(c.x - 0.2) / 0.52),
    )
    c.paint(c.disc(0.46, 0.42, 0.26, 0.055), "#57b3ba")
    c.paint(c.disc(0.46, 0.425, 0.23, 0.04), "#3b2013")
    for x in (0.36, 0.46, 0.56):
        path = [(x + 0.025 * np.sin(k * 1.3 + x * 20), 0.36 - 0.045 * k) for k in range(7)]
        c.paint(c.stroke(0.022, *path), "#ffffff", 0.65)


DESIGNS = (
    saturn, blue_planet, letter_a, mandala, abstract_circles, colour_blocks, scale_pattern, quilt, coffee_cup,
)  # fmt: skip
