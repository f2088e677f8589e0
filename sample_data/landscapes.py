"""Views: sky, sea, land and towns."""

from __future__ import annotations

import numpy as np

from canvas import Canvas


def sunset_sea(c: Canvas) -> None:
    c.paint(1, c.ramp("#2b1b52", "#7a2a68", "#e2574c", "#f9a03f", "#ffd56b", along=c.y / 0.62))
    c.paint(c.disc(0.5, 0.6, 0.3, soft=1), "#fff2b0", 0.7)
    c.paint(c.disc(0.5, 0.6, 0.15), "#fff3c4")
    sea = c.y > 0.62
    c.paint(sea, c.ramp("#d9694a", "#6b2d63", "#241644", along=(c.y - 0.62) / 0.38))
    for k, y in enumerate(np.linspace(0.645, 0.96, 9)):
        width = 0.16 - 0.012 * k + 0.05 * (k % 2)
        c.paint(c.disc(0.5 + 0.02 * (-1) ** k, y, width, 0.008 + 0.001 * k), "#ffe09a", 0.85)
    for x, y in ((0.2, 0.2), (0.28, 0.15), (0.34, 0.23)):
        c.paint(c.stroke(0.01, (x - 0.035, y - 0.018), (x, y), (x + 0.035, y - 0.018)), "#22123f")


def mountain_lake(c: Canvas) -> None:
    c.paint(1, c.ramp("#5fa8e8", "#bfe0f7", "#eef7fb", along=c.y / 0.6))
    c.cloud(0.78, 0.14, 0.09)
    c.paint(c.polygon((-0.1, 0.6), (0.2, 0.24), (0.5, 0.6)), "#7d93b3")
    c.paint(c.polygon((0.11, 0.35), (0.2, 0.24), (0.29, 0.35), (0.24, 0.33), (0.2, 0.38), (0.15, 0.33)), "#f7fbff")
    c.paint(c.polygon((0.25, 0.6), (0.62, 0.1), (1.05, 0.6)), "#566f94")
    c.paint(c.polygon((0.62, 0.1), (1.05, 0.6), (0.68, 0.6), (0.6, 0.4)), "#435a7c")
    c.paint(c.polygon((0.49, 0.275), (0.62, 0.1), (0.76, 0.265), (0.7, 0.25), (0.65, 0.33), (0.59, 0.25), (0.54, 0.31)), "#ffffff")
    c.paint(c.below(c.ridge(0.52, 0.025, 31)) * (c.y < 0.6), "#24513d")
    mirror = np.flip(c.colour, axis=0)  # the row at 1 - y; the shore is at 0.6, so shift it there
    shift = round(0.2 * len(mirror))
    lake = np.roll(mirror, shift, axis=0) * 0.82 + np.array([0.02, 0.08, 0.12])
    c.paint(c.y > 0.6, lake)
    for y, x in ((0.7, 0.3), (0.8, 0.65), (0.9, 0.35), (0.95, 0.8)):
        c.paint(c.disc(x, y, 0.22, 0.006), "#e6f4ff", 0.55)


def desert_dunes(c: Canvas) -> None:
    c.paint(1, c.ramp("#f2c48d", "#fbe3bd", "#fdeed4", along=c.y / 0.5))
    c.paint(c.disc(0.76, 0.2, 0.09), "#fffdf2")
    for height, light, dark, phase in (
        (0.42, "#e8a765", "#c97b45", 0.3),
        (0.58, "#dd8c4a", "#a9552d", 2.4),
        (0.78, "#e79b52", "#8f4423", 4.3),
    ):
        crest = height + 0.09 * np.sin(4.2 * c.x + phase)
        c.paint(c.y > crest, light)
        c.paint((c.y > crest) & (c.y < crest + 0.3) & (c.x > 0.5 + 0.25 * np.sin(phase * 2) + (c.y - crest) * 1.4), dark, 0.75)
    for k in range(3):
        x = 0.2 + 0.09 * k
        c.paint(c.disc(x, 0.655, 0.022, 0.016), "#3b2015")
        c.paint(c.stroke(0.008, (x - 0.012, 0.66), (x - 0.012, 0.7)), "#3b2015")
        c.paint(c.stroke(0.008, (x + 0.012, 0.66), (x + 0.012, 0.7)), "#3b2015")
        c.paint(c.stroke(0.01, (x + 0.018, 0.655), (x + 0.032, 0.625), (x + 0.042, 0.628)), "#3b2015")


