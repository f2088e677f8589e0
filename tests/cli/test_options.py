"""Checks of option values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer

from uhop_cli.cli import options
from uhop_cli.errors import ImageError


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (options.device, ["auto", "cpu", "cuda", "cuda:1", "mps"], ["", "gpu", "cuda:", "CPU", "cuda:x"]),
        (options.size, ["auto", "64", "64x48", "64X48"], ["", "x", "64x", "-1", "6.5", "64x48x3"]),
        (options.background, ["grey", "Black", "#00ff7F"], ["", "red", "#fff", "#gggggg", "grey "]),
        (options.separation, ["softmax", "entmax:1.5", "top-k:3"], ["", "entmax", "top-k:", "hardmax"]),
    ],
)
def test_values_are_passed_on_or_refused(check: Any, good: list[str], bad: list[str]) -> None:
    for value in good:
        assert check(value) == value
    for value in bad:
        with pytest.raises(typer.BadParameter):
            check(value)


def test_numbers_or_auto() -> None:
    assert options.number_or_auto("auto") == "auto"
    assert options.number_or_auto("1e-3") == 1e-3
    assert options.count_or_auto("7") == 7
    for value in ("-1", "nan", "inf", "x", ""):
        with pytest.raises(typer.BadParameter):
            options.number_or_auto(value)
    for value in ("0", "-1", "1.5", "x", "", "9" * 20):
        with pytest.raises(typer.BadParameter):
            options.count_or_auto(value)


def test_a_missing_path_is_an_image_error(tmp_path: Path) -> None:
    assert options.existing([tmp_path, Path("-")]) == [tmp_path, Path("-")]
    with pytest.raises(ImageError, match="no such file"):
        options.existing([tmp_path / "none"])


@pytest.mark.parametrize("separator", ["\n", "\0"])
def test_lists_of_paths(separator: str, tmp_path: Path) -> None:
    names = [tmp_path / "one two.png", tmp_path / "three.png"]
    for name in names:
        name.touch()
    listing = tmp_path / "list"
    listing.write_text(separator.join(map(str, names)) + separator)
    assert options.listed(listing) == names


def test_null_characters_allow_line_breaks_in_names(tmp_path: Path) -> None:
    odd = tmp_path / "a\nb.png"
    odd.touch()
    listing = tmp_path / "list"
    listing.write_bytes(bytes(odd) + b"\0")
    assert options.listed(listing) == [odd]


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="No such file"):
        options.listed(tmp_path / "none")


def test_completions_are_the_names_that_commands_take() -> None:
    assert "half:bottom" in options.of(options.corruption_names)("half")
    assert options.of(options.corruption_names)("blur") == [
        "blur",
        *(n for n in options.corruption_names() if n.startswith("blur:")),
    ]
    methods = options.of(options.method_names, several=True)
    assert "uhop" in methods("u")
    assert methods("cosine,mean-i") == ["cosine,mean-image"]
    assert "published" in methods("pub")
    assert {"capacity", "forecast", "all"} <= set(options.of(options.experiment_names)(""))
    for value in options.separation_names():
        assert options.separation(value) == value


def test_data_sets_are_completed_with_what_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "set").mkdir()
    for name in ("a.npy", "b.csv", "c.txt", ".hidden.npy"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    assert {"sample", "cifar10", "etth1", "set/", "a.npy", "b.csv"} <= set(options.dataset_names())
    assert not {"c.txt", ".hidden.npy"} & set(options.dataset_names())


def test_every_damage_that_is_completed_can_be_read() -> None:
    from uhop_cli.corruption.corruption import parse

    for name in options.corruption_names():
        kind = name.partition(":")[0]
        assert parse(name if ":" in name else kind).label.startswith(kind)
