"""The corruption suite: what every member must obey, and what each one does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uhop_cli.corruption.corruption import FRAMES, KINDS, SUITE, TEN, Corruption, damage, parse
from uhop_cli.errors import SettingsError
from uhop_cli.images.patterns import PatternSpec

SPECS = (PatternSpec(12, 10, 3), PatternSpec(9, 11, 1), PatternSpec(1, 1, 3), PatternSpec(40, 33, 3), PatternSpec(64, 2, 1))
EVERY = [Corruption(kind.name, level) for kind in KINDS.values() for level in (kind.levels or (None,))]
FILLED = [
    Corruption(kind.name, None, fill)
    for kind in KINDS.values()
    if kind.fills
    for fill in ("black", "grey", "white", "colour", "noise")
]
RGB = SPECS[0]


def rows(spec, count=6, seed=0):
    """Rows in (0, 1) without exact zeros and ones, so that what was covered can be told."""
    return np.random.default_rng(seed).uniform(0.05, 0.95, (count, spec.dim)).astype(np.float32)


def pictures(patterns, spec):
    return patterns.reshape(-1, *spec.shape)


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: "x".join(map(str, s.shape)))
@pytest.mark.parametrize("corruption", [*EVERY, *FILLED], ids=str)
def test_laws_that_all_obey(corruption, spec):
    x = rows(spec)
    before = x.copy()
    damaged = corruption(x, spec, 3)
    again = corruption(x, spec, 3)
    few = corruption(x[:2], spec, 3)
    assert np.array_equal(x, before), "the input is left alone"
    assert damaged.patterns.shape == x.shape
    assert damaged.patterns.dtype == np.float32
    assert np.isfinite(damaged.patterns).all()
    assert np.array_equal(damaged.patterns, again.patterns), "deterministic"
    # the last bit may differ where sums over rows are blocked differently
    assert np.allclose(damaged.patterns[:2], few.patterns, atol=1e-6), "rows do not depend on those that follow"
    if damaged.visible is None:
        assert few.visible is None
    else:
        assert damaged.visible.shape == x.shape
        assert damaged.visible.dtype == np.bool_
        assert np.array_equal(damaged.visible[:2], few.visible)
        assert np.array_equal(damaged.patterns[damaged.visible], x[damaged.visible]), "what is visible is the original"
    assert corruption(x[:0], spec, 3).patterns.shape == (0, spec.dim)


@pytest.mark.parametrize("corruption", EVERY, ids=str)
def test_the_label_reads_back(corruption):
    assert parse(corruption.label) == corruption


@settings(max_examples=30)
@given(st.sampled_from([k for k in KINDS.values() if k.bounds]), st.data())
def test_any_level_within_the_bounds_works(kind, data):
    low, high = kind.bounds
    level = data.draw(st.floats(low, min(high, 40)))
    assert np.isfinite(Corruption(kind.name, level)(rows(RGB, 2), RGB, 0).patterns).all()


def test_random_kinds_depend_on_the_seed_and_on_the_label():
    x = rows(RGB)
    for label in ("mask:0.5", "noise:0.3", "block:0.25", "scratches:5", "text:0.4", "shift:2", "half:top:noise"):
        corruption = parse(label)
        assert not np.array_equal(corruption(x, RGB, 0).patterns, corruption(x, RGB, 1).patterns), label
    assert not np.array_equal(parse("mask:0.5")(x, RGB).visible, parse("values:0.5")(x, RGB).visible)


def test_mask_takes_whole_pixels_and_values_single_channels():
    x = rows(RGB, 200)
    mask = pictures(parse("mask:0.3")(x, RGB).visible, RGB)
    assert np.all(mask == mask[..., :1])
    assert abs(mask.mean() - 0.7) < 0.02
    values = pictures(parse("values:0.3")(x, RGB).visible, RGB)
    assert not np.all(values == values[..., :1])
    assert abs(values.mean() - 0.7) < 0.02
    assert np.all(parse("mask:1")(x, RGB).patterns == 0)
    assert np.array_equal(parse("mask:0")(x, RGB).patterns, x)


def test_dropout_scales_the_survivors_and_claims_no_mask():
    x = rows(RGB, 300)
    damaged = parse("dropout:0.25")(x, RGB)
    assert damaged.visible is None
    kept = damaged.patterns > 0
    assert np.allclose(damaged.patterns[kept], x[kept] / 0.75)
    assert abs(damaged.patterns.mean() / x.mean() - 1) < 0.02


@pytest.mark.parametrize(
    ("label", "hidden"),
    [
        ("half:top", np.s_[:, :5]),
        ("half:bottom", np.s_[:, 5:]),
        ("half:left", np.s_[:, :, :6]),
        ("half:right", np.s_[:, :, 6:]),
        ("corner:4", np.s_[:, 4:]),
        ("corner:4", np.s_[:, :4, 4:]),
        ("corner:0.5", np.s_[:, 5:]),
    ],
)
def test_what_is_hidden_is_black_and_where_it_should_be(label, hidden):
    damaged = parse(label)(rows(RGB), RGB)
    assert np.all(pictures(damaged.patterns, RGB)[hidden] == 0)
    assert not pictures(damaged.visible, RGB)[hidden].any()
    kept = {"half": 0.5, "corner": 16 / 120 if label == "corner:4" else 30 / 120}[label.split(":")[0]]
    assert damaged.visible.mean() == pytest.approx(kept)


def test_fills():
    x = rows(RGB, 40)
    values = {
        fill: pictures(parse(f"half:bottom:{fill}")(x, RGB).patterns, RGB)[:, 5:] for fill in ("grey", "white", "colour", "noise")
    }
    assert np.all(values["grey"] == np.float32(128 / 255))
    assert np.all(values["white"] == 1)
    assert np.all(values["colour"] == values["colour"][:, :1, :1]), "one colour a picture"
    assert len({tuple(c) for c in values["colour"][:, 0, 0]}) == 6
    assert np.all(np.ptp(values["colour"][:, 0, 0], axis=1) == 1), "saturated"
    assert len(np.unique(values["noise"])) > 1000


def test_a_block_covers_its_share_in_one_piece():
    damaged = parse("block:0.25")(rows(RGB, 50), RGB)
    hidden = ~pictures(damaged.visible, RGB)[..., 0]
    for picture in hidden:
        ys, xs = np.nonzero(picture)
        assert (np.ptp(ys) + 1, np.ptp(xs) + 1) == (5, 6)
        assert picture.sum() == 30
    assert len({tuple(np.argwhere(p)[0]) for p in hidden}) > 5, "not always at one place"


def test_noise_has_the_deviation_or_the_norm_it_was_asked_for():
    x = rows(SPECS[3], 30)
    spec = SPECS[3]
    assert np.std(parse("noise:0.3")(x, spec).patterns - x) == pytest.approx(0.3, rel=0.01)
    assert parse("noise:0.3")(x, spec).patterns.min() < 0
    for label in ("noise-clamped:0.5", "noise-abs:0.5"):
        damaged = parse(label)(x, spec).patterns
        assert damaged.min() >= 0
        assert damaged.max() == 1
    assert (parse("noise-clamped:0.5")(x, spec).patterns == 0).mean() > 0.1
    assert (parse("noise-abs:0.5")(x, spec).patterns == 0).mean() < 0.01
    norms = np.linalg.norm(parse("noise-norm:2")(x, spec).patterns - x, axis=1)
    assert np.allclose(norms, 2, rtol=1e-4)


def test_tones():
    x = rows(RGB)
    mean = x.mean(axis=1, keepdims=True)
    expected = {
        "brightness:0.4": np.clip(x + 0.4, 0, 1),
        "brightness:-0.2": np.clip(x - 0.2, 0, 1),
        "contrast:0.5": mean + (x - mean) / 2,
        "contrast:3": np.clip(mean + 3 * (x - mean), 0, 1),
        "fade:0.25": x + 0.25 * (1 - x),
        "gamma:2": x**2,
        "scale:0.3": 0.3 * x,
    }
    for label, values in expected.items():
        assert np.allclose(parse(label)(x, RGB).patterns, values, atol=1e-6), label
    gray = pictures(parse("grey")(x, RGB).patterns, RGB)
    assert np.allclose(gray, (pictures(x, RGB) @ np.array([0.299, 0.587, 0.114]))[..., None], atol=1e-6)


def test_blur_agrees_with_scipy():
    ndimage = pytest.importorskip("scipy.ndimage")
    x = pictures(rows(RGB), RGB)
    box = pictures(parse("blur:2")(x.reshape(6, -1), RGB).patterns, RGB)
    assert np.allclose(box, ndimage.uniform_filter(x, (1, 5, 5, 1), mode="nearest"), atol=1e-5)
    gauss = pictures(parse("gaussian-blur:1.5")(x.reshape(6, -1), RGB).patterns, RGB)
    assert np.allclose(gauss, ndimage.gaussian_filter(x, (0, 1.5, 1.5, 0), mode="nearest", radius=(0, 5, 5, 0)), atol=1e-5)


def test_rotation_agrees_with_scipy():
    ndimage = pytest.importorskip("scipy.ndimage")
    spec = PatternSpec(20, 20, 1)
    x = pictures(rows(spec, 12), spec)
    turned = pictures(parse("rotate:10")(x.reshape(12, -1), spec).patterns, spec)
    inner = np.s_[5:15, 5:15, 0]
    signs = set()
    for before, after in zip(x, turned, strict=True):
        errors = {}
        for angle in (10, -10):
            oracle = ndimage.rotate(before[..., 0], angle, reshape=False, order=1, mode="nearest")
            errors[angle] = np.abs(oracle[5:15, 5:15] - after[inner]).max()
        angle = min(errors, key=errors.get)
        assert errors[angle] < 1e-4
        signs.add(angle)
    assert signs == {10, -10}


def test_pixelate_makes_blocks_of_the_mean():
    x = pictures(rows(RGB), RGB)
    blocks = pictures(parse("pixelate:4")(x.reshape(6, -1), RGB).patterns, RGB)
    assert np.allclose(blocks[:, :4, 4:8], x[:, :4, 4:8].mean(axis=(1, 2), keepdims=True), atol=1e-6)
    assert np.allclose(blocks[:, 8:, 8:], x[:, 8:, 8:].mean(axis=(1, 2), keepdims=True), atol=1e-6)


def test_shift_moves_the_picture():
    x = pictures(rows(RGB, 64), RGB)
    moved = pictures(parse("shift:2")(x.reshape(64, -1), RGB).patterns, RGB)
    seen = set()
    for before, after in zip(x, moved, strict=True):
        for dy in (-2, 0, 2):
            for dx in (-2, 0, 2):
                if np.array_equal(np.roll(before, (dy, dx), axis=(0, 1))[2:-2, 2:-2], after[2:-2, 2:-2]):
                    seen.add((dy, dx))
    assert len(seen) == 8
    assert (0, 0) not in seen


def test_jpeg_loses_more_at_lower_quality():
    spec = PatternSpec(32, 32, 3)
    y, x = np.mgrid[:32, :32] / 32
    smooth = np.stack((x, y, (x + y) / 2), axis=2).reshape(1, -1).astype(np.float32)
    errors = [np.abs(parse(f"jpeg:{q}")(smooth, spec).patterns - smooth).mean() for q in (5, 30, 95)]
    assert errors[0] > errors[1] > errors[2] > 0
    assert errors[2] < 0.02


def test_text_and_scratches_are_white_and_known():
    for label in ("text:0.4", "scratches:5"):
        spec = SPECS[3]
        damaged = parse(label)(rows(spec), spec)
        assert np.all(damaged.patterns[~damaged.visible] == 1)
        assert 0.03 < (~damaged.visible).mean() < 0.6


def test_several_in_order_share_one_mask():
    x = rows(RGB)
    both = damage(x, [parse("half:bottom"), parse("mask:0.5")], RGB, 7)
    first = parse("half:bottom")(x, RGB, 7)
    second = parse("mask:0.5")(first.patterns, RGB, 8)
    assert np.array_equal(both.patterns, second.patterns)
    assert np.array_equal(both.visible, first.visible & second.visible)
    assert damage(x, [parse("mask:0.5"), parse("noise:0.1")], RGB).visible is not None
    assert damage(x, [parse("mask:0.5"), parse("blur:1")], RGB).visible is None, "the blur spread what was missing"
    assert damage(x, [parse("mask:0.5"), parse("blur:1"), parse("mask:0.5")], RGB).visible is None
    assert damage(x, [parse("blur:1"), parse("mask:0.5")], RGB).visible is not None
    nothing = damage(x, [], RGB)
    assert np.array_equal(nothing.patterns, x)
    assert nothing.visible is None
    twice = damage(x, [parse("mask:0.5")] * 2, RGB)
    assert twice.visible.mean() < 0.4, "the same corruption twice draws anew"


def test_the_lists():
    assert [c.label for c in TEN] == [
        *("values:0.5", "values:0.9", "noise:0.3", "noise:1", "noise-abs:0.5", "half:bottom"),
        *("brightness:0.4", "scale:0.3", "blur:4", "corner:16"),
    ]
    assert len({c.label for c in SUITE}) == len(SUITE)
    assert {c.kind for c in FRAMES} == {kind.name for kind in KINDS.values() if kind.frame is not None}
    assert not any(c.is_frame for c in (*TEN, *SUITE)), "the confidence is learned in the picture's own frame"
    for kind in KINDS.values():
        assert kind.description
        assert "\n" not in kind.description


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("masc:0.5", "unknown corruption 'masc'"),
        ("", "unknown corruption ''"),
        ("mask:1.5", "mask:1.5 is not possible"),
        ("mask:nan", "mask:nan is not possible"),
        ("mask:much", "mask:much is not possible"),
        ("half:middle", "half:middle is not possible"),
        ("grey:0.5", "grey has no level"),
        ("half:bottom:pink", "is no corruption"),
        ("noise:0.1:white", "is no corruption"),
        ("mask:0.5:0.5", "is no corruption"),
    ],
)
def test_what_is_no_corruption_is_said_with_a_hint(text, message):
    with pytest.raises(SettingsError, match=message) as caught:
        parse(text)
    assert caught.value.hint
    assert "\n" not in caught.value.message


def test_spellings():
    assert parse("half").label == "half:bottom"
    assert parse("half:grey").label == "half:bottom:grey"
    assert parse(" Corner:16:White ").label == "corner:16:white"
    assert parse("brightness:+0.4").label == "brightness:0.4"
    assert parse("grey").label == "grey"
    with pytest.raises(SettingsError, match="cannot be filled"):
        Corruption("noise", 0.3, "white")
