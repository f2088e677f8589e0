"""Which stream gets what, and in which form."""

from __future__ import annotations

import json
import math

import pytest

from uhop_cli.cli.output import LONG_LIST, Output, bytes_in_words, complain, duration_in_words, number


def test_each_mode_puts_on_stdout_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    def everything(output: Output) -> tuple[str, str]:
        output.essential("path")
        output.document({"a": 1})
        output.line("for people")
        output.facts([("name", "value")])
        output.table(["head"], [["cell"]], left=[0])
        output.note("aside")
        output.warn("careful")
        return capsys.readouterr()

    out, err = everything(Output())
    assert out.splitlines()[:2] == ["for people", "name  value"]
    assert "cell" in out
    assert "path" not in out
    assert err.splitlines() == ["note: aside", "warning: careful"]

    out, err = everything(Output(quiet=True))
    assert (out, err) == ("path\n", "warning: careful\n")

    out, err = everything(Output(json=True))
    assert json.loads(out) == {"a": 1}

    out, err = everything(Output(json=True, quiet=True))
    assert json.loads(out) == {"a": 1}

    out, err = everything(Output(binary=True))
    assert out == ""
    assert "for people" in err
    assert "cell" in err


def test_json_has_no_numbers_that_json_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    Output(json=True).document({"a": [math.nan, {"b": math.inf}], "c": (1.5, -math.inf)})
    assert json.loads(capsys.readouterr().out) == {"a": [None, {"b": None}], "c": [1.5, None]}


def test_json_has_a_line_for_each_field_and_of_a_long_list_for_each_entry(capsys: pytest.CaptureFixture[str]) -> None:
    entry = {"b": [1, 2], "name": "a\nb", "c": {"d": None, "e": []}}
    document = {"schema": "x/1", "list": [entry] * LONG_LIST, "numbers": {"a": 0.5}, "nothing": []}
    Output(json=True).document(document)
    assert capsys.readouterr().out == json.dumps(document, indent=2) + "\n"
    for odd in (0.5, math.nan):
        document["list"] = [entry | {"odd": odd}] * (LONG_LIST + 1)
        Output(json=True).document(document)
        out = capsys.readouterr().out
        assert json.loads(out)["list"] == [entry | {"odd": None if math.isnan(odd) else odd}] * (LONG_LIST + 1)
        assert sum('"name"' in line for line in out.splitlines()) == LONG_LIST + 1


def test_tables_fold_long_words_and_lose_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    name = "x" * 200
    Output().table(["rank", "name"], [["1", name], ["2", "[red]not markup[/red]"]], left=[1])
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "".join(out.split()).count("x") == 200
    assert "[red]not markup[/red]" in out


def test_facts_fold_at_the_width(capsys: pytest.CaptureFixture[str]) -> None:
    Output().facts([("a", "word " * 40), ("long name", "value")])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[1].startswith(" " * len("long name  word"[:11]))
    assert lines[-1] == "long name  value"


def test_no_bars_where_nobody_sees_them(capsys: pytest.CaptureFixture[str]) -> None:
    with Output().progress() as progress:
        assert progress is None
    assert capsys.readouterr().err == ""


def test_errors_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    complain("first\nsecond", "do\tthis")
    assert capsys.readouterr().err == "error: first\\nsecond\nhint: do\\tthis\n"


@pytest.mark.parametrize(
    ("size", "words"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (1_240_000, "1.24 MB"), (5 * 10**9, "5 GB")]
)
def test_bytes_in_words(size: int, words: str) -> None:
    assert bytes_in_words(size) == words


def test_a_missing_number_is_a_dash() -> None:
    assert (number(None), number(0.5, ".1%")) == ("-", "50.0%")


def test_nothing_that_passes_through_reaches_the_terminal_as_an_escape(capsys: pytest.CaptureFixture[str]) -> None:
    name = "\x1b[2J\x07\u202e\udcff\nx"
    output = Output()
    output.line(name)
    output.facts([("name", name)])
    output.table(["head"], [[name]], left=[0])
    output.note(name)
    output.warn(name)
    complain(name, name)
    Output(quiet=True).essential(name)
    Output(json=True).document({"name": name})
    printed = capsys.readouterr()
    for line in [*printed.out.splitlines(), *printed.err.splitlines()]:
        assert line.isprintable()
    assert printed.err.count("\\x1b[2J") == 4


@pytest.mark.parametrize(("columns", "width"), [("", 80), ("120", 120), ("7", 40), ("wide", 80), ("99999", 80), ("-5", 80)])
def test_a_pipe_is_as_wide_as_columns_says(
    columns: str, width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    Output().facts([("name", "word " * 100)])
    longest = max(map(len, capsys.readouterr().out.splitlines()))
    assert width - 5 <= longest <= width


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "1 s"), (1.4, "1 s"), (89.4, "89 s"), (90, "2 min"), (3600, "60 min"), (5400, "1.5 h"), (90000, "25 h")],
)
def test_a_time_is_told_as_people_plan_with_it(seconds: float, words: str) -> None:
    assert duration_in_words(seconds) == words
