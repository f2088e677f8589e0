"""ICO files whose directory says one thing and whose pictures another: Pillow decodes the largest at once, whatever its size."""

from __future__ import annotations

from uhop_cli.errors import ImageError

MAX_ICON_SIDE = 1024
_PNG = b"\x89PNG\r\n\x1a\n"


def check_icons(data: bytes) -> None:
    """Refuses an icon file that ends too early, or holds a picture of more than `MAX_ICON_SIDE` pixels a side.

    Raises:
        ImageError: so it is.
    """
    for entry in range(int.from_bytes(data[4:6], "little")):
        place = 6 + 16 * entry
        size, offset = (int.from_bytes(data[at : at + 4], "little") for at in (place + 8, place + 12))
        if place + 16 > len(data) or offset + size > len(data):
            raise ImageError("the ICO file is cut short", "copy it once more from where it came from")
        if max(_sides(data, offset)) > MAX_ICON_SIDE:
            raise ImageError(f"too large: icons are read up to {MAX_ICON_SIDE} pixels a side", "save it as PNG first")


def _sides(data: bytes, at: int) -> tuple[int, int]:
    """Width and height of the picture that begins here: a PNG, or a bitmap, twice as high as it looks."""
    if data.startswith(_PNG, at):
        return int.from_bytes(data[at + 16 : at + 20]), int.from_bytes(data[at + 20 : at + 24])
    if int.from_bytes(data[at : at + 4], "little") == 12:  # the first form of the header, with sides of two bytes
        width, height = (int.from_bytes(data[place : place + 2], "little") for place in (at + 4, at + 6))
    else:
        width, height = (abs(int.from_bytes(data[place : place + 4], "little", signed=True)) for place in (at + 4, at + 8))
    return width, height // 2
