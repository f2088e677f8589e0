"""What an answer is called in plain words: how sure it is, why there is none, what became of the original. Nowhere else."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uhop_cli.cli.layout import Style, Styled, styled
from uhop_cli.cli.output import counted, percent
from uhop_cli.querying.words.confidence import NO_ORIGINAL
from uhop_cli.querying.words.frames import SLACK, kind, shown

if TYPE_CHECKING:
    from uhop_cli.frames.frame import Frame
    from uhop_cli.images.patterns import PatternSpec
    from uhop_cli.querying.restoration import Restoration

STYLES: dict[str | None, Style] = {
    "certain": "found", None: "found", "likely": "doubtful", "unlikely": "doubtful", "not in the memory": "absent",
}  # fmt: skip
CURE = "--originals DIR finds moved or renamed originals below DIR; `uhop store --embed` keeps originals in the memory file"


def sureness(words: str | None, confidence: float | None) -> Styled:
    """How sure an answer is: certain; likely (83%); not in the memory."""
    if words is None:
        return styled("no probability for a plain kernel", STYLES[None])
    doubtful = words in ("likely", "unlikely") and confidence is not None
    return styled(f"{words} ({percent(confidence)})" if doubtful and confidence is not None else words, STYLES[words])


def answer(result: Restoration) -> list[tuple[str, str]]:
    """The lines that say which picture it is and how sure that is; where nothing fits, why, and what is nearest."""
    sure = sureness(result.answer.words, result.answer.confidence)
    best = result.answer.matches[0]
    if result.match is None:
        absent = styled(f"not in the memory{original_says(result)}", sure.style)
        return [("answer", absent), ("nearest", styled(best.path, "absent"))]
    state = {"embedded": " (inside the memory file)", "missing": " (no longer there)", "changed": " (changed since)"}
    name = (best.name if best.whereabouts == "embedded" else best.path) + state.get(best.whereabouts or "", "")
    lines: list[tuple[str, str]] = [("found", styled((f"{name}, {sure}" if sure else name) + original_says(result), sure.style))]
    if best.frame is not None:
        lines.append(("frame", frame(best.frame)))
    also = [other for other in best.names if other != best.name]
    if also:
        lines.append(("also", f"{', '.join(also)} (the same picture at this size)"))
    return lines


def frame(found: Frame) -> str:
    """Where the original lies in the query: cropped, 71% of its width and 80% of its height shown; mirrored; ..."""
    said = kind(found)
    wide, tall = shown(found)
    if min(wide, tall) < 1 - SLACK:
        same = percent(wide) == percent(tall)
        said += (
            f", {percent(wide)} of each side shown"
            if same
            else f", {percent(wide)} of the width, {percent(tall)} of the height shown"
        )
    elif min(found.width, found.height) < 1 - SLACK:
        said += f", it fills {percent(min(1.0, found.width * found.height))} of the query"
    return said


def original_says(result: Restoration) -> str:
    """What the originals make of the answer, after a comma; nothing where they were not asked, as there was no need."""
    answer = result.answer
    told = answer.verified_reason is not None or answer.verified_words == NO_ORIGINAL
    return f", {answer.verified_words}" if told else ""


def pattern_words(spec: PatternSpec) -> str:
    """What comes back where the original does not: the 32 x 32 pattern."""
    return f"{spec.width} x {spec.height} pattern"


def written(result: Restoration, place: str, spec: PatternSpec) -> str:
    """What was written and where: the original file, or the pattern and why only that."""
    if result.pictures.kind == "original":
        what = "the original" if result.answer.matches[0].whereabouts == "embedded" else "the original file"
    elif result.answer.matches[0].whereabouts == "file":
        what = f"the {pattern_words(spec)}: it lies between several stored pictures"
    elif result.answer.matches[0].whereabouts == "array":
        what = f"the {pattern_words(spec)}: a row of an array has no file"
    else:
        what = f"the {pattern_words(spec)}, not the original"
    return what if place == "-" else f"{place}, {what}"


def lost(results: Sequence[Restoration], spec: PatternSpec, searched: Path | None, *, truncated: bool) -> tuple[str, str] | None:
    """The warning that originals are not where they were, or have changed, and its cure; None where all are there."""
    gone = [result for result in results if result.answer.fits and result.answer.matches[0].whereabouts in ("missing", "changed")]
    if not gone:
        return None
    changed = [result for result in gone if result.answer.matches[0].whereabouts == "changed"]
    first = gone[0].answer.matches[0].path
    if len(gone) == 1:
        what = f"{first} has changed since it was stored" if changed else f"{first} is not where it was"
        what += f"; this is the {pattern_words(spec)}"
    else:
        what = f"{len(gone)} originals are not where they were, or have changed, such as {first}; these are {pattern_words(spec)}s"
    if searched is None:
        return what, CURE
    if truncated:
        return what, f"{searched} holds too many files to look at all of them; name a folder inside it"
    return what, f"no file below {searched} has the same content; name another folder, or `uhop store --add` what there is"


def summary(counts: dict[str, int], pictures: str) -> str:
    """The last line of many answers: 28 found, 12 not in the memory; 28 pictures in restored/. After the first, no count of 0."""
    first, *_ = counts
    said = [f"{count:,} {what}" for what, count in counts.items() if count or what == first]
    return ", ".join(said) + (f"; {pictures}" if pictures else "")


def self_test(rows: Sequence[dict[str, Any]]) -> Styled | None:
    """The conclusion of a self-test and the counts behind it; None where there are none.

    From 99% of all damaged copies: they are found. From 90%: most are. Below: many are not.
    """
    counts = [(row["corruption"], row.get("level"), row.get("accuracy"), row.get("queries")) for row in rows]
    known = [(kind, level, right * asked, asked) for kind, level, right, asked in counts if right is not None and asked]
    asked = sum(count for *_, count in known)
    if not asked:
        return None
    right = sum(share for _, _, share, _ in known)
    share = right / asked
    verdict = "are found" if share >= 0.99 else "are mostly found" if share >= 0.9 else "are often not found"
    text = f"damaged copies {verdict}: {right:,.0f} of {asked:,} in {counted(len(known), 'kind')} of damage"
    kind, level, best, count = min(known, key=lambda item: item[2] / item[3])
    if best < count:
        text += f"; hardest {kind if level is None else f'{kind}:{level}'}, {best:,.0f} of {count:,}"
    return styled(text, "found" if share >= 0.99 else "doubtful")


def shards(count: int) -> str:
    """In how many files a memory is, after its size; nothing for one."""
    return f" in {count:,} shard{'s' * (count != 1)}" if count else ""


def near(pairs: int, verified: int, unseen: int) -> str:
    """Pairs of nearly equal patterns, and what their originals say of them."""
    parts = [f"{counted(pairs, 'pair')} of pictures nearly alike", f"{verified:,} of one picture"]
    return ", ".join([*parts, *([f"{unseen:,} not looked at: `uhop info --near-duplicates`"] if unseen else [])])


def next_query(memory: Path | None) -> str:
    """The command to go on with after a store; `memory`: its file, where it has to be named."""
    return "next: uhop query DAMAGED_IMAGE" + ("" if memory is None else f" -m {shlex.quote(str(memory))}")
