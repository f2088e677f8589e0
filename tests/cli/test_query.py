"""`uhop query` on a small memory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from uhop_cli.cli import query_run
from uhop_cli.cli.screen.query_report import without_shared_folder
from uhop_cli.files import ahead

FIELDS = {
    "query", "match", "confidence", "matches", "steps", "converged", "energy", "settled", "metastable_size", "sse", "sse_query",
    "output", "output_kind",
}  # fmt: skip


pytestmark = pytest.mark.usefixtures("wide")


def test_the_original_is_brought_back(uhop: Any, memory: Path, damaged: Path, stored: Path) -> None:
    ran = uhop("query", damaged, "-m", memory)
    assert ran.code == 0, ran.err
    original = stored / "images" / "picture3.png"
    assert (damaged.parent / "damaged.retrieved.png").read_bytes() == original.read_bytes()
    assert "picture3.png" in ran.out
    assert "the original file" in ran.out
    assert [line.split("  ")[0] for line in ran.out.splitlines()] == ["query", "found", "written"]
    assert "picture3.png, certain" in ran.out
    verbose = uhop("query", damaged, "-m", memory, "-v").out
    for word in ("confidence", "retrieval", "energy", "settled in", "rank", "similarity"):
        assert word in verbose
        assert word not in ran.out


def test_the_same_command_works_twice_and_keeps_what_is_foreign(uhop: Any, memory: Path, damaged: Path) -> None:
    assert uhop("query", damaged, "-m", memory).code == 0
    assert uhop("query", damaged, "-m", memory).code == 0
    output = damaged.parent / "damaged.retrieved.png"
    output.write_bytes(b"precious")
    ran = uhop("query", damaged, "-m", memory)
    assert ran.code == 1
    assert "error: " in ran.err
    assert "--force" in ran.err
    assert output.read_bytes() == b"precious"
    assert uhop("query", damaged, "-m", memory, "--force").code == 0
    assert output.read_bytes() != b"precious"


def test_json_has_the_fields_of_the_contract(uhop: Any, memory: Path, damaged: Path) -> None:
    ran = uhop("query", damaged, "-m", memory, "--json", "--top", "3")
    document = json.loads(ran.out)
    assert set(document) >= {"schema", "config", "memory", "device", "results", "seconds"}
    assert document["schema"] == "uhop.query/1"
    (result,) = document["results"]
    assert set(result) >= FIELDS
    assert result["match"]["name"].endswith("picture3.png")
    assert [match["rank"] for match in result["matches"]] == [1, 2, 3]
    assert result["output_kind"] == "original"
    assert result["output"] == str(damaged.parent / "damaged.retrieved.png")
    assert result["settled"] == "memory"


def test_quiet_prints_the_path_of_the_match(uhop: Any, memory: Path, damaged: Path, stored: Path) -> None:
    ran = uhop("query", damaged, "-m", memory, "-q", "--no-output")
    assert (ran.code, ran.err) == (0, "")
    assert Path(ran.out.strip()).resolve() == (stored / "images" / "picture3.png").resolve()
    assert os.listdir(damaged.parent) == [damaged.name]


@pytest.mark.parametrize(
    "arguments",
    [
        ["-o", "-", "--json"],
        ["-o", "x.png", "--no-output"],
        ["--corrupt", "melt"],
        ["--beta", "3"],  # belongs to a plain kernel
        ["--mask", "-1"],
    ],
)
def test_what_makes_no_sense_is_a_usage_error(arguments: list[str], uhop: Any, memory: Path, damaged: Path) -> None:
    ran = uhop("query", damaged, "-m", memory, *arguments)
    assert ran.code == 2, ran.err
    assert ran.out == ""


def test_folders_are_answered_in_order_with_one_line_each(uhop: Any, memory: Path, damaged: Path, tmp_path: Path) -> None:
    shutil.copy(damaged, tmp_path / "other.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    out = tmp_path / "out"
    ran = uhop("query", tmp_path, "-m", memory, "-o", out)
    assert ran.code == 1  # one could not be read
    assert ran.err.startswith("error: ")
    assert "broken.png" in ran.err
    assert ran.out.splitlines()[-1] == f"2 found, 1 skipped; 2 pictures in {out}/"
    assert sorted(path.name for path in out.iterdir()) == ["damaged.retrieved.png", "other.retrieved.png"]
    again = json.loads(uhop("query", tmp_path / "damaged.png", tmp_path / "other.png", "-m", memory, "--no-output", "--json").out)
    assert [Path(result["query"]).name for result in again["results"]] == ["damaged.png", "other.png"]


@pytest.mark.parametrize(("tiny", "run"), [(1 << 13, 3), (1 << 13, 16), (1, 16)])
def test_tiny_files_are_read_in_runs_and_answered_in_order(
    tiny: int, run: int, uhop: Any, memory: Path, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []
    read = ahead.Ahead._run
    monkeypatch.setattr(query_run, "TINY_FILE", tiny)
    monkeypatch.setattr(query_run, "RUN", run)
    monkeypatch.setattr(ahead.Ahead, "_run", lambda own, items: taken.append(len(items)) or read(own, items))
    ran = uhop("query", stored / "images", "-m", memory, "-q", "--no-output")
    assert [Path(line).name for line in ran.out.splitlines()] == [f"picture{number}.png" for number in range(8)]
    assert sorted(taken, reverse=True) == ([1] * 8 if tiny == 1 else [3, 3, 2] if run == 3 else [8])


def test_damage_applies_in_the_order_given(uhop: Any, memory: Path, stored: Path) -> None:
    image = stored / "images" / "picture3.png"
    line = ("query", image, "-m", memory, "--no-output", "--json")
    one = json.loads(uhop(*line, "--noise", "0.1", "--mask", "0.25", "--corrupt", "half:top", "--noise", "0.2").out)
    assert one["config"]["damage"] == ["noise:0.1", "mask:0.25", "half:top", "noise:0.2"]
    two = json.loads(uhop(*line, "--mask", "0.25", "--noise", "0.1").out)
    assert two["config"]["damage"] == ["mask:0.25", "noise:0.1"]
    assert two["results"][0]["sse_query"] > 0
    assert two["results"] == json.loads(uhop(*line, "--mask", "0.25", "--noise", "0.1").out)["results"]
    other = json.loads(uhop(*line, "--mask", "0.25", "--noise", "0.1", "--seed", "1").out)
    assert other["results"][0]["sse_query"] != two["results"][0]["sse_query"]


def test_known_masks(uhop: Any, memory: Path, stored: Path, damaged: Path, tmp_path: Path) -> None:
    image = stored / "images" / "picture5.png"
    ran = uhop("query", image, "-m", memory, "--no-output", "--json", "--corrupt", "half:bottom", "--known-mask")
    assert json.loads(ran.out)["results"][0]["match"]["name"].endswith("picture5.png")
    mask = np.zeros((16, 16), np.uint8)
    mask[:8, :8] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    ran = uhop("query", damaged, "-m", memory, "--no-output", "--json", "--mask-file", tmp_path / "mask.png")
    assert json.loads(ran.out)["results"][0]["match"]["name"].endswith("picture3.png")


def test_transparent_pixels_are_missing(uhop: Any, memory: Path, stored: Path, tmp_path: Path) -> None:
    pixels = np.asarray(Image.open(stored / "images" / "picture6.png"))
    alpha = np.full((16, 16, 1), 255, np.uint8)
    alpha[:, 4:] = 0
    Image.fromarray(np.concatenate([pixels * (alpha > 0), alpha], axis=2).astype(np.uint8)).save(tmp_path / "torn.png")
    (result,) = json.loads(uhop("query", tmp_path / "torn.png", "-m", memory, "--no-output", "--json").out)["results"]
    assert result["match"]["name"].endswith("picture6.png")
    Image.fromarray(np.zeros((16, 16, 4), np.uint8)).save(tmp_path / "nothing.png")
    ran = uhop("query", tmp_path / "nothing.png", "-m", memory, "--no-output")
    assert ran.code == 1
    assert "nothing is visible" in ran.err


def test_the_error_is_measured_against_the_truth(uhop: Any, memory: Path, stored: Path, damaged: Path) -> None:
    truth = stored / "images" / "picture3.png"
    (result,) = json.loads(uhop("query", damaged, "-m", memory, "--no-output", "--json", "--truth", truth).out)["results"]
    assert result["sse"] == pytest.approx(0, abs=1e-3)
    pixels, whole = (np.asarray(Image.open(path)) / 255 for path in (damaged, truth))
    assert result["sse_query"] == pytest.approx(np.square(pixels - whole).sum(), rel=1e-4)


@pytest.mark.parametrize(
    ("names", "folder", "rest"),
    [
        (["a/b/x.png", "a/c/y.png"], "a", ["b/x.png", "c/y.png"]),
        (["x.png", "a/y.png"], ".", ["x.png", "a/y.png"]),
        (["/a/x.png", "/a/y.png"], "/a", ["x.png", "y.png"]),
        (["/a/x.png", "a/y.png"], ".", ["/a/x.png", "a/y.png"]),
        (["../a/x.png", "../a/x.png"], "../a", ["x.png", "x.png"]),
    ],
)
def test_shared_folders_are_said_once(names: list[str], folder: str, rest: list[str]) -> None:
    assert without_shared_folder(names) == (folder, rest)


def test_the_kinds_of_damage_are_listed(uhop: Any) -> None:
    out = uhop("query", "--list-corruptions").out
    for kind in ("mask", "half", "noise", "dropout"):
        assert f"\n{kind} " in out
    assert [line.split()[-1] for line in out.splitlines() if line.startswith(("noise-abs ", "crop "))] == ["pattern", "picture"]


def test_a_file_that_is_no_memory_is_refused(uhop: Any, damaged: Path) -> None:
    ran = uhop("query", damaged, "-m", damaged)
    assert ran.code == 1
    assert ran.err.startswith("error: ")
    assert "hint" in ran.err or "not" in ran.err


def test_torch_stays_out_of_a_query_on_the_cpu(memory: Path, damaged: Path) -> None:
    script = f"""
