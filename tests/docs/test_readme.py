"""The README's Python runs as it stands, and the files that it points to are there."""

from __future__ import annotations

import ast
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_python_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})


def test_the_cells_of_a_notebook_show_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    cell = next(b for b in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL) if "Image.open" in b)
    *lines, last = ast.parse(cell).body
    assert isinstance(last, ast.Expr)  # whose value a notebook shows
    names: dict[str, Any] = {}
    kept = ast.copy_location(ast.Assign([ast.Name("shown", ast.Store())], last.value), last)
    exec(compile(ast.fix_missing_locations(ast.Module([*lines, kept], [])), "README.md", "exec"), names)
    shown = names["shown"]
    with Image.open(BytesIO(shown._repr_png_())) as picture, Image.open(ROOT / "sample_data/images/tulips.png") as original:
        assert picture.convert("RGB").tobytes() == original.convert("RGB").tobytes()
    assert shown.match.name.endswith("tulips.png")
    assert repr(shown).startswith("<uhop Restoration: ")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        assert "://" in target or (page.parent / target).exists(), f"{page.name} points to {target}"
