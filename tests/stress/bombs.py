"""Pictures that claim more than they hold: small files that would become large, deep or endless."""

from __future__ import annotations

import random
import struct
import zlib
from io import BytesIO
from typing import Any

from pictures import png_chunk, resized
from PIL import Image


def bombs(rng: random.Random) -> tuple[str, bytes]:
    """A small file that asks for much: pixels, scans, frames, blocks, text, tags."""
    kinds = {
        "png-zeros": _png_zeros, "png-text": _png_text, "png-frames": _png_frames, "png-chunks": _png_chunks,
        "gif-frames": _gif_frames, "gif-blocks": _gif_blocks, "gif-canvas": _gif_canvas, "jpeg-scans": _jpeg_scans,
        "jpeg-segments": _jpeg_segments, "bmp-rle": _bmp_rle, "tiff-deflate": _tiff_deflate, "tiff-loop": _tiff_loop,
        "tiff-tags": _tiff_tags, "webp-canvas": _webp_canvas, "webp-frames": _webp_frames, "ppm": _ppm,
        "ppm-comments": _ppm_comments, "jp2-parts": _jp2_parts, "boxes": _boxes, "ico-large": _ico_large, "tga-rle": _tga_rle,
    }  # fmt: skip
    name = rng.choice(list(kinds))
    return f"bomb {name}", kinds[name](rng)


def _side(rng: random.Random) -> int:
    return rng.choice(
        [1, 7, 300, 2000, 4000, 8000, 8944, 8945, 10000, 16383, 16384, 30000, 65535, 65536, 10**6, 2**31 - 1, 2**32 - 1]
    )


def _png_zeros(rng: random.Random) -> bytes:
    width, height = _side(rng), _side(rng)
    depth, color = rng.choice([(1, 0), (8, 0), (16, 0), (8, 2), (16, 2), (8, 3), (8, 4), (8, 6), (16, 6)])
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, rng.choice([0, 0, 1]))
    rows = min(1 << 24, (1 + width * 8) * height)
    parts = [png_chunk(b"IHDR", header), png_chunk(b"PLTE", bytes(48))] if color == 3 else [png_chunk(b"IHDR", header)]
    return b"\x89PNG\r\n\x1a\n" + b"".join([*parts, png_chunk(b"IDAT", zlib.compress(bytes(rows), 1)), png_chunk(b"IEND", b"")])


def _png_with(chunks: list[bytes]) -> bytes:
    header = struct.pack(">IIBBBBB", 4, 4, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(20))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [png_chunk(b"IHDR", header), *chunks, png_chunk(b"IDAT", body), *chunks, png_chunk(b"IEND", b"")]
    )


def _png_text(rng: random.Random) -> bytes:
    packed = zlib.compress(bytes(rng.choice([1 << 10, 1 << 20, 1 << 26])), 9)
    kind, head = rng.choice([(b"zTXt", b"a\0\0"), (b"iTXt", b"a\0\1\0\0\0"), (b"iCCP", b"a\0\0")])
    return _png_with([png_chunk(kind, head + packed)] * rng.choice([1, 3, 30]))


def _png_frames(rng: random.Random) -> bytes:
    control = png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, _side(rng) & 0x7FFFFFFF, 4, 0, 0, 1, 0, 0, 0))
    return _png_with([png_chunk(b"acTL", struct.pack(">II", rng.choice([0, 1, 2**31, 2**32 - 1]), 0)), control])


def _png_chunks(rng: random.Random) -> bytes:
    return _png_with([png_chunk(rng.choice([b"tEXt", b"prVt", b"sRGB", b"gAMA"]), b"a\0b")] * rng.choice([10, 2000, 60_000]))


def _gif(width: int, height: int, body: bytes) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + body


def _gif_frame(width: int, height: int) -> bytes:
    return b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x4c\x01\x00"


def _gif_frames(rng: random.Random) -> bytes:
    loop = b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
    return _gif(4, 4, loop + (b"!\xf9\x04\x08\x00\x00\x00\x00" + _gif_frame(4, 4)) * rng.choice([10, 1000, 60_000]))  # no end


