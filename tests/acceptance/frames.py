"""Prints which copies in another frame `uhop query` finds, what it takes for one that is none, and how long that takes,
by the clock and of a core: other work on the machine makes more of the one than of the other.

    python tests/acceptance/frames.py kinds --data-dir DIR    # 25 kinds, 50 queries each: copies of the second half of the photos
    python tests/acceptance/frames.py kinds --half first      # the half on which settings are chosen
    python tests/acceptance/frames.py kinds --before          # with --frames same: what is found where no frame is looked for
    python tests/acceptance/frames.py all --quick             # 10 queries a kind, no large sets
    python tests/acceptance/frames.py peers                   # the same memory asked by what else people use
    python tests/acceptance/frames.py all --json OUT.json --markdown OUT.md

Memories: 190 photos and 2,000 composed pictures (`frames_sets.py`), with 50,000 CIFAR-10 patterns more, or with 19,810 further
composed pictures. Queries are cut from the photo at its own size and saved as JPEG 75 (`frames_kinds.py`); each is asked alone.
What is stored is kept in --work and used again, by later code too: give a new folder where `store` may write something else by now.
The exit status is 1 if a promise is missed.

    kinds       every kind of frame                     local-off   two crops, nothing described locally
    strangers   50 photos never stored, in all kinds    letters     100 form letters never stored, in all kinds
    collages    several photos in one picture           large       among 52,190 pictures
    described   among 20,000 described pictures         times       seconds, on an otherwise idle machine
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import verification_sets as sets
from frames_kinds import (
    AMONG_MANY,
    KINDS,
    POOLED,
    QUALITY,
    WHOLE,
    WRONG,
    WRONG_WHOLE,
    edited,
    four_up,
    kind_of,
    overlap,
    queries,
    side_by_side,
)  # fmt: skip
from frames_run import Row, Run, head, markdown
from frames_sets import STORED, Memories, photo_name
from promises import missed

from uhop_cli.querying.restoration import Restoration
from uhop_cli.storing.store import store

NEEDED = ("photos", "sprites", "cifar-10-batches-py")


def kinds(run: Run) -> None:
    """Every kind of frame."""
    restorer = run.memories.restorer("2190", run.frames)
    head(f"copies of the {run.options.half} half of the photos, among {len(restorer.memory):,}")
    rows = {kind.name: run.copies("kinds", restorer, kind) for kind in KINDS}
    for kind in KINDS:
        run.least(rows[kind.name], kind.least)
    for group, least in POOLED.items():
        pooled = [rows[kind.name] for kind in KINDS if kind.group == group]
        share = sum(row.right for row in pooled) / sum(row.asked for row in pooled)
        run.promise(f"kinds, {group}, pooled", share, share >= least, f"right, at least {least:.0%}")
    wrong = sum(rows[kind.name].wrong for kind in KINDS if kind.group == WHOLE)
    run.promise(f"kinds, {WHOLE}", wrong, wrong <= WRONG_WHOLE, f"wrong, at most {WRONG_WHOLE}")
    wrong, asked = sum(row.wrong for row in rows.values()), sum(row.asked for row in rows.values())
    run.promise("kinds, all", wrong, wrong <= WRONG * asked, f"wrong of {asked}, at most {WRONG:.1%}")


def local_off(run: Run) -> None:
    """Crops where nothing is described locally."""
    restorer = run.memories.restorer("2190-off", run.frames)
    head("nothing described locally")
    for kind in KINDS:
        if kind.without_local is not None:
            run.least(run.copies("local off", restorer, kind), kind.without_local)


def strangers(run: Run) -> None:
    """Photos that are not stored, in all kinds."""
    restorer = run.memories.restorer("2190", run.frames)
    photos = run.memories.photos
    rows = range(STORED, len(photos.files))
    count = max(1, run.options.queries // 2)
    head("photos never stored")
    total = Row("strangers", "all kinds")
    for kind in KINDS:
        found = run.ask("strangers", kind.name, restorer, ((None, file) for _, file in queries(photos, rows, count, kind)))
        total.asked, total.wrong = total.asked + found.asked, total.wrong + found.wrong
    run.promise("strangers", total.wrong, total.wrong == 0, f"named of {total.asked}, none promised")


def letters(run: Run) -> None:
    """Form letters with one letterhead: 40 stored, others asked for, scanned again, in all kinds of frames by turns."""
    stored, others = sets.pages(40), sets.pages(2 * run.options.queries, 100)
    with tempfile.TemporaryDirectory() as place:
        memories = _letters(stored, Path(place))
        head("form letters never stored")
        restorer = memories.restorer("letters", run.frames)
        asked = []
        for index in range(len(others.files)):
            kind = KINDS[index % len(KINDS)]
            pixels = edited(sets.rescanned(others.pixels(index), index), kind.spellings[0], index)
            asked.append((None, sets.jpeg(pixels, QUALITY)))
        row = run.ask("letters", "all kinds by turns", restorer, asked)
    run.promise("letters", row.wrong, row.wrong <= 0.03 * row.asked, f"named of {row.asked}, at most 3%")


def _letters(stored: sets.Collection, place: Path) -> Memories:
    (place / "pages").mkdir()
    for index, data in enumerate(stored.files):
        (place / "pages" / f"{index:03}.png").write_bytes(data)
    store([place / "pages"], place / "letters.safetensors")
    return Memories(place, place)


def collages(run: Run) -> None:
    """Two photos side by side, four in a square: each stored picture that is shown is to be named, with its rectangle."""
    restorer = run.memories.restorer("2190", "same" if run.options.before else "all", top=4)
    head("several photos in one picture (a row counts the photos that are shown; right: named by an original, with its rectangle)")
    for name, made in (("two side by side", side_by_side), ("four in a square", four_up)):
        row = Row("collages", name)
        for place in range(run.options.queries):
            collage = made(run.memories.photos, run.copied, place)
            with row.timed():
                found = restorer.answer([restorer.prepare(collage.file)])[0]
            named = _named(found)
            wanted = {photo_name(index): box for index, box in collage.shown.items()}
            row.asked += len(wanted)
            row.right += sum(name in named and overlap(named[name], box) >= 0.5 for name, box in wanted.items())
            row.wrong += len(named.keys() - wanted.keys())
        row.refused = row.asked - row.right
        run.least(run.keep(row), 0.8)


def _named(found: Restoration) -> dict[str, tuple[float, ...]]:
    """The files that an original confirms in a picture, with their rectangles, as the JSON document has them."""
    matches = [match for match in found.to_json()["matches"] if match.get("verified") and match.get("frame")]
    return {Path(match["name"]).name: tuple(match["frame"]["window"]) for match in matches}


def large(run: Run) -> None:
    """Some kinds among 50,000 patterns more."""
    few, many = (run.memories.restorer(name, run.frames) for name in ("2190", "52190"))
    head(f"among {len(many.memory):,}")
    for name in AMONG_MANY:
        known = [row for row in run.rows if (row.table, row.name) == ("kinds", name)]
        before = known[0] if known else run.copies("kinds", few, kind_of(name))
        row = run.copies("large", many, kind_of(name))
        run.promise(f"large, {name}", row.right, row.right >= before.right - 3, f"right, {before.right} among few, at most 3 fewer")


def described(run: Run) -> None:
    """Crops among 20,000 pictures that are described."""
    restorer = run.memories.restorer("20000", run.frames)
    head(f"among {len(restorer.memory):,} described pictures")
    for name, least in (("crop 60%", 0.8), ("crop 50%", 0.7)):
        run.least(run.copies("described", restorer, kind_of(name)), least)


def times(run: Run) -> None:
    """Seconds a query, on an otherwise idle machine; what is built once a command is the first query's share above the median."""
    photos, count = run.memories.photos, min(12, run.options.queries)
    sizes = ("2190",) if run.options.quick else ("2190", "52190", "20000")
    limits = {("2190", "border 10%"): 1.0, ("52190", "border 10%"): 2.0, ("2190", "crop 60%"): 0.8, ("20000", "crop 60%"): 2.0}
    head("times: one query after another")
    for (size, name), most in limits.items():
        if size not in sizes:
            continue
        row = run.copies(f"times among {size}", run.memories.restorer(size, run.frames), kind_of(name))
        median = float(np.median(row.seconds[1:]))
        run.promise(f"times, {name} among {size}", median, median <= most, f"seconds, at most {most:g}")
        built = row.seconds[0] - median
        run.promise(f"times, building among {size}", built, built <= 2, "seconds once a command, at most 2")
    plain = [sets.jpeg(photos.pixels(row), QUALITY) for row in list(run.copied)[:count]]
    spent: dict[str, list[float]] = {frames: [] for frames in ("same", run.frames)}
    asked = {frames: run.memories.restorer("2190", frames) for frames in spent}
    for file in [*plain, *plain, *plain]:
        for frames, restorer in asked.items():
            started = time.perf_counter()
            restorer.answer([restorer.prepare(file)])
            spent[frames].append(time.perf_counter() - started)
    ratio = float(np.median(spent[run.frames]) / np.median(spent["same"]))
    run.promise("times, found at once", ratio, ratio <= 1.1, "of what it takes with --frames same, at most 1.1")


