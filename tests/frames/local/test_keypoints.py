"""Keypoints of drawn pictures."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from made_pictures import textured
from uhop_cli.frames.local.describing import root
from uhop_cli.frames.local.keypoints import keypoints, mirrored
from uhop_cli.frames.sheet import sheet_of_image
from uhop_cli.images.decode import Image

pytest.importorskip("cv2")


def sheet(pixels, alpha=None):
    return sheet_of_image(Image(np.ascontiguousarray(pixels), alpha))


def test_a_disc_lies_where_it_was_drawn():
    y, x = np.mgrid[:120, :160] + 0.5
    pixels = np.where((y - 40) ** 2 + (x - 112) ** 2 < 64, 255, 0).astype(np.uint8)[:, :, None]
    places = keypoints(sheet(pixels), 320, 4).places
    np.testing.assert_allclose(places[0, :2], [112 / 160, 40 / 120], atol=0.003)
    assert 8 / 160 < places[0, 2] < 32 / 160


def test_places_do_not_depend_on_the_size():
    large = sheet(textured(1, 400, 300))
    small, whole = keypoints(large, 200, 20), keypoints(large, 400, 200)
    likeness = root(small.descriptors) @ root(whole.descriptors).T
    best = likeness.argmax(axis=1)
    close = np.abs(small.places[:, :2] - whole.places[best, :2]).max(axis=1) < 0.01
    assert close.mean() > 0.7
    np.testing.assert_allclose(np.log(small.places[close, 2] / whole.places[best[close], 2]), 0, atol=0.4)


def test_no_more_than_asked_and_the_strongest_first():
    all_of_it = keypoints(sheet(textured(2)), 200, 500)
    few = keypoints(sheet(textured(2)), 200, 10)
    assert len(few) == 10 < len(all_of_it)
    np.testing.assert_array_equal(few.places, all_of_it.places[:10])
    np.testing.assert_array_equal(few.descriptors, all_of_it.descriptors[:10])


def test_the_mirror_image():
    """Mirrored keypoints are those of the mirrored picture, as far as these are found again."""
    pixels = textured(3)
    there = mirrored(keypoints(sheet(pixels), 200, 60))
    seen = keypoints(sheet(pixels[:, ::-1]), 200, 60)
    likeness = root(there.descriptors) @ root(seen.descriptors).T
    best = likeness.argmax(axis=1)
    difference = np.abs(there.places - seen.places[best])
    difference[:, 3] = np.minimum(difference[:, 3], 1 - difference[:, 3])
    same = (difference < (0.005, 0.005, 0.01, 0.02)).all(axis=1)
    assert same.mean() > 0.7
    assert np.median(likeness.max(axis=1)[same]) > 0.99
    twice = mirrored(there)
    np.testing.assert_array_equal(twice.descriptors, keypoints(sheet(pixels), 200, 60).descriptors)


def test_what_is_transparent_has_none():
    alpha = np.full((150, 200), 255, np.uint8)
    alpha[:, :100] = 0
    places = keypoints(sheet(textured(4), alpha), 200, 60).places
    assert len(places)
    assert places[:, 0].min() > 0.49


def test_a_flat_picture_has_none():
    found = keypoints(sheet(np.full((120, 120, 3), 99, np.uint8)), 200, 60)
    assert found.descriptors.shape == (0, 128)
    assert found.places.shape == (0, 4)
    assert len(mirrored(found)) == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (2, 3000), (5, 5), (7, 100)])
def test_slivers_have_none(shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert len(keypoints(sheet(pixels), 192, 60)) == 0
    assert len(keypoints(sheet(pixels, np.zeros(shape, np.uint8)), 192, 60)) == 0


def test_the_same_bytes_on_several_threads():
    sheets = [sheet(textured(seed)) for seed in range(6)]
    alone = [keypoints(one, 200, 40) for one in sheets]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda one: keypoints(one, 200, 40), sheets))
    for first, second in zip(alone, together, strict=True):
        assert first.places.tobytes() == second.places.tobytes()
        assert first.descriptors.tobytes() == second.descriptors.tobytes()
