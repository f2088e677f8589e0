"""Taking in images: order, groups, columns."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uhop_cli.images.patterns import PatternSpec
from uhop_cli.memory.file.writer import Writer
from uhop_cli.progress import Progress
from uhop_cli.storing import ingest as module
from uhop_cli.storing.ingest import Distinct, Ingested, ingest
from uhop_cli.storing.sources import ROWS_TOGETHER, collect


@pytest.mark.parametrize("together", [3, 4096])
def test_files_become_columns_in_their_order(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILES_TOGETHER", together)
    before = Ingested()
    before.add(b"first", 0, bytes(32), 1)
    found = Ingested(before.entries())
    for index in range(10):
        found.add(b"%d" % index, index // 2, bytes([index]) * 32, index)
    assert found.entries().names() == [b"first", *(b"%d" % index for index in range(10))]
    assert found.entries().name_entry.tolist() == [0, *(index // 2 for index in range(10))]
    assert found.entries().digest(10) == bytes([9]) * 32
    assert len(Ingested().entries()) == 0


def test_rows_of_an_array_are_taken_in_groups_with_one_report_each(tmp_path: Path) -> None:
    count = 2 * ROWS_TOGETHER + 5
    array = np.random.default_rng(0).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    array[7] = array[300]
    np.save(tmp_path / "a.npy", array)
    sources, skipped = collect([tmp_path / "a.npy"], tmp_path)
    reports: list[Progress] = []
    found, spec = Ingested(), PatternSpec(4, 4, 3)
    with Writer(tmp_path / "m.safetensors") as writer:
        distinct = Distinct(writer, spec)
        ingest(sources, distinct, found, progress=reports.append)
        patterns = distinct.close()
        entries = found.entries()
        np.testing.assert_array_equal(patterns[entries.name_entry], array)
    assert not skipped
    assert len(patterns) == count - 1
    assert [report.done for report in reports] == [ROWS_TOGETHER, 2 * ROWS_TOGETHER, count]
    assert entries.name(300) == b"a.npy[300]"
    assert entries.digest(300) == hashlib.sha256(array[300].tobytes()).digest()


def test_the_first_picture_of_a_pattern_gives_its_shape(tmp_path: Path) -> None:
    for name, size in (("a.png", (12, 6)), ("b.png", (24, 12)), ("c.png", (6, 12))):  # a and b are one pattern
        Image.new("RGB", size, (9, 9, 9) if name != "c.png" else (200, 0, 0)).save(tmp_path / name)
    sources, _ = collect([tmp_path], tmp_path)
    with Writer(tmp_path / "m.safetensors") as writer:
        distinct = Distinct(writer, PatternSpec(4, 4, 3))
        ingest(sources, distinct, Ingested())
        distinct.add(np.full((4, 4, 3), 77, np.uint8))  # from a memory without shapes
        assert len(distinct.close()) == 3
        assert distinct.shapes.tolist() == [[12, 6], [6, 12], [4, 4]]