def forest_mist(c: Canvas) -> None:
    c.paint(1, c.ramp("#cfe3d6", "#e9f2e4", "#f4f6e8"))
    for layer, (foot, shade) in enumerate(((0.55, "#a9c9b4"), (0.7, "#6f9f85"), (0.86, "#386b54"), (1.08, "#123a2c"))):
        count = 11 - 2 * layer
        for x in (np.arange(count) + c.rng.uniform(0.2, 0.8, count)) / count:
            tall = (0.28 + 0.14 * layer) * c.rng.uniform(0.75, 1.1)
            for step in (0.0, 0.25, 0.5):
                half = tall * 0.2 * (0.45 + step)
                top = foot - tall * (1 - step * 0.8)
                c.paint(c.polygon((x - half, top + tall * 0.42), (x, top), (x + half, top + tall * 0.42)), shade)
            c.paint(c.box(x - 0.008, foot - tall * 0.4, x + 0.008, foot), shade)
        c.paint(np.clip((c.y - foot + 0.12) / 0.16, 0, 1), "#e4eee2" if layer < 3 else "#0d2a20", 0.75)


def aurora(c: Canvas) -> None:
    c.paint(1, c.ramp("#050b24", "#0a1f3f", "#123a52"))
    c.stars(45, 0.6)
    for base, colour, reach, wave in ((0.36, "#39f0a0", 0.3, 0.0), (0.5, "#7dffce", 0.2, 1.7), (0.28, "#a05cff", 0.22, 3.4)):
        edge = base + 0.1 * np.sin(5 * c.x + wave) + 0.03 * np.sin(13 * c.x + wave)
        fade = np.clip(1 - (edge - c.y) / reach, 0, 1) * (c.y < edge) * (0.65 + 0.35 * np.sin(34 * c.x + 3 * wave))
        c.paint(fade, colour, 0.8)
    c.paint(c.below(c.hills(0.74, 0.05)), "#9fc8d8")
    c.paint(c.below(c.hills(0.84, 0.05)), "#e6f3f7")
    for x, y in ((0.14, 0.86), (0.24, 0.9), (0.86, 0.88)):
        c.paint(c.polygon((x - 0.045, y), (x, y - 0.2), (x + 0.045, y)), "#0c2a30")


def city_night(c: Canvas) -> None:
    c.paint(1, c.ramp("#0b1034", "#27245e", "#5d3a78", "#b45a7c"))
    c.stars(30, 0.4)
    c.paint(c.disc(0.2, 0.18, 0.085), "#fbf3cf")
    c.paint(c.disc(0.235, 0.16, 0.075), "#161746")
    left = -0.02
    for width, top in zip((0.15, 0.13, 0.17, 0.12, 0.16, 0.14, 0.2), (0.52, 0.36, 0.6, 0.24, 0.46, 0.33, 0.56), strict=True):
        c.paint(c.box(left, top, left + width - 0.008, 1), c.ramp("#1d2148", "#0d0f26"))
        for x in np.arange(left + 0.022, left + width - 0.03, 0.036):
            for y in np.arange(top + 0.03, 0.96, 0.052):
                if c.rng.random() < 0.6:
                    c.paint(c.box(x, y, x + 0.019, y + 0.027), c.rng.choice(["#ffd76a", "#ffb84d", "#fff1b8", "#8fd3ff"]))
        left += width
    c.paint(c.stroke(0.008, (0.49, 0.24), (0.49, 0.12)), "#1d2148")
    c.paint(c.disc(0.49, 0.12, 0.012), "#ff4d4d")


