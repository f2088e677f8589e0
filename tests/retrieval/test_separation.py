"""Laws that hold for every separation function: weights on the simplex, equivariance, order, support, both array libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from uhop_cli.errors import SettingsError
from uhop_cli.retrieval import separation as module
from uhop_cli.retrieval.separation import SEPARATIONS, Separation, random_mask, window

Array = NDArray[Any]
LABELS = [
    "softmax", "sparsemax", "entmax:1", "entmax:1.0001", "entmax:1.25", "entmax:1.5", "entmax:1.8", "entmax:2", "entmax:3",
    "top-k:1", "top-k:4", "top-k:100", "random:0.3", "window:2", "polynomial:2", "polynomial:10", "argmax",
]  # fmt: skip
ALL = pytest.mark.parametrize("label", LABELS)
PLACED = ("random", "window")  # their support depends on the place of a memory, not on its score
SCALE_FREE = ("polynomial", "argmax")


def those(*kinds: str) -> list[str]:
    return [label for label in LABELS if label.partition(":")[0] in kinds]


BY_SCORE = pytest.mark.parametrize("label", [label for label in LABELS if label not in those(*PLACED)])


def rows(seed: int = 0, dtype: type = np.float64) -> Array:
    """Rows of 23 logits, nearly flat to very steep, one with ties, one with no positive value."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(40, 23)) * np.logspace(-3, 3, 40)[:, None]
    logits[0] = -np.abs(logits[0])
    logits[7] = np.round(logits[7] * 4)
    return logits.astype(dtype)


def of(label: str) -> Separation:
    return Separation.parse(label)


def test_the_labels_cover_the_registry() -> None:
    assert {of(label).kind for label in LABELS} == set(SEPARATIONS)


@ALL
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_lie_on_the_simplex(label: str, dtype: type) -> None:
    weights = of(label)(rows(dtype=dtype))
    assert weights.shape == (40, 23)
    assert weights.dtype == dtype
    assert np.all(weights >= 0)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=20 * np.finfo(dtype).eps)


@BY_SCORE
def test_permuting_the_memories_permutes_the_weights(label: str) -> None:
    logits = np.delete(rows(1), 7, axis=0)  # of equal logits top-k takes the first
    order = np.random.default_rng(2).permutation(23)
    np.testing.assert_allclose(of(label)(logits)[:, order], of(label)(logits[:, order]), atol=1e-12)


@pytest.mark.parametrize("label", [label for label in LABELS if label not in those("polynomial")])
def test_a_common_shift_changes_nothing(label: str) -> None:
    logits = np.round(rows(3) * 1024) / 1024  # so that the shift itself does not round
    np.testing.assert_allclose(of(label)(logits), of(label)(logits + 64), atol=1e-12)


@pytest.mark.parametrize("label", those(*SCALE_FREE))
def test_some_do_not_know_beta(label: str) -> None:
    np.testing.assert_allclose(of(label)(rows(4)), of(label)(7 * rows(4)), atol=1e-12)


@BY_SCORE
def test_a_larger_logit_never_has_less_weight(label: str) -> None:
    logits = rows(5)
    weights = of(label)(logits)
    rising = np.argsort(logits, axis=-1, kind="stable")
    if of(label).kind == "top-k":
        logits, weights, rising = (np.delete(x, 7, axis=0) for x in (logits, weights, rising))  # of equal logits it takes the first
    assert np.all(np.diff(np.take_along_axis(weights, rising, -1)) >= -1e-15)
    assert np.all(weights.argmax(axis=-1)[8:] == logits.argmax(axis=-1)[8:])


@ALL
def test_minus_infinity_is_outside_the_support(label: str) -> None:
    logits = rows(6)
    if of(label).kind == "window":
        weights = of(label)(logits)
        place, row = np.arange(23), np.minimum(np.arange(40), 22)
        np.testing.assert_array_equal(weights[:20][np.abs(place - row[:, None])[:20] > 2], 0)
        return
    logits[:, ::3] = -np.inf
    if of(label).kind != "random":  # a random support may miss all that is finite
        weights = of(label)(logits)
        np.testing.assert_array_equal(weights[8:, ::3], 0)
        np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-14)
        inside = logits[:, np.arange(23) % 3 > 0]
        np.testing.assert_allclose(weights[8:, np.arange(23) % 3 > 0], of(label)(inside)[8:], atol=1e-13)