def _gif_blocks(rng: random.Random) -> bytes:
    return _gif(4, 4, b"!\xfe" + b"\x01a" * rng.choice([10, 50_000, 400_000]) + b"\x00" + _gif_frame(4, 4) + b";")


def _gif_canvas(rng: random.Random) -> bytes:
    return _gif(_side(rng) & 0xFFFF, _side(rng) & 0xFFFF, _gif_frame(_side(rng) & 0xFFFF, _side(rng) & 0xFFFF) + b";")


def _jpeg(size: int, **options: Any) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (size, size), (9, 80, 200)).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def _jpeg_scans(rng: random.Random) -> bytes:
    data = _jpeg(rng.choice([64, 1000]), progressive=True)
    scan = data.find(b"\xff\xda")
    return resized(data[:-2] + data[scan:-2] * rng.choice([1, 20, 500]) + b"\xff\xd9", _side(rng) & 0xFFFF, _side(rng) & 0xFFFF)


def _jpeg_segments(rng: random.Random) -> bytes:
    segment = rng.choice(
        [
            b"\xff\xe1\x00\x08Exif\x00\x00",
            b"\xff\xfe\x00\x03a",
            b"\xff\xe2\x00\x06MPF\x00",
            b"\xff",
            b"\xff\xed\x00\x10" + b"Photoshop 3.0\0",
        ]
    )
    return b"\xff\xd8" + segment * rng.choice([5, 150, 3000, 150_000]) + _jpeg(16)[2:]


def _bmp_rle(rng: random.Random) -> bytes:
    width, height = _side(rng) & 0x7FFFFFFF, _side(rng) & 0x7FFFFFFF
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, rng.choice([0, 1, 2]), 0, 0, 0, 2, 0)
    body = rng.choice([b"\xff\x01", b"\x00\x00", b"\x00\x02\xff\xff", b"\x00\x01"]) * rng.choice([10, 3000, 100_000])
    return b"BM" + struct.pack("<IHHI", 62 + len(body), 0, 0, 62) + head + bytes(8) + body


def _tiff(entries: list[tuple[int, int, int, int]], body: bytes = b"", following: int = 0) -> bytes:
    directory = struct.pack("<H", len(entries) & 0xFFFF) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + directory + struct.pack("<I", following)


def _tiff_deflate(rng: random.Random) -> bytes:
    width, height = _side(rng), _side(rng)
    body = zlib.compress(bytes(1 << rng.choice([10, 20, 24])), 1)
    bits = rng.choice([1, 8, 16, 32])
    rows = rng.choice([1, height & 0xFFFFFFFF, 2**32 - 1])
    return _tiff(
        [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, bits), (259, 3, 1, rng.choice([1, 5, 8, 32773])), (262, 3, 1, 1),
         (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, rows), (279, 4, 1, len(body))],
        body,
    )  # fmt: skip


def _tiff_loop(rng: random.Random) -> bytes:
    """A directory that is followed by itself, for ever."""
    data = _tiff_deflate(rng)
    return data[:-4] + data[4:8]


def _tiff_tags(rng: random.Random) -> bytes:
    number = rng.choice([100, 5000, 65000])
    size = rng.choice([1, 2**16, 2**28, 2**32 - 1])
    tags = [(300 + index, rng.choice([1, 2, 5, 7, 12, 13]), size, 8) for index in range(number)]
    return _tiff([(256, 4, 1, 8), (257, 4, 1, 8), *tags], bytes(64))


