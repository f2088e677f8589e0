"""Which file is meant by a name."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from uhop_cli.errors import MemoryFileError
from uhop_cli.memory.entries import Entries
from uhop_cli.memory.lookup import look_up

NAMES = [b"a/x/cat.png", b"b/x/cat.png", b"a/tomcat.png", b"../c/dog.png", "é/Müller.png".encode(), b"raw\xff.png"]


def entries() -> Entries:
    return Entries.build(NAMES, list(range(len(NAMES))), [bytes(32)] * len(NAMES), [1] * len(NAMES))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("a/x/cat.png", 0),
        ("./a/x/cat.png", 0),
        ("b/x/cat.png", 1),
        ("tomcat.png", 2),
        ("dog.png", 3),
        ("c/dog.png", 3),
        ("Müller.png", 4),
        (b"raw\xff.png", 5),
    ],
)
def test_whole_names_and_unique_endings(name: str | bytes, meant: int, tmp_path: Path) -> None:
    assert look_up(entries(), [name], tmp_path) == [NAMES[meant]]
    if isinstance(name, str):
        for form in ("NFC", "NFD"):
            assert look_up(entries(), [unicodedata.normalize(form, name)], tmp_path) == [NAMES[meant]]  # type: ignore[arg-type]


def test_a_path_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memories").mkdir()
    (tmp_path / "c").mkdir()
    monkeypatch.chdir(tmp_path / "c")
    assert look_up(entries(), ["dog.png", str(tmp_path / "c" / "dog.png")], tmp_path / "memories") == [NAMES[3]] * 2
    assert look_up(entries(), ["../memories/a/x/cat.png"], tmp_path / "memories") == [NAMES[0]]


def test_what_is_near_is_named(tmp_path: Path) -> None:
    with pytest.raises(MemoryFileError, match="2 stored images end so") as several:
        look_up(entries(), ["x/cat.png"], tmp_path)
    assert several.value.hint == "say more of the path: a/x/cat.png, b/x/cat.png"
    with pytest.raises(MemoryFileError, match="not in the memory") as typo:
        look_up(entries(), ["doog.png"], tmp_path)
    assert typo.value.hint == "near it: ../c/dog.png"
    with pytest.raises(MemoryFileError) as elsewhere:
        look_up(entries(), ["z/dog.png"], tmp_path)
    assert elsewhere.value.hint == "near it: ../c/dog.png"
    with pytest.raises(MemoryFileError) as nothing:
        look_up(entries(), ["zzzzzzz"], tmp_path)
    assert nothing.value.hint == "`uhop info --list` shows what is"


def test_two_forms_of_one_name_are_told_apart_by_their_bytes(tmp_path: Path) -> None:
    forms = [os.fsencode(unicodedata.normalize(form, "café.png")) for form in ("NFC", "NFD")]  # type: ignore[arg-type]
    both = Entries.build(forms, [0, 1], [bytes(32)] * 2, [1, 1])
    for form in forms:
        assert look_up(both, [form], tmp_path) == [form]