@ALL
def test_numpy_and_torch_agree(label: str) -> None:
    torch = pytest.importorskip("torch")
    logits = rows(7, np.float32)
    np.testing.assert_allclose(of(label)(torch.from_numpy(logits)).numpy(), of(label)(logits), rtol=1e-4, atol=1e-5)


@BY_SCORE
def test_leading_axes_are_batches(label: str) -> None:
    logits = rows(8)
    np.testing.assert_array_equal(of(label)(logits.reshape(4, 10, 23)).reshape(40, 23), of(label)(logits))
    np.testing.assert_array_equal(of(label)(logits[11]), of(label)(logits)[11])


def test_known_values() -> None:
    logits = np.array([1.0, 0.5, -1.0])
    np.testing.assert_allclose(of("softmax")(np.log([1.0, 2, 5])), [1 / 8, 2 / 8, 5 / 8])
    np.testing.assert_allclose(of("sparsemax")(logits), [0.75, 0.25, 0])
    # alpha 1.5: (1/2 - t)^2 + (1/4 - t)^2 = 1 with t = (3/4 - sqrt(31)/4) / 2
    t = (3 - 31**0.5) / 8
    np.testing.assert_allclose(of("entmax:1.5")(np.array([1.0, 0.5, -9])), [(0.5 - t) ** 2, (0.25 - t) ** 2, 0])
    np.testing.assert_allclose(of("polynomial:3")(np.array([2.0, 1, -4])), [0.8, 0.2, 0])
    np.testing.assert_allclose(of("polynomial:3")(np.array([-2.0, -1])), [0.5, 0.5])
    np.testing.assert_allclose(of("argmax")(np.array([3.0, 1, 3])), [0.5, 0, 0.5])
    np.testing.assert_allclose(of("top-k:2")(np.log([3.0, 1, 1, 2])), [0.6, 0, 0, 0.4])
    np.testing.assert_allclose(of("top-k:2")(np.array([0.0, 1, 1, 1])), [0, 0.5, 0.5, 0])


def test_powers_are_taken_in_log_space() -> None:
    np.testing.assert_allclose(of("polynomial:1000")(np.array([1e-30, 2e-30, 1e-31])), [2.0**-999, 1, 0], atol=0, rtol=1e-9)


def test_window_follows_the_places_of_the_queries() -> None:
    weights = window(np.zeros((2, 5)), 1, np.array([0, 9]))
    np.testing.assert_allclose(weights, [[0.5, 0.5, 0, 0, 0], [0, 0, 0, 0.5, 0.5]])


def test_random_support_has_the_size_asked_for_and_repeats_with_its_seed() -> None:
    weights = random_mask(np.zeros((50, 10)), 0.25, seed=1)
    np.testing.assert_array_equal(np.count_nonzero(weights, axis=-1), 3)  # ceil(2.5)
    assert len({tuple(row) for row in weights}) > 10
    np.testing.assert_array_equal(weights, random_mask(np.zeros((50, 10)), 0.25, seed=1))
    assert np.any(weights != random_mask(np.zeros((50, 10)), 0.25, seed=2))


@pytest.mark.parametrize("label", LABELS)
def test_labels_survive_parsing(label: str) -> None:
    assert of(label).label == label
    assert of(of(label).label) == of(label)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soft",
        "softmax:2",
        "entmax",
        "entmax:x",
        "entmax:.5",
        "entmax:nan",
        "top-k:0",
        "top-k:1.5",
        "random:0",
        "random:2",
        "window:-1",
        "window:1.5",
        "polynomial:1",
        "polynomial:2.5",
    ],
)
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        of(text)


def test_only_the_entmax_family_has_an_alpha() -> None:
    assert [of(label).alpha for label in ("softmax", "entmax:1.25", "sparsemax", "top-k:3", "argmax")] == [
        1.0,
        1.25,
        2.0,
        None,
        None,
    ]


def test_every_public_function_is_reached_by_a_kind() -> None:
    for kind, entry in SEPARATIONS.items():
        function = getattr(module, kind.replace("-", "_").replace("random", "random_mask"))
        logits = rows(9)[:5]
        given = {"entmax": 1.5, "top-k": 3, "random": 0.5, "window": 2, "polynomial": 4}.get(kind)
        expected = function(logits) if given is None else function(logits, given)
        np.testing.assert_array_equal(Separation(kind, given)(logits), expected)
        assert (entry.parameter is None) == (given is None)
