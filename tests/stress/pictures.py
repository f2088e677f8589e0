"""Good pictures of every format that is read, and files made to break a reader; all deterministic."""

from __future__ import annotations

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