def lighthouse(c: Canvas) -> None:
    c.paint(1, c.ramp("#27364f", "#4f6784", "#93a9b5"))
    c.paint(c.polygon((0.3, 0.25), (1.1, 0.02), (1.1, 0.4)), "#ffeeb0", 0.55)
    c.paint(c.polygon((0.3, 0.25), (-0.1, 0.18), (-0.1, 0.33)), "#ffeeb0", 0.4)
    c.paint(c.y > 0.66, c.ramp("#2e5a6b", "#163645", along=(c.y - 0.66) / 0.34))
    for k in range(6):
        y = 0.7 + 0.055 * k
        c.paint(np.abs(c.y - y - 0.012 * np.sin(20 * c.x + 2 * k)) < 0.007, "#a9c8cc", 0.7)
    c.paint(c.polygon((-0.1, 1.1), (-0.1, 0.68), (0.1, 0.62), (0.45, 0.63), (0.58, 0.8), (0.66, 1.1)), "#2b2a2c")
    c.paint(c.polygon((-0.1, 0.7), (0.1, 0.62), (0.45, 0.63), (0.5, 0.7), (0.2, 0.68)), "#557345")
    tower = c.polygon((0.2, 0.64), (0.245, 0.3), (0.355, 0.3), (0.4, 0.64))
    c.paint(tower, "#f4f0e6")
    c.paint(tower * (np.floor(c.y / 0.085) % 2), "#c9302c")
    c.paint(tower * (c.x > 0.32), "#000000", 0.18)
    c.paint(c.box(0.225, 0.285, 0.375, 0.31), "#22252b")
    c.paint(c.box(0.26, 0.2, 0.34, 0.285), "#ffe9a0")
    c.paint(c.polygon((0.24, 0.205), (0.3, 0.13), (0.36, 0.205)), "#a3231f")


def sailing_boat(c: Canvas) -> None:
    c.paint(1, c.ramp("#1e88d8", "#6cc0f2", "#d5f0fb", along=c.y / 0.68))
    c.cloud(0.22, 0.2, 0.1)
    c.cloud(0.85, 0.32, 0.07)
    c.paint(c.y > 0.68, c.ramp("#1f7fb0", "#0b4a7d", along=(c.y - 0.68) / 0.32))
    c.paint(c.stroke(0.014, (0.53, 0.12), (0.53, 0.72)), "#5b3a21")
    c.paint(c.polygon((0.55, 0.14), (0.83, 0.63), (0.55, 0.63)), "#ffffff")
    c.paint(c.polygon((0.55, 0.4), (0.7, 0.4), (0.77, 0.52), (0.55, 0.52)), "#e8483f")
    c.paint(c.polygon((0.51, 0.2), (0.51, 0.63), (0.27, 0.63)), "#f6e7c6")
    c.paint(c.polygon((0.22, 0.69), (0.86, 0.69), (0.76, 0.81), (0.32, 0.81)), "#8c3b22")
    c.paint(c.box(0.24, 0.69, 0.84, 0.712), "#f2d9a4")
    for k in range(5):
        y = 0.79 + 0.05 * k
        c.paint(np.abs(c.y - y - 0.014 * np.sin(16 * c.x + 1.9 * k)) < 0.009, "#7fcdee", 0.8)


def volcano(c: Canvas) -> None:
    c.paint(1, c.ramp("#1a0f1f", "#4a1730", "#a3303a", "#ef7b45"))
    for x, y, r in ((0.45, 0.22, 0.13), (0.58, 0.14, 0.15), (0.42, 0.08, 0.14), (0.7, 0.05, 0.14), (0.28, 0.02, 0.12)):
        c.paint(c.disc(x, y, r, soft=0.5), "#3a2c36", 0.9)
    c.paint(c.disc(0.5, 0.36, 0.16, soft=1), "#ffcf5a", 0.95)
    for dx, top in ((-0.16, 0.2), (-0.07, 0.1), (0.04, 0.13), (0.14, 0.18)):
        c.paint(
            c.stroke(0.014, (0.5, 0.38), (0.5 + dx * 0.6, top), (0.5 + dx, top + 0.04), (0.5 + dx * 1.3, top + 0.16)), "#ffb02e"
        )
    c.paint(c.polygon((-0.1, 1.02), (0.42, 0.36), (0.58, 0.36), (1.1, 1.02)), c.ramp("#4a2a2c", "#1d1216"))
    for path in (
        ((0.5, 0.36), (0.48, 0.52), (0.53, 0.66), (0.46, 0.84), (0.48, 1.02)),
        ((0.54, 0.37), (0.6, 0.55), (0.68, 0.66), (0.74, 0.9)),
    ):
        c.paint(c.stroke(0.05, *path), "#d7301f")
        c.paint(c.stroke(0.024, *path), "#ffc23d")


