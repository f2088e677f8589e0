"""Mutated images: each becomes a pattern and an answer, or is refused in one line.

    python tests/stress/images.py --count 20000 --cuts 5000 [--data-dir DIR] [--seed N] [--keep DIR]    (from the root)

Before these come files that end too early (`--cuts`), some mutated as well: of those that are only cut, what is seen is what the
whole file has there.
`--data-dir` names the folder that holds `malformed/`; its files are taken as they are, and mutated. A failing case is named by its
number: `--first N --count 1` runs it alone.
"""

from __future__ import annotations

import argparse
import random
import struct
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from bombs import bombs
from pictures import good, mend_sums, resized
from PIL import Image
from watch import Watch, check_line

from uhop_cli.errors import ImageError
from uhop_cli.images.decode import decode, read_header
from uhop_cli.images.patterns import to_pattern
from uhop_cli.querying.restorer import Restorer
from uhop_cli.querying.settings import QuerySettings
from uhop_cli.storing.store import store

LARGEST_SEED = 300_000  # bytes of a file of malformed/ that is mutated; larger ones are only taken as they are
SIDES = [0, 1, 2, 255, 256, 4096, 8191, 16383, 16384, 30000, 65535, 65536, 1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 1]
NUMBERS = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]


def flipped(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """Some bits turned, anywhere or in the header."""
    changed = bytearray(data)
    end = len(changed) if rng.random() < 0.6 else min(len(changed), 128)
    for _ in range(rng.choice([1, 1, 2, 4, 16, 64])):
        changed[rng.randrange(end)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def numbered(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """Extreme numbers of 1, 2 or 4 bytes, in either order, where the header and the tables are."""
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4])):
        form = rng.choice(["B", "<H", ">H", "<I", ">I"])
        size = struct.calcsize(form)
        place = rng.randrange(max(1, min(len(changed), rng.choice([64, 512, len(changed)])) - size))
        changed[place : place + size] = struct.pack(form, rng.choice(NUMBERS) & (1 << 8 * size) - 1)
    return bytes(changed)


