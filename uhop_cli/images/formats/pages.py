"""How many frames or pages an image file holds, from its bytes where these tell; needs neither numpy nor Pillow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from uhop_cli.images.formats.limits import MAX_BLOCKS
from uhop_cli.images.formats.signatures import Format

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

MAX_PAGES = 1000  # no more are counted


def pages(data: bytes, kind: Format, file: ImageFile | None = None) -> int:
    """Frames of an animation (PNG, GIF, WebP, AVIF) or pages of a TIFF or HEIF, at most `MAX_PAGES`; 1 where none is told.

    Args:
        data: the bytes of the file.
        kind: its format.
        file: opened, which is what AVIF and HEIF are asked.
    """
    if kind in ("AVIF", "HEIF"):
        return min(MAX_PAGES, getattr(file, "n_frames", 1))
    count = {"PNG": _png, "GIF": _gif, "WEBP": _webp, "TIFF": _tiff}.get(kind, lambda _: 1)
    return min(MAX_PAGES, max(1, count(data)))


def _png(data: bytes) -> int:
    """What the chunk acTL says, which comes before the pixels."""
    at = data.find(b"acTL", 0, data.find(b"IDAT"))
    return int.from_bytes(data[at + 4 : at + 8]) if at > 0 else 1


def _gif(data: bytes) -> int:
    """Image descriptors; the blocks between them are stepped over, up to `MAX_BLOCKS` for each frame."""
    if len(data) < 13:
        return 1
    at, frames, blocks = 13 + _palette(data[10]), 0, 0
    while at < len(data) and frames < MAX_PAGES and blocks < MAX_BLOCKS * (1 + frames):
        if data[at : at + 1] == b",":
            if at + 10 > len(data):
                break
            frames += 1
            at += 11 + _palette(data[at + 9])
        elif data[at : at + 1] == b"!":
            at += 2
        else:
            break
        while at < len(data) and data[at]:
            at += 1 + data[at]
            blocks += 1
        at += 1
    return frames


def _palette(flags: int) -> int:
    """Bytes of a colour table."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _webp(data: bytes) -> int:
    at, frames, parts = 12, 0, 0
    while at + 8 <= len(data) and frames < MAX_PAGES and parts < MAX_BLOCKS:
        frames += data[at : at + 4] == b"ANMF"
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
        parts += 1
    return frames


def _tiff(data: bytes) -> int:
    """Length of the chain of directories."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    big = int.from_bytes(data[2:4], order) == 43
    number, entry, pointer = (8, 20, 8) if big else (2, 12, 4)
    place = 8 if big else 4
    seen: set[int] = set()
    while len(seen) < MAX_PAGES:
        at = int.from_bytes(data[place : place + pointer], order)
        if at == 0 or at + number > len(data) or at in seen:
            break
        seen.add(at)
        place = at + number + entry * int.from_bytes(data[at : at + number], order)
    return len(seen)
