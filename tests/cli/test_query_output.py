"""What uhop query writes and shows: pictures, strips, states, and what cannot be written."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from uhop_cli.images.own_mark import is_own_output
from uhop_cli.querying.restoration import Restoration
from uhop_cli.querying.restorer import Restorer

pytestmark = pytest.mark.usefixtures("wide")


def test_pictures_pass_through_a_pipe(memory: Path, damaged: Path, stored: Path) -> None:
    line = [sys.executable, "-m", "uhop_cli", "query", "-", "-o", "-", "-m", str(memory)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ran = subprocess.run(line, input=damaged.read_bytes(), capture_output=True, env=environment)
    assert ran.returncode == 0
    assert ran.stdout == (stored / "images" / "picture3.png").read_bytes()
    assert b"picture3.png" in ran.stderr


def test_standard_input_must_say_where_to(uhop: Any, memory: Path, damaged: Path) -> None:
    assert uhop("query", "-", "-m", memory).code == 2
    assert uhop("query", "-", damaged, "-m", memory, "--no-output").code == 2
    ran = uhop("query", "-", "-m", memory, "--no-output", stdin=damaged.read_bytes())
    assert ran.code == 0
    assert "picture3.png" in ran.out
    ran = uhop("query", "-", "-m", memory, "--no-output", stdin=b"no picture")
    assert ran.code == 1
    assert ran.err.startswith("error: ")


def test_the_strip_and_the_states(uhop: Any, memory: Path, damaged: Path, tmp_path: Path) -> None:
    strip, states = tmp_path / "strip.png", tmp_path / "states.npz"
    line = ("query", damaged, "-m", memory, "--no-output", "--compare", strip, "--states", states)
    for _ in range(2):  # what uhop wrote is replaced
        assert uhop(*line).code == 0
    assert is_own_output(strip)
    with Image.open(strip) as image:
        assert image.width > 3 * 16
    with np.load(states) as arrays:
        steps = len(arrays["x"])
        assert arrays["x"].shape == (steps, 768)
        assert steps >= 2
        assert arrays["weights"].shape == (8,)
        assert arrays["weights"].sum() == pytest.approx(1, abs=1e-3)
        assert np.isfinite(arrays["energy"]).all()
    states.write_bytes(b"precious")
    assert uhop(*line).code == 1
    assert states.read_bytes() == b"precious"


def test_pictures_are_shown_when_asked(uhop: Any, memory: Path, damaged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINES", "25")
    block = "\N{UPPER HALF BLOCK}".encode().decode("latin-1")
    line = ("query", damaged, "-m", memory, "--no-output")
    shown = uhop(*line, "--show").out
    assert shown.count(block) == 2 * 32 * 16  # query and original, both square, of 16 lines
    lines = shown.splitlines()
    assert lines[1].index("damaged.png") < lines[1].index("picture3.png")
    assert max(index for index, line in enumerate(lines) if block in line) < lines.index(f"query  {damaged}")
    assert "\x1b[38;2;" in shown
    assert block not in uhop(*line).out
    monkeypatch.setenv("NO_COLOR", "1")
    ran = uhop(*line, "--show")
    assert block not in ran.out
    assert "NO_COLOR" in ran.err


def test_without_a_trace_of_the_original_the_state_is_written(uhop: Any, stored: Path, damaged: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved" / "memory.safetensors"
    moved.parent.mkdir()
    shutil.copy(stored / "memory.safetensors", moved)
    out = tmp_path / "state.png"
    ran = uhop("query", damaged, "-m", moved, "-o", out, "--json")
    assert json.loads(ran.out)["results"][0]["output_kind"] == "state"
    assert is_own_output(out)
    with Image.open(out) as state, Image.open(stored / "images" / "picture3.png") as original:
        np.testing.assert_allclose(np.asarray(state).astype(int), np.asarray(original).astype(int), atol=2)
    ran = uhop("query", damaged, "-m", moved, "-o", out, "--originals", stored / "images", "--json")
    assert json.loads(ran.out)["results"][0]["output_kind"] == "original"


def test_where_nothing_fits_no_picture_is_written_and_the_nearest_is_named(
    uhop: Any, memory: Path, damaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Restorer.answer

    def unsure(self: Restorer, queries: Any) -> list[Restoration]:
        return [replace(result, answer=replace(result.answer, fits=False, confidence=0.2)) for result in answer(self, queries)]

    monkeypatch.setattr(Restorer, "answer", unsure)
    ran = uhop("query", damaged, "-m", memory, "--json")
    (result,) = json.loads(ran.out)["results"]
    assert (ran.code, result["match"], result["output"], result["output_kind"]) == (0, None, None, None)
    assert result["matches"][0]["name"].endswith("picture3.png")
    for line in ([], ["-v"], ["--show"], ["-v", "--show"], ["-o", "x.png"]):
        shown = uhop("query", damaged, "-m", memory, *line).out
        assert "answer" in shown
        assert "not in the memory" in shown
        assert "nearest" in shown
        for wrong in ("restored", "settled", "1.0000", "weight", "written", "certain", "found"):
            assert wrong not in shown.replace(str(damaged), "")
    (result,) = json.loads(uhop("query", damaged, "-m", memory, "--json").out)["results"]
    assert result["confidence_words"] == "not in the memory"
    shutil.copy(damaged, damaged.parent / "other.png")
    out = damaged.parent / "out"
    several = uhop("query", damaged.parent, "-m", memory, "-o", out).out
    assert "nearest: " in several
    assert several.splitlines()[-1] == f"0 found, 2 not in the memory; 0 pictures in {out}/"
    assert not out.exists()
    (damaged.parent / "other.png").unlink()
    assert uhop("query", damaged, "-m", memory, "-q").out == "\n"
    assert os.listdir(damaged.parent) == [damaged.name]


def test_a_bytes_reader_sees_a_png(uhop: Any, stored: Path, damaged: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved.safetensors"
    shutil.copy(stored / "memory.safetensors", moved)
    ran = uhop("query", damaged, "-m", moved, "-o", "-")
    with Image.open(io.BytesIO(ran.out.encode("latin-1"))) as image:
        assert image.size == (16, 16)


def test_answers_of_one_run_do_not_overwrite_each_other(uhop: Any, memory: Path, stored: Path, tmp_path: Path) -> None:
    """Queries of one name from several folders, and of several kinds in one."""
    for index, place in enumerate(("a/x.png", "b/x.png", "b/x.bmp", "c/x-2.png")):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        with Image.open(stored / "images" / f"picture{index}.png") as image:
            image.save(tmp_path / place)
    for _ in range(2):  # the same command works twice, and gives the same names
        ran = uhop("query", *(tmp_path / name for name in "abc"), "-m", memory, "-o", tmp_path / "out", "--json")
        assert ran.code == 0, ran.err
        results = json.loads(ran.out)["results"]
        assert [Path(result["query"]).parent.name for result in results] == ["a", "b", "b", "c"]
        outputs = [Path(result["output"]) for result in results]
        assert [path.name for path in outputs] == [f"x{number}.retrieved.png" for number in ("", "-2", "-3", "-2-2")]
        assert sorted(os.listdir(tmp_path / "out")) == sorted(path.name for path in outputs)
        for result, path in zip(results, outputs, strict=True):
            assert path.read_bytes() == (stored / "images" / Path(result["match"]["name"]).name).read_bytes()


def test_what_cannot_be_written_is_named_and_the_rest_is_done(uhop: Any, memory: Path, stored: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "picture2.retrieved.png").write_bytes(b"precious")
    ran = uhop("query", stored / "images", "-m", memory, "-o", out, "--json")
    assert ran.code == 1
    document = json.loads(ran.out)
    assert [Path(item["path"]).name for item in document["skipped"]] == ["picture2.png"]
    assert len(document["results"]) == 8
    assert [result["output"] is None for result in document["results"]] == [index == 2 for index in range(8)]
    assert (out / "picture2.retrieved.png").read_bytes() == b"precious"
    assert len(os.listdir(out)) == 8
    (stored / "images" / "broken.png").touch()
    ran = uhop("query", stored / "images", "-m", memory, "-o", out)
    assert ran.out.splitlines()[-1] == f"8 found, 1 skipped, 1 not written; 7 pictures in {out}/"
    one = uhop("query", stored / "images" / "picture2.png", "-m", memory, "-o", out)
    assert one.code == 1
    assert "found, " not in one.out.splitlines()[-1]  # a single answer needs no summary


def test_a_folder_as_image_makes_output_a_folder(uhop: Any, memory: Path, damaged: Path, tmp_path: Path) -> None:
    (tmp_path / "queries").mkdir()
    shutil.move(damaged, tmp_path / "queries" / "x.png")
    out = tmp_path / "out.png"
    assert uhop("query", tmp_path / "queries", "-m", memory, "-o", out).code == 0
    assert os.listdir(out) == ["x.retrieved.png"]
    (tmp_path / "file").touch()
    ran = uhop("query", tmp_path / "queries", "-m", memory, "-o", tmp_path / "file")
    assert ran.code == 1
    assert ran.out == ""  # told before anything is answered, and once
    assert [line.split(":")[0] for line in ran.err.splitlines()] == ["error", "hint"]
    assert "a file, not a folder" in ran.err