def rainbow_meadow(c: Canvas) -> None:
    c.paint(1, c.ramp("#7db9e8", "#cde8f7", along=c.y / 0.75))
    distance, _ = c.polar(0.5, 0.82)
    for k, colour in enumerate(("#e84545", "#f58d3d", "#fbe14b", "#57c26b", "#4a7fe0", "#8a53c9")):
        c.paint((distance < 0.62 - 0.035 * k) & (distance > 0.585 - 0.035 * k), colour, 0.85)
    c.cloud(0.1, 0.6, 0.12)
    c.cloud(0.9, 0.58, 0.13)
    c.paint(c.below(lambda x: 0.78 - 0.1 * np.sin(3 * x + 0.2)), "#79c04d")
    c.paint(c.below(lambda x: 0.84 + 0.07 * np.sin(4 * x + 1.2)), "#4f9e3a")
    for x, y in c.rng.uniform((0.02, 0.86), (0.98, 0.98), (26, 2)):
        c.paint(c.disc(x, y, 0.014), c.rng.choice(["#ffffff", "#ffd93b", "#ff7eb0"]))


def palm_island(c: Canvas) -> None:
    c.paint(1, c.ramp("#35c4e8", "#a8ecf2", "#fdf6d8", along=c.y / 0.58))
    c.paint(c.disc(0.16, 0.17, 0.09), "#fff4a8")
    c.paint(c.y > 0.58, c.ramp("#0fa3b5", "#3fd6c4", along=(c.y - 0.58) / 0.42))
    c.paint(c.disc(0.55, 0.84, 0.46, 0.13), "#7fe8d6")
    c.paint(c.disc(0.55, 0.82, 0.38, 0.11), "#f6dfa2")
    c.paint(c.stroke(0.04, (0.56, 0.78), (0.6, 0.6), (0.59, 0.46), (0.54, 0.33)), "#8b5a2b")
    for turn, reach in ((-160, 0.3), (-125, 0.22), (-60, 0.24), (-22, 0.32), (12, 0.28), (165, 0.27)):
        a = np.deg2rad(turn)
        tip = (0.54 + reach * np.cos(a), 0.33 + reach * np.sin(a) * 0.7 + 0.09)
        bend = (0.54 + reach * 0.55 * np.cos(a), 0.29 + reach * 0.6 * np.sin(a))
        c.paint(c.polygon((0.54, 0.31), (bend[0], bend[1] - 0.045), tip, (bend[0], bend[1] + 0.03), (0.54, 0.36)), "#1f8a4c")
    for dx in (-0.02, 0.03):
        c.paint(c.disc(0.545 + dx, 0.37, 0.024), "#5a3414")