def peers(run: Run) -> None:
    """What else people use."""
    from frames_peers import compare

    run.texts.append(compare(run.memories, run.copied, min(run.options.queries, 15), run.frames))


TABLES: dict[str, Callable[[Run], None]] = {
    "kinds": kinds,
    "local-off": local_off,
    "strangers": strangers,
    "letters": letters,
    "collages": collages,
    "large": large,
    "described": described,
    "times": times,
    "peers": peers,
}
QUICK = ("kinds", "strangers", "letters", "collages", "times")


def main() -> int:
    """The tables that the arguments ask for."""
    given = os.environ.get("UHOP_DATA_DIR")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", choices=(*TABLES, "all"), default=["kinds"], help="all: all but the peers")
    parser.add_argument("--data-dir", type=Path, default=Path(given) if given else None)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "uhop-frames", help="where memories are kept")
    parser.add_argument("--half", choices=("first", "second"), default="second", help="of the photos whose copies are asked for")
    parser.add_argument("--queries", type=int, default=50, help="of each kind")
    parser.add_argument("--quick", action="store_true", help="10 queries of each kind, no large sets")
    parser.add_argument("--before", action="store_true", help="with --frames same, which looks for no frame")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--markdown", type=Path, help="a file for the tables")
    options = parser.parse_args()
    if options.data_dir is None or not all((options.data_dir / name).is_dir() for name in NEEDED):
        print(f"skipped: {', '.join(NEEDED)} (give --data-dir or set UHOP_DATA_DIR)")
        return 0
    options.queries = min(options.queries, 10) if options.quick else options.queries
    every = QUICK if options.quick else [name for name in TABLES if name != "peers"]
    wanted = [name for name in dict.fromkeys(options.tables) if name != "all"] + list(every if "all" in options.tables else ())
    started, run = time.perf_counter(), Run(options)
    for name in dict.fromkeys(wanted):
        TABLES[name](run)
    if options.json is not None:
        shown = {key: str(value) if isinstance(value, Path) else value for key, value in vars(options).items()}
        document = {"config": shown, "rows": [row.values() for row in run.rows], "missed": missed}
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    if options.markdown is not None:
        options.markdown.write_text("\n".join([markdown(run.rows), *run.texts]))
    print(f"\n{time.perf_counter() - started:.0f} s; ", end="")
    print(f"missed: {', '.join(missed)}" if missed else "no promise missed")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
