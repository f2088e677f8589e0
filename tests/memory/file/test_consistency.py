"""Each thing that can be wrong is found and named, and nothing is wrong with what is right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from uhop_cli.memory.file.consistency import fault
from uhop_cli.memory.memory import Memory, Originals
from uhop_cli.memory.near import NearPairs


def changed(array: np.ndarray, place: Any, value: Any) -> np.ndarray:
    copy = array.copy()
    copy[place] = value
    return copy


def kernel(memory: Memory, **fields: Any) -> Memory:
    return replace(memory, kernel=replace(memory.kernel, **fields))


def entries(memory: Memory, **fields: Any) -> Memory:
    return replace(memory, entries=replace(memory.entries, **fields))


def local(memory: Memory, **parts: Any) -> Memory:
    return replace(memory, local=replace(memory.local, **parts))


def near(memory: Memory, *pairs: tuple[int, int, int]) -> Memory:
    """With pairs of rows and what their originals said of them."""
    table = np.array(pairs, np.int64).reshape(-1, 3)
    return replace(memory, near=NearPairs(table[:, :2], table[:, 2].astype(np.int8)))


SPOILED = {
    "memories": [
        lambda m: replace(m, patterns=m.patterns[:, :, 1:]),
        lambda m: replace(m, patterns=m.patterns.astype(np.int16)),
        lambda m: replace(m, patterns=m.patterns[:0]),
    ],
    "beta": [lambda m: replace(m, beta=0.0), lambda m: replace(m, beta=float("nan")), lambda m: replace(m, beta=float("inf"))],
    "W": [
        lambda m: kernel(m, weight=m.kernel.weight[:, 1:]),
        lambda m: kernel(m, weight=changed(m.kernel.weight, (0, 0), np.nan)),
        lambda m: kernel(m, weight=m.kernel.weight.astype(np.float64)),
        lambda m: kernel(m, weight=m.kernel.weight[:0]),
    ],
    "gains": [
        lambda m: kernel(m, gains=changed(m.kernel.gains, (0, 0), np.inf)),
        lambda m: kernel(m, gains=changed(m.kernel.gains, (0, 0), -1)),
        lambda m: kernel(m, gains=changed(m.kernel.gains, (2, 0), 2)),
        lambda m: kernel(m, gains=m.kernel.gains[:, 1:]),
        lambda m: kernel(m, rhos=m.kernel.rhos[:1]),
        lambda m: kernel(m, gains=np.ones((65, 4), np.float32), rhos=(0.1,) * 65),
        lambda m: kernel(m, weight=changed(m.kernel.weight, (0, 0), 1e30)),
    ],
    "rho": [lambda m: kernel(m, rhos=(0.1, -0.1, 0.0)), lambda m: kernel(m, rhos=(0.1, float("nan"), 0.0))],
    "chosen": [lambda m: kernel(m, chosen=3), lambda m: kernel(m, chosen=-1)],
    "spectrum": [lambda m: kernel(m, spectrum=m.kernel.spectrum[1:]), lambda m: kernel(m, spectrum=-m.kernel.spectrum)],
    "norms": [
        lambda m: replace(m, norms=m.norms[1:]),
        lambda m: replace(m, norms=-m.norms),
        lambda m: replace(m, norms=changed(m.norms, (0, 1), np.nan)),
        lambda m: replace(m, norms=changed(m.norms, (0, 1), 1e30)),
    ],
    "compact": [
        lambda m: replace(m, compact=np.zeros((129, 5), np.float32)),
        lambda m: replace(m, compact=np.zeros((2, 4), np.float32)),
        lambda m: replace(m, compact_map=None),
    ],
    "compact_map": [
        lambda m: replace(m, compact_map=m.compact_map[:, 1:]),
        lambda m: replace(m, compact_map=np.zeros((2, 36), np.float32)),
        lambda m: replace(m, compact_map=m.compact_map * np.float32(np.inf)),
    ],
    "name_entry": [
        lambda m: entries(m, name_entry=changed(m.entries.name_entry, 0, 5)),
        lambda m: entries(m, name_entry=changed(m.entries.name_entry, 0, -1)),
        lambda m: entries(m, name_entry=np.zeros(7, np.int64)),
        lambda m: entries(m, name_entry=m.entries.name_entry.astype(np.int32)),
    ],
    "digests": [lambda m: entries(m, digests=m.entries.digests[1:]), lambda m: entries(m, digests=m.entries.digests[:, :31])],
    "sizes": [lambda m: entries(m, sizes=-m.entries.sizes), lambda m: entries(m, sizes=m.entries.sizes[1:])],
    "name_offsets": [
        lambda m: entries(m, name_offsets=changed(m.entries.name_offsets, 0, 1)),
        lambda m: entries(m, name_offsets=changed(m.entries.name_offsets, -1, 10**6)),
        lambda m: entries(m, name_offsets=changed(m.entries.name_offsets, 2, 0)),
        lambda m: entries(m, name_offsets=changed(m.entries.name_offsets, 2, np.iinfo(np.int64).min)),
        lambda m: entries(m, name_offsets=changed(m.entries.name_offsets, 2, m.entries.name_offsets[1])),
        lambda m: entries(m, name_offsets=m.entries.name_offsets[:-1]),
    ],
    "name_bytes": [
        lambda m: entries(m, name_bytes=changed(m.entries.name_bytes, 0, 0)),
        lambda m: entries(m, name_bytes=changed(m.entries.name_bytes, 0, ord("/"))),
    ],
    "local": [
        lambda m: local(m, codes=m.local.codes.astype(np.uint8)),
        lambda m: local(m, codes=m.local.codes[:, 1:]),
        lambda m: local(m, codes=m.local.codes[0]),
    ],
    "local_places": [lambda m: local(m, places=m.local.places[1:]), lambda m: local(m, places=m.local.places[:, :3])],
    "local_map": [
        lambda m: local(m, directions=m.local.directions[1:]),
        lambda m: local(m, directions=m.local.directions[:, 1:]),
        lambda m: local(m, directions=m.local.directions * np.float32(np.nan)),
        lambda m: local(m, directions=m.local.directions + 2),
        lambda m: local(m, directions=m.local.directions - 2),
    ],
    "local_offsets": [
        lambda m: local(m, offsets=m.local.offsets[1:]),
        lambda m: local(m, offsets=changed(m.local.offsets, 0, 1)),
        lambda m: local(m, offsets=changed(m.local.offsets, -1, 10**6)),
        lambda m: local(m, offsets=changed(m.local.offsets, 1, np.iinfo(np.int64).min)),
        lambda m: local(
            m,
            offsets=np.array([0, 1025, 1025, 1025, 1025, 1025]),
            codes=np.zeros((1025, 64), np.int8),
            places=np.zeros((1025, 4), np.uint8),
        ),
    ],
    "near has": [
        lambda m: near(m, (0, 1, 1), (-1, 1, 1)),
        lambda m: near(m, (0, 1, 1), (0, 5, 1)),
        lambda m: near(m, (0, 1, 1), (2, 2, 1)),
        lambda m: near(m, (0, 1, 1), (2, 1, 1)),
    ],
    "near is": [lambda m: replace(m, near=NearPairs(np.zeros((2, 2), np.int64), np.zeros(1, np.int8)))],
    "near_verified": [lambda m: near(m, (0, 1, 1), (1, 2, -2)), lambda m: near(m, (0, 1, -1), (1, 2, 2))],
    "original_offsets": [
        lambda m: replace(m, originals=Originals(m.originals.data, changed(m.originals.offsets, 1, 3))),
        lambda m: replace(m, originals=Originals(m.originals.data, m.originals.offsets[:-1])),
        lambda m: replace(m, originals=Originals(m.originals.data[1:], m.originals.offsets)),
    ],
}


@pytest.mark.parametrize(("name", "spoil"), [(name, spoil) for name, spoils in SPOILED.items() for spoil in spoils])
def test_what_is_wrong_is_named(make_memory: Any, name: str, spoil: Any) -> None:
    memory = make_memory(compact=2, embed=True, described=True)
    assert fault(memory) is None
    found = fault(spoil(memory))
    assert found is not None
    assert name in found
    assert "\n" not in found


def test_directions_that_do_not_match_the_codes_are_counted(make_memory: Any) -> None:
    memory = make_memory(compact=2)
    found = fault(replace(memory, compact_map=memory.compact_map[:0]))
    assert found is not None
    assert found.startswith("compact_map is float32")
    assert found.endswith(f"which does not give codes of {memory.compact.shape[0]} values")
    assert memory.compact.shape[0] != memory.compact.shape[1]


def test_forms_that_are_right(make_memory: Any) -> None:
    assert fault(make_memory(patterns=1, files=1)) is None
    assert fault(make_memory(explicit=True)) is None
    assert fault(near(make_memory(), (0, 1, 1), (0, 4, 0), (3, 4, -1))) is None
    assert fault(near(make_memory())) is None
    memory = make_memory(embed=True)
    nothing = Originals.build([b""] * len(memory.entries))
    assert fault(replace(memory, originals=nothing)) is None
