"""Laws that hold for every similarity: larger = closer, the visible form, the naive formula, both array libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from uhop_cli.errors import SettingsError
from uhop_cli.retrieval.similarity import SIMILARITIES, Similarity, similarity

Array = NDArray[Any]
ALL = pytest.mark.parametrize("entry", SIMILARITIES.values(), ids=SIMILARITIES)

NAIVE = {
    "dot": lambda x, m, w: x @ m,
    "cosine": lambda x, m, w: x @ m / (np.linalg.norm(x) * np.linalg.norm(m)),
    "l2": lambda x, m, w: -np.linalg.norm(x - m),
    "l2-squared": lambda x, m, w: -np.sum((x - m) ** 2),
    "l1": lambda x, m, w: -np.sum(np.abs(x - m)),
    "kernel": lambda x, m, w: (w @ x) @ (w @ m),
    "kernel-distance": lambda x, m, w: -np.sum((w @ x - w @ m) ** 2),
    "kernel-cosine": lambda x, m, w: (w @ x) @ (w @ m) / (np.linalg.norm(w @ x) * np.linalg.norm(w @ m)),
}


def case(seed: int, dtype: type = np.float64) -> tuple[Array, Array, Array, Array]:
    """Five queries, of which one is a memory, eleven memories, a weight of rank 7, a mask with one row all visible."""
    rng = np.random.default_rng(seed)
    queries, memories = rng.random((5, 12)), rng.random((11, 12))
    queries[2] = memories[4]
    visible = rng.random((5, 12)) < 0.6
    visible[1] = True
    return queries.astype(dtype), memories.astype(dtype), rng.normal(size=(7, 12)).astype(dtype), visible


def weight_for(entry: Similarity, weight: Any) -> Any:
    return weight if entry.uses_weight else None


@ALL
def test_equals_the_formula_pair_by_pair(entry: Similarity) -> None:
    queries, memories, weight, _ = case(0)
    expected = [[NAIVE[entry.name](x, m, weight) for m in memories] for x in queries]
    np.testing.assert_allclose(entry(queries, memories, weight=weight_for(entry, weight)), expected, atol=1e-12)


@ALL
def test_visible_form_is_deleting_the_columns(entry: Similarity) -> None:
    queries, memories, weight, visible = case(1)
    found = entry(queries, memories, visible=visible, weight=weight_for(entry, weight))
    for x, seen, row in zip(queries, visible, found, strict=True):
        expected = [NAIVE[entry.name](x[seen], m[seen], weight[:, seen]) for m in memories]
        np.testing.assert_allclose(row, expected, atol=1e-12)


@ALL
def test_missing_pixels_have_no_influence_and_one_mask_serves_all(entry: Similarity) -> None:
    queries, memories, weight, visible = case(2)
    other = np.where(visible[0], queries, 1e3)
    one = entry(queries, memories, visible=visible[0], weight=weight_for(entry, weight))
    many = entry(other, memories, visible=np.tile(visible[0], (5, 1)), weight=weight_for(entry, weight))
    np.testing.assert_allclose(one, many, atol=1e-12)


@ALL
@pytest.mark.parametrize("masked", [False, True])
def test_larger_means_closer(entry: Similarity, masked: bool) -> None:
    """A memory is closest to itself, and every step towards it raises its score, above all others at the end.

    Inner products know closeness only among vectors of one length: memories and queries have the same norm here, W is orthogonal,
    and hiding pixels keeps the lengths equal because the hidden half is zero.
    """
    rng = np.random.default_rng(3)
    memories = np.concatenate([rng.random((9, 6)), np.zeros((9, 6))], axis=1)
    memories /= np.linalg.norm(memories, axis=1, keepdims=True)
    weight = 3 * np.linalg.qr(rng.normal(size=(12, 12)))[0]
    visible = np.arange(12) < 6 if masked else None
    start = memories[[0]]
    path = [(1 - t) * start + t * memories[[5]] for t in np.linspace(0, 1, 9)]
    path = [x / np.linalg.norm(x) for x in path]
    scores = np.concatenate([entry(x, memories, visible=visible, weight=weight_for(entry, weight)) for x in path])
    assert np.all(np.diff(scores[:, 5]) > 0)
    assert np.all(np.diff(scores[:, 0]) < 0)
    own = entry(memories, memories, visible=visible, weight=weight_for(entry, weight))
    np.testing.assert_array_equal(own.argmax(axis=1), np.arange(9))


@ALL
def test_norms_computed_before_give_the_same(entry: Similarity) -> None:
    queries, memories, weight, _ = case(4)
    weight = weight_for(entry, weight)
    norms = entry.norms(memories, weight)
    assert norms.shape == (11,)
    expected = entry(queries, memories, weight=weight)
    np.testing.assert_allclose(entry(queries, memories, norms=norms, weight=weight), expected, atol=1e-12)


@ALL
@pytest.mark.parametrize("masked", [False, True])
def test_numpy_and_torch_agree(entry: Similarity, masked: bool) -> None:
    torch = pytest.importorskip("torch")
    queries, memories, weight, visible = case(5, np.float32)
    expected = entry(queries, memories, visible=visible if masked else None, weight=weight_for(entry, weight))
    found = entry(
        torch.from_numpy(queries),
        torch.from_numpy(memories),
        visible=torch.from_numpy(visible) if masked else None,
        weight=weight_for(entry, torch.from_numpy(weight)),
    )
    assert expected.dtype == np.float32
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["l2", "l2-squared", "kernel-distance"])
def test_a_distance_near_zero_keeps_its_digits(name: str) -> None:
    """||x||^2 + ||xi||^2 - 2 <x, xi> alone would be off by 1e-4 here, a thousand times the distance itself."""
    rng = np.random.default_rng(6)
    memories = rng.random((3, 3000), dtype=np.float32)
    queries = memories.copy()
    queries[:, 0] += np.float32(2.0**-12)
    entry = SIMILARITIES[name]
    found = np.diag(entry(queries, memories, weight=np.eye(3000, dtype=np.float32) if entry.uses_weight else None))
    expected = -np.linalg.norm(queries.astype(np.float64) - memories, axis=1)
    np.testing.assert_allclose(found, expected if name == "l2" else -(expected**2), rtol=1e-5)
    assert np.all(np.diag(SIMILARITIES["l2"](memories, memories)) == 0)


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    queries, memories, weight, visible = case(7)

    def scores(entry: Similarity) -> Array:
        found: Array = entry(queries, memories, visible=visible, weight=weight_for(entry, weight))
        return found

    whole = {name: scores(entry) for name, entry in SIMILARITIES.items()}
    monkeypatch.setattr("uhop_cli.retrieval.similarity.BLOCK_VALUES", 24)
    for name, entry in SIMILARITIES.items():
        np.testing.assert_allclose(scores(entry), whole[name], atol=1e-12)


@pytest.mark.parametrize("name", ["cosine", "kernel-cosine"])
def test_the_cosine_with_nothing_is_zero(name: str) -> None:
    queries, memories = np.zeros((1, 3)), np.array([[1.0, 2, 3], [0, 0, 0]])
    entry = SIMILARITIES[name]
    found = entry(np.concatenate([queries, memories]), memories, weight=np.eye(3) if entry.uses_weight else None)
    np.testing.assert_allclose(found, [[0, 0], [1, 0], [0, 0]])


def test_known_values() -> None:
    x, m = np.array([[1.0, 2]]), np.array([[3.0, 0], [4, 6]])
    expected = {
        "dot": [3, 16],
        "l2": [-(8**0.5), -5],
        "l2-squared": [-8, -25],
        "l1": [-4, -7],
        "cosine": [1 / 5**0.5, 16 / 260**0.5],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(SIMILARITIES[name](x, m), [values])


def test_what_does_not_fit_is_refused() -> None:
    x = np.ones((2, 3))
    with pytest.raises(SettingsError, match="unknown similarity 'l3'"):
        similarity("l3")
    for weight in (None, np.ones((2, 4)), np.ones(3)):
        with pytest.raises(SettingsError, match=r"needs a weight W of shape \(D, 3\)"):
            similarity("kernel")(x, x, weight=weight)
    with pytest.raises(SettingsError, match="no weight"):
        similarity("dot")(x, x, weight=x)
    with pytest.raises(SettingsError, match=r"\(Q, d\) and \(M, d\)"):
        similarity("dot")(x, np.ones((2, 4)))
    with pytest.raises(SettingsError, match="mask"):
        similarity("dot")(x, x, visible=np.ones((3, 3), bool))
    with pytest.raises(SettingsError, match="no memory"):
        similarity("dot")(x, np.ones((0, 3)))
