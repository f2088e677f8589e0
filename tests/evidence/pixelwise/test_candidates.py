"""The memories that are looked at pixel by pixel: which they are, and that what is said of them is what all their pixels say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from uhop_cli.arrays.device import Device
from uhop_cli.arrays.library import to_numpy
from uhop_cli.evidence.backgrounds.likelihoods import on_best_background
from uhop_cli.evidence.blocks import BlockGrid
from uhop_cli.evidence.pixelwise import candidates as module
from uhop_cli.evidence.pixelwise.agreement import agreement, value_density
from uhop_cli.evidence.pixelwise.candidates import OF_IDENTITY, Candidates, propose, sample
from uhop_cli.evidence.prepared import PreparedQueries, prepare
from uhop_cli.evidence.unknown import Spectrum
from uhop_cli.evidence.verdicts import PROPOSALS
from uhop_cli.retrieval.distances import ROUNDING
from uhop_cli.retrieval.pattern_matrix import pattern_matrix

SHAPE, SIZE, STORED = (32, 32, 3), 3072, 100
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (STORED, *SHAPE), dtype=np.uint8)
X = (PIXELS.reshape(STORED, -1) / 255).astype(np.float32)
RIGHT = np.array([50, 51, 52])


@dataclass
class Case:
    """Three queries, of which each keeps a tenth of the values of its memory in `RIGHT`, and six models that know nothing."""

    device: Device
    queries: PreparedQueries
    pictures: np.ndarray
    scores: np.ndarray
    cosine: np.ndarray

    @classmethod
    def made(cls, kind: str) -> Case:
        if kind != "cpu":
            pytest.importorskip("torch")
        rng, device = np.random.default_rng(1), Device(kind)
        pictures = np.where(rng.random((3, SIZE)) < 0.1, X[RIGHT], rng.random((3, SIZE))).astype(np.float32)
        grid, spectrum = BlockGrid.of(SHAPE), Spectrum.of(np.ones(SIZE - 3, np.float32), 3)
        bare = {"probes": device.put(np.empty((0, 3, SIZE), np.float32)), "norms": device.put(np.empty((0, 3), np.float32))}
        asked = prepare(grid, spectrum, device.put(pictures), dims=(), **bare)
        scores = rng.permuted(np.broadcast_to(np.arange(STORED, dtype=np.float32), (5, 3, STORED)), axis=2)
        return cls(device, asked, pictures, scores, scores[0].copy())

    def rank(self, model: int, place: int) -> None:
        """Has a model rank the right memories there, and all the others last."""
        self.scores[:, np.arange(3), RIGHT] = self.cosine[np.arange(3), RIGHT] = -1
        others = np.sort(self.scores[model], axis=1)[:, ::-1]
        self.scores[model, np.arange(3), RIGHT] = others[:, place] + 0.5

    def listed(self, **given: Any) -> Candidates:
        put = self.device.put
        found = propose(self.queries, put(self.scores), put(self.cosine), pattern_matrix(PIXELS, self.device).rows, **given)
        return Candidates(**{name: to_numpy(values) for name, values in vars(found).items()})


@pytest.fixture(params=["cpu", "torch-cpu"])
def case(request: pytest.FixtureRequest) -> Case:
    return Case.made(request.param)


def test_a_sample_of_pixels() -> None:
    assert sample(8, 8) is None
    assert sample(16, 15) is None
    for shape, count in (((16, 16), 128), ((28, 28), 128), ((32, 32), 128), ((64, 48), 384)):
        pixels = sample(*shape)
        assert pixels is not None
        assert len(np.unique(pixels)) == len(pixels) == count
        assert 0 <= pixels.min() < shape[1] <= pixels.max() < shape[0] * shape[1]
        assert len(np.unique(np.diff(pixels))) > 5  # no grid, which a texture could fall in with


@pytest.mark.parametrize("model", range(5))
def test_what_agrees_is_found_wherever_it_is_proposed(case: Case, model: int) -> None:
    case.rank(model, PROPOSALS - 1)
    listed = case.listed()
    assert listed.rows.shape[1] < 5 * PROPOSALS / 2  # the others are not looked at in full
    once = np.where(listed.repeated, -np.inf, listed.agreed)
    np.testing.assert_array_equal(np.take_along_axis(listed.rows, once.argmax(axis=1)[:, None], axis=1)[:, 0], RIGHT)
    case.rank(model, PROPOSALS)
    assert not (case.listed().rows == RIGHT[:, None]).any()


def test_leaders_and_the_best_of_identity_are_looked_at(case: Case) -> None:
    listed = case.listed()
    for query in range(3):
        rows = listed.rows[query][~listed.repeated[query]]
        assert len(np.unique(rows)) == len(rows)
        assert set(case.scores[:, query].argmax(axis=1)) <= set(rows)
        assert set(np.argsort(-case.scores[0, query])[:OF_IDENTITY]) <= set(rows)
        assert set(listed.rows[query]) == set(rows)


@pytest.mark.parametrize("all_pixels", [False, True])
def test_a_named_memory_is_looked_at_in_full_whatever_the_models_say(
    case: Case, all_pixels: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if all_pixels:
        monkeypatch.setattr(module, "sample", lambda height, width: None)
    case.rank(0, STORED - 4)
    before = case.listed()
    assert not (before.rows == RIGHT[:, None]).any()
    named = np.array([[RIGHT[0]], [-1], [before.rows[2, 0]]])  # no model's; none; one that is looked at anyway
    found = case.listed(named=named)
    for query in range(3):
        added = set(found.rows[query]) - set(before.rows[query])
        assert added == ({RIGHT[0]} if query == 0 else set())
    once = np.where(found.repeated, -np.inf, found.agreed)
    assert found.rows[0, once[0].argmax()] == RIGHT[0]


def test_it_says_what_all_pixels_say(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    density = value_density(case.pictures)
    for together in (1, module.LOOKED_AT):
        monkeypatch.setattr(module, "LOOKED_AT", together)
        listed = case.listed()
        squares = (X[listed.rows] - case.pictures[:, None]) ** 2
        exact = -SIZE / 2 * np.log(squares.mean(axis=2, dtype=np.float64) + ROUNDING)
        np.testing.assert_allclose(listed.exact, exact, rtol=1e-5)
        agreed, kept = agreement(density[:, None], squares)
        np.testing.assert_allclose(listed.agreed, agreed, rtol=1e-3, atol=0.05)
        np.testing.assert_allclose(listed.kept, kept, rtol=1e-3)
        replaced = np.log(density).sum(axis=1) + SIZE / 2 * (math.log(2 * math.pi) + 1)
        np.testing.assert_allclose(listed.replaced, replaced, rtol=1e-4)


def test_pictures_in_8_bits_are_compared_as_they_are_stored(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same to rounding, and agreement by its table; not queries of other values, nor memories of floats or on a device."""
    X = pattern_matrix(PIXELS, case.device)
    if case.device.is_numpy:
        assert X.levels is not None
        np.testing.assert_array_equal(X.levels(np.array([3, 0]), np.array([5, 1])), PIXELS.reshape(STORED, -1)[[3, 0]][:, [5, 1]])
        assert pattern_matrix(PIXELS.astype(np.float32) / 255).levels is None
    else:
        assert X.levels is None
    by_table: list[int] = []
    of_levels = module.agreement_of_levels
    monkeypatch.setattr(module, "agreement_of_levels", lambda *given: by_table.append(1) or of_levels(*given))
    for pictures, as_levels in ((case.pictures, False), (np.rint(case.pictures * 255) / np.float32(255), case.device.is_numpy)):
        case.pictures[:] = pictures
        by_table.clear()
        values, stored = case.listed(), case.listed(levels=X.levels)
        assert bool(by_table) == as_levels
        np.testing.assert_array_equal(stored.rows, values.rows)
        for name in ("exact", "agreed", "kept", "replaced"):
            np.testing.assert_allclose(getattr(stored, name), getattr(values, name), rtol=1e-4, atol=0.02)


