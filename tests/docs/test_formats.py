"""docs/memory-file.md names every tensor, docs/json.md every field of the documents that the commands really print."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from uhop_cli.cli.app import run
from uhop_cli.experiments.data.samples import sample_data
from uhop_cli.memory.file.header import TENSORS

DOCS = Path(__file__).parents[2] / "docs"


def test_every_tensor_is_described_with_its_type() -> None:
    rows = re.findall(r"^\| (`.*?) \| (\w+)", (DOCS / "memory-file.md").read_text(), re.MULTILINE)
    described = {name: kind for names, kind in rows for name in re.findall(r"`(\w+)`", names)}
    assert described == {name: kind for name, (kind, _, _) in TENSORS.items()}


def described(schema: str) -> set[str]:
    """The fields in the table of a document; `a[].b` is b of each entry of the list a, `a.*` whatever an open object holds."""
    text = (DOCS / "json.md").read_text()
    section = text.split(f"## `{schema}`", 1)[1].split("\n## ", 1)[0]
    return {name for names in re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE) for name in re.findall(r"`([^`]+)`", names)}


def fields(value: Any, open_objects: set[str], name: str = "") -> Iterator[str]:
    """The fields of a real document, in the words of `described`."""
    if isinstance(value, dict) and f"{name}.*" in open_objects:
        yield f"{name}.*"
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from fields(part, open_objects, f"{name}.{key}" if name else key)
    elif isinstance(value, list) and any(isinstance(part, dict | list) for part in value):
        for part in value:
            yield from fields(part, open_objects, f"{name}[]")
    else:
        yield name


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("json") / "m.safetensors"
    assert run(["store", str(sample_data() / "images"), "-m", str(target), "-q"]) == 0
    return target


@pytest.mark.parametrize("command", ["store", "query", "info", "bench", "bench-list", "env"])
def test_every_field_is_described(command: str, memory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = sample_data() / "images"
    if command == "store":
        (tmp_path / "a.png").write_bytes((images / "cat.png").read_bytes())
        (tmp_path / "b.png").write_bytes((images / "cat.png").read_bytes())
        (tmp_path / "c.png").write_bytes((images / "owl.png").read_bytes())
        cells = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8))
        picture = cells.resize((128, 128), Image.Resampling.BICUBIC)
        for name in ("near.png", "near.jpg"):
            picture.save(tmp_path / name)
        (tmp_path / "broken.png").write_bytes((images / "cat.png").read_bytes()[:40])
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    line = {
        "store": ["store", tmp_path, "-m", tmp_path / "n.safetensors"],
        "query": ["query", images / "cat.png", tmp_path / "broken.jpg", "-m", memory, "--no-output", "--noise", "0.1"],
        "info": ["info", memory, "--list", "--verify", "--guarantees", "--export", tmp_path / "out"],
        "bench": ["bench", "--experiment", "capacity", "--sizes", "5", "--methods", "cosine,uhop-gradient", "--repeats", "1"],
        "bench-list": ["bench", "--list"],
        "env": ["env"],
    }[command]
    run([str(word) for word in [*line, "--json"]])
    document = json.loads(capsys.readouterr().out)
    known = described(f"uhop.{command}/1")
    real = set(fields(document, {name for name in known if name.endswith(".*")}))
    optional = {name for name in known if name.endswith("?")}
    assert real <= {name.rstrip("?") for name in known}
    assert {name for name in known - optional if not name.endswith(".*")} <= real
