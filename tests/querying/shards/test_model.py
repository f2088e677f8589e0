"""How what shards answer becomes one, and what they are asked for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from uhop_cli.arrays.device import CPU, Device
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.retriever import Retriever
from uhop_cli.querying.settings import RetrievalSettings
from uhop_cli.querying.shards import by_evidence
from uhop_cli.querying.shards.asking import InTurn
from uhop_cli.querying.shards.messages import Asked, ReadOut
from uhop_cli.querying.shards.model import Merged, summed


class Noted(InTurn):
    """Shards in turn; what they were asked and answered is written down."""

    def __init__(self, memory: Memory, settings: RetrievalSettings, device: Device) -> None:
        super().__init__(memory, settings, device)
        self.told: list[tuple[str, tuple[Any, ...], list[Any]]] = []

    def all(self, name: str, *arguments: Any, **options: Any) -> list[Any]:
        answers = super().all(name, *arguments, **options)
        self.told.append((name, arguments, answers))
        return answers

    @property
    def names(self) -> list[str]:
        return [name for name, _, _ in self.told]


def _retriever(memory: Memory, settings: RetrievalSettings | None = None) -> tuple[Retriever, Noted]:
    retriever = Retriever(memory, settings, asker=Noted)
    assert isinstance(retriever.shards, Noted)
    return retriever, retriever.shards


def test_parts_of_a_softmax_make_the_whole(pair: Any, queries: Any) -> None:
    asked, patterns = queries(pair.whole, 1), pair.whole.patterns.reshape(60, -1).astype(np.float64) / 255
    shards = Noted(pair.shards, RetrievalSettings(similarity="dot"), CPU)
    small = 0
    for beta in (0.2, 1.0, 200.0):  # all shards have a share, all a small one but for one, and one alone
        merged = Merged(shards, Asked(kind="similarity", queries=asked, state=asked, beta=beta))
        logits = beta * asked @ patterns.T
        total = np.logaddexp.reduce(logits, axis=1)
        np.testing.assert_allclose(merged.total, total, rtol=1e-5)
        np.testing.assert_allclose(merged.picture, np.exp(logits - total[:, None]) @ patterns, atol=2e-3 if beta > 1 else 1e-4)
        shares = np.exp(np.stack([np.logaddexp.reduce(part, axis=1) for part in np.split(logits, 4, axis=1)]) - total)
        read_out = np.array([np.isin(np.arange(len(asked)), part.places) for part in shards.told[-1][2]])
        assert (shares[~read_out] < 2.0**-25.5).all()
        assert (shares[read_out] > 2.0**-26.5).all()
        small += (shares[read_out] < 1e-3).sum()
    assert small > 3
    assert read_out.sum() == len(asked)


@pytest.mark.parametrize(("beyond", "names"), [(0.0, ["attend"]), (100.0, ["attend"]), (1e4, ["attend", "gather"])])
def test_who_has_a_share_answers_at_once_where_the_total_is_known(pair: Any, queries: Any, beyond: float, names: list[str]) -> None:
    """Known to 128; where it is less than was thought, who was not asked for is asked."""
    asked = Asked(kind="identity", queries=queries(pair.whole, 2))
    plain, shards = Noted(pair.shards, RetrievalSettings(), CPU), Noted(pair.shards, RetrievalSettings(), CPU)
    one = Merged(plain, asked)
    other = Merged(shards, asked, one.total + beyond)
    assert (plain.names, shards.names) == (["attend", "gather"], names)
    np.testing.assert_array_equal(other.total, one.total)
    np.testing.assert_allclose(other.picture, one.picture, atol=1e-6)
    loose = Merged(shards, asked, one.total - 1e6)  # all shards answer, and those without a share do not count
    assert all(len(part.read.places) == len(asked.queries) for part in shards.told[-1][2])
    np.testing.assert_allclose(loose.picture, one.picture, atol=1e-6)


def test_one_query_takes_two_messages(pair: Any, queries: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And many take a third, for what is proposed: of one it comes with the proposals. The answers are the same."""
    asked = queries(pair.whole, 1)[:1]
    retriever, shards = _retriever(pair.shards)
    one = retriever.retrieve(asked)
    assert shards.names == ["propose", "attend"]
    monkeypatch.setattr(by_evidence, "ALONG", 4 * 60 * asked.size - 1)
    shards.told.clear()
    other = retriever.retrieve(asked)
    assert shards.names == ["propose", "pool", "attend"]
    np.testing.assert_array_equal(one.weights, other.weights)
    np.testing.assert_array_equal(one.pictures, other.pictures)


def test_what_was_read_out_of_some_queries() -> None:
    read = ReadOut(places=np.array([0, 2, 3]), picture=np.eye(3, dtype=np.float32), target=np.array([[1], [2], [3]], np.float32))
    some = read.of(np.array([True, True, False, True]))
    assert some.places.tolist() == [0, 3]
    assert some.picture.tolist() == [[1, 0, 0], [0, 0, 1]]
    assert some.target is not None
    assert some.target.tolist() == [[1], [3]]
    assert ReadOut(places=read.places, picture=read.picture, target=None).of(np.ones(4, bool)).target is None


def test_a_sum_over_shards_by_hand() -> None:
    one = ReadOut(places=np.array([0, 2]), picture=np.array([[1, 2], [3, 4]], np.float32), target=np.array([[1], [2]], np.float32))
    other = ReadOut(places=np.array([2]), picture=np.array([[8, 16]], np.float32), target=np.array([[4]], np.float32))
    picture, target = summed([one, other], np.array([[0.5, 9, 0.25], [9, 9, 0.5]]))
    assert picture.tolist() == [[0.5, 1], [0, 0], [4.75, 9]]
    assert target is not None
    assert target.tolist() == [[0.5], [0], [2.5]]


@pytest.mark.parametrize("similarity", ["l1", "cosine"])
def test_scores_that_no_step_changes_are_asked_for_once(pair: Any, queries: Any, similarity: Any) -> None:
    asked = queries(pair.whole, 1)
    retriever, shards = _retriever(pair.shards, RetrievalSettings(similarity=similarity))
    assert (retriever.retrieve(asked, np.ones_like(asked, bool)).steps == 1).all()
    assert shards.names == ["attend", "gather"]


def test_known_masks_are_asked_for_once(pair: Any, queries: Any) -> None:
    asked = queries(pair.whole, 1)
    retriever, shards = _retriever(pair.shards, RetrievalSettings(3))
    retriever.retrieve(asked, np.ones_like(asked, bool))
    assert shards.names == ["attend", "gather"]


@pytest.mark.parametrize("separation", ["softmax", "sparsemax"])
@pytest.mark.parametrize("masked", [False, True])
def test_of_a_kernel_features_travel_and_no_pictures_are_sent(pair: Any, queries: Any, separation: str, masked: bool) -> None:
    asked, size = queries(pair.whole, 1), pair.whole.kernel.feature_dim
    retriever, shards = _retriever(pair.shards, RetrievalSettings(2, similarity="kernel", separation=separation))
    visible = np.random.default_rng(5).random(asked.shape) < 0.5
    retriever.retrieve(asked, visible if masked else None)
    assert len(shards.told) == 4
    for name, arguments, answers in shards.told:
        assert arguments[0].queries.size == 0
        assert arguments[0].visible is None
        assert arguments[0].state.shape == (len(asked), size)
        if name in ("gather", "read"):
            assert {part.target.shape[1] for part in answers} == {size}
            if separation == "sparsemax":  # who has nothing of a query reads nothing out
                assert sum(len(part.places) for part in answers) < 4 * len(asked)
