"""Shards are dealt as evenly as what workers see allows, few change hands, and who comes gets some."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uhop_cli.cluster.dealing import dealt


@st.composite
def _deals(draw: st.DrawFn) -> tuple[dict[str, list[bool]], list[str | None]]:
    """What up to four workers see of up to five shards, each of which somebody sees, and who had them."""
    count, people = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    names = [f"w{number}" for number in range(people)]
    sees = {name: draw(st.lists(st.booleans(), min_size=count, max_size=count)) for name in names}
    for number in range(count):
        sees[draw(st.sampled_from(names))][number] = True
    return sees, draw(st.lists(st.sampled_from([None, "gone", *names]), min_size=count, max_size=count))


def _loads(owners: list[str], workers: dict[str, list[bool]]) -> list[int]:
    return sorted(map(owners.count, workers))


@given(_deals())
def test_no_way_of_dealing_is_more_even(deal: tuple[dict[str, list[bool]], list[str | None]]) -> None:
    """The sum of squared loads is least, of all ways there are."""
    sees, before = deal
    after = dealt(sees, before)
    assert all(sees[worker][number] for number, worker in enumerate(after))
    able = [[worker for worker in sees if sees[worker][number]] for number in range(len(before))]
    least = min(sum(load**2 for load in _loads(list(way), sees)) for way in product(*able))
    assert sum(load**2 for load in _loads(after, sees)) == least
    assert dealt(sees, after) == after


@pytest.mark.parametrize(
    ("sees", "before", "after"),
    [
        ({"a": "1111", "b": "1111"}, "aaaa", "bbaa"),  # who comes gets half
        ({"a": "1111", "b": "1111", "c": "1111"}, "aabb", "cabb"),  # one is enough
        ({"a": "1111", "b": "1111", "c": "1111", "d": "1111", "e": "1111"}, "abcd", "abcd"),  # nobody has one to spare
        ({"a": "1111", "b": "0001", "c": "0000"}, "aaaa", "aaab"),  # of what it sees
        ({"a": "1111", "b": "0011", "c": "0001"}, "aabb", "aabc"),
        ({"a": "110", "b": "011", "c": "001"}, "aab", "abc"),  # c can take nothing of a, so b takes one and gives one
        ({"a": "1111"}, "aabb", "aaaa"),  # b is gone
        ({"a": "1110", "b": "0111"}, "bbbb", "aabb"),  # what a shard's worker sees no more goes to one that does
    ],
)
def test_by_hand(sees: dict[str, str], before: str, after: str) -> None:
    known = {worker: [mark == "1" for mark in marks] for worker, marks in sees.items()}
    assert "".join(dealt(known, list(before))) == after
