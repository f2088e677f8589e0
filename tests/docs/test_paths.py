"""Every module, file and name that the documents point to is there."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
FILES = {path for folder in ("uhop_cli", "tests", "docs", "sample_data") for path in (ROOT / folder).rglob("*.py")}
NAMES = {path.name for path in FILES}  # a page may name a file alone


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_python_file_that_a_page_names_is_there(page: Path) -> None:
    for path in re.findall(r"(?<![\w./])((?:\w+/)*\w+\.py)\b", page.read_text()):
        places = {place / path for place in (ROOT, ROOT / "uhop_cli", page.parent)}
        assert places & FILES or path in NAMES, f"{page.name} names {path}"


def test_where_is_what() -> None:
    rows = re.findall(r"^\| where .*\| `([\w/]+)\.py` \| `(\w+)` \|$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert len(rows) == 12
    for path, name in rows:
        assert hasattr(import_module(path.replace("/", ".")), name), f"{path} has no {name}"


def test_every_folder_has_few_files_and_every_file_is_short() -> None:
    for folder in (ROOT / "uhop_cli", *(place for place in (ROOT / "uhop_cli").rglob("*") if place.is_dir())):
        files = list(folder.glob("*.py"))
        assert len([file for file in files if file.name != "__init__.py"]) <= 15, folder
        for file in files:
            assert len(file.read_text().splitlines()) <= 350, file
