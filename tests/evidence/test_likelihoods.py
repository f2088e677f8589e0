"""The models against their equations, and the choice among them on the damage that each is for."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.fft import dctn

from uhop_cli.evidence.bands import BandGrid, quantised
from uhop_cli.evidence.blocks import BlockGrid
from uhop_cli.evidence.choice import Choice, choose
from uhop_cli.evidence.facts import names
from uhop_cli.evidence.likelihoods import _weighed_logs, inner_products, log_likelihoods, unrelated
from uhop_cli.evidence.memory_statistics import MemoryStatistics
from uhop_cli.evidence.pixelwise.candidates import Gather, propose
from uhop_cli.evidence.prepared import PreparedQueries, prepare, without_mean
from uhop_cli.evidence.unknown import Spectrum
from uhop_cli.retrieval.distances import ROUNDING

SHAPE = (16, 16, 3)
SIZE = 16 * 16 * 3


@dataclass(frozen=True)
class Store:
    patterns: np.ndarray
    weights: np.ndarray  # (R, D, d)
    grid: BlockGrid
    statistics: MemoryStatistics
    spectrum: Spectrum

    @classmethod
    def of(cls, patterns: np.ndarray, kernels: int = 2) -> "Store":
        """A memory with whitening kernels."""
        _, singular, basis = np.linalg.svd(patterns.astype(float), full_matrices=False)
        mean = (singular**2).mean()
        weights = np.stack([(singular / (singular**2 + 10 * mean * rho))[:, None] * basis for rho in (1e-3, 1.0)[:kernels]])
        weights = weights.astype(np.float32)
        grid = BlockGrid.of(SHAPE)
        norms = np.stack([np.linalg.norm(without_mean(patterns) @ weight.T, axis=1) for weight in weights], axis=1)
        return cls(patterns, weights, grid, _statistics(grid, patterns, norms.astype(np.float32)), _spectrum(patterns))

    def query(self, pictures: np.ndarray) -> PreparedQueries:
        features = np.stack([without_mean(pictures) @ weight.T for weight in self.weights])
        probes = np.stack([z @ weight for z, weight in zip(features, self.weights, strict=True)])
        dims = (float(SIZE),) * len(self.weights)
        norms = np.linalg.norm(features, axis=2).astype(np.float32)
        return prepare(self.grid, self.spectrum, pictures, probes=probes, norms=norms, dims=dims)

    def ask(self, pictures: np.ndarray, exclude: int | None = None) -> tuple[PreparedQueries, Choice]:
        query = self.query(pictures.astype(np.float32))
        scores, cosine = log_likelihoods(query, inner_products(query, self.patterns, self.statistics.codes), self.statistics)
        if exclude is not None:
            scores[:, :, exclude] = -np.inf
            cosine[:, exclude] = -np.inf
        listed = propose(query, scores, cosine, values_of(self.patterns))
        return query, choose(query, self.statistics, scores, cosine, listed)


def values_of(patterns: Any) -> Gather:
    return lambda rows, places=None: patterns[rows] if places is None else patterns[rows][:, places]


def _statistics(grid: BlockGrid, patterns: np.ndarray, norms: np.ndarray) -> MemoryStatistics:
    bands = BandGrid(SHAPE)
    return MemoryStatistics.of(grid, *grid.sums(patterns), norms, *quantised(bands, bands.coefficients(patterns)))


def _spectrum(patterns: np.ndarray) -> Spectrum:
    return Spectrum.of(BandGrid(SHAPE).coefficients(patterns).var(axis=0), 3)


def _pictures(count: int, seed: int = 0) -> np.ndarray:
    """Smooth random pictures with some texture, in [0, 1]."""
    rng = np.random.default_rng(seed)
    spectrum = rng.standard_normal((count, 16, 16, 3)) + 1j * rng.standard_normal((count, 16, 16, 3))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(16), np.fft.fftfreq(16)))[None, :, :, None]
    pictures = np.fft.ifft2(spectrum / (0.04 + frequency), axes=(1, 2)).real
    pictures -= pictures.min(axis=(1, 2, 3), keepdims=True)
    pictures /= pictures.max(axis=(1, 2, 3), keepdims=True)
    return (np.round(pictures * 255) / 255).reshape(count, -1).astype(np.float32)


@pytest.fixture(scope="module")
def store() -> Store:
    return Store.of(_pictures(150))


def test_log_likelihoods_are_the_equations(store: Store) -> None:
    rng = np.random.default_rng(3)
    pictures = (0.6 * store.patterns[:3] + 0.2 + 0.1 * rng.standard_normal((3, SIZE))).astype(np.float32)
    query = store.query(pictures)
    scores, cosine = log_likelihoods(query, inner_products(query, store.patterns, store.statistics.codes), store.statistics)
    assert scores.shape == (len(query.models) - 1, 3, 150)
    for q, x in enumerate(pictures.astype(float)):
        for mu, xi in list(enumerate(store.patterns.astype(float)))[:20]:
            expected = [-(SIZE / 2) * np.log(np.mean((x - xi) ** 2) + ROUNDING)]
            for side in (1, 2, 4):
                total = 0.0
                for block, other in zip(*(_cut(v, side) for v in (x, xi)), strict=True):
                    block, other = block - block.mean(), other - other.mean()
                    gain = max(block @ other, 0) / (other @ other + block.size * ROUNDING)
                    residual = block @ block - gain * (block @ other)
                    total -= block.size / 2 * np.log(residual / block.size + ROUNDING)
                expected.append(total)
            expected.append(_of_bands(x, xi))
            floor = ROUNDING / (x.var() + ROUNDING)
            for weight in store.weights.astype(float):
                a, b = weight @ (x - x.mean()), weight @ (xi - xi.mean())
                c = max(a @ b / np.linalg.norm(a) / np.linalg.norm(b), 0)
                expected.append(-(SIZE / 2) * np.log(1 - c * c + floor))
            np.testing.assert_allclose(scores[:, q, mu], expected, rtol=2e-3, atol=2)
            assert abs(cosine[q, mu] - x @ xi / np.linalg.norm(x) / np.linalg.norm(xi)) < 1e-4


def test_likelihoods_by_hand() -> None:
    """Two rows of two values: x = .2, .4, .6, .8 and xi = 0, 0, 1, 1, its negative, and .5 x + .3.

    Less their means they are x = -.3, -.1, .1, .3 and xi = -.5, -.5, .5, .5; <x, x> = .2, <xi, xi> = 1, <x, xi> = .4, c^2 = .8.
    The third has <xi, xi> = .05 and <x, xi> = .1: all of x but 4 q, for which its gain is .1 / (.05 + 4 q).
    """
    x = np.array([[0.2, 0.4, 0.6, 0.8]], np.float32)
    stored = np.array([[0, 0, 1, 1], [1, 1, 0, 0], [0.4, 0.5, 0.6, 0.7]], np.float32)
    grid, bands, q = BlockGrid.of((2, 2, 1)), BandGrid((2, 2, 1)), ROUNDING
    norms = np.linalg.norm(without_mean(stored), axis=1, keepdims=True).astype(np.float32)
    statistics = MemoryStatistics.of(grid, *grid.sums(stored), norms, *quantised(bands, bands.coefficients(stored)))
    kernel = {"probes": x[None], "norms": np.array([[np.sqrt(0.2)]], np.float32), "dims": (6.0,)}  # the pixels are the features
    query = prepare(grid, Spectrum.of(np.ones(3, np.float32), 1), x, **kernel)
    assert query.models == ("identity", "affine 1x1", "bands", "kernel 0", "agreement")
    scores, cosine = log_likelihoods(query, inner_products(query, stored, statistics.codes), statistics)
    np.testing.assert_allclose(scores[0, 0], -2 * np.log(np.array([0.4, 2, 0.06]) / 4 + q), rtol=1e-4)
    np.testing.assert_allclose(scores[1, 0, :2], -2 * np.log([0.04 / 4 + q, 0.05 + q]), rtol=1e-3)
    np.testing.assert_allclose(scores[1, 0, 2], -2 * np.log(q + 0.05 - 0.01 / 4 / (0.05 + 4 * q)), rtol=1e-3)
    np.testing.assert_allclose(scores[3, 0], -3 * np.log(np.array([0.2, 1, 0]) + q / 0.05), rtol=1e-3)
    np.testing.assert_allclose(cosine[0], np.array([1.4, 0.6, 1.2]) / np.sqrt(1.2 * np.array([2, 2, 1.26])), rtol=1e-5)
    null = unrelated(query)[:, 0]
    np.testing.assert_allclose(null[[0, 1, 3]], [-2 * np.log(0.05 + q), -2 * np.log(0.05 + q), -3 * np.log1p(q / 0.05)], rtol=1e-3)


def test_what_rounding_adds_to_a_product_explains_no_more_than_half_of_it(store: Store) -> None:
    query = store.query(store.patterns[:1])
    products = inner_products(query, store.patterns[:1], store.statistics.rows(slice(0, 1)).codes)
    more = products._replace(blocks=1.01 * products.blocks, bands=1.01 * products.bands)
    scores, _ = log_likelihoods(query, more, store.statistics.rows(slice(0, 1)))
    finest = query.models.index("affine 4x4")
    assert scores[finest, 0, 0] == pytest.approx(-SIZE / 2 * np.log(ROUNDING / 2), rel=1e-5)


def _of_bands(x: np.ndarray, xi: np.ndarray) -> float:
    """The likelihood of the bands, written out: every coefficient by its own sum, every band by its own radius."""
    y, eta = (_spectrum_of(values) for values in (x, xi))
    u, v = np.meshgrid(np.arange(16), np.arange(16), indexing="ij")
    radius, edges = np.sqrt(u**2 + v**2), [0.5, 1.5, 2.5, 3.5, 5, 7, 10, 14, np.inf]
    total, taken = -1.5 * np.log(ROUNDING), np.zeros((16, 16), np.bool_)
    for low, high in pairwise(edges):
        inside = (radius >= low) & (radius < high) & (u < 12) & (v < 12)
        taken |= inside
        for colours in ([0], [1, 2]):
            a, b = y[colours][:, inside].ravel(), eta[colours][:, inside].ravel()
            if not a.size:
                continue
            gain = max(a @ b, 0) / (b @ b + a.size * ROUNDING)
            total -= a.size / 2 * np.log(a @ a / a.size + ROUNDING - gain * (a @ b) / a.size)
    rest = y[:, ~taken & (radius > 0)]
    return total - rest.size / 2 * np.log(np.mean(rest**2) + ROUNDING)


def _spectrum_of(values: np.ndarray) -> np.ndarray:
    colours = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])
    rotated = np.einsum("kc,ijc->kij", colours, values.reshape(SHAPE))
    return dctn(rotated, axes=(1, 2), norm="ortho")


def _cut(values: np.ndarray, side: int) -> list[np.ndarray]:
    picture, step = values.reshape(SHAPE), 16 // side
    return [picture[i : i + step, j : j + step].ravel() for i in range(0, 16, step) for j in range(0, 16, step)]


def test_chunks_are_the_whole(store: Store) -> None:
    query = store.query(store.patterns[:2])
    whole = log_likelihoods(query, inner_products(query, store.patterns, store.statistics.codes), store.statistics)
    parts = [
        log_likelihoods(
            query,
            inner_products(query, store.patterns[i : i + 40], store.statistics.rows(slice(i, i + 40)).codes),
            store.statistics.rows(slice(i, i + 40)),
        )
        for i in range(0, 150, 40)
    ]
    np.testing.assert_allclose(np.concatenate([part[0] for part in parts], axis=2), whole[0], rtol=1e-5, atol=0.5)
    np.testing.assert_allclose(np.concatenate([part[1] for part in parts], axis=1), whole[1], rtol=1e-5)


def _covered(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    result = pictures.reshape(-1, *SHAPE).copy()
    result[:, 8:] = (1, 0, 1)
    return result.reshape(len(pictures), -1)


def _blurred(pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    cube = np.pad(pictures.reshape(-1, *SHAPE), ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
    return np.mean([cube[:, i : i + 16, j : j + 16] for i in range(5) for j in range(5)], axis=0).reshape(len(pictures), -1)


DAMAGE = {
    "noise": (lambda x, rng: x + 0.3 * rng.standard_normal(x.shape), {"identity"}),
    "faded": (lambda x, rng: 0.3 * x + 0.5 + 0.05 * rng.standard_normal(x.shape), {"affine 1x1"}),
    "covered": (_covered, {"affine 2x2", "affine 4x4", "agreement"}),
    "zeroed": (lambda x, rng: x * (rng.random(x.shape) < 0.2), {"agreement"}),
    "salted": (lambda x, rng: np.where(rng.random(x.shape) < 0.5, rng.integers(0, 2, x.shape), x), {"agreement"}),
    "blurred": (_blurred, {"bands"}),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_the_right_memory_answers_by_a_fitting_model(store: Store, name: str) -> None:
    damage, fitting = DAMAGE[name]
    truth = np.arange(0, 150, 7)
    query, choice = store.ask(damage(store.patterns[truth], np.random.default_rng(4)))
    assert np.mean(choice.scores.argmax(axis=1) == truth) > 0.95
    models = [query.models[model] for model in choice.model]
    assert np.mean([model in fitting for model in models]) > 0.8, models
    np.testing.assert_allclose(choice.weights.sum(axis=1), 1, rtol=1e-4)
    assert choice.facts.shape == (len(truth), len(names(query.models)))
    assert np.all(np.isfinite(choice.facts))
    assert np.all(choice.log_odds >= 0)


def test_a_clean_query_is_certain_and_a_stranger_is_not(store: Store) -> None:
    _, clean = store.ask(store.patterns[:10])
    _, stranger = store.ask(_pictures(10, seed=9))
    assert np.array_equal(clean.scores.argmax(axis=1), np.arange(10))
    assert clean.weights.max(axis=1).min() > 0.999
    assert clean.log_odds.min() > 10 * stranger.log_odds.max()


def test_a_memory_left_out_never_answers(store: Store) -> None:
    _, choice = store.ask(store.patterns[4:5] * 0.5, exclude=4)
    assert choice.scores[0, 4] == -np.inf
    assert choice.weights[0, 4] == 0
    assert choice.scores[0].argmax() != 4


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_memories(count: int) -> None:
    store = Store.of(_pictures(count))
    rng = np.random.default_rng(5)
    _, choice = store.ask(store.patterns + 0.2 * rng.standard_normal(store.patterns.shape))
    assert np.array_equal(choice.scores.argmax(axis=1), np.arange(count))
    assert choice.log_odds.min() > 50


def test_pictures_without_contrast(store: Store) -> None:
    flat = np.stack([np.zeros(SIZE), np.full(SIZE, 0.5), np.ones(SIZE)]).astype(np.float32)
    mixed = Store.of(np.concatenate([flat, store.patterns[:20]]))
    query, choice = mixed.ask(flat)
    assert np.array_equal(choice.scores.argmax(axis=1), [0, 1, 2])
    assert [query.models[model] for model in choice.model] == ["identity"] * 3
    assert np.all(np.isfinite(choice.scores))
    assert np.all(np.isfinite(choice.facts))


def test_without_kernels(store: Store) -> None:
    bare = Store(
        store.patterns,
        store.weights[:0],
        store.grid,
        _statistics(store.grid, store.patterns, np.empty((150, 0), np.float32)),
        store.spectrum,
    )
    nothing = {"probes": np.empty((0, 3, SIZE), np.float32), "norms": np.empty((0, 3), np.float32), "dims": ()}
    query = prepare(bare.grid, bare.spectrum, store.patterns[:3], **nothing)
    scores, cosine = log_likelihoods(query, inner_products(query, bare.patterns, bare.statistics.codes), bare.statistics)
    listed = propose(query, scores, cosine, values_of(bare.patterns))
    choice = choose(query, bare.statistics, scores, cosine, listed)
    assert np.array_equal(choice.scores.argmax(axis=1), [0, 1, 2])


def test_torch_agrees(store: Store) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(6)
    pictures = (store.patterns[:9] * (rng.random((9, SIZE)) < 0.3)).astype(np.float32)
    query, expected = store.ask(pictures)
    patterns = torch.from_numpy(store.patterns)
    bands = BandGrid(SHAPE)
    coded = [torch.from_numpy(part) for part in quantised(bands, bands.coefficients(store.patterns))]
    statistics = MemoryStatistics.of(
        store.grid, *store.grid.sums(patterns), 1 / torch.from_numpy(np.stack(store.statistics.inverses, 1)), *coded
    )
    norms = torch.ones(query.probes.shape[:2])
    asked = torch.from_numpy(pictures)
    tensors = prepare(store.grid, store.spectrum, asked, probes=torch.from_numpy(query.probes), norms=norms, dims=query.dims)
    scores, cosine = log_likelihoods(tensors, inner_products(tensors, patterns, statistics.codes), statistics)
    choice = choose(tensors, statistics, scores, cosine, propose(tensors, scores, cosine, values_of(patterns)))
    assert choice.model.tolist() == expected.model.tolist()
    np.testing.assert_allclose(choice.scores.numpy(), expected.scores, rtol=1e-2, atol=1)
    np.testing.assert_allclose(choice.facts.numpy(), expected.facts, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("shape", [(16, 16, 3), (18, 21, 1), (9, 12, 3), (6, 6, 3)])
@pytest.mark.parametrize("queries", [2, 11])
def test_covariances_of_all_levels_come_from_the_finest(shape: tuple[int, int, int], queries: int) -> None:
    rng, size = np.random.default_rng(7), int(np.prod(shape))
    stored, pictures = (rng.random((count, size), dtype=np.float32) for count in (13, queries))
    grid, nothing = BlockGrid.of(shape), np.empty((0, queries, size), np.float32)
    query = prepare(
        grid, Spectrum.of(np.ones(size - shape[2], np.float32), shape[2]), pictures, probes=nothing, norms=nothing[..., 0], dims=()
    )
    finest, sums = grid.products(stored, query.blocks), grid.sums(stored)[0].T
    offsets = query.offsets @ sums
    np.testing.assert_allclose(offsets[0] + finest.sum(axis=0), pictures @ stored.T, rtol=1e-5)
    start = 1
    for level in query.levels[:-1]:
        blocks = len(level.sizes)
        for block in range(blocks):
            inside = np.isin(grid.owners, np.flatnonzero(grid.pooled_in(blocks) == block))
            x, xi = pictures[:, inside].astype(float), stored[:, inside].astype(float)
            expected = (x - x.mean(axis=1, keepdims=True)) @ xi.T
            found = offsets[start + block] + finest[grid.pooled_in(blocks) == block].sum(axis=0)
            np.testing.assert_allclose(found, expected, atol=1e-3)
        start += blocks
    assert start == len(offsets)
    for block in range(grid.side**2):
        x = pictures[:, grid.owners == block].astype(float)
        np.testing.assert_allclose(
            finest[block], (x - x.mean(axis=1, keepdims=True)) @ stored[:, grid.owners == block].T, atol=1e-3
        )


@pytest.mark.parametrize("count", [1, 4, 16])
def test_logarithms_of_products_by_four_are_those_of_each(count: int) -> None:
    values = np.random.default_rng(8).uniform(ROUNDING / 2, 1, (count, 3, 5)).astype(np.float32)
    sizes = np.full(count, 48, np.float32)
    expected = -24 * np.log(values.astype(np.float64)).sum(axis=0)
    for even in (True, False):
        np.testing.assert_allclose(_weighed_logs(values.copy(), sizes, even=even), expected, rtol=1e-5)
    uneven = np.arange(1, count + 1, dtype=np.float32)
    expected = -np.tensordot(uneven / 2, np.log(values.astype(np.float64)), axes=1)
    np.testing.assert_allclose(_weighed_logs(values, uneven, even=False), expected, rtol=1e-5)
