"""What `uhop query` prints of its answers: plain words, and the physics behind them with -v."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from uhop_cli.cli.layout import styled
from uhop_cli.cli.output import Output, number, percent
from uhop_cli.cli.screen import words

if TYPE_CHECKING:
    from uhop_cli.images.patterns import PatternSpec
    from uhop_cli.querying.restoration import Identification, Query, Restoration
    from uhop_cli.querying.settings import QuerySettings


def print_result(
    query: Query, result: Restoration, place: str | None, screen: Output, *, spec: PatternSpec, settings: QuerySettings, top: bool
) -> None:
    """One answer: which picture, how sure, what was done, where it was written; with -v also how it came about.

    Args:
        query, result: what was asked, and the answer.
        place: where the picture was written, `-` for standard output, None for nowhere.
        screen: to print on.
        spec: of the patterns.
        settings: of the query.
        top: whether the best matches are listed without -v.
    """
    facts = [("query", result.query), *words.answer(result)]
    done = [f"damaged first: {', '.join(item.label for item in settings.damage)}"] if settings.damage else []
    if query.visible is not None:
        done.append(f"{percent(1 - float(query.visible.mean()))} of it taken as missing")
    if done:
        facts.append(("done", "; ".join(done)))
    if place:
        facts.append(("written", words.written(result, place, spec)))
    if result.error is not None and (screen.verbose or settings.truth is not None):
        facts.append(("error", f"{result.error.state:.4g} (of the query: {result.error.query:.4g}), sum of squares"))
    if screen.verbose:
        facts += _physics(result.answer)
    screen.facts(facts)
    if screen.verbose or top:
        _print_matches(result.answer, screen)


def _physics(result: Identification) -> list[tuple[str, str]]:
    stop = "converged" if result.converged else "not converged"
    facts = [("retrieval", f"{result.steps} step{'s' * (result.steps != 1)}, {stop}, kernel {result.kernel}")]
    if result.confidence is not None:
        facts.insert(0, ("confidence", f"{result.confidence:.6g}"))
        said, reason = result.verified_words, result.verified_reason
        facts.insert(1, ("verified", said if reason is None else f"{said}: {reason}"))
    if result.frame is not None:
        x, y, width, height = (f"{edge:.3f}" for edge in result.frame.window)
        place = f"x {x}, y {y}, {width} x {height} of the query's sides"
        facts.append(("original at", f"{place}, {result.frame.turn} quarter turns, {result.frame.angle:.1f} degrees"))
    if result.energy:
        facts.append(("energy", " -> ".join(number(value, ".5g") for value in result.energy)))
    if result.fits:
        facts.append(("settled in", settled_in_words(result.settled, result.metastable_size)))
        if result.inside_radius is not None:
            place = "inside" if result.inside_radius else "outside"
            facts.append(("certified", f"the query lies {place} the radius within which this match is certain"))
    return facts


def _print_matches(result: Identification, screen: Output) -> None:
    """The best matches; where nothing fits they are but the nearest, and a share of the weight among them would mislead."""
    place, names = without_shared_folder([match.path for match in result.matches])
    screen.line()
    heads, rows = ["rank"], [[str(match.rank)] for match in result.matches]
    if result.fits:
        heads.append("weight")
        rows = [[*row, number(match.weight, ".4f")] for row, match in zip(rows, result.matches, strict=True)]
    heads += ["similarity", "match" if result.fits else "nearest"]
    ends = [[number(match.similarity, ".4g"), name] for match, name in zip(result.matches, names, strict=True)]
    screen.table(heads, [[*row, *end] for row, end in zip(rows, ends, strict=True)], left=[len(heads) - 1])
    if place != ".":
        screen.line(f"in {place}")


def print_summary(results: Sequence[Restoration], outputs: Sequence[str | None], screen: Output) -> None:
    """One line for each of several answers, without the folders that all names share."""
    place, queries = without_shared_folder([result.query for result in results])
    stored, matches = without_shared_folder([result.answer.matches[0].path for result in results])
    rows = []
    for result, output, query, match in zip(results, outputs, queries, matches, strict=True):
        sure = words.sureness(result.answer.words, result.answer.confidence)
        found = styled(match if result.match else f"nearest: {match}", sure.style)
        rows.append((query, found, sure, {"original": "original", "state": "pattern"}[result.pictures.kind] if output else "-"))
    screen.facts([("queries in", place), ("memories in", stored)])
    screen.line()
    screen.table(["query", "found", "how sure", "written"], rows, left=[0, 1, 2, 3])
    screen.line()


def without_shared_folder(names: Sequence[str]) -> tuple[str, list[str]]:
    """The folder that all names share, and what is left of them."""
    folders = [os.path.dirname(name) for name in names]
    mixed = len({os.path.isabs(name) for name in names}) > 1
    shared = "" if mixed else os.path.commonpath(folders)
    return shared or ".", [os.path.relpath(name, shared) if shared else name for name in names]


def settled_in_words(settled: str, size: int) -> str:
    """What the dynamics came to rest in."""
    if settled == "memory":
        return "one memory"
    return f"a metastable state of {size} memories" if settled == "metastable" else "no memory in particular (diffuse)"