import sys
from uhop_cli.cli.app import run
code = run(["query", {str(damaged)!r}, "-m", {str(memory)!r}, "--no-output", "-q"])
print("torch" in sys.modules)
sys.exit(code)
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1] == "False"


def test_every_query_that_is_skipped_is_named_counted_and_an_empty_line(
    uhop: Any, memory: Path, stored: Path, tmp_path: Path
) -> None:
    whole = (stored / "images" / "picture3.png").read_bytes()
    names = ["a.png", "b.nef", "c.png", "d.heic", "e.png", "f.png"]
    jpeg_like = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0\0\1\0meta"
    contents = [whole, b"II*\0\x08\0\0\0", b"<!DOCTYPE html>", jpeg_like, b"", whole]
    queries = [tmp_path / name for name in names]
    for path, content in zip(queries, contents, strict=True):
        path.write_bytes(content)
    quiet = uhop("query", *queries, "-m", memory, "--no-output", "-q")
    assert quiet.code == 1
    assert [line.endswith("picture3.png") for line in quiet.out.split("\n")] == [True, False, False, False, False, True, False]
    assert quiet.out.split("\n")[1:5] == [""] * 4
    assert quiet.err.count("error: ") == quiet.err.count("hint: ") == 4
    ran = uhop("query", *queries, "-m", memory, "--no-output", "--json")
    assert ran.code == 1
    document = json.loads(ran.out)
    assert [Path(item["query"]).name for item in document["results"]] == ["a.png", "f.png"]
    assert {Path(item["path"]).name: item["reason"] for item in document["skipped"]} == {
        "b.nef": "camera raw pictures are not read",
        "c.png": "a web page, not a picture",
        "d.heic": "the HEIF file is cut short",
        "e.png": "an empty file",
    }
    alone = uhop("query", queries[1], "-m", memory, "--no-output", "--json")
    assert alone.code == 1
    assert [item["reason"] for item in json.loads(alone.out)["skipped"]] == ["camera raw pictures are not read"]


