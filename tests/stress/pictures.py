"""Good pictures of every format that is read, and files made to break a reader; all deterministic."""

from __future__ import annotations

import random
import struct
import zlib
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image


def good(scale: int = 1) -> dict[str, bytes]:
    """One small file for every format and mode that Pillow writes, of 24 x 20 pixels times `scale`."""
    height, width = 20 * scale, 24 * scale
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    alpha = Image.fromarray(rng.integers(0, 256, (height, width), dtype=np.uint8))
    rgba = rgb.copy()
    rgba.putalpha(alpha)
    gray, la = rgb.convert("L"), rgba.convert("LA")
    palette = rgb.quantize(16)
    wide = Image.fromarray(rng.integers(0, 65536, (height, width)).astype(np.uint16))
    floats = Image.fromarray(rng.random((height, width), dtype=np.float32))
    frames = [rgb.rotate(30 * index) for index in range(4)]
    turned = Image.Exif()
    turned[0x0112] = 6
    several: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "duration": 40, "loop": 0}
    made: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "png-rgb": (rgb, "PNG", {"exif": turned}), "png-rgba": (rgba, "PNG", {}), "png-gray": (gray, "PNG", {"transparency": 9}),
        "png-la": (la, "PNG", {}), "png-1": (gray.convert("1"), "PNG", {}), "png-16": (wide, "PNG", {}),
        "png-palette": (palette, "PNG", {"transparency": bytes(range(16))}), "apng": (rgb, "PNG", several),
        "jpeg": (rgb, "JPEG", {"exif": turned, "comment": b"none"}), "jpeg-gray": (gray, "JPEG", {}),
        "jpeg-progressive": (rgb, "JPEG", {"progressive": True}), "jpeg-cmyk": (rgb.convert("CMYK"), "JPEG", {}),
        "jpeg-icc": (rgb, "JPEG", {"icc_profile": bytes(300)}),
        "mpo": (rgb, "MPO", {"save_all": True, "append_images": frames[1:2]}),
        "webp": (rgb, "WEBP", {}), "webp-lossless": (rgba, "WEBP", {"lossless": True}),
        "webp-alpha": (rgba, "WEBP", {"exif": turned}),
        "webp-animated": (rgb, "WEBP", several),
        "gif": (palette, "GIF", {}), "gif-transparent": (palette, "GIF", {"transparency": 3}),
        "gif-animated": (rgb, "GIF", several),
        "bmp": (rgb, "BMP", {}), "bmp-palette": (palette, "BMP", {}), "bmp-1": (gray.convert("1"), "BMP", {}),
        "bmp-alpha": (rgba, "BMP", {}),
        "tiff": (rgb, "TIFF", {}), "tiff-lzw": (rgb, "TIFF", {"compression": "tiff_lzw"}),
        "tiff-deflate": (rgba, "TIFF", {"compression": "tiff_adobe_deflate"}), "tiff-jpeg": (rgb, "TIFF", {"compression": "jpeg"}),
        "tiff-packbits": (gray, "TIFF", {"compression": "packbits"}),
        "tiff-g4": (gray.convert("1"), "TIFF", {"compression": "group4"}),
        "tiff-float": (floats, "TIFF", {}), "tiff-16": (wide, "TIFF", {}), "tiff-cmyk": (rgb.convert("CMYK"), "TIFF", {}),
        "tiff-pages": (rgb, "TIFF", {"save_all": True, "append_images": frames[1:]}),
        "ppm": (rgb, "PPM", {}), "pgm": (gray, "PPM", {}), "pbm": (gray.convert("1"), "PPM", {}), "pgm-16": (wide, "PPM", {}),
        "avif": (rgb, "AVIF", {"exif": turned}), "avif-alpha": (rgba, "AVIF", {}), "avif-animated": (rgb, "AVIF", several),
        "jp2": (rgb, "JPEG2000", {}), "jp2-alpha": (rgba, "JPEG2000", {}), "jp2-gray": (gray, "JPEG2000", {"irreversible": True}),
        "jp2-tiles": (rgb, "JPEG2000", {"tile_size": (16, 16), "num_resolutions": 2}),
        "jp2-16": (wide, "JPEG2000", {"no_jp2": True, "codeblock_size": (16, 16), "precinct_size": (32, 32)}),
        "ico": (rgba, "ICO", {"sizes": [(24, 20), (12, 10)]}),
        "ico-bmp": (rgba, "ICO", {"sizes": [(24, 20)], "bitmap_format": "bmp"}),
        "ico-1": (gray.convert("1"), "ICO", {"sizes": [(24, 20)], "bitmap_format": "bmp"}),
        "tga": (rgb, "TGA", {}), "tga-rle": (rgba, "TGA", {"compression": "tga_rle"}), "tga-gray": (gray, "TGA", {}),
        "tga-palette": (palette, "TGA", {"compression": "tga_rle"}),
        "pcx": (rgb, "PCX", {}), "pcx-gray": (gray, "PCX", {}), "pcx-palette": (palette, "PCX", {}),
        "pcx-1": (gray.convert("1"), "PCX", {}),
    }  # fmt: skip
    files = {"heic": heic([rgb]), "heic-alpha": heic([rgba]), "heic-several": heic([rgb, frames[1]])}
    for name, (image, kind, options) in made.items():
        buffer = BytesIO()
        # Copies, as saving leaves settings of one format behind.
        more = {"append_images": [frame.copy() for frame in options["append_images"]]} if "append_images" in options else {}
        image.copy().save(buffer, kind, **{**options, **more})
        files[name] = buffer.getvalue()
    values = np.asarray(gray)
    plain = " ".join(str(value) for value in values.ravel())
    files["pgm-plain"] = f"P2 {width} {height} 255 {plain}".encode()
    files["ppm-plain"] = (f"P3 {width} {height} 255 " + " ".join(str(value) for value in np.asarray(rgb).ravel())).encode()
    files["pbm-plain"] = (f"P1 # words\n{width} {height} " + " ".join(str(int(value > 99)) for value in values.ravel())).encode()
    return files


