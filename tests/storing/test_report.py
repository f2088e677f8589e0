"""What a store says: groups of equal files, notes, and the document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from uhop_cli.images.discover import Skipped
from uhop_cli.memory.entries import Entries
from uhop_cli.storing.assemble import Draft, Stored, learn_memory
from uhop_cli.storing.report import StoreReport, report_of
from uhop_cli.storing.settings import StoreSettings


def stored(make_memory: Any, patterns: np.ndarray, rows: list[int], digests: list[int]) -> Stored:
    names = [b"%d" % index for index in range(len(rows))]
    entries = Entries.build(names, rows, [bytes([digest]) * 32 for digest in digests], [1] * len(rows))
    return learn_memory(Draft(make_memory().spec, patterns, entries), StoreSettings(), test=False)


def told(made: Stored, **more: Any) -> StoreReport:
    return report_of(made, Path("m"), StoreSettings(), 0.0, size=12, **more)


def test_files_with_equal_patterns_are_told_and_those_equal_byte_for_byte(make_memory: Any) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 3, 4, 3), dtype=np.uint8)
    made = stored(make_memory, pixels, [0, 1, 1, 2, 0, 0], [1, 2, 2, 3, 4, 1])
    report = told(made, added=6, skipped=(Skipped(Path("x"), "x", "odd", "cure"),))
    assert report.duplicates == (("0", "4", "5"), ("1", "2"))
    assert report.identical == 1
    assert (report.stored, report.patterns, report.added, report.bytes) == (6, 3, 6, 12)
    assert report.notes == ()
    document = report.to_json()
    assert document["schema"] == "uhop.store/1"
    assert document["skipped"] == [{"path": "x", "reason": "odd: cure"}]
    assert document["duplicates"] == [["0", "4", "5"], ["1", "2"]]
    assert document["pattern"] == {"width": 4, "height": 3, "channels": 3}


def test_notes_say_what_a_user_should_know(make_memory: Any) -> None:
    flat = np.zeros((3, 3, 4, 3), np.uint8)
    flat[1] = 90
    flat[2, 0, 0, 0] = 7
    notes = told(stored(make_memory, flat, [0, 1, 2], [1, 2, 3]), taken_over=5).notes
    assert [note.split()[0] for note in notes] == ["5", "2"]
    assert "killed" in notes[0]
    assert "plain colour" in notes[1]
    alone = told(stored(make_memory, flat[:1], [0], [1])).notes
    assert len(alone) == 1  # there is no other to be taken for
    assert "only one pattern" in alone[0]