def _webp(chunks: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks


def _webp_canvas(rng: random.Random) -> bytes:
    buffer = BytesIO()
    Image.new("RGBA", (8, 8), (1, 2, 3, 4)).save(buffer, "WEBP", lossless=rng.random() < 0.5, exif=bytes(9))
    return resized(buffer.getvalue(), _side(rng), _side(rng))


def _webp_frames(rng: random.Random) -> bytes:
    buffer = BytesIO()
    frame = Image.new("RGB", (8, 8), (1, 2, 3))
    frame.save(buffer, "WEBP", save_all=True, append_images=[Image.new("RGB", (8, 8), (9, 9, 9))], loop=0)
    data = buffer.getvalue()
    start = data.find(b"ANMF")
    return _webp(data[12:] + data[start:] * rng.choice([10, 1000, 20_000]))


def _ppm(rng: random.Random) -> bytes:
    kind = rng.choice([b"P1", b"P2", b"P3", b"P4", b"P5", b"P6"])
    top = rng.choice([b"", b" 1", b" 255", b" 65535", b" 0", b" 99999999999999999999"])
    return b"%s %d %d%s\n" % (kind, _side(rng), _side(rng), top) + rng.choice([b"", b"1 " * 3000, b"0" * 100_000, bytes(100_000)])


def _ppm_comments(rng: random.Random) -> bytes:
    return rng.choice([b"P1", b"P2", b"P5"]) + b"\n" + b"#\n" * rng.choice([10, 9000, 200_000]) + b"4 4 255\n" + b"1 " * 20


def _jp2_parts(rng: random.Random) -> bytes:
    """Tiles, code-blocks, precincts and channels without number, in a file of a hundred bytes."""
    side, parts = _side(rng), rng.choice([1, 2, 16, 64, 4096])
    channels = rng.choice([1, 3, 4, 5, 16384])
    size = struct.pack(">HIIIIIIIIH", 0, side, _side(rng), 0, 0, parts, parts, 0, 0, channels) + b"\x07\1\1" * channels
    block, levels, custom = rng.choice([0, 0, 1, 4]), rng.choice([0, 1, 5, 32]), rng.choice([0, 1])
    style = bytes((custom, 0)) + struct.pack(">H", rng.choice([1, 65535])) + bytes((0, levels, block, block, 0, 1))
    style += bytes([rng.choice([0x00, 0x11, 0x88, 0xFF])] * (levels + 1)) if custom else b""
    markers = [(0x51, size), (0x52, style), (0x5C, b"\x40" + b"\x40" * (3 * levels + 1))]
    head = b"\xff\x4f" + b"".join(bytes((0xFF, code)) + struct.pack(">H", len(body) + 2) + body for code, body in markers)
    return (
        head + b"\xff\x90\0\x0a" + struct.pack(">HIBB", 0, 0, 0, 1) + b"\xff\x93" + rng.randbytes(rng.choice([0, 50])) + b"\xff\xd9"
    )


def _boxes(rng: random.Random) -> bytes:
    brand = rng.choice([b"avif", b"heic", b"mif1"])
    box = rng.choice([b"\0\0\0\x08free", b"\0\0\0\0meta", b"\0\0\0\x01free" + struct.pack(">Q", 16), b"\xff\xff\xff\xffmdat"])
    return b"\0\0\0\x14ftyp" + brand + bytes(4) + brand + box * rng.choice([1, 1000, 200_000])


def _ico_large(rng: random.Random) -> bytes:
    """One pixel in the directory, and anything in the picture."""
    picture = _png_zeros(rng)
    if rng.random() < 0.5:
        picture = struct.pack(
            "<IiiHHIIiiII", 40, _side(rng) & 0x7FFFFFFF, _side(rng) & 0x7FFFFFFF, 1, 32, 0, 0, 0, 0, 0, 0
        ) + bytes(200)
    return b"\0\0\1\0\1\0" + struct.pack("<BBBBHHII", 1, 1, 0, 0, 1, 32, len(picture), 22) + picture


def _tga_rle(rng: random.Random) -> bytes:
    size = struct.pack("<HH", _side(rng) & 0xFFFF, _side(rng) & 0xFFFF)
    return b"\0\0\x0a" + bytes(9) + size + b"\x18\0" + b"\xff\1\2\3" * rng.choice([1, 1000, 500_000])