def truncated(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """Cut short, sometimes to nothing."""
    return data[: rng.randrange(len(data))] if rng.random() < 0.95 else b""


def spliced(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """The beginning of one file before the rest of another."""
    other = rng.choice(others)
    return other[: rng.randrange(1, min(len(other), 200))] + data[rng.randrange(len(data)) :]


def cut_out(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """A part taken out, or put in twice."""
    begin = rng.randrange(len(data))
    end = min(len(data), begin + rng.choice([1, 4, 16, 200]))
    return data[:begin] + data[end:] if rng.random() < 0.5 else data[:end] + data[begin:]


def filled(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """A part overwritten with noise or with one byte."""
    begin = rng.randrange(len(data))
    size = min(len(data) - begin, rng.choice([1, 8, 64, 500]))
    part = rng.randbytes(size) if rng.random() < 0.5 else bytes([rng.choice([0, 0xFF])]) * size
    return data[:begin] + part + data[begin + size :]


def stretched(rng: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """Another size in the header."""
    return resized(data, rng.choice(SIDES), rng.choice(SIDES))


MUTATIONS: list[Callable[[random.Random, bytes, list[bytes]], bytes]] = [
    flipped, flipped, numbered, numbered, truncated, spliced, cut_out, filled, stretched
]  # fmt: skip


def mutant(rng: random.Random, seeds: list[tuple[str, bytes]]) -> tuple[str, bytes]:
    """One mutated file."""
    if rng.random() < 0.06:
        return bombs(rng)
    name, data = rng.choice(seeds)
    others = [item[1] for item in seeds]
    names = []
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        mutation = rng.choice(MUTATIONS)
        data = mutation(rng, data, others) or b""
        names.append(mutation.__name__)
        if not data:
            break
    if data.startswith(b"\x89PNG\r\n\x1a\n") and rng.random() < 0.7:
        data = mend_sums(data)
    return f"{name} {'+'.join(names)}", data


def cut_short(rng: random.Random, seeds: list[tuple[str, bytes]]) -> tuple[str, bytes, bytes | None]:
    """A file that ends too early: its name, its bytes, and the whole file if nothing else was done to it."""
    name, data = rng.choice(seeds)
    place = rng.randrange(12, len(data)) if rng.random() < 0.8 else len(data) - rng.randrange(1, min(len(data) - 1, 40))
    if rng.random() < 0.5:
        return f"{name} cut at {place}", data[:place], data
    changed, mutation = data, rng.choice([flipped, numbered, numbered, stretched, filled])
    changed = mutation(rng, changed, [])
    if changed.startswith(b"\x89PNG\r\n\x1a\n"):
        changed = mend_sums(changed)
    return f"{name} {mutation.__name__}, cut at {place}", changed[:place], None


def check_seen(data: bytes, whole: bytes) -> None:
    """What counts as seen of a file that is cut short is what the whole one has there."""
    try:
        image, full = decode(data), decode(whole)
    except ImageError:
        return
    if "coarsely" in (image.flaw or "") or image.pixels.shape != full.pixels.shape or b"\xff\xc2" in whole or whole[:1] in b"IM":
        return  # of a TIFF of floats the range of values may not have come yet
    if whole[:2] in (b"P1", b"P2", b"P3") and image.flaw is None:
        return  # that the last number has lost digits cannot be seen
    seen = np.ones(image.pixels.shape[:2], bool) if image.missing is None else ~image.missing
    assert np.array_equal(image.pixels[seen], full.pixels[seen]), "what is seen is not in the file"


def examine(data: bytes, restorer: Restorer, rng: random.Random) -> str:
    """Decode, pattern, query; returns what came of it."""
    spec = restorer.memory.spec
    try:
        header = read_header(data)
        image = decode(data, draft=(spec.width, spec.height) if rng.random() < 0.8 else None)
    except ImageError as error:
        check_line(error.message)
        if error.hint:
            check_line(error.hint)
        return "refused"
    assert image.pixels.dtype == np.uint8
    assert image.pixels.ndim == 3
    assert image.pixels.shape[2] in (1, 3)
    assert image.alpha is None or image.alpha.shape == image.pixels.shape[:2]
    assert image.missing is None or (image.missing.shape == image.pixels.shape[:2] and image.missing.any() and image.flaw)
    assert 1 <= image.pages <= 1000
    if image.flaw:
        check_line(image.flaw)
    assert header.width >= image.width
    assert header.height >= image.height
    assert to_pattern(image, spec).shape == spec.shape
    try:
        result = restorer.restore(image, "picture")
    except ImageError as error:
        check_line(error.message)
        return "decoded, nothing visible"
    assert np.isfinite([match.weight for match in result.answer.matches]).all()
    assert 0 <= result.answer.matches[0].weight <= 1 + 1e-5
    return "decoded and answered"


def small_memory(folder: Path) -> Restorer:
    """A memory of a few pictures to ask."""
    for index in range(6):
        pixels = np.random.default_rng(index).integers(0, 256, (5, 5, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((16, 16), Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    store([folder], folder / "m.safetensors")
    return Restorer(folder / "m.safetensors", QuerySettings())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000, help="mutated images")
    parser.add_argument("--cuts", type=int, default=5000, help="files that end too early")
    parser.add_argument("--first", type=int, default=0, help="number of the first one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", metavar="NAME", help="mutate only the files whose names begin so, such as avif")
    parser.add_argument("--data-dir", type=Path, help="folder that holds malformed/")
    parser.add_argument("--keep", type=Path, help="folder for the files that fail")
    parser.add_argument("--hang", type=float, default=10.0, help="seconds that one file may take")
    options = parser.parse_args()
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    seeds = [item for item in sorted(good().items()) if item[0].startswith(options.only or "")]
    with tempfile.TemporaryDirectory() as folder:
        restorer = small_memory(Path(folder))
        watch = Watch("images", options.keep, options.hang)
        with watch.silence():
            for name, data in seeds:  # what is not changed must be read
                with watch.case(name, data):
                    outcome = examine(data, restorer, random.Random(0))
                    watch.counts[f"unchanged: {outcome}"] += 1
                    assert outcome != "refused"
            if options.data_dir:
                for path in sorted((options.data_dir / "malformed").iterdir()):
                    if path.is_file():
                        data = path.read_bytes()
                        with watch.case(f"malformed/{path.name}", data):
                            outcome = examine(data, restorer, random.Random(0))
                            watch.counts[f"malformed/: {outcome}"] += 1
                            if outcome != "refused" and len(data) <= LARGEST_SEED:  # of what is refused, so are most mutants
                                seeds.append((path.name, data))
            larger = [item for item in sorted(good(10).items()) if item[0].startswith(options.only or "")]
            for number in range(options.cuts):
                rng = random.Random(f"{options.seed}/cut/{number}")
                name, data, whole = cut_short(rng, seeds if rng.random() < 0.3 else larger)
                with watch.case(f"cut {number} {name}", data):
                    watch.counts[f"cut short: {examine(data, restorer, rng)}"] += 1
                    if whole is not None:
                        check_seen(data, whole)
                watch.progress(number + 1, options.cuts)
            for number in range(options.first, options.first + options.count):
                rng = random.Random(f"{options.seed}/{number}")
                name, data = mutant(rng, seeds)
                with watch.case(f"{number} {name}", data):
                    watch.counts[f"mutated: {examine(data, restorer, rng)}"] += 1
                watch.progress(number + 1 - options.first, options.count)
    return watch.finish()


if __name__ == "__main__":
    sys.exit(main())
