"""The boxes of ISO base media files (HEIF, AVIF) and of JPEG 2000: where they lie, and whether the file ends within one."""

from __future__ import annotations

from collections.abc import Iterator

from uhop_cli.errors import ImageError
from uhop_cli.images.formats.limits import MAX_BLOCKS
from uhop_cli.images.formats.signatures import HEAD_BYTES

_LARGE = 1  # a size that says that the true one follows in eight bytes
_TO_THE_END = 0


def boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The boxes of a file that are not inside others: name, where the content begins, where it should end.

    The last one may end beyond the file. A box of an impossible size is the last one.

    Raises:
        ImageError: an absurd number of them.
    """
    at = 0
    for _ in range(MAX_BLOCKS):
        if at + 8 > len(data):
            return
        size, start = int.from_bytes(data[at : at + 4]), at + 8
        if size == _LARGE:
            size, start = int.from_bytes(data[at + 8 : at + 16]), at + 16
        elif size == _TO_THE_END:
            size = len(data) - at
        if size < start - at:
            return
        yield data[at + 4 : at + 8], start, at + size
        at += size
    raise ImageError("a file of an absurd number of parts")


def check_boxes(data: bytes) -> None:
    """Refuses a file that ends within a box, or has too many.

    Raises:
        ImageError: so it is.
    """
    for _, _, end in boxes(data):
        if end > len(data):
            kind = "AVIF" if b"avi" in data[:HEAD_BYTES] else "HEIF"
            raise ImageError(f"the {kind} file is cut short", "copy it once more from where it came from")
