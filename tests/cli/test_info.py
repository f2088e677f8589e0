"""`uhop info`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


def test_the_header_is_told(uhop: Any, memory: Path) -> None:
    ran = uhop("info", memory)
    assert (ran.code, ran.err) == (0, "")
    assert "8 images\n" in ran.out
    assert "16 x 16 RGB" in ran.out
    assert "self-test  damaged copies are found: 168 of 168 in 21 kinds of damage" in ran.out
    physics = ("kernel", "beta", "R_Phi", "Self-test: ")
    assert not any(word in ran.out for word in physics)
    verbose = uhop("info", memory, "-v").out
    assert all(word in verbose for word in physics)


def test_json(uhop: Any, memory: Path) -> None:
    document = json.loads(uhop("info", memory, "--json").out)
    assert document["schema"] == "uhop.info/1"
    assert (document["files"], document["patterns"]) == (8, 8)
    assert document["bytes"] == memory.stat().st_size
    assert document["config"]["seed"] == 0
    assert "entries" not in document


def test_the_entries(uhop: Any, memory: Path) -> None:
    entries = json.loads(uhop("info", memory, "--list", "--json").out)["entries"]
    assert [entry["name"] for entry in entries] == [f"images/picture{index}.png" for index in range(8)]
    assert all(len(entry["sha256"]) == 64 for entry in entries)
    out = uhop("info", memory, "--list").out
    assert "images/picture7.png" in out


def test_verification_finds_a_changed_byte(uhop: Any, memory: Path, tmp_path: Path) -> None:
    assert "whole" in uhop("info", memory, "--verify").out
    data = bytearray(memory.read_bytes())
    data[-100] ^= 1
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(data)
    ran = uhop("info", broken, "--verify")
    assert ran.code == 1
    assert "broken.safetensors" in ran.err


def test_the_memories_come_back_as_pictures(uhop: Any, memory: Path, stored: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert uhop("info", memory, "--export", out).code == 0
    assert "8 pictures" in uhop("info", memory, "--export", out).out
    for path in (stored / "images" / f"picture{index}.png" for index in range(8)):
        np.testing.assert_array_equal(np.asarray(Image.open(out / path.name)), np.asarray(Image.open(path)))
    (out / "picture0.png").write_bytes(b"precious")
    assert uhop("info", memory, "--export", out).code == 1
    assert uhop("info", memory, "--export", out, "--force").code == 0


def test_quiet(uhop: Any, memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UHOP_MEMORY", str(memory))
    assert uhop("info", "-q") == (0, f"{memory}\n", "")


def test_what_is_no_memory_is_refused_by_name(uhop: Any, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    path.write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    ran = uhop("info", path)
    assert ran.code == 1
    assert "other.safetensors" in ran.err
    assert uhop("info", tmp_path).code == 1


def test_guarantees(uhop: Any, memory: Path) -> None:
    values = json.loads(uhop("info", memory, "--guarantees", "--json").out)["guarantees"]
    assert values["memories"] == 8
    assert 0 <= values["exact_share"] <= 1
    assert (values["exact_share"] == 1) == (values["beta"] >= values["beta_exact"])
    assert values["exact_radius_min"] <= values["argmax_radius_min"]
    assert values["cosine_distance"]["min"] <= values["cosine_distance_bounds"]["upper"] + 1e-6
    out = uhop("info", memory, "--guarantees").out
    assert "exactly stored" in out
    assert "noise undone" in out


def test_the_file_may_be_named_like_elsewhere(uhop: Any, memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert uhop("info", "-m", memory, "-q").out == uhop("info", memory, "-q").out
    assert uhop("info", memory, "-m", memory).code == 2
    monkeypatch.setenv("UHOP_MEMORY", str(memory))
    assert uhop("info", "-q").out.strip() == str(memory)
    assert uhop("info", memory, "-q").code == 0
