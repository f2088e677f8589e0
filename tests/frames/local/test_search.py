"""Drawn pictures found again by their local descriptors: cropped, rotated, mirrored, bordered, on a larger canvas."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image as Pillow

from made_pictures import textured
from uhop_cli.frames.frame import Frame
from uhop_cli.frames.local.describing import MOST, SIDE, encode, encode_places, learn_directions
from uhop_cli.frames.local.keypoints import keypoints
from uhop_cli.frames.local.search import LocalSearch
from uhop_cli.frames.sheet import sheet_of_image
from uhop_cli.images.decode import Image
from uhop_cli.memory.local import LocalDescriptors

pytest.importorskip("cv2")

STORED = [textured(seed, 240, 180) for seed in range(12)]


def image(pixels):
    return Image(np.ascontiguousarray(pixels), None)


class Memory(SimpleNamespace):
    def __len__(self):
        return len(self.shapes)


@pytest.fixture(scope="module")
def search():
    found = [keypoints(sheet_of_image(image(pixels)), SIDE, MOST) for pixels in STORED]
    directions = learn_directions([points.descriptors for points in found])
    local = LocalDescriptors(
        np.concatenate([encode(points.descriptors, directions) for points in found]),
        np.concatenate([encode_places(points) for points in found]),
        np.cumsum([0, *(len(points) for points in found)]),
        directions,
    )
    return LocalSearch(Memory(local=local, shapes=np.tile([240, 180], (12, 1))))


def cropped(pixels):
    return pixels[40:148, 30:174], Frame(-30 / 144, -40 / 108, 240 / 144, 180 / 108)


def mirror(pixels):
    return pixels[:, ::-1], Frame(0, 0, 1, 1, mirrored=True)


def mirror_cropped(pixels):
    query, frame = cropped(pixels[:, ::-1])
    return query, Frame(1 - frame.x - frame.width, frame.y, frame.width, frame.height, mirrored=True)


def turned(pixels):
    return np.rot90(pixels, -1), Frame(0, 0, 1, 1, turn=1)


def bordered(pixels):
    return np.pad(pixels, ((60, 60), (60, 60), (0, 0)), constant_values=250), Frame(60 / 360, 60 / 300, 240 / 360, 180 / 300)


def rotated(pixels):
    query = np.asarray(Pillow.fromarray(pixels).rotate(-20, Pillow.Resampling.BICUBIC, expand=True))
    height, width = query.shape[:2]
    return query, Frame(0.5 - 120 / width, 0.5 - 90 / height, 240 / width, 180 / height, angle=20)


def on_a_canvas(pixels):
    query = np.full((500, 700, 3), 230, np.uint8)
    query[250:430, 400:640] = pixels
    return query, Frame(400 / 700, 250 / 500, 240 / 700, 180 / 500)


@pytest.mark.parametrize("kind", [cropped, mirror, mirror_cropped, turned, bordered, rotated, on_a_canvas])
def test_found_at_rank_one_in_its_frame(search, kind):
    for row in (0, 5, 11):
        query, frame = kind(STORED[row])
        found = search.look(image(query)).proposals
        assert found[0].row == row
        aspect = query.shape[1] / query.shape[0]
        corners = np.array([[0, 0, 1, 1], [0, 1, 0, 1], [1, 1, 1, 1]])
        moved = (found[0].frame.to_query(aspect) - frame.to_query(aspect)) @ corners
        assert np.abs(moved).max() < 0.06 * math.sqrt(frame.width * frame.height)
        assert (found[0].frame.turn, found[0].frame.mirrored) == (frame.turn, frame.mirrored)


def test_the_likeliest_first_and_no_row_twice(search):
    query, _ = cropped(STORED[3])
    found = search.look(image(query), most=4).proposals
    scores = [proposal.score for proposal in found]
    assert scores == sorted(scores, reverse=True)
    assert len({proposal.row for proposal in found}) == len(found) <= 4
    assert search.look(image(query), most=4).proposals == found


def test_a_stranger_has_less_than_a_copy(search):
    query, _ = cropped(textured(99, 240, 180))
    strange = max((proposal.score for proposal in search.look(image(query)).proposals), default=0)
    assert strange < search.look(image(cropped(STORED[3])[0])).proposals[0].score / 2


def test_nothing_in_a_flat_picture(search):
    assert search.look(image(np.full((90, 90, 3), 7, np.uint8))).proposals == []


def test_whether_there_is_anything_to_search(search, monkeypatch):
    memory = Memory(local=search._local, shapes=np.tile([240, 180], (12, 1)))
    assert LocalSearch.available(memory)
    assert not LocalSearch.available(Memory(local=None, shapes=memory.shapes))
    none = search._local.select(np.zeros(12, bool))
    assert not LocalSearch.available(Memory(local=none, shapes=memory.shapes[:0]))
    monkeypatch.setattr("uhop_cli.frames.local.search.installed", lambda: False)
    assert not LocalSearch.available(memory)


def test_what_a_query_has_and_what_is_described(search):
    assert search.look(image(np.full((90, 90, 3), 7, np.uint8))).keypoints == 0
    assert 0 < search.look(image(STORED[3][:60, :60])).keypoints < search.look(image(STORED[3])).keypoints <= 150
    local = search._local
    some = LocalDescriptors(local.codes[:5], local.places[:5], np.array([0, 0, 5, *[5] * 10]), local.directions)
    described = LocalSearch(Memory(local=some, shapes=np.tile([240, 180], (12, 1)))).described
    assert np.flatnonzero(described).tolist() == [1]
