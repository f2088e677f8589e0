"""What `uhop query` prints of its answers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from uhop_cli.cli.output import Output, number

if TYPE_CHECKING:
    from uhop_cli.querying.restoration import Restoration


def print_result(result: Restoration, written: str | None, screen: Output) -> None:
    """One answer with all that is known about it."""
    answer = result.answer
    sure = "" if answer.confidence is None else f", confidence {answer.confidence:.1%}"
    match = f"{result.match.name}{sure}" if result.match else f"nothing stored fits; nearest is {answer.matches[0].name}{sure}"
    facts = [("query", result.query), ("match", match)]
    stop = "converged" if answer.converged else "not converged"
    facts.append(("retrieval", f"{answer.steps} step{'s' * (answer.steps != 1)}, {stop}, kernel {answer.kernel}"))
    if answer.energy:
        facts.append(("energy", " -> ".join(number(value, ".5g") for value in answer.energy)))
    facts.append(("settled in", settled_in_words(answer.settled, answer.metastable_size)))
    if answer.inside_radius is not None:
        place = "inside" if answer.inside_radius else "outside"
        facts.append(("certified", f"the query lies {place} the radius within which this match is certain"))
    if result.error is not None:
        facts.append(("error", f"{result.error.state:.4g} (of the query: {result.error.query:.4g}), sum of squares"))
    if written:
        what = "the original file" if result.pictures.kind == "original" else "the retrieved state"
        facts.append(("output", f"{written}, {what}" if written != "-" else what))
    screen.facts(facts)
    screen.line()
    rows = [
        (str(match.rank), number(match.weight, ".4f"), number(match.similarity, ".4g"), ", ".join(match.names))
        for match in answer.matches
    ]
    screen.table(["rank", "weight", "similarity", "name"], rows, left=[3])


def print_summary(results: Sequence[dict[str, Any]], screen: Output) -> None:
    """One line for each of several answers, without the folders that all names share."""
    place, queries = without_shared_folder([result["query"] for result in results])
    stored, matches = without_shared_folder([result["matches"][0]["name"] for result in results])
    rows = []
    for result, query, match in zip(results, queries, matches, strict=True):
        found = match if result["match"] else f"(nothing fits; nearest {match})"
        rows.append((query, found, number(result["confidence"], ".1%"), str(result["steps"]), result["output_kind"] or "-"))
    screen.facts([("queries in", place), ("matches in", stored)])
    screen.line()
    screen.table(["query", "match", "confidence", "steps", "output"], rows, left=[0, 1, 4])
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
