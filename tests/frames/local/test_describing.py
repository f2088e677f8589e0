"""Codes and places of keypoints: by hand, and laws."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from uhop_cli.frames.local.describing import (
    UNIT,
    codes,
    decode_places,
    encode,
    encode_places,
    learn_directions,
    root,
)  # fmt: skip
from uhop_cli.frames.local.keypoints import Keypoints

DESCRIPTORS = arrays.arrays(np.uint8, st.tuples(st.integers(1, 20), st.just(128)))


def test_root_by_hand():
    descriptor = np.zeros((2, 128), np.uint8)
    descriptor[0, :2] = 9, 16
    np.testing.assert_allclose(root(descriptor)[0, :3], [0.6, 0.8, 0], atol=1e-6)
    assert not root(descriptor)[1].any()


@settings(deadline=None, max_examples=15)
@given(DESCRIPTORS)
def test_codes_are_unit_vectors(descriptors):
    directions = learn_directions([descriptors])
    lengths = np.linalg.norm(codes(descriptors, directions), axis=1)
    assert (lengths < 1 + 1e-5).all()
    kept = encode(descriptors, directions)
    assert kept.dtype == np.int8
    np.testing.assert_allclose(kept / UNIT, codes(descriptors, directions), atol=0.51 / UNIT)


@settings(deadline=None, max_examples=15)
@given(DESCRIPTORS, st.integers(1, 7))
def test_directions_do_not_depend_on_the_parts(descriptors, size):
    whole = learn_directions([descriptors])
    np.testing.assert_allclose(whole[0], root(descriptors).mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(whole[1:] @ whole[1:].T, np.eye(64), atol=1e-5)
    parts = learn_directions(descriptors[i : i + size] for i in range(0, len(descriptors), size))
    np.testing.assert_allclose(parts[0], whole[0], atol=1e-6)


def test_directions_hold_the_most_power():
    """Against the singular value decomposition of the vectors less their mean."""
    rng = np.random.default_rng(0)
    descriptors = rng.integers(0, 200, (300, 128), dtype=np.uint8)
    descriptors[:, ::2] //= 8
    vectors = root(descriptors).astype(np.float64)
    values = np.linalg.svd(vectors - vectors.mean(axis=0), compute_uv=False)
    directions = learn_directions([descriptors[:100], descriptors[100:]]).astype(np.float64)
    kept = ((vectors - directions[0]) @ directions[1:].T) ** 2
    np.testing.assert_allclose(kept.sum(), (values[:64] ** 2).sum(), rtol=1e-5)
    assert (kept.sum(axis=0)[:-1] >= kept.sum(axis=0)[1:]).all()
    assert (np.abs(directions[1:]).max(axis=1) == directions[1:].max(axis=1)).all()


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 1), st.floats(0.004, 1), st.floats(0, 1, exclude_max=True))
def test_places_come_back(x, y, size, angle):
    places = np.array([[x, y, size, angle]], np.float32)
    found = decode_places(encode_places(Keypoints(np.zeros((1, 128), np.uint8), places)))[0]
    assert abs(found[0] - x) <= 0.5 / 256 + 1e-6
    assert abs(found[1] - y) <= 0.5 / 256 + 1e-6
    assert abs(np.log2(found[2] / size)) <= 1 / 64 + 1e-4
    assert abs((found[3] - angle + 0.5) % 1 - 0.5) <= 0.5 / 256 + 1e-6


def test_every_byte_is_a_place():
    places = decode_places(np.repeat(np.arange(256, dtype=np.uint8)[:, None], 4, axis=1))
    assert np.isfinite(places).all()
    assert (places[:, :3] > 0).all()
    assert (places[:, :2] < 1).all()