@pytest.mark.parametrize("value", [-1 / 255, 256 / 255, 0.4 / 255, math.nan])
def test_levels_are_whole_and_from_0_to_255(value: float) -> None:
    pictures = np.arange(256, dtype=np.float32).reshape(2, 128) / 255
    np.testing.assert_array_equal(module._levels(pictures), np.arange(256).reshape(2, 128))
    pictures[1, 5] = value
    assert module._levels(pictures) is None


def test_transparent_memories_lie_on_the_best_background(case: Case) -> None:
    clear = np.zeros((STORED, 32, 32), np.uint8)
    clear[:] = np.where(np.arange(32) < 16, 0, 255)  # the left half of all of them
    case.scores[:, np.arange(3), RIGHT] = STORED
    case.pictures[:] = np.where(np.repeat(clear[0].ravel() == 0, 3), 0.3, X[RIGHT])
    case.queries = Case.made(case.device.kind).queries
    object.__setattr__(case.queries, "pictures", case.device.put(case.pictures))
    listed = case.listed(opacity=pattern_matrix(clear, case.device).rows)
    flat = listed.rows.ravel()
    laid, charge = on_best_background(
        X[flat] - np.repeat(case.pictures, listed.rows.shape[1], axis=0), 1 - clear.reshape(STORED, -1)[flat] / np.float32(255)
    )
    residual = -SIZE / 2 * np.log((laid**2).mean(axis=1) + ROUNDING) - charge
    np.testing.assert_allclose(listed.exact.ravel(), residual, rtol=1e-4)
    assert charge.max() > 0
