"""`uhop query --report`, `--csv`, `--strict`, `--files-from` and `-0`."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from uhop_cli.cli.report.review import Review, group_of
from uhop_cli.cli.report.shots import Room, Shot

SHOT = Shot("s", "data:image/webp;base64,AAAA", 40, 30, coarse=False)


def result(query: str = "q", fits: bool = True, confidence: float | None = 0.999, **values: Any) -> dict[str, Any]:
    words = None if confidence is None else "certain" if confidence >= 0.99 else "likely"
    match = {"name": "m", "path": "m.png", "weight": 1.0, "also": [], "original": "file"} if fits else None
    known = {"verified_words": "not verified", "notes": [], "output": None, "why": None if fits else "like nothing stored"}
    matches = [{"path": "m.png"}, {"path": "other.png"}]
    words = words if fits else "not in the memory"
    return {
        "query": query,
        "match": match,
        "confidence": confidence,
        "confidence_words": words,
        "matches": matches,
        **known,
        **values,
    }


@pytest.mark.parametrize(
    ("answer", "group"),
    [
        (result(), "found"),
        (result(confidence=None), "found"),
        (result(confidence=0.9899), "doubtful"),
        (result(fits=False, confidence=0.01), "absent"),
        (result(fits=False, confidence=None), "absent"),
        (result(fits=False, confidence=0.1), "doubtful"),
        (result(fits=False, confidence=0.01, why="fits two about equally"), "doubtful"),
        (result(fits=False, confidence=0.01, why="too little is visible"), "doubtful"),
        (result(fits=False, confidence=0.01, why="contradicted by the original"), "absent"),
    ],
)
def test_who_is_doubtful(answer: dict[str, Any], group: str) -> None:
    assert group_of(answer) == group


def test_the_doubtful_come_first_in_order_of_their_doubt() -> None:
    review = Review([("memory", "m")], Room(2))
    review.add(result("certain"), (SHOT, SHOT))
    review.add(result("likely 9", confidence=0.9), (SHOT, SHOT))
    review.add(result("absent", fits=False, confidence=0.0), (SHOT, SHOT))
    review.add(result("likely 6", confidence=0.6), (SHOT, SHOT))
    text = review.page([{"path": "broken", "reason": "damaged"}])
    assert re.findall(r"<h3>(.*?)</h3>", text) == ["likely 6", "likely 9", "certain", "absent"]
    assert re.findall(r'<article class="(\w+)"', text) == ["doubtful", "doubtful", "found", "absent"]
    assert "<h1>2 doubtful, 1 found, 1 not found, 1 skipped</h1>" in text
    assert "<dt>broken</dt><dd>damaged</dd>" in text


def test_a_card_says_why_and_what_else_and_draws_the_frame() -> None:
    review = Review([], Room(2))
    frame = {"kind": "crop", "window": [-0.5, -0.5, 2, 2], "turn": 0, "mirrored": False, "angle": 0}
    review.add(result("framed", confidence=0.9, frame=frame), (SHOT, SHOT))
    review.add(result("two", fits=False, confidence=0.4, why="fits two about equally"), (SHOT, SHOT))
    gone = result()["match"] | {"original": "missing", "also": ["twin.png"]}
    review.add(result("gone", match=gone, notes=["3 pages"], output="out.png"), (SHOT, SHOT))
    text = review.page([])
    assert text.count("<polygon") == 2  # one line, and its dark edge
    assert 'points="0.2500,0.2500 0.7500,0.2500' in text
    said = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text)
    for line in (
        ("frame", "crop, 50% of each side shown"), ("why", "fits two about equally"), ("or", "other.png"),
        ("nearest", "m.png"), ("original", "no longer there"), ("also", "twin.png"), ("note", "3 pages"), ("written", "out.png"),
    ):  # fmt: skip
        assert line in said
    assert "likely, 90%" in text


def test_the_page_of_a_run(uhop: Callable[..., Any], memory: Path, damaged: Path, stored: Path, tmp_path: Path) -> None:
    queries = tmp_path / "queries" / "<script>alert(1)<"
    queries.mkdir(parents=True)
    (queries / "script>.png").write_bytes(damaged.read_bytes())
    rng = np.random.default_rng(9)
    Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(queries.parent / "unknown.png")
    (queries.parent / "broken.jpg").write_bytes(b"no picture")
    page, table = tmp_path / "r.html", tmp_path / "r.csv"
    for _ in range(2):  # the same command works twice
        ran = uhop("query", queries.parent, "-m", memory, "--no-output", "--report", page, "--csv", table)
        assert ran.code == 1  # a broken one
        assert f"to look through: {page}" in ran.out
    text = page.read_text()
    assert text.count("<article") == 2
    assert text.count("<script>") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.png</h3>" in text
    assert text.count("data:image/webp") == 4
    assert "broken.jpg" in text
    assert "nearest: picture" in text
    rows = list(csv.DictReader(io.StringIO(table.read_text())))
    assert [row["answer"] for row in rows] == ["found", "not in the memory", "skipped"]
    assert rows[0]["query"].endswith("<script>alert(1)</script>.png")
    assert rows[0]["name"] == "images/picture3.png"
    assert rows[1]["nearest"]
    assert rows[2]["why"]


def test_a_table_on_standard_output(uhop: Callable[..., Any], memory: Path, damaged: Path, tmp_path: Path) -> None:
    ran = uhop("query", damaged, "-m", memory, "--no-output", "--csv", "-")
    assert ran.code == 0
    rows = list(csv.reader(io.StringIO(ran.out)))
    assert len(rows) == 2
    assert "picture3.png" in ran.err  # what people read
    for other in (["--json"], ["-q"]):
        assert uhop("query", damaged, "-m", memory, "--no-output", "--csv", "-", *other).code == 2
    (tmp_path / "mine.csv").write_text("a,b\n")
    assert uhop("query", damaged, "-m", memory, "--no-output", "--csv", tmp_path / "mine.csv").code == 1
    (tmp_path / "mine.html").write_text("mine")
    ran = uhop("query", damaged, "-m", memory, "--no-output", "--report", tmp_path / "mine.html")
    assert ran.code == 1
    assert "uhop did not write it" in ran.err


def test_lists_of_files_in_and_out(uhop: Callable[..., Any], memory: Path, damaged: Path, stored: Path, tmp_path: Path) -> None:
    other = stored / "images" / "picture5.png"
    (tmp_path / "list").write_bytes(f"{damaged}\0{other}\0".encode())
    ran = uhop("query", "--files-from", tmp_path / "list", "-m", memory, "--no-output", "-q", "-0")
    assert ran.code == 0
    assert [Path(name).name for name in ran.out.split("\0")] == ["picture3.png", "picture5.png", ""]
    assert "\n" not in ran.out
    ran = uhop("query", "--files-from", "-", "-m", memory, "--no-output", "-q", stdin=f"{other}\n".encode())
    assert Path(ran.out.strip()).name == "picture5.png"
    assert uhop("query", damaged, "-m", memory, "--no-output", "-0").code == 2
    assert uhop("query", "-m", memory).code == 2


def test_strict_counts_what_is_not_found(uhop: Callable[..., Any], memory: Path, damaged: Path, tmp_path: Path) -> None:
    unknown = tmp_path / "unknown.png"
    Image.fromarray(np.random.default_rng(9).integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(unknown)
    assert uhop("query", damaged, "-m", memory, "--no-output", "--strict").code == 0
    assert uhop("query", unknown, "-m", memory, "--no-output").code == 0
    assert uhop("query", damaged, unknown, "-m", memory, "--no-output", "--strict").code == 1
