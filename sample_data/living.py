"""Flowers, fruit, animals and a portrait."""

from __future__ import annotations

import numpy as np

from canvas import Canvas


def sunflower(c: Canvas) -> None:
    c.paint(1, c.ramp("#2f7fc4", "#8cc8ee"))
    c.paint(c.stroke(0.05, (0.5, 0.5), (0.53, 1.05)), "#3c7a2a")
    c.paint(c.disc(0.72, 0.9, 0.2, 0.07, turn=-25), "#4d9a35")
    for ring, (reach, colour) in enumerate(((0.27, "#e8960c"), (0.24, "#ffc81f"))):
        for a in np.arange(16) * 22.5 + 11.25 * ring:
            turn = np.deg2rad(a)
            c.paint(c.disc(0.5 + reach * np.cos(turn), 0.46 + reach * np.sin(turn), 0.16, 0.055, turn=a), colour)
    c.paint(c.disc(0.5, 0.46, 0.18), "#5a3312")
    for k in range(150):
        r, a = 0.168 * np.sqrt(k / 150), k * 2.39996
        c.paint(c.disc(0.5 + r * np.cos(a), 0.46 + r * np.sin(a), 0.0085), "#a86a22" if k > 45 else "#7d8c2c")


def tulips(c: Canvas) -> None:
    c.paint(1, c.ramp("#fdeef4", "#fbd3e0"))
    for x, top, colour, dark in (
        (0.22, 0.38, "#e63462", "#b01c48"),
        (0.5, 0.24, "#f2b705", "#c98a00"),
        (0.78, 0.42, "#8f3fb5", "#662787"),
    ):
        c.paint(c.stroke(0.03, (x, top + 0.1), (x + 0.015, 1.05)), "#3f8f4a")
        c.paint(c.disc(x + 0.085, 0.86, 0.04, 0.22, turn=20), "#57ab5a")
        c.paint(c.disc(x - 0.075, 0.88, 0.036, 0.2, turn=-18), "#2f7a3d")
        cup = c.disc(x, top + 0.05, 0.11, 0.13) * (c.y > top)
        c.paint(cup, colour)
        c.paint(c.polygon((x - 0.11, top + 0.03), (x - 0.09, top - 0.12), (x, top + 0.04)), colour)
        c.paint(c.polygon((x + 0.11, top + 0.03), (x + 0.09, top - 0.12), (x, top + 0.04)), colour)
        c.paint(c.polygon((x - 0.065, top + 0.06), (x, top - 0.14), (x + 0.065, top + 0.06)), dark)
        c.paint(c.disc(x, top + 0.06, 0.065, 0.11), dark)


def apple(c: Canvas) -> None:
    c.paint(1, c.ramp("#f4efe2", "#e3d5b8"))
    c.paint(c.y > 0.74, "#b98a5a")
    c.paint(c.disc(0.53, 0.85, 0.32, 0.05, soft=0.6), "#6b4526", 0.8)
    body = np.maximum(c.disc(0.41, 0.56, 0.24, 0.29), c.disc(0.59, 0.56, 0.24, 0.29))
    distance, _ = c.polar(0.4, 0.44)
    c.paint(body, c.ramp("#ff6b5a", "#d41f2e", "#8e0f22", along=distance / 0.5))
    c.paint(c.disc(0.5, 0.3, 0.09, 0.035), "#7a0d1d")
    c.paint(c.stroke(0.028, (0.5, 0.31), (0.51, 0.22), (0.55, 0.15)), "#5a3a1c")
    c.paint(c.disc(0.66, 0.19, 0.13, 0.055, turn=-20), "#5fae3c")
    c.paint(c.stroke(0.008, (0.55, 0.23), (0.77, 0.15)), "#3a7a24")
    c.paint(c.disc(0.33, 0.44, 0.05, 0.09, turn=20), "#ffffff", 0.7)


def orange_slice(c: Canvas) -> None:
    c.paint(1, "#17a398")
    c.paint(c.disc(0.53, 0.54, 0.42), "#0e7d74")
    c.paint(c.disc(0.5, 0.5, 0.42), "#f77f00")
    c.paint(c.disc(0.5, 0.5, 0.38), "#fff1d0")
    distance, angle = c.polar(0.5, 0.5)
    across = np.abs((angle * 10) % 1 - 0.5)  # 0 in the middle of a segment, 1/2 between two
    segment = (distance < 0.345) & (distance * (0.5 - across) > 0.018) & (distance > 0.05)
    c.paint(segment, c.ramp("#ffc14d", "#ff9a1f", "#ff8c0a", along=distance / 0.35))
    for a in range(10):
        turn = 2 * np.pi * (a + 0.5) / 10
        c.paint(c.disc(0.5 + 0.24 * np.cos(turn), 0.5 + 0.24 * np.sin(turn), 0.03, 0.009, turn=np.rad2deg(turn)), "#ffe0a3")


