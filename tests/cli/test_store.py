"""`uhop store` on small folders."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from uhop_cli.memory.file.header import read_header

FIELDS = {
    "schema", "config", "memory", "stored", "skipped", "duplicates", "pattern", "stage1", "separation", "beta", "self_test",
    "bytes", "seconds",
}  # fmt: skip


@pytest.fixture
def images(draw: Any, tmp_path: Path) -> Path:
    return draw(tmp_path / "images", count=5)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "memory.safetensors"


def test_the_summary_names_everything(uhop: Any, images: Path, target: Path) -> None:
    ran = uhop("store", images, "-m", target)
    assert ran.code == 0
    heads = [line.split("  ")[0] for line in ran.out.splitlines()]
    assert heads == ["stored", "pattern", "memory", "", "self-test", f"next: uhop query DAMAGED_IMAGE -m {target}"]
    assert "stored     5 images\n" in ran.out
    assert "16 x 16 RGB (768 values)" in ran.out
    assert str(target) in ran.out.replace("\n" + " " * 11, "")
    assert "damaged copies are found: 105 of 105 in 21 kinds of damage" in ran.out
    verbose = uhop("store", images, "-m", target, "--force", "-v").out
    for word in ("R_Phi", "beta", "kernel", "Self-test: damaged copies"):
        assert word in verbose
        assert word not in ran.out
    assert ran.err == ""


def test_json_is_one_document_with_the_fields_of_the_contract(uhop: Any, images: Path, target: Path) -> None:
    ran = uhop("store", images, "-m", target, "--json")
    document = json.loads(ran.out)
    assert set(document) >= FIELDS
    assert document["schema"] == "uhop.store/1"
    assert document["stored"] == 5
    assert document["pattern"] == {"width": 16, "height": 16, "channels": 3}
    assert document["bytes"] == target.stat().st_size
    assert set(document["stage1"]) >= {"solver", "iterations", "loss_initial", "loss_final", "loss_bound", "seconds"}
    assert set(document["separation"]) >= {"r_phi", "margin_min"}
    for row in document["self_test"]:
        assert set(row) >= {"corruption", "level", "accuracy", "accuracy_unlearned", "sse"}


def test_quiet_prints_the_path_alone(uhop: Any, images: Path, target: Path) -> None:
    assert uhop("store", images, "-m", target, "-q") == (0, f"{target}\n", "")


def test_the_next_command_names_the_memory_only_where_it_must(
    uhop: Any, images: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert uhop("store", images).out.splitlines()[-1] == "next: uhop query DAMAGED_IMAGE"
    assert uhop("store", images, "-m", "a b").out.splitlines()[-1] == "next: uhop query DAMAGED_IMAGE -m 'a b'"
    monkeypatch.setenv("UHOP_MEMORY", "c")
    assert uhop("store", images).out.splitlines()[-1] == "next: uhop query DAMAGED_IMAGE"


def test_the_memory_may_come_from_the_environment(uhop: Any, images: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UHOP_MEMORY", str(target))
    assert uhop("store", images, "-q").out == f"{target}\n"


def test_the_same_input_gives_the_same_bytes(uhop: Any, images: Path, target: Path) -> None:
    uhop("store", images, "-m", target)
    first = target.read_bytes()
    uhop("store", images, "-m", target, "--force")
    assert target.read_bytes() == first


def test_an_existing_file_is_kept(uhop: Any, images: Path, target: Path) -> None:
    target.write_bytes(b"precious")
    ran = uhop("store", images, "-m", target)
    assert ran.code == 1
    assert "exists already" in ran.err
    assert target.read_bytes() == b"precious"
    assert uhop("store", images, "-m", target, "--force").code == 0


def test_unreadable_files_are_named_and_the_rest_is_stored(uhop: Any, images: Path, target: Path) -> None:
    (images / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(20))
    ran = uhop("store", images, "-m", target)
    assert ran.code == 0
    assert "warning: skipped" in ran.err
    assert "broken.png" in ran.err
    assert "5 images, 1 skipped" in ran.out
    strict = uhop("store", images, "-m", target, "--force", "--strict")
    assert strict.code == 1
    assert "broken.png" in strict.err


def test_duplicates_are_reported(uhop: Any, images: Path, target: Path) -> None:
    shutil.copy(images / "picture0.png", images / "same.png")
    ran = uhop("store", images, "-m", target, "-v")
    assert "6 images, 5 distinct" in ran.out
    assert "1 groups" not in ran.out
    assert "1 group of files with equal patterns" in ran.out
    (equal,) = (line for line in ran.out.splitlines() if line.startswith("equal: "))
    assert "picture0.png" in equal
    assert "same.png" in equal


def test_paths_from_a_list(uhop: Any, images: Path, target: Path) -> None:
    names = "\n".join(str(images / f"picture{index}.png") for index in (0, 2))
    ran = uhop("store", "--files-from", "-", "-m", target, "--json", stdin=names.encode())
    assert json.loads(ran.out)["stored"] == 2
    assert uhop("store", "--files-from", "-", "-m", target).code == 1  # exists
    assert uhop("store", "--files-from", "-", "-m", target, "--force").code == 2  # names nothing


def test_arrays_of_images(uhop: Any, tmp_path: Path, target: Path) -> None:
    np.save(tmp_path / "images.npy", np.random.default_rng(0).random((4, 6, 5)))
    document = json.loads(uhop("store", tmp_path / "images.npy", "-m", target, "--json").out)
    assert document["stored"] == 4
    assert document["pattern"] == {"width": 5, "height": 6, "channels": 1}


def test_adding_counts_what_is_new_changed_and_gone(uhop: Any, images: Path, target: Path) -> None:
    uhop("store", images, "-m", target)
    Image.fromarray(np.full((16, 16, 3), 200, np.uint8)).save(images / "new.png")
    shutil.copy(images / "picture1.png", images / "picture0.png")
    (images / "picture4.png").unlink()
    document = json.loads(uhop("store", images, "-m", target, "--add", "--prune", "--json").out)
    assert {key: document[key] for key in ("stored", "added", "changed", "unchanged", "removed")} == {
        "stored": 5, "added": 1, "changed": 1, "unchanged": 3, "removed": 1,
    }  # fmt: skip


def test_nothing_new_is_one_line(uhop: Any, images: Path, target: Path) -> None:
    uhop("store", images, "-m", target)
    for more in ([], ["--reread"]):
        ran = uhop("store", images, "-m", target, "--add", *more)
        assert ran.code == 0
        assert ran.out == f"nothing new: 5 images in {target}\n"
        assert ran.err == ""
    assert uhop("store", images, "-m", target, "--add", "-q").out == f"{target}\n"
    document = json.loads(uhop("store", images, "-m", target, "--add", "--json").out)
    assert (document["stored"], document["unchanged"], document["written"]) == (5, 5, False)
    ran = uhop("store", images, "-m", target, "--force", "--reread")
    assert ran.code == 2
    assert "needs --add" in ran.err


def test_adding_keeps_the_settings_of_the_file(uhop: Any, images: Path, target: Path) -> None:
    uhop("store", images, "-m", target, "--size", "8", "--regularization", "0.01", "--seed", "3")
    ran = uhop("store", images, "-m", target, "--add", "--json")
    config = json.loads(ran.out)["config"]
    assert (config["size"], config["regularization"], config["seed"]) == ("8", 0.01, 3)
    ran = uhop("store", images, "-m", target, "--add", "--seed", "4", "--json")
    assert json.loads(ran.out)["config"]["seed"] == 4
    assert read_header(target).pattern["width"] == 8


def test_adding_with_another_pattern_is_refused(uhop: Any, images: Path, target: Path) -> None:
    uhop("store", images, "-m", target, "--size", "8")
    before = target.read_bytes()
    ran = uhop("store", images, "-m", target, "--add", "--size", "9")
    assert ran.code == 2
    assert "8 x 8 RGB" in ran.err
    assert uhop("store", images, "-m", target, "--add", "--color", "gray").code == 2
    assert target.read_bytes() == before
    assert uhop("store", images, "-m", target, "--add", "--size", "8x8").code == 0


def test_removing(uhop: Any, images: Path, target: Path) -> None:
    uhop("store", images, "-m", target)
    ran = uhop("store", "-m", target, "--remove", "images/picture0.png", "--remove", str(images / "picture1.png"), "--json")
    assert json.loads(ran.out)["removed"] == 2
    assert read_header(target).files == 3
    ran = uhop("store", "-m", target, "--remove", "picture12.png")
    assert ran.code == 1
    assert "error: picture12.png: not in the memory" in ran.err
    assert "hint: near it: images/picture2.png" in ran.err
    assert uhop("store", "-m", target, "--remove", "picture2.png", "-q").code == 0  # any unique ending
    assert read_header(target).files == 2


def test_a_dry_run_writes_nothing(uhop: Any, images: Path, target: Path) -> None:
    ran = uhop("store", images, "-m", target, "--dry-run")
    assert ran.code == 0
    assert ran.out.startswith("would store")
    assert not target.exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--prune"],
        ["--keep-kernel"],
        ["--add", "--force"],
        ["--remove", "x"],
        ["--t", "0"],
        ["--iterations", "-1"],
        ["--learning-rate", "0"],
    ],
)
def test_what_contradicts_itself_is_a_usage_error(arguments: list[str], uhop: Any, images: Path, target: Path) -> None:
    ran = uhop("store", images, "-m", target, *arguments)
    assert ran.code == 2, ran.err
    assert ran.err.startswith("error: ")
    assert not target.exists()


def test_one_image_is_stored_with_a_note_and_none_is_an_error(uhop: Any, draw: Any, tmp_path: Path, target: Path) -> None:
    one = draw(tmp_path / "one", count=1)
    ran = uhop("store", one, "-m", target)
    assert ran.code == 0
    assert "note: only one pattern" in ran.err
    assert "stored     1 image\n" in ran.out
    (tmp_path / "none").mkdir()
    ran = uhop("store", tmp_path / "none", "-m", tmp_path / "other.safetensors")
    assert ran.code == 1
    assert "no images found" in ran.err


def test_the_gradient_solver_reports_its_loss(uhop: Any, images: Path, target: Path) -> None:
    document = json.loads(uhop("store", images, "-m", target, "--solver", "gradient", "--iterations", "5", "--json").out)
    stage1 = document["stage1"]
    assert stage1["solver"] == "gradient"
    assert stage1["loss_bound"] <= stage1["loss_final"] <= stage1["loss_initial"]


def test_options_of_one_solver_do_not_pass_by_the_other(uhop: Any, images: Path, target: Path) -> None:
    ran = uhop("store", images, "-m", target, "--solver", "closed-form", "--init", "gaussian")
    assert ran.code == 2
    assert "--init does nothing with the closed-form solver" in ran.err
    assert "--solver gradient makes it count" in ran.err
    assert not target.exists()
    assert uhop("store", images, "-m", target, "--t", "2", "--loss", "temperature").code == 2
    document = json.loads(uhop("store", images, "-m", target, "--iterations", "2", "--json").out)
    assert (document["config"]["solver"], document["stage1"]["solver"]) == ("gradient", "gradient")
    assert document["stage1"]["iterations"] == 2
    document = json.loads(uhop("store", images, "-m", target, "--add", "--solver", "closed-form", "--json").out)
    assert (document["config"]["iterations"], document["stage1"]["solver"]) == (None, "closed-form")


def test_a_memory_in_shards_is_used_as_a_file(uhop: Any, images: Path, target: Path, tmp_path: Path) -> None:
    ran = uhop("store", images, "-m", target, "--shards", 2, "--self-test", "off", "--json")
    assert (ran.code, json.loads(ran.out)["shards"]) == (0, 2)
    index = Path(f"{target}.index.json")
    assert [path.name for path in sorted(tmp_path.glob("memory*"))] == [
        "memory-00001-of-00002.safetensors", "memory-00002-of-00002.safetensors", "memory.safetensors.index.json",
    ]  # fmt: skip
    told = json.loads(uhop("info", index, "--list", "--verify", "--export", tmp_path / "out", "--json").out)
    assert (told["shards"], told["files"], told["patterns"], told["verified"]) == (2, 5, 5, True)
    assert [entry["row"] for entry in told["entries"]] == [0, 1, 2, 3, 4]
    assert len(list((tmp_path / "out").iterdir())) == 5
    assert "in 2 shards" in uhop("info", target).out
    assert uhop("store", images, "-m", target, "--shards", 2).code == 1  # it is there already
    query = images / "picture3.png"
    found = json.loads(uhop("query", query, "-m", target, "--no-output", "--mask", 0.3, "--json").out)
    assert found["results"][0]["match"]["path"] == str(query)
    assert uhop("store", "-m", target, "--remove", "picture3.png", "--self-test", "off").code == 0
    added = json.loads(uhop("store", images, "-m", index, "--add", "--json").out)
    assert (added["added"], added["unchanged"], added["shards"]) == (1, 4, 2)
    assert len(list(tmp_path.glob("memory*"))) == 3
    before = {path: path.read_bytes() for path in tmp_path.glob("memory*")}
    again = json.loads(uhop("store", images, "-m", target, "--add", "--json").out)
    assert (again["unchanged"], again["shards"], again["bytes"]) == (5, 2, sum(map(len, before.values())))
    assert {path: path.read_bytes() for path in tmp_path.glob("memory*")} == before
    assert json.loads(uhop("store", images, "-m", target, "--add", "--shards", 3, "--json").out)["shards"] == 3


@pytest.mark.parametrize(
    "given", [("--shards", "0"), ("--shards", "many"), ("--shards", "501"), ("--remove", "x", "--shards", "2")]
)
def test_shards_that_make_no_sense_are_a_usage_error(uhop: Any, images: Path, target: Path, given: tuple[str, ...]) -> None:
    paths = [] if "--remove" in given else [images]
    ran = uhop("store", *paths, "-m", target, *given)
    assert (ran.code, ran.out) == (2, "")
    assert "shards" in ran.err
    assert not target.exists()


def test_an_index_without_a_number_of_shards_is_a_usage_error(uhop: Any, images: Path, target: Path) -> None:
    ran = uhop("store", images, "-m", f"{target}.index.json")
    assert ran.code == 2
    assert "--shards N" in ran.err


def test_few_pictures_are_one_file_with_auto(uhop: Any, images: Path, target: Path) -> None:
    document = json.loads(uhop("store", images, "-m", target, "--shards", "auto", "--dry-run", "--json").out)
    assert document["shards"] == 0