def winter_cottage(c: Canvas) -> None:
    c.paint(1, c.ramp("#2c3f73", "#6d7fb3", "#c6b7d1"))
    c.paint(c.below(c.hills(0.58, 0.06)), "#a9b8da")
    c.paint(c.below(lambda x: 0.74 + 0.03 * np.sin(5 * x)), "#eef3fb")
    c.paint(c.box(0.3, 0.5, 0.72, 0.8), "#7a4a32")
    for y in np.arange(0.54, 0.8, 0.06):
        c.paint(c.box(0.3, y, 0.72, y + 0.008), "#53301f")
    c.paint(c.box(0.6, 0.24, 0.67, 0.42), "#6b3f3a")
    c.paint(c.polygon((0.22, 0.53), (0.51, 0.26), (0.8, 0.53)), "#ffffff")
    c.paint(c.polygon((0.3, 0.53), (0.51, 0.335), (0.72, 0.53)), "#7a4a32")
    c.paint(c.disc(0.45, 0.63, 0.2, soft=1), "#ffd468", 0.5)
    c.paint(c.box(0.36, 0.57, 0.5, 0.69), "#ffd96b")
    c.paint(c.box(0.425, 0.57, 0.435, 0.69) + c.box(0.36, 0.625, 0.5, 0.635), "#53301f")
    c.paint(c.box(0.57, 0.59, 0.67, 0.8), "#3f2317")
    for k, (x, y) in enumerate(((0.66, 0.18), (0.71, 0.11), (0.78, 0.05))):
        c.paint(c.disc(x, y, 0.035 + 0.012 * k, soft=0.4), "#e3dcec", 0.8)
    for step in (0, 0.1, 0.2):
        c.paint(
            c.polygon(
                (0.02 + step * 0.35, 0.58 + step * 0.9 - 0.1), (0.13, 0.38 + step), (0.24 - step * 0.35, 0.58 + step * 0.9 - 0.1)
            ),
            "#1f4a4a",
        )
    for x, y in c.rng.uniform(0, 1, (60, 2)):
        c.paint(c.disc(x, y, 0.008), "#ffffff", 0.9)


def hot_air_balloon(c: Canvas) -> None:
    c.paint(1, c.ramp("#7fd1e8", "#c9eff0", "#fff6da"))
    c.cloud(0.15, 0.72, 0.11)
    c.cloud(0.86, 0.84, 0.12)
    c.cloud(0.86, 0.16, 0.06)
    envelope = np.maximum(c.disc(0.5, 0.36, 0.3), c.polygon((0.235, 0.5), (0.765, 0.5), (0.57, 0.72), (0.43, 0.72)))
    across = np.clip((c.x - 0.5) / np.sqrt(np.maximum(0.31**2 - (c.y - 0.36) ** 2 * 0.72, 1e-4)), -1, 1)
    slice_ = np.floor((np.arcsin(across) / np.pi + 0.5) * 7)
    for k, colour in enumerate(("#d7263d", "#f46036", "#ffd23f", "#f46036", "#d7263d", "#8e1f5b", "#5b1f63")):
        c.paint(envelope * (slice_ == k), colour)
    c.paint(envelope * (np.abs(c.y - 0.36) < 0.035), "#fff4d6", 0.9)
    c.paint(c.stroke(0.008, (0.44, 0.71), (0.46, 0.82)) + c.stroke(0.008, (0.56, 0.71), (0.54, 0.82)), "#5a3a1e")
    c.paint(c.box(0.45, 0.81, 0.55, 0.89), "#8a5a2b")


def open_road(c: Canvas) -> None:
    c.paint(1, c.ramp("#f7b267", "#f9d29d", "#fdf0d5", along=c.y / 0.45))
    c.paint(c.below(c.ridge(0.37, 0.04, 11)), "#9a7fb0")
    c.paint(c.y > 0.45, c.ramp("#d9b24c", "#b98a2f", along=(c.y - 0.45) / 0.55))
    for k in range(-9, 10):
        c.paint(c.polygon((0.5, 0.45), (0.5 + k * 0.3, 1.05), (0.5 + k * 0.3 + 0.12, 1.05)), "#8f9a3a", 0.7)
    c.paint(c.polygon((0.485, 0.45), (0.515, 0.45), (0.95, 1.05), (0.05, 1.05)), "#4a4a52")
    depth = 1 / np.maximum(c.y - 0.44, 0.005)
    c.paint((np.abs(c.x - 0.5) < 0.03 * (c.y - 0.44) / 0.5) & (np.sin(depth * 4.2) > -0.2) & (c.y > 0.47), "#fff6d8")
    c.paint(c.disc(0.5, 0.36, 0.07), "#fff8e0")


LANDSCAPES = (
    sunset_sea, mountain_lake, desert_dunes, forest_mist, aurora, city_night, lighthouse,
    sailing_boat, volcano, rainbow_meadow, palm_island, winter_cottage, hot_air_balloon, open_road,
)  # fmt: skip