def watermelon(c: Canvas) -> None:
    c.paint(1, "#ffe5ec")
    for x in np.arange(0, 1, 0.2):
        c.paint(c.box(x, 0, x + 0.1, 1), "#ffd3df")
    half = c.y > 0.28
    for r, colour in ((0.48, "#1f6b35"), (0.44, "#d8f0c0"), (0.41, "#f2405a")):
        c.paint(c.disc(0.5, 0.28, r) * half, colour)
    for a, r in ((25, 0.3), (55, 0.33), (90, 0.31), (125, 0.33), (155, 0.3), (45, 0.17), (90, 0.15), (135, 0.17)):
        turn = np.deg2rad(a)
        c.paint(c.disc(0.5 + r * np.cos(turn), 0.28 + r * np.sin(turn), 0.026, 0.015, turn=a), "#2b1216")


def cat(c: Canvas) -> None:
    c.paint(1, c.ramp("#5b4b8a", "#8d7bc0"))
    for sign in (-1, 1):
        c.paint(c.polygon((0.5 + sign * 0.32, 0.08), (0.5 + sign * 0.34, 0.48), (0.5 + sign * 0.08, 0.28)), "#e58a2e")
        c.paint(c.polygon((0.5 + sign * 0.29, 0.16), (0.5 + sign * 0.29, 0.4), (0.5 + sign * 0.14, 0.3)), "#f7b8a8")
    c.paint(c.disc(0.5, 1.06, 0.4, 0.28), "#d97a20")
    c.paint(c.disc(0.5, 0.56, 0.36, 0.32), "#f09a3e")
    for dx in (-0.09, 0, 0.09):
        c.paint(c.polygon((0.475 + dx, 0.24), (0.525 + dx, 0.24), (0.5 + dx * 0.8, 0.39)), "#c4661a")
    c.paint(c.disc(0.42, 0.7, 0.12, 0.1) + c.disc(0.58, 0.7, 0.12, 0.1) > 0, "#fff3e0")
    for sign in (-1, 1):
        c.paint(c.disc(0.5 + sign * 0.16, 0.52, 0.075, 0.085), "#d8f07a")
        c.paint(c.disc(0.5 + sign * 0.16, 0.52, 0.026, 0.075), "#1c1c1c")
        c.paint(c.disc(0.5 + sign * 0.16 - 0.02, 0.49, 0.016), "#ffffff")
        for dy in (-0.03, 0.02, 0.07):
            c.paint(c.stroke(0.008, (0.5 + sign * 0.14, 0.69 + dy * 0.4), (0.5 + sign * 0.44, 0.68 + dy * 1.6)), "#fffaf0")
    c.paint(c.polygon((0.455, 0.63), (0.545, 0.63), (0.5, 0.69)), "#e0607a")
    c.paint(c.stroke(0.012, (0.5, 0.68), (0.5, 0.73), (0.44, 0.76)) + c.stroke(0.012, (0.5, 0.73), (0.56, 0.76)) > 0, "#6b3410")


def owl(c: Canvas) -> None:
    c.paint(1, c.ramp("#0c2340", "#1e4b6e"))
    c.paint(c.disc(0.86, 0.17, 0.1), "#f8efc0")
    c.stars(25, 0.8)
    c.paint(c.stroke(0.06, (-0.1, 0.93), (1.1, 0.88)), "#4a2f1d")
    for sign in (-1, 1):
        c.paint(c.polygon((0.45 + sign * 0.25, 0.12), (0.45 + sign * 0.25, 0.36), (0.45 + sign * 0.04, 0.27)), "#6b4a32")
    c.paint(c.disc(0.45, 0.58, 0.29, 0.36), "#7d583b")
    c.paint(c.disc(0.45, 0.7, 0.19, 0.23), "#d9b88a")
    for row in range(4):
        for k in range(-2, 3):
            c.paint(
                c.disc(0.45 + k * 0.07 + 0.035 * (row % 2), 0.62 + 0.07 * row, 0.017, 0.022) * c.disc(0.45, 0.7, 0.18, 0.22),
                "#8f643d",
            )
    for sign in (-1, 1):
        c.paint(c.disc(0.45 + sign * 0.25, 0.64, 0.07, 0.22, turn=sign * -12), "#553823")
        c.paint(c.disc(0.45 + sign * 0.13, 0.41, 0.135), "#e9d3ac")
        c.paint(c.disc(0.45 + sign * 0.13, 0.41, 0.1), "#ffb81c")
        c.paint(c.disc(0.45 + sign * 0.13, 0.41, 0.058), "#12100e")
        c.paint(c.disc(0.45 + sign * 0.13 + 0.022, 0.385, 0.02), "#ffffff")
        c.paint(c.disc(0.45 + sign * 0.08, 0.92, 0.05, 0.025), "#f0a020")
    c.paint(c.polygon((0.41, 0.46), (0.49, 0.46), (0.45, 0.56)), "#f0901a")