def heic(images: list[Image.Image]) -> bytes:
    """A HEIC file, whose encoder only tests have."""
    import pillow_heif

    file = pillow_heif.HeifFile()
    for image in images:
        file.add_from_pillow(image)
    buffer = BytesIO()
    file.save(buffer)
    return buffer.getvalue()


def png_chunk(name: bytes, body: bytes) -> bytes:
    """A chunk of a PNG, with its sum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def mend_sums(data: bytes) -> bytes:
    """A PNG with the sums of its chunks put right, so that a reader sees what was changed inside."""
    at, parts = 8, [data[:8]]
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4])
        body = data[at + 8 : at + 8 + length]
        if len(body) < length:
            break
        parts.append(png_chunk(data[at + 4 : at + 8], body))
        at += 12 + length
    return b"".join(parts) + data[at:]


def resized(data: bytes, width: int, height: int) -> bytes:
    """The same file with another width and height in its header."""
    changed = bytearray(data)
    if data.startswith(b"\x89PNG"):
        changed[16:24] = struct.pack(">II", width & 0xFFFFFFFF, height & 0xFFFFFFFF)
        return mend_sums(bytes(changed))
    if data.startswith(b"GIF8"):
        changed[6:10] = struct.pack("<HH", width & 0xFFFF, height & 0xFFFF)
        frame = data.find(b",", 13)
        if frame > 0 and width % 2:
            changed[frame + 5 : frame + 9] = changed[6:10]
    elif data.startswith(b"BM"):
        changed[18:26] = struct.pack("<II", width & 0xFFFFFFFF, height & 0xFFFFFFFF)
    elif data.startswith(b"\xff\xd8"):
        for marker in (b"\xff\xc0", b"\xff\xc2"):
            frame = data.find(marker)
            if frame > 0:
                changed[frame + 5 : frame + 9] = struct.pack(">HH", height & 0xFFFF, width & 0xFFFF)
    elif data.startswith(b"RIFF"):
        if data[12:16] == b"VP8X":
            changed[24:30] = (width & 0xFFFFFF).to_bytes(3, "little") + (height & 0xFFFFFF).to_bytes(3, "little")
        elif data[12:16] == b"VP8 ":
            changed[26:30] = struct.pack("<HH", width & 0x3FFF, height & 0x3FFF)
        else:
            changed[21:25] = struct.pack("<I", (width & 0x3FFF) | (height & 0x3FFF) << 14)
    elif data[:4] in (b"II*\0", b"MM\0*"):
        order = "<" if data[:2] == b"II" else ">"
        place = struct.unpack_from(order + "I", data, 4)[0]
        for entry in range(place + 2, min(place + 2 + 12 * 20, len(data) - 12), 12):
            tag = struct.unpack_from(order + "H", data, entry)[0]
            if tag in (256, 257):
                value = (width if tag == 256 else height) & 0xFFFFFFFF
                changed[entry + 2 : entry + 12] = struct.pack(order + "HII", 4, 1, value)
    elif data[4:8] == b"ftyp" and (place := data.find(b"ispe")) > 0:
        changed[place + 8 : place + 16] = struct.pack(">II", width & 0xFFFFFFFF, height & 0xFFFFFFFF)
    elif (place := data.find(b"\xff\x4f\xff\x51")) >= 0 and place < 200:
        changed[place + 8 : place + 16] = struct.pack(">II", width & 0xFFFFFFFF, height & 0xFFFFFFFF)
        if (box := data.find(b"ihdr")) > 0:
            changed[box + 4 : box + 12] = struct.pack(">II", height & 0xFFFFFFFF, width & 0xFFFFFFFF)
    elif data[:4] == b"\0\0\1\0":
        changed[6:8] = bytes((width & 0xFF, height & 0xFF))
    elif data[:1] == b"\n" and len(data) > 128:
        changed[8:12] = struct.pack("<HH", (width - 1) & 0xFFFF, (height - 1) & 0xFFFF)
    elif data[:1] == b"\0" and len(data) > 18:  # TGA
        changed[12:16] = struct.pack("<HH", width & 0xFFFF, height & 0xFFFF)
    elif data[:1] == b"P":
        return b"%s %d %d 255 " % (data[:2], width, height) + data[12:]
    return bytes(changed)


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
