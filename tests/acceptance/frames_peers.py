"""What else people use to find copies, on the memory and the queries of `frames.py`: frames alone, damage alone, and both together.

    phash, 8 turns      imagehash: the least Hamming distance of any turn or mirror image of the query
    crop-resistant      imagehash: hashes of segments, the most that match, then the nearest, as `ImageMultiHash.best_match`; it
                        has the 190 photos alone before it, as describing a picture takes it half a second
    faiss               the nearest of the raw 32 x 32 pixels (L2)
    ORB + RANSAC        OpenCV: 500 points a picture, brute force, ratio test, the most inliers of a homography

Each of them names one picture whatever it is asked, where uhop may refuse: for uhop what it names counts, and in brackets what it
ranks first. All contestants take turns on each query in one process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import cv2
import faiss
import imagehash
import numpy as np
from frames_kinds import QUALITY, edited
from frames_sets import STORED, Memories, photo_name
from PIL import Image, ImageOps
from verification_sets import jpeg

from uhop_cli.images.decode import decode
from uhop_cli.images.patterns import PatternSpec, to_pattern, to_vectors
from uhop_cli.querying.restorer import Restorer

Find = Callable[[bytes], str]
GROUPS = {
    "frames alone": ("mirror", "turn:90", "border:0.1:white", "screenshot:phone", "tilt:27:black", "crop:0.75", "crop:0.5"),
    "damage alone": ("noise-clamped:0.3", "half:bottom:colour", "jpeg:10", "brightness:0.4", "blur:10", "values:0.5"),
    "both": (
        "crop:0.75+scale:1.3", "mirror+crop:0.75", "border:0.1:white+half:bottom:colour", "crop:0.75+noise-clamped:0.1+jpeg:20",
        "turn:90+noise-clamped:0.3", "screenshot:phone+blur:10",
    ),
}  # fmt: skip
PIXELS = PatternSpec(32, 32, 3)
POINTS, RATIO, LEAST = 500, 0.75, 8  # points of ORB a picture; Lowe's ratio; matches from which on a homography is looked for
REACH = 5.0  # pixels within which a match agrees with the homography


def opened(data: bytes) -> Image.Image:
    """A file as the libraries take it."""
    return Image.open(BytesIO(data)).convert("RGB")


def hashed(files: list[Path]) -> Find:
    """phash of all turns and mirror images of the query."""
    stored = np.stack([np.packbits(imagehash.phash(Image.open(path)).hash) for path in files])

    def find(data: bytes) -> str:
        image = opened(data)
        turns = [turned.rotate(90 * quarter, expand=True) for turned in (image, ImageOps.mirror(image)) for quarter in range(4)]
        codes = np.stack([np.packbits(imagehash.phash(turned).hash) for turned in turns])
        distances = np.bitwise_count(stored[:, None] ^ codes).sum(axis=2).min(axis=1)
        return files[int(distances.argmin())].name

    return find


def crop_resistant(every: list[Path]) -> Find:
    """Hashes of segments; `best_match`, with all Hamming distances in one table instead of one after another."""
    files = every[:STORED]

    def bits(image: Image.Image) -> np.ndarray:
        return np.stack([np.packbits(part.hash) for part in imagehash.crop_resistant_hash(image).segment_hashes])

    parts = [bits(Image.open(path)) for path in files]
    stored, starts = np.concatenate(parts), np.cumsum([0, *(len(part) for part in parts[:-1])])

    def find(data: bytes) -> str:
        codes = bits(opened(data))
        distances = np.bitwise_count(codes[:, None] ^ stored).sum(axis=2, dtype=np.int64)
        nearest = np.minimum.reduceat(distances, starts, axis=1)  # (segments of the query, pictures)
        length = 8 * codes.shape[1]
        close = nearest <= 0.25 * length
        matches = close.sum(axis=0)
        score = matches - np.where(close, nearest, 0).sum(axis=0) / np.maximum(matches * length, 1)
        return files[int(score.argmax())].name

    return find


def raw_pixels(files: list[Path]) -> Find:
    """faiss on the patterns of the pictures."""

    def vector(data: bytes) -> np.ndarray:
        return to_vectors(to_pattern(decode(data), PIXELS)[None])

    index = faiss.IndexFlatL2(PIXELS.dim)
    index.add(np.concatenate([vector(path.read_bytes()) for path in files]))
    return lambda data: files[int(index.search(vector(data), 1)[1][0, 0])].name


def local_points(files: list[Path]) -> Find:
    """ORB, brute force, ratio test, RANSAC."""
    orb, matcher = cv2.ORB_create(POINTS), cv2.BFMatcher(cv2.NORM_HAMMING)

    def described(data: bytes) -> tuple[np.ndarray, np.ndarray | None]:
        points, codes = orb.detectAndCompute(np.asarray(opened(data).convert("L")), None)
        return np.array([point.pt for point in points], np.float32).reshape(-1, 2), codes

    stored = [described(path.read_bytes()) for path in files]

    def inliers(points: np.ndarray, codes: np.ndarray, of: tuple[np.ndarray, np.ndarray | None]) -> int:
        if of[1] is None or len(of[1]) < 2:
            return 0
        pairs = [pair for pair in matcher.knnMatch(codes, of[1], k=2) if len(pair) == 2]
        good = [first for first, second in pairs if first.distance < RATIO * second.distance]
        if len(good) < LEAST:
            return 0
        here, there = points[[match.queryIdx for match in good]], of[0][[match.trainIdx for match in good]]
        kept = cv2.findHomography(here, there, cv2.RANSAC, REACH)[1]
        return 0 if kept is None else int(kept.sum())

    def find(data: bytes) -> str:
        points, codes = described(data)
        if codes is None:
            return ""
        counts = [inliers(points, codes, of) for of in stored]
        return files[int(np.argmax(counts))].name if max(counts) else ""

    return find


class Asked:
    """uhop, and what it ranks first beside what it names."""

    def __init__(self, restorer: Restorer) -> None:
        self.restorer = restorer
        self.first: list[str] = []

    def __call__(self, data: bytes) -> str:
        found = self.restorer.answer([self.restorer.prepare(data)])[0]
        self.first.append(Path(found.answer.matches[0].name).name)
        return "" if found.match is None else Path(found.match.name).name


def compare(memories: Memories, copied: range, count: int, frames: str) -> str:
    """The table, printed as it grows, and returned as markdown.

    Args:
        memories: the smallest of them is asked.
        copied: photos of which copies are asked for.
        count: queries a row.
        frames: what uhop looks for.
    """
    files = memories.originals("2190")
    uhop = Asked(memories.restorer("2190", frames))
    makers = {"phash, 8 turns": hashed, "crop-resistant": crop_resistant, "faiss": raw_pixels, "ORB + RANSAC": local_points}
    finders: dict[str, Find] = {}
    built: dict[str, float] = {}
    for name, make in makers.items():
        started = time.perf_counter()
        finders[name] = make(files)
        built[name] = time.perf_counter() - started
    finders["uhop"] = uhop
    spent = dict.fromkeys(finders, 0.0)
    rows = np.linspace(copied.start, copied.stop - 1, count).astype(int).tolist()
    lines = [f"| {len(files):,} pictures, {count} copies a row | " + " | ".join(finders) + " |", "|---|" + "--:|" * len(finders)]
    print("\n" + "\n".join(lines), flush=True)
    for group, spellings in GROUPS.items():
        right = {name: np.zeros(len(spellings)) for name in (*finders, "first")}
        for place, spelling in enumerate(spellings):
            for row in rows:
                data = jpeg(edited(memories.photos.pixels(row), spelling, row), QUALITY)
                for name, find in finders.items():
                    started = time.perf_counter()
                    right[name][place] += find(data) == photo_name(row)
                    spent[name] += time.perf_counter() - started
                right["first"][place] += uhop.first[-1] == photo_name(row)
            lines.append(_line(spelling, right, place, count))
            print(lines[-1], flush=True)
        lines.append(_line(f"**{group}, mean**", right, slice(None), count))
        print(lines[-1], flush=True)
    asked = len(rows) * sum(map(len, GROUPS.values()))
    seconds = {"seconds a query": {name: f"{spent[name] / asked:.2f}" for name in finders}}
    seconds["seconds to describe all"] = {name: f"{taken:.0f}" for name, taken in built.items()}
    lines += [f"| {title} | " + " | ".join(shown.get(name, "") for name in finders) + " |" for title, shown in seconds.items()]
    print("\n".join(lines[-2:]), flush=True)
    return "\n".join(lines) + "\n"


def _line(title: str, right: dict[str, np.ndarray], place: int | slice, count: int) -> str:
    shares = {name: float(np.mean(found[place])) / count for name, found in right.items()}
    cells = [f"{shares[name]:.2f}" + (f" ({shares['first']:.2f})" if name == "uhop" else "") for name in shares if name != "first"]
    return f"| {title} | " + " | ".join(cells) + " |"