def fox(c: Canvas) -> None:
    c.paint(1, c.ramp("#bfe3d0", "#7fb89c"))
    for sign in (-1, 1):
        c.paint(c.polygon((0.5 + sign * 0.36, 0.06), (0.5 + sign * 0.38, 0.46), (0.5 + sign * 0.06, 0.3)), "#d4541a")
        c.paint(c.polygon((0.5 + sign * 0.33, 0.14), (0.5 + sign * 0.33, 0.36), (0.5 + sign * 0.15, 0.3)), "#33211c")
    c.paint(c.polygon((0.1, 0.44), (0.28, 0.25), (0.72, 0.25), (0.9, 0.44), (0.5, 0.94)), "#ec6a26")
    for sign in (-1, 1):
        c.paint(c.polygon((0.5 + sign * 0.4, 0.44), (0.5 + sign * 0.08, 0.54), (0.5, 0.94)), "#fdf4e8")
        c.paint(c.disc(0.5 + sign * 0.17, 0.47, 0.046, 0.056), "#1e1512")
        c.paint(c.disc(0.5 + sign * 0.17 - 0.014, 0.452, 0.015), "#ffffff")
    c.paint(c.polygon((0.5, 0.42), (0.6, 0.8), (0.5, 0.92), (0.4, 0.8)), "#f08243")
    c.paint(c.disc(0.5, 0.87, 0.065, 0.05), "#1e1512")


def clownfish(c: Canvas) -> None:
    c.paint(1, c.ramp("#0b5c8f", "#06355f"))
    for x, tall, colour in ((0.08, 0.3, "#e0527a"), (0.2, 0.22, "#f08fa8"), (0.83, 0.34, "#8a4fc0"), (0.94, 0.24, "#b57fe0")):
        c.paint(c.stroke(0.07, (x, 1.02), (x + 0.02, 1 - tall * 0.6), (x - 0.02, 1 - tall)), colour)
    c.paint(c.y > 0.94 + 0.02 * np.sin(12 * c.x), "#d9c48f")
    c.paint(c.polygon((0.74, 0.46), (0.94, 0.26), (0.9, 0.46), (0.94, 0.66)), "#ff8420")
    c.paint(c.disc(0.46, 0.26, 0.16, 0.08, turn=8) + c.disc(0.46, 0.66, 0.11, 0.07, turn=-10) > 0, "#e86a10")
    body = c.disc(0.46, 0.46, 0.32, 0.21)
    c.paint(body, c.ramp("#ff9a33", "#ff7a14", "#e85d04", along=(c.y - 0.25) / 0.42))
    for left, right, bend in ((0.26, 0.35, 0.1), (0.5, 0.6, 0.05), (0.7, 0.76, -0.05)):
        curve = c.x - bend * np.cos((c.y - 0.46) * 6) + 0.08
        c.paint(body * (curve > left - 0.016) * (curve < right + 0.016), "#1a1a1a")
        c.paint(body * (curve > left) * (curve < right), "#ffffff")
    c.paint(c.disc(0.22, 0.42, 0.04), "#ffffff")
    c.paint(c.disc(0.215, 0.42, 0.024), "#101010")
    for x, y, r in ((0.1, 0.26, 0.024), (0.15, 0.14, 0.032), (0.08, 0.05, 0.02)):
        c.paint(c.disc(x, y, r), "#9fdcf5", 0.8)


def butterfly(c: Canvas) -> None:
    c.paint(1, c.ramp("#e9f7d8", "#bfe3a0"))
    for sign in (-1, 1):
        for dx, dy, r, ry, turn, colour in (
            (0.23, -0.15, 0.24, 0.16, -35, "#162447"), (0.23, -0.15, 0.2, 0.12, -35, "#2e8bff"),
            (0.18, 0.17, 0.18, 0.13, 40, "#162447"), (0.18, 0.17, 0.14, 0.09, 40, "#f2a900"),
            (0.29, -0.2, 0.05, 0.05, 0, "#bfe9ff"), (0.18, -0.1, 0.035, 0.035, 0, "#bfe9ff"), (0.22, 0.2, 0.04, 0.04, 0, "#d7263d"),
        ):  # fmt: skip
            c.paint(c.disc(0.5 + sign * dx, 0.5 + dy, r, ry, turn=sign * turn), colour)
        c.paint(c.stroke(0.012, (0.5, 0.3), (0.5 + sign * 0.06, 0.16), (0.5 + sign * 0.12, 0.12)), "#162447")
        c.paint(c.disc(0.5 + sign * 0.12, 0.12, 0.016), "#162447")
    c.paint(c.disc(0.5, 0.5, 0.035, 0.22), "#0f1730")


