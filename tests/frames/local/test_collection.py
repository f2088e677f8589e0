"""Descriptors on their way into a memory: order, parts, and what is kept of those before."""

from __future__ import annotations

import tempfile

import numpy as np
import pytest

from uhop_cli.frames.local import collection as module
from uhop_cli.frames.local.collection import Collection
from uhop_cli.frames.local.describing import encode, encode_places, learn_directions
from uhop_cli.frames.local.keypoints import Keypoints

COUNTS = (3, 0, 5, 1)


def points(seed: int, count: int) -> Keypoints:
    rng = np.random.default_rng(seed)
    descriptors = rng.integers(0, 200, (count, 128), dtype=np.uint8)
    return Keypoints(descriptors, rng.uniform(0.01, 1, (count, 4)).astype(np.float32))


def collected(pictures, kept=0, before=None):
    with tempfile.TemporaryFile() as waiting, tempfile.TemporaryFile() as coded:
        collection = Collection(waiting, coded, kept, before)
        for seconds, picture in enumerate(pictures):
            collection.add(picture, float(seconds))
        assert collection.seconds == sum(range(len(pictures)))
        return collection.finish()


PICTURES = [points(seed, count) for seed, count in enumerate(COUNTS)] + [None]


@pytest.mark.parametrize("together", [2, 1 << 14])
def test_what_comes_out(together, monkeypatch):
    monkeypatch.setattr(module, "TOGETHER", together)
    local = collected(PICTURES)
    descriptors = np.concatenate([picture.descriptors for picture in PICTURES[:-1]])
    assert local.offsets.tolist() == [0, 3, 3, 8, 9, 9]
    np.testing.assert_allclose(local.directions[0], learn_directions([descriptors])[0], atol=1e-6)
    np.testing.assert_array_equal(local.codes, encode(descriptors, local.directions))
    np.testing.assert_array_equal(local.places, np.concatenate([encode_places(picture) for picture in PICTURES[:-1]]))


def test_added_ones_are_coded_with_the_directions_that_are_there():
    before = collected(PICTURES)
    local = collected([points(9, 4)], 5, before)
    assert local.offsets.tolist() == [0, 3, 3, 8, 9, 9, 13]
    np.testing.assert_array_equal(local.directions, before.directions)
    np.testing.assert_array_equal(local.codes[:9], before.codes)
    np.testing.assert_array_equal(local.places[:9], before.places)
    np.testing.assert_array_equal(local.codes[9:], encode(points(9, 4).descriptors, before.directions))
    again = local.select(np.arange(6) < 5)
    np.testing.assert_array_equal(again.codes, before.codes)
    assert again.offsets.tolist() == before.offsets.tolist()


def test_pictures_before_without_descriptors():
    assert collected(PICTURES, kept=2).offsets.tolist() == [0, 0, 0, 3, 3, 8, 9, 9]


def test_nothing_gives_nothing():
    assert collected([None, points(0, 0)], kept=3) is None
    assert collected([]) is None
