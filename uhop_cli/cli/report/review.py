"""`uhop query --report`: what a person has to look at, the doubtful first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from uhop_cli.cli.output import percent
from uhop_cli.cli.report.outline import Outline, outline
from uhop_cli.cli.report.page import render
from uhop_cli.cli.report.shots import Room, Shot, shot
from uhop_cli.cli.screen.query_pictures import query_beside_answer

if TYPE_CHECKING:
    from uhop_cli.querying.restoration import Restoration
    from uhop_cli.querying.restorer import Restorer

Group = Literal["doubtful", "found", "absent"]

UNDECIDED = 0.1  # the confidence from which a person should look at what was refused
_GROUPS: tuple[tuple[Group, str, str], ...] = (
    ("doubtful", "Doubtful", "Look at these: likely but not certain, or two pictures that fit about equally."),
    ("found", "Found", "The picture that each of these is a copy of."),
    ("absent", "Not found", "Nothing stored fits; beside each what is nearest."),
)


@dataclass(frozen=True)
class Card:
    """One query of the page.

    Attributes:
        query: its name.
        query_shot, answer_shot: it, and the original, the pattern, or what is nearest.
        outline: the frame.
        sure: how sure the answer is.
        lines: what else there is to say, by name.
        confidence: by which the doubtful are put in order.
    """

    query: str
    query_shot: Shot
    answer_shot: Shot
    outline: Outline
    sure: str
    lines: tuple[tuple[str, str], ...]
    confidence: float


class Review:
    """Collects the answers of a run, and makes a page of them.

    Args:
        facts: what is told of the run, by name.
        room: what each picture may take.
    """

    def __init__(self, facts: Sequence[tuple[str, str]], room: Room) -> None:
        self._facts, self._room = list(facts), room
        self._cards: dict[Group, list[Card]] = {name: [] for name, *_ in _GROUPS}

    def shots(self, source: Path | bytes, result: Restoration, restorer: Restorer) -> tuple[Shot, Shot]:
        """The query as it was given, and its answer; may be called by several threads."""
        query, answer = query_beside_answer(source, result, restorer, open_nearest=True)
        return shot(query, self._room), shot(answer, self._room)

    def add(self, result: dict[str, Any], shots: tuple[Shot, Shot]) -> None:
        """Adds one of the results of `uhop.query/1` with its two pictures."""
        query, answer = shots
        self._cards[group_of(result)].append(
            Card(
                query=result["query"],
                query_shot=query,
                answer_shot=answer,
                outline=(drawn := outline(result.get("frame"), query.width / query.height)),
                sure=_sure(result),
                lines=tuple(_lines(result, drawn)),
                confidence=result["confidence"] or 0.0,
            )
        )

    def page(self, skipped: Sequence[dict[str, str]]) -> str:
        """The page; `skipped`: path and reason of the queries without an answer."""
        self._cards["doubtful"].sort(key=lambda card: card.confidence)
        groups = [{"name": name, "title": title, "says": says, "cards": self._cards[name]} for name, title, says in _GROUPS]
        counts = [f"{len(self._cards[name])} {title.lower()}" for name, title, _ in _GROUPS]
        counts += [f"{len(skipped)} skipped"] if skipped else []
        return render("review.html", title=", ".join(counts), facts=self._facts, groups=groups, skipped=skipped)


def group_of(result: dict[str, Any]) -> Group:
    """Where an answer stands: found, not found, or in between, which a person can decide."""
    if result["match"] is not None:
        return "found" if result["confidence_words"] in ("certain", None) else "doubtful"
    certain = result["why"] in ("like nothing stored", "contradicted by the original", None)
    return "absent" if certain and (result["confidence"] or 0.0) < UNDECIDED else "doubtful"


def _sure(result: dict[str, Any]) -> str:
    words, confidence = result["confidence_words"], result["confidence"]
    if words is None:
        return "found; no probability for a plain kernel"
    return words if confidence is None else f"{words}, {percent(confidence)}"


def _lines(result: dict[str, Any], drawn: Outline) -> list[tuple[str, str]]:
    match, best = result["match"], result["matches"][0]
    lines = [("nearest", best["path"])] if match is None else [("found", match["path"])]
    if match is None and result["why"]:
        lines.insert(0, ("why", result["why"]))
        if result["why"] == "fits two about equally" and len(result["matches"]) > 1:
            lines.append(("or", result["matches"][1]["path"]))
    if match is not None and match["also"]:
        lines.append(("also", ", ".join(match["also"])))
    if match is not None and match["original"] in ("missing", "changed"):
        lines.append(("original", {"missing": "no longer there", "changed": "changed since it was stored"}[match["original"]]))
    lines += [("frame", drawn.words)] if drawn.words else []
    lines.append(("verified", result["verified_words"]))
    lines += [("written", result["output"])] if result["output"] else []
    return lines + [("note", note) for note in result["notes"]]