def penguin(c: Canvas) -> None:
    c.paint(1, c.ramp("#bfe9f7", "#e8f8fc"))
    c.paint(c.polygon((0.55, 0.72), (0.72, 0.4), (0.84, 0.52), (1.05, 0.36), (1.05, 0.72)), "#9fd3e8")
    c.paint(c.y > 0.72, "#ffffff")
    c.paint(c.disc(0.4, 0.9, 0.26, 0.04), "#b9dbe8")
    c.paint(c.disc(0.2, 0.56, 0.07, 0.22, turn=18) + c.disc(0.6, 0.56, 0.07, 0.22, turn=-18) > 0, "#161c2c")
    c.paint(c.disc(0.4, 0.56, 0.22, 0.34), "#20283d")
    c.paint(c.disc(0.4, 0.28, 0.17), "#20283d")
    c.paint(c.disc(0.4, 0.62, 0.15, 0.26), "#fdfdf8")
    for sign in (-1, 1):
        c.paint(c.disc(0.4 + sign * 0.07, 0.28, 0.07, 0.085), "#fdfdf8")
        c.paint(c.disc(0.4 + sign * 0.06, 0.27, 0.026), "#101010")
        c.paint(c.disc(0.4 + sign * 0.1, 0.9, 0.08, 0.03), "#f79a1e")
    c.paint(c.polygon((0.34, 0.33), (0.46, 0.33), (0.4, 0.41)), "#f79a1e")
    c.paint(c.box(0.25, 0.42, 0.55, 0.48) + c.polygon((0.46, 0.46), (0.56, 0.46), (0.58, 0.68), (0.48, 0.68)) > 0, "#d7263d")


def portrait(c: Canvas) -> None:
    c.paint(1, c.ramp("#4e6b5a", "#2c3f36", along=(c.x + c.y) / 2))
    c.paint(c.disc(0.5, 0.5, 0.28, 0.42), "#3a1f14")
    c.paint(c.disc(0.5, 1.08, 0.46, 0.34), "#7a1f2b")
    c.paint(c.polygon((0.36, 0.8), (0.64, 0.8), (0.5, 0.98)), "#eec3a0")
    c.paint(c.box(0.43, 0.62, 0.57, 0.84), "#dba884")
    c.paint(c.disc(0.5, 0.48, 0.19, 0.25), c.ramp("#f7d3b5", "#eebf9b", "#cf9973", along=(c.x - 0.3) / 0.4))
    c.paint(c.disc(0.42, 0.25, 0.2, 0.1, turn=-32), "#3a1f14")
    c.paint(c.disc(0.6, 0.26, 0.18, 0.1, turn=36), "#3a1f14")
    for sign in (-1, 1):
        x = 0.5 + sign * 0.085
        c.paint(c.disc(x, 0.455, 0.04, 0.02), "#fffaf2")
        c.paint(c.disc(x, 0.455, 0.02), "#3f5a2c")
        c.paint(c.disc(x, 0.455, 0.009), "#101010")
        c.paint(c.stroke(0.014, (x - 0.045, 0.412), (x, 0.398), (x + 0.045, 0.412)), "#3a1f14")
        c.paint(c.disc(0.5 + sign * 0.11, 0.56, 0.045, soft=0.8), "#e07a6a", 0.6)
        c.paint(c.disc(0.5 + sign * 0.2, 0.6, 0.02), "#f2c14e")
    c.paint(c.stroke(0.014, (0.5, 0.47), (0.482, 0.56), (0.505, 0.565)), "#b98058")
    c.paint(c.disc(0.5, 0.615, 0.075, 0.05) * (c.y > 0.625), "#b5323f")
    c.paint(c.stroke(0.01, (0.42, 0.615), (0.45, 0.63), (0.5, 0.632), (0.55, 0.63), (0.58, 0.615)), "#8e2430")
    for k in range(9):
        c.paint(c.disc(0.38 + 0.03 * k, 0.8 + 0.055 * np.sin(np.pi * k / 8), 0.014), "#fdf3e0")


LIVING = (
    sunflower, tulips, apple, orange_slice, watermelon, cat, owl, fox, clownfish, butterfly, penguin, portrait,
)  # fmt: skip
