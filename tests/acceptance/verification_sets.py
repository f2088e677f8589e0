"""The pictures of `verification.py`: sets, damages, bursts."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

from uhop_cli.corruption.corruption import parse
from uhop_cli.images.decode import decode
from uhop_cli.images.patterns import PatternSpec, to_pattern, to_vectors

Pixels = np.ndarray
Damage = Callable[[Pixels, int], Pixels]
SIDE = 32
WORDS = ("please", "find", "what", "was", "agreed", "upon", "both", "parties", "last", "week", "price", "delivery", "and", "terms")


@dataclass
class Collection:
    """Files, and the pattern of each."""

    name: str
    files: list[bytes]

    def pixels(self, index: int) -> Pixels:
        """RGB at full size, what is transparent on white."""
        image = decode(self.files[index])
        pixels = np.repeat(image.pixels, 3, axis=2) if image.pixels.shape[2] == 1 else image.pixels
        if image.alpha is None:
            return pixels
        share = image.alpha[..., None] / 255
        return np.rint(pixels * share + 255 * (1 - share)).astype(np.uint8)

    @cached_property
    def similarity(self) -> np.ndarray:
        """Centred cosine of all patterns with all, the diagonal aside."""
        spec = PatternSpec(SIDE, SIDE, 3)
        rows = np.stack([to_vectors(to_pattern(decode(data), spec)[None])[0] for data in self.files])
        rows -= rows.mean(axis=1, keepdims=True)
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
        table = rows @ rows.T
        np.fill_diagonal(table, -2)
        return table


def proposed(collection: Collection, index: int, count: int) -> list[int]:
    """The pictures that look most like another one."""
    return [int(other) for other in np.argsort(-collection.similarity[index], kind="stable")[:count]]


def photos(folder: Path, half: int) -> Collection:
    """Every other photo."""
    files = sorted(folder.glob("photos/*/*.jpg"))[half::2]
    return Collection(f"photos, half {'AB'[half]}", [file.read_bytes() for file in files])


def sprites(folder: Path, count: int, seed: int) -> Collection:
    """Sprites at their own size, a sample."""
    files = sorted(folder.glob("sprites/**/*.png"))
    chosen = np.sort(np.random.default_rng(seed).choice(len(files), count, replace=False))
    return Collection("sprites", [files[index].read_bytes() for index in chosen])


def never_stored(stored: Collection, others: Collection) -> Collection:
    """Those of the others that no stored picture equals, pixel for pixel on white, as it is or in another of the eight turns."""
    known = {_pixels(turned) for index in range(len(stored.files)) for turned in _turns(stored.pixels(index))}
    return Collection(others.name, [data for index, data in enumerate(others.files) if _pixels(others.pixels(index)) not in known])


def _turns(pixels: Pixels) -> list[Pixels]:
    return [np.rot90(seen, quarters) for seen in (pixels, pixels[:, ::-1]) for quarters in range(4)]


def _pixels(pixels: Pixels) -> tuple[tuple[int, ...], bytes]:
    return pixels.shape, pixels.tobytes()


def drawings(count: int, first: int = 0) -> Collection:
    """Thin strokes on nothing."""
    return Collection("line art", [png(_drawing(seed)) for seed in range(first, first + count)])


def pages(count: int, first: int = 0) -> Collection:
    """Letters with one letterhead."""
    return Collection("letters", [png(_page(seed)) for seed in range(first, first + count)])


def strips(source: Collection, count: int) -> Collection:
    """Long strips of small pictures."""
    return Collection("strips", [png(_strip(source, seed)) for seed in range(count)])


def burst(pixels: Pixels, seed: int, shots: int) -> tuple[list[Pixels], np.ndarray]:
    """Shots of one scene by a camera that moves by up to 2% of the width, with noise of its own; and where each was aimed at."""
    draws = np.random.default_rng(seed)
    image = Image.fromarray(pixels)
    width, height = image.size
    result, aims = [], []
    for _ in range(shots):
        x, y = (0.03 + draws.uniform(-0.01, 0.01)) * width, (0.03 + draws.uniform(-0.01, 0.01)) * height
        box = (x, y, x + 0.94 * width, y + 0.94 * height)
        angle = draws.uniform(-0.3, 0.3)
        moved = image.rotate(angle, Image.Resampling.BICUBIC)
        aims.append((x / width, y / height, np.radians(angle) / 2))
        shot = np.asarray(moved.resize(image.size, Image.Resampling.BICUBIC, box), np.float64)
        result.append(np.clip(np.rint(shot + draws.normal(0, 2, shot.shape)), 0, 255).astype(np.uint8))
    return result, np.array(aims)


def corrupted(label: str) -> Damage:
    """A corruption of the product at the picture's own size; blurs are given for 400 pixels of width."""

    def work(pixels: Pixels, seed: int) -> Pixels:
        if max(pixels.shape) > 1024:  # what a pattern may have at most
            return np.concatenate([work(part, seed) for part in np.array_split(pixels, -(-max(pixels.shape) // 1024))])
        height, width = pixels.shape[:2]
        name, _, level = label.partition(":")
        scaled = f"{name}:{max(1, round(float(level) * min(width, height) / 400))}" if "blur" in name else label
        rows = pixels.reshape(1, -1).astype(np.float32) / 255
        damaged = parse(scaled)(rows, PatternSpec(width, height, 3), seed).patterns
        return np.rint(np.clip(damaged, 0, 1) * 255).astype(np.uint8).reshape(pixels.shape)

    return work


def rescanned(pixels: Pixels, seed: int) -> Pixels:
    """Askew by up to half a degree and moved a little, paler, with noise."""
    draws = np.random.default_rng(seed)
    image = Image.fromarray(pixels)
    move = tuple(draws.uniform(-0.004, 0.004, 2) * image.width)
    image = image.rotate(draws.uniform(-0.5, 0.5), Image.Resampling.BICUBIC, translate=move, fillcolor=(253,) * 3)
    pale = np.asarray(ImageEnhance.Contrast(image).enhance(0.8), np.float64)
    return np.clip(pale + draws.normal(0, 6, pale.shape), 0, 255).round().astype(np.uint8)


def stained(pixels: Pixels, seed: int) -> Pixels:
    """A ring of coffee."""
    draws = random.Random(seed)
    image = Image.fromarray(pixels)
    x, y, size = draws.randrange(image.width // 2), draws.randrange(image.height // 2), image.width // 4
    ring = Image.new("L", image.size, 0)
    ImageDraw.Draw(ring).ellipse((x, y, x + size, y + size), outline=140, width=max(1, size // 12))
    return np.asarray(Image.composite(Image.new("RGB", image.size, (140, 95, 45)), image, ring.filter(ImageFilter.GaussianBlur(2))))


def dimmed(pixels: Pixels, seed: int) -> Pixels:
    """A tenth of the light."""
    noise = np.random.default_rng(seed).normal(0, 2, pixels.shape)
    return np.clip(pixels * 0.1 + noise, 0, 255).round().astype(np.uint8)


def png(image: Image.Image) -> bytes:
    """The file of a picture."""
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def jpeg(pixels: Pixels, quality: int = 90) -> bytes:
    """Likewise, as a camera stores it."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _drawing(seed: int) -> Image.Image:
    draws = random.Random(seed)
    image = Image.new("RGBA", (480, 480))
    points = [(draws.randint(15, 465), draws.randint(15, 465)) for _ in range(7)]
    ImageDraw.Draw(image).line(points, fill=(0, 0, 0, 255), width=3)
    return image


def _page(seed: int) -> Image.Image:
    draws = random.Random(seed)
    image = Image.new("L", (600, 850), 252)
    pen = ImageDraw.Draw(image)
    pen.text((55, 40), "Harbour Trading Company", fill=25, font=ImageFont.load_default(24))
    pen.line((55, 78, 545, 78), fill=100)
    for y in _lines(draws):
        words = " ".join(draws.choice(WORDS) for _ in range(draws.randint(4, 10)))
        pen.text((55, y), words, fill=40, font=ImageFont.load_default(14))
    return image


def _lines(draws: random.Random) -> Iterator[int]:
    y = 115
    for _ in range(draws.randint(8, 30)):
        if y > 790:
            return
        yield y
        y += 20 if draws.random() < 0.8 else 42


def _strip(source: Collection, seed: int) -> Image.Image:
    image = Image.new("RGB", (200, 6000), "white")
    for place in range(20):
        picture = Image.fromarray(source.pixels((seed * 5 + place * 11) % len(source.files)))
        image.paste(picture.resize((180, 240)), (10, 20 + place * 298))
    return image
