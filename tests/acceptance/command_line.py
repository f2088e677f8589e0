"""Prints the figures that the command line promises, measured from outside, as its user would.

    python tests/acceptance/command_line.py start       # how fast help, errors and queries are
    python tests/acceptance/command_line.py samples     # the sample pictures, their damaged copies, the bytes that come back
    python tests/acceptance/command_line.py sprites     # 4,357 game tiles: duplicates; masks, known and unknown; halves
    python tests/acceptance/command_line.py photos      # 240 photographs, damaged as people damage them
    python tests/acceptance/command_line.py all

Data sets are taken from UHOP_DATA_DIR (sprites/ and photos/, folders of images); without it the parts that need them are skipped by
name. Every figure is printed with its promise, and the exit status is 1 if one is missed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

from uhop_cli.corruption.corruption import parse
from uhop_cli.errors import ImageError
from uhop_cli.experiments.data.samples import sample_data
from uhop_cli.querying.restorer import Restorer
from uhop_cli.querying.settings import QuerySettings

REPEATS = 10
TILES = 200
PHOTOS = 60
missed: list[str] = []


def uhop(*arguments: object, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Runs the command in a process of its own."""
    line = [sys.executable, "-m", "uhop_cli", *map(str, arguments)]
    return subprocess.run(line, input=stdin, capture_output=True, check=False)


def document(*arguments: object) -> dict[str, Any]:
    """The JSON that a command prints."""
    ran = uhop(*arguments, "--json")
    if ran.returncode:
        raise SystemExit(ran.stderr.decode())
    value: dict[str, Any] = json.loads(ran.stdout)
    return value


def promise(what: str, value: float, bound: float, *, at_most: bool = False, form: str = ".1%") -> None:
    """Prints a figure and whether it is as good as promised."""
    kept = value <= bound if at_most else value >= bound
    print(f"{'ok    ' if kept else 'MISSED'} {what}: {value:{form}} (promised: at {'most' if at_most else 'least'} {bound:{form}})")
    if not kept:
        missed.append(what)


def data(name: str) -> Path | None:
    """The folder of a data set, or None, with a line that says so."""
    folder = Path(os.environ.get("UHOP_DATA_DIR", "")) / name
    if not os.environ.get("UHOP_DATA_DIR") or not folder.is_dir():
        print(f"skipped: {name} is not under UHOP_DATA_DIR")
        return None
    return folder


def start(scratch: Path) -> None:
    """Seconds of commands that load little: the median of ten."""
    memory = scratch / "samples.safetensors"
    document("store", sample_data() / "images", "-m", memory)
    query = next((sample_data() / "damaged").glob("cat*"))
    for arguments, bound in (
        (("--help",), 0.35),
        (("store", "--help"), 0.35),
        (("query", "nowhere.png"), 0.35),
        (("query", query, "-m", memory, "--no-output"), 1.0),
    ):
        seconds = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            uhop(*arguments)
            seconds.append(time.perf_counter() - began)
        shown = " ".join("IMAGE" if item == query else "MEMORY" if item == memory else str(item) for item in arguments)
        promise(f"uhop {shown}", statistics.median(seconds), bound, at_most=True, form=".2f")


def samples(scratch: Path) -> None:
    """Every damaged sample picture gives the bytes of its original."""
    memory, out = scratch / "samples.safetensors", scratch / "restored"
    document("store", sample_data() / "images", "-m", memory, "--force")
    results = document("query", sample_data() / "damaged", "-m", memory, "-o", out)["results"]
    right = [Path(result["output"] or os.devnull).read_bytes() == _original(result).read_bytes() for result in results]
    promise(f"sample pictures brought back, of {len(results)}", statistics.mean(right), 1)


def _original(result: dict[str, Any]) -> Path:
    return sample_data() / "images" / f"{Path(result['query']).stem.split('_')[0]}.png"


def sprites(scratch: Path) -> None:
    """Duplicates are all reported; tiles are found under masks."""
    folder = data("sprites")
    if folder is None:
        return
    memory = scratch / "sprites.safetensors"
    report = document("store", folder, "-m", memory)
    print(f"       {report['stored']} files, {report['patterns']} distinct, {report['seconds']:.1f} s")
    groups = [{(scratch / name).resolve() for name in group} for group in report["duplicates"]]
    equal: dict[bytes, set[Path]] = defaultdict(set)
    for path in folder.rglob("*.png"):
        equal[hashlib.sha256(path.read_bytes()).digest()].add(path.resolve())
    known = [files for files in equal.values() if len(files) > 1]
    promise(
        f"groups of byte-equal files reported, of {len(known)}",
        statistics.mean(any(files <= group for group in groups) for files in known),
        1,
    )
    restorer = Restorer(memory, QuerySettings(alpha="missing"))
    every = np.random.default_rng(0).permutation(len(restorer.memory))[:TILES]
    tiles = [(scratch / os.fsdecode(restorer.memory.name(int(row)))).resolve() for row in every]
    promise("tiles with half their pixels masked, mask unknown", _right(tiles, tiles, memory, "--mask", 0.5), 0.97)
    known_mask = Restorer(memory, QuerySettings(damage=(parse("mask:0.5"),), known_mask=True, min_confidence=0))
    alone = [tile for row, tile in zip(every, tiles, strict=True) if _unique(known_mask, tile, int(row))]
    value = _right(alone, alone, memory, "--mask", 0.5, "--known-mask")
    promise(f"the same, mask known, {len(alone)} whose rest is unique", value, 1)
    for side in ("left", "right"):
        torn, originals = [], []
        for row, tile in zip(every, tiles, strict=True):
            path = _without_half(tile, side, scratch / side)
            if _unique(restorer, path, int(row)):
                torn.append(path)
                originals.append(tile)
        value = _right(torn, originals, memory, "--alpha", "missing")
        promise(f"tiles whose {side} half is transparent, {len(torn)} whose rest is unique", value, 1)


