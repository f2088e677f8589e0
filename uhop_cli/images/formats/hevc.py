"""The size that the compressed pictures of a HEIF file have by their own account (HEVC, ISO 23008-2, 7.3.2.2).

The header of a HEIF says how large its picture is, and each compressed picture says it once more. libheif asks the header first,
but what is decoded is as large as the picture says: a header of 16 x 16 pixels may stand before gigabytes.
"""

from __future__ import annotations

from collections.abc import Iterator

from uhop_cli.errors import ImageError
from uhop_cli.images.formats.boxes import check_boxes
from uhop_cli.images.formats.limits import MAX_BLOCKS, MAX_HEIF_PIXELS

_SEQUENCE = 33  # the kind of unit that tells the size
_PROFILE, _LEVEL = 88, 8  # bits
_ARRAYS = 22  # bytes of a configuration before the number of its arrays


def check_heif(data: bytes) -> None:
    """Refuses a HEIF file that is cut short, or has a picture that is too large by its own account.

    Raises:
        ImageError: so it is.
    """
    check_boxes(data)
    at = data.find(b"hvcC")
    for _ in range(MAX_BLOCKS):
        if at < 0:
            return
        for width, height in _sizes(data, at + 4):
            if width * height > MAX_HEIF_PIXELS:
                limit = f"the limit is {MAX_HEIF_PIXELS // 10**6} megapixels"
                raise ImageError(f"too large: {width} x {height} pixels; {limit}", "save a smaller copy")
        at = data.find(b"hvcC", at + 4)
    raise ImageError("a HEIF of an absurd number of parts")


def _sizes(data: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Width and height in each sequence header of the configuration that begins here."""
    at += _ARRAYS + 1
    for _ in range(data[at - 1] if at <= len(data) else 0):
        kind, units = data[at] & 63 if at < len(data) else 0, int.from_bytes(data[at + 1 : at + 3])
        at += 3
        for _ in range(units):
            length = int.from_bytes(data[at : at + 2])
            if length == 0 or at + 2 + length > len(data):
                return
            if kind == _SEQUENCE:
                yield _size(data[at + 2 : at + 2 + length])
            at += 2 + length


def _size(unit: bytes) -> tuple[int, int]:
    """pic_width_in_luma_samples and pic_height_in_luma_samples of a sequence header."""
    bits = _Bits(unit.replace(b"\0\0\3", b"\0\0"))  # the 3 is there to keep the bytes from looking like a start code
    bits.skip(16 + 4)  # head of the unit, number of the video's header
    layers = bits.take(3)
    bits.skip(1 + _PROFILE + _LEVEL)
    present = [(bits.take(1), bits.take(1)) for _ in range(layers)]
    bits.skip(2 * (8 - layers) if layers else 0)
    for profile, level in present:
        bits.skip(_PROFILE * profile + _LEVEL * level)
    bits.golomb()  # number of this header
    if bits.golomb() == 3:  # 4:4:4
        bits.skip(1)
    return bits.golomb(), bits.golomb()


class _Bits:
    """Reads numbers bit by bit; beyond the end there are zeros."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data[:64]), 8 * min(64, len(data))

    def take(self, count: int) -> int:
        """The next `count` bits as a number."""
        self._left -= count
        if self._left < 0:
            return 0
        return self._value >> self._left & (1 << count) - 1

    def skip(self, count: int) -> None:
        """Leaves out `count` bits."""
        self._left -= count

    def golomb(self) -> int:
        """The next number of an exponential Golomb code: n zeros, and n + 1 bits that are one more than it."""
        zeros = 0
        while self._left > 0 and not self.take(1):
            zeros += 1
        return (1 << zeros) + self.take(zeros) - 1