def test_a_file_that_is_cut_short_is_answered_and_said_to_be(uhop: Any, memory: Path, stored: Path, tmp_path: Path) -> None:
    query = tmp_path / "cut.png"
    noise = np.random.default_rng(0).integers(0, 4, (160, 160, 3), dtype=np.uint8)
    blocks = np.asarray(Image.open(stored / "images" / "picture3.png")).repeat(10, axis=0).repeat(10, axis=1)
    Image.fromarray(np.clip(blocks.astype(int) + noise, 0, 255).astype(np.uint8)).save(query)
    data = query.read_bytes()
    query.write_bytes(data[: len(data) * 6 // 10])
    ran = uhop("query", query, "-m", memory, "--no-output", "--json")
    assert ran.code == 0
    result = json.loads(ran.out)["results"][0]
    assert result["match"]["name"].endswith("picture3.png")
    assert result["notes"][0].startswith("the PNG file is cut short: ")
    assert "note: " in ran.err
    assert "the rest is taken as missing" in ran.err


def test_names_are_the_same_in_every_unicode_form(uhop: Any, memory: Path, damaged: Path) -> None:
    there, asked = (damaged.with_name(unicodedata.normalize(form, "é.png")) for form in ("NFD", "NFC"))  # type: ignore[arg-type]
    damaged.rename(there)
    assert uhop("query", asked, "-m", memory, "-q", "--no-output").code == 0


def test_every_error_has_a_hint(uhop: Any, memory: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "page.jpg").write_bytes(b"<!DOCTYPE html><html></html>")
    (tmp_path / "zeros.png").write_bytes(bytes(500))
    for arguments, stdin in ((["-"], b""), (["-"], b"no picture"), *(([path], b"") for path in tmp_path.iterdir())):
        ran = uhop("query", *arguments, "-m", memory, "--no-output", stdin=stdin)
        assert ran.code == 1
        assert [line.split(":")[0] for line in ran.err.splitlines()] == ["error", "hint"], ran.err