def _right(queries: Sequence[Path], originals: Sequence[Path], memory: Path, *arguments: object) -> float:
    """The share of queries whose match is their original, or a file with an equal pattern."""
    results = document("query", *queries, "-m", memory, "--no-output", "--min-confidence", 0, *arguments)["results"]
    names = [[(memory.parent / name).resolve() for name in result["matches"][0]["names"]] for result in results]
    return statistics.mean(original in found for original, found in zip(originals, names, strict=True))


def _without_half(tile: Path, side: str, folder: Path) -> Path:
    with Image.open(tile) as image:
        pixels = np.asarray(image.convert("RGBA")).copy()
    half = pixels.shape[1] // 2
    gone = slice(None, half) if side == "left" else slice(half, None)
    pixels[:, gone, 3] = 0
    path = folder / f"{hashlib.sha256(bytes(tile)).hexdigest()[:12]}.png"
    folder.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def _unique(restorer: Restorer, path: Path, row: int) -> bool:
    """Whether what is visible of a picture is there at all, and in no other pattern than `row`."""
    try:
        query = restorer.prepare(path)
    except ImageError:  # nothing is visible
        return False
    patterns = restorer.memory.patterns.reshape(len(restorer.memory), -1)
    seen = np.ones(patterns.shape[1], bool) if query.visible is None else query.visible
    same = (patterns[:, seen] == patterns[row, seen]).all(axis=1)
    return int(same.sum()) == 1


def photos(scratch: Path) -> None:
    """Photographs under the damage of daily life: the right one is found, and the output is its bytes."""
    folder = data("photos")
    if folder is None:
        return
    memory = scratch / "photos.safetensors"
    report = document("store", folder, "-m", memory)
    print(f"       {report['stored']} photographs, {report['seconds']:.1f} s")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    chosen = [files[index] for index in np.random.default_rng(0).permutation(len(files))[:PHOTOS]]
    shares = []
    for name, damage in DAMAGES.items():
        target = scratch / name
        target.mkdir()
        queries = []
        for number, path in enumerate(chosen):
            with Image.open(path) as image:
                queries.append(damage(image.convert("RGB"), target / f"{number}"))
        results = document("query", *queries, "-m", memory, "-o", target / "out", "--min-confidence", 0)["results"]
        right = [_holds(result, path) for result, path in zip(results, chosen, strict=True)]
        shares.append(statistics.mean(right))
        if name in ("half white", "half black"):
            promise(f"photographs, {name}", shares[-1], 0.9)
        else:
            print(f"       photographs, {name}: {shares[-1]:.1%}")
    promise("photographs over all damages", statistics.mean(shares), 0.95)


def _holds(result: dict[str, Any], original: Path) -> bool:
    return result["output_kind"] == "original" and Path(result["output"]).read_bytes() == original.read_bytes()


def _saved(image: Image.Image, path: Path) -> Path:
    path = path.with_suffix(".png")
    image.save(path)
    return path


def _painted(share: tuple[float, float, float, float], colour: str) -> Callable[[Image.Image, Path], Path]:
    def damage(image: Image.Image, path: Path) -> Path:
        width, height = image.size
        left, top, right, bottom = share
        image.paste(colour, (int(left * width), int(top * height), int(right * width), int(bottom * height)))
        return _saved(image, path)

    return damage


def _noisy(image: Image.Image, path: Path) -> Path:
    values = np.asarray(image) / 255 + np.random.default_rng(0).normal(0, 0.3, (image.height, image.width, 3))
    return _saved(Image.fromarray((np.clip(values, 0, 1) * 255).astype(np.uint8)), path)


def _compressed(image: Image.Image, path: Path) -> Path:
    path = path.with_suffix(".jpg")
    image.save(path, quality=10)
    return path


DAMAGES: dict[str, Callable[[Image.Image, Path], Path]] = {
    "half white": _painted((0.5, 0, 1, 1), "white"),
    "half black": _painted((0.5, 0, 1, 1), "black"),
    "brightness +40%": lambda image, path: _saved(ImageEnhance.Brightness(image).enhance(1.4), path),
    "half the contrast": lambda image, path: _saved(ImageEnhance.Contrast(image).enhance(0.5), path),
    "JPEG quality 10": _compressed,
    "shrunk to 25%": lambda image, path: _saved(image.resize((image.width // 4, image.height // 4)), path),
    "noise 0.3": _noisy,
    "a white block over a fifth": _painted((0.1, 0.4, 0.9, 0.65), "white"),
}


def main() -> int:
    parts = {"start": start, "samples": samples, "sprites": sprites, "photos": photos}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=[*parts, "all"])
    wanted = parser.parse_args().part
    with tempfile.TemporaryDirectory() as folder:
        for name, part in parts.items():
            if wanted in (name, "all"):
                print(f"-- {name}")
                part(Path(folder))
    if missed:
        print("missed: " + ", ".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
