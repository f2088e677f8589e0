"""Small pictures and files, made by hand for the tests of decoding."""

from __future__ import annotations

import contextlib
import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image as Pillow

from uhop_cli.errors import ImageError
from uhop_cli.images.decode import decode, read_header

RNG = np.random.default_rng(0)


RGB = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)


GRAY = RNG.integers(0, 256, (6, 8), dtype=np.uint8)


ALPHA = RNG.integers(0, 256, (6, 8), dtype=np.uint8)


def stored(image, kind="PNG", **options):
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width, height, depth, color, lines, *chunks):
    """A PNG written by hand, for the variants that Pillow does not write; `lines` are unfiltered rows."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + line for line in lines))
    parts = [chunk(b"IHDR", header), *chunks, chunk(b"IDAT", body), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def check(data, pixels, alpha=None, *, gray):
    image = decode(data)
    assert image.pixels.dtype == np.uint8
    assert image.pixels.shape[2] == (1 if gray else 3)
    assert np.array_equal(np.squeeze(image.pixels), np.squeeze(pixels))
    if alpha is None:
        assert image.alpha is None
    else:
        assert np.array_equal(image.alpha, alpha)
    header = read_header(data)
    assert (header.width, header.height) == (image.width, image.height)
    assert header.gray == gray
    assert header.alpha or image.alpha is None


def palette_image():
    indexed = Pillow.fromarray((GRAY % 4).astype(np.uint8), "L").convert("P")
    indexed.putdata((GRAY % 4).ravel().tolist())
    indexed.putpalette([9, 8, 7, 60, 50, 40, 100, 110, 120, 250, 251, 252])
    return indexed, np.array([[9, 8, 7], [60, 50, 40], [100, 110, 120], [250, 251, 252]], np.uint8)[GRAY % 4]


WIDE = RNG.integers(0, 65536, (6, 8)).astype(np.uint16)


def turned(array, orientation):
    return {
        1: array,
        2: array[:, ::-1],
        3: array[::-1, ::-1],
        4: array[::-1],
        5: array.swapaxes(0, 1),
        6: np.rot90(array, -1),
        7: np.rot90(array, 2).swapaxes(0, 1),
        8: np.rot90(array),
    }[orientation]


def refusal(data, **options):
    with pytest.raises(ImageError) as caught:
        decode(data, **options)
    message = caught.value.message
    assert "\n" not in message
    assert message.isprintable()
    assert len(message) < 200
    with contextlib.suppress(ImageError):  # the pixels may be all that is wrong
        read_header(data)
    return caught.value


def tiff_with_tags(tags):
    """A TIFF of one byte a pixel with further tags (tag, type, value)."""
    entries = sorted(
        [(256, 4, 2), (257, 4, 2), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 0), (278, 4, 2), (279, 4, 4), *tags]
    )
    end = 8 + 2 + 12 * len(entries) + 4
    body = b"".join(struct.pack("<HHII", tag, kind, 1, end if tag == 273 else value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + struct.pack("<I", 0) + b"\1\2\3\4"


def heic(*pictures):
    """A HEIC file of pictures (H, W, 3). Its encoder is a tool of the tests: uhop itself only decodes."""
    import pillow_heif

    file = pillow_heif.HeifFile()
    for pixels in pictures:
        file.add_from_pillow(Pillow.fromarray(pixels))
    buffer = BytesIO()
    file.save(buffer, quality=90)
    return buffer.getvalue()


GOOD = {
    "PNG": stored(Pillow.fromarray(np.dstack((RGB, ALPHA)))),
    "PNG palette": stored(palette_image()[0], transparency=bytes([0, 80, 160, 255])),
    "PNG 16": stored(Pillow.fromarray(WIDE)),
    "JPEG": stored(Pillow.fromarray(RGB), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"),
    "JPEG progressive": stored(Pillow.fromarray(RGB), "JPEG", progressive=True),
    "JPEG CMYK": stored(Pillow.fromarray(RGB).convert("CMYK"), "JPEG"),
    "WEBP": stored(Pillow.fromarray(RGB), "WEBP", lossless=True),
    "GIF": stored(palette_image()[0], "GIF", transparency=1),
    "BMP": stored(Pillow.fromarray(RGB), "BMP"),
    "TIFF": stored(Pillow.fromarray(RGB), "TIFF"),
    "TIFF LZW": stored(Pillow.fromarray(RGB), "TIFF", compression="tiff_lzw"),
    "TIFF JPEG": stored(Pillow.fromarray(RGB), "TIFF", compression="jpeg"),
    "TIFF G4": stored(Pillow.fromarray(GRAY > 99), "TIFF", compression="group4"),
    "AVIF": stored(Pillow.fromarray(RGB), "AVIF", quality=90),
    "HEIF": heic(RGB.repeat(4, axis=0).repeat(4, axis=1)),
    "JPEG 2000": stored(Pillow.fromarray(RGB), "JPEG2000"),
    "ICO": stored(Pillow.fromarray(np.dstack((RGB, ALPHA))), "ICO", sizes=[(8, 6)]),
    "ICO bitmap": stored(Pillow.fromarray(RGB), "ICO", sizes=[(8, 6)], bitmap_format="bmp"),
    "TGA": stored(Pillow.fromarray(RGB), "TGA"),
    "TGA RLE": stored(Pillow.fromarray(GRAY // 64 * 64), "TGA", compression="tga_rle"),
    "PCX": stored(Pillow.fromarray(RGB), "PCX"),
    "PCX palette": stored(palette_image()[0], "PCX"),
    "PPM": stored(Pillow.fromarray(RGB), "PPM"),
    "PGM plain": b"P2\n3 2\n255\n1 2 250\n4 5 6\n",
}


def textured(seed, width=200, height=150):
    """A picture with corners and edges of all sizes: rectangles and discs of random colours. (height, width, 3) uint8."""
    rng = np.random.default_rng(seed)
    pixels = np.full((height, width, 3), rng.integers(60, 200, 3), np.uint8)
    y, x = np.mgrid[:height, :width]
    for size in np.geomspace(0.4 * height, 6, 60):
        top, left = rng.uniform(-0.1, 1, 2) * (height, width)
        across, down = size * rng.uniform(0.5, 2, 2)
        inside = (np.abs(y - top) < down / 2) & (np.abs(x - left) < across / 2)
        if rng.random() < 0.5:
            inside = ((y - top) / down) ** 2 + ((x - left) / across) ** 2 < 0.25
        pixels[inside] = rng.integers(0, 256, 3)
    return pixels
