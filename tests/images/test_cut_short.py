"""Files that end too early: what counts as seen is what the whole file has there, and nothing else does."""

from __future__ import annotations

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageFile

from made_pictures import chunk, refusal, stored
from uhop_cli.errors import ImageError
from uhop_cli.images.cut_short import spread
from uhop_cli.images.decode import decode, read_header
from uhop_cli.images.formats.limits import check_structure

Y, X = np.mgrid[:96, :80]
NOISE = np.random.default_rng(3).integers(0, 40, (96, 80, 3))
RGB = (np.stack((X * 2, Y * 2, X + Y), axis=2) + NOISE).astype(np.uint8)
PICTURE = Pillow.fromarray(RGB)
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def png_in_passes(pixels):
    passes = [pixels[top::down, left::across] for top, left, down, across in ADAM7]
    body = zlib.compress(b"".join(b"\0" + row.tobytes() for part in passes for row in part))
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 2, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def tiff_in_strips(pixels, rows, order="<"):
    """A TIFF whose directory comes first, of strips of so many rows, each compressed on its own."""
    strips = [zlib.compress(pixels[top : top + rows].tobytes()) for top in range(0, len(pixels), rows)]
    tags = 10
    tables = 8 + 2 + 12 * tags + 4
    first = tables + 6 + 8 * len(strips)
    places = [first + sum(map(len, strips[:index])) for index in range(len(strips))]
    entries = [
        (256, 4, 1, pixels.shape[1]), (257, 4, 1, pixels.shape[0]), (258, 3, 3, tables), (259, 3, 1, 8), (262, 3, 1, 2),
        (273, 4, len(strips), tables + 6), (277, 3, 1, 3), (278, 4, 1, rows), (279, 4, len(strips), tables + 6 + 4 * len(strips)),
        (284, 3, 1, 1),
    ]  # fmt: skip
    kinds = {3: "HH", 4: "I"}
    body = b"".join(
        struct.pack(
            order + "HHI" + kinds[kind if count == 1 else 4],
            tag,
            kind,
            count,
            *([value, 0] if kind == 3 and count == 1 else [value]),
        )
        for tag, kind, count, value in entries
    )
    lengths = struct.pack(order + f"{len(strips)}I", *map(len, strips))
    table = struct.pack(order + "3H", 8, 8, 8) + struct.pack(order + f"{len(strips)}I", *places) + lengths
    start = b"II*\0" if order == "<" else b"MM\0*"
    return start + struct.pack(order + "IH", 8, tags) + body + bytes(4) + table + b"".join(strips)


ROW_BY_ROW = {
    "JPEG": stored(PICTURE, "JPEG", quality=90),
    "JPEG 4:4:4": stored(PICTURE, "JPEG", quality=90, subsampling=0),
    "JPEG grey": stored(PICTURE.convert("L"), "JPEG"),
    "JPEG CMYK": stored(PICTURE.convert("CMYK"), "JPEG"),
    "JPEG restarts": stored(PICTURE, "JPEG", quality=90, restart_marker_rows=1),
    "PNG": stored(PICTURE),
    "PNG palette": stored(PICTURE.quantize(32), transparency=3),
    "PNG 1 bit": stored(PICTURE.convert("1")),
    "PNG 16": stored(Pillow.fromarray(RGB[..., 0].astype(np.uint16) * 257)),
    "GIF": stored(PICTURE.quantize(32), "GIF", interlace=0),
    "WEBP": stored(PICTURE, "WEBP", quality=90),
    "WEBP lossless": stored(PICTURE, "WEBP", lossless=True),
    "TIFF": stored(PICTURE, "TIFF"),
    "TIFF floats": stored(Pillow.fromarray(RGB[..., 0].astype(np.float32) * 20 - 300), "TIFF"),
    "TIFF strips": tiff_in_strips(RGB, 8),
    "TIFF strips, big-endian": tiff_in_strips(RGB, 8, ">"),
    "BMP": stored(PICTURE, "BMP"),
    "PPM": stored(PICTURE, "PPM"),
}
IN_PASSES = {
    "PNG": png_in_passes(RGB),
    "GIF": stored(PICTURE.quantize(32), "GIF", interlace=1),
    "JPEG": stored(PICTURE, "JPEG", quality=90, progressive=True),
}


def seen(image):
    return np.ones(image.pixels.shape[:2], bool) if image.missing is None else ~image.missing


@pytest.mark.parametrize("name", ROW_BY_ROW)
def test_what_is_seen_is_what_the_whole_file_has_there(name):
    data = ROW_BY_ROW[name]
    whole = decode(data)
    assert whole.missing is None
    assert whole.flaw is None
    shares = []
    for share in np.linspace(0.1, 1, 19):
        cut = data[: int(share * len(data)) - 1]
        try:
            image = decode(cut)
        except ImageError:
            error = refusal(cut)
            assert "cut short" in error.message
            assert error.hint
            shares.append(0.0)
            continue
        assert image.pixels.shape == whole.pixels.shape
        visible = seen(image)
        assert (image.flaw is None) == visible.all()
        if name != "TIFF floats":  # whose least and greatest value, which become 0 and 255, may not have come yet
            assert np.array_equal(image.pixels[visible], whole.pixels[visible])
        rows = visible.all(axis=1)
        assert visible.any(axis=1).sum() - rows.sum() <= (name == "GIF"), "whole rows"
        shares.append(visible.mean())
    assert shares == sorted(shares)
    assert shares[9] > 0.05
    assert shares[-1] > 0.7


@pytest.mark.parametrize("name", IN_PASSES)
def test_a_picture_that_comes_in_passes_is_seen_coarsely(name):
    data = IN_PASSES[name]
    whole = decode(data)
    errors = []
    for share in (0.45, 0.6, 0.9):
        image = decode(data[: int(share * len(data))])
        assert "cut short: all of the picture is there, but coarsely" in image.flaw
        assert image.missing is None
        errors.append(np.abs(image.pixels.astype(int) - whole.pixels).mean())
    assert errors == sorted(errors, reverse=True)
    assert errors[0] < 25
    assert errors[-1] < 6


def test_a_progressive_jpeg_that_ends_in_its_first_scan():
    data = IN_PASSES["JPEG"]
    second = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    first = data.index(b"\xff\xda")
    image = decode(data[: (first + 4 * second) // 5])
    rows = seen(image).all(axis=1)
    assert 0.1 < rows.mean() < 0.9
    assert np.array_equal(rows, np.arange(len(rows)) < rows.sum())
    coarse = decode(data[: second + 2])
    assert np.array_equal(image.pixels[rows][:-8], coarse.pixels[rows][:-8])
    assert "% of the picture" in image.flaw


def test_a_jpeg_whose_colours_have_not_come_is_refused():
    whole = ROW_BY_ROW["JPEG 4:4:4"]
    frame, scan = whole.index(b"\xff\xc0"), whole.index(b"\xff\xda")
    # the header of its only scan is made to announce the first component alone
    alone = whole[:scan] + b"\xff\xda\x00\x08\x01" + whole[scan + 5 : scan + 7] + b"\x00\x3f\x00" + whole[scan + 14 :]
    assert whole[frame + 9] == 3
    assert "before its colours" in refusal(alone[: len(alone) // 2]).message


def test_a_file_that_lacks_only_what_follows_the_picture_is_whole():
    png = ROW_BY_ROW["PNG"]
    webp = stored(PICTURE, "WEBP", lossless=True, exif=Pillow.Exif().tobytes() + bytes(50))
    frames = stored(PICTURE, "WEBP", lossless=True, save_all=True, append_images=[PICTURE.rotate(90)])
    for data in (png[:-12], png[:-14], webp[:-20], frames[: len(frames) * 3 // 4]):
        image = decode(data)
        assert image.flaw is None
        assert image.missing is None
        assert np.array_equal(image.pixels, RGB)
    for name in ("JPEG", "JPEG 4:4:4", "JPEG grey", "JPEG CMYK", "JPEG restarts"):
        data = ROW_BY_ROW[name]
        for lacking in (1, 2):
            for draft in (None, (2, 2)):
                image = decode(data[:-lacking], draft=draft)
                assert image.flaw is None
                assert np.array_equal(image.pixels, decode(data, draft=draft).pixels)
        assert decode(data[:-30]).flaw is not None


def test_the_header_of_a_webp_that_is_cut_short():
    data = ROW_BY_ROW["WEBP"]
    assert read_header(data[: len(data) // 2]) == read_header(data)
    assert "cut short" in refusal(data[:40]).message
    hostile = bytearray(data[: len(data) // 2])
    hostile[4:8] = hostile[16:20] = b"\xf0\xff\xff\x7f"
    assert "nearly all of it is missing" in refusal(bytes(hostile)).message


def test_a_tiff_without_its_directory_says_so():
    data = stored(PICTURE, "TIFF", compression="tiff_lzw")  # Pillow writes the directory of such a file at its end
    assert "describes its pixels" in refusal(data[: len(data) // 2]).message
    check_structure(data, "TIFF")


def test_of_a_png_nothing_counts_after_a_wrong_checksum():
    rows = np.random.default_rng(0).integers(0, 256, (96, 80, 3), dtype=np.uint8)
    body = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 80, 96, 8, 2, 0, 0, 0))
    half = len(body) // 2
    second = bytearray(chunk(b"IDAT", body[half:]))
    good = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", body[:half])
    assert decode(good + bytes(second) + chunk(b"IEND", b"")).flaw is None
    second[20] ^= 4
    first = good.replace(b"IDAT", b"IDAT" + b"x", 1)
    assert "the PNG file is damaged, before the first pixels" in refusal(first + bytes(second)).message
    image = decode(good + bytes(second) + chunk(b"IEND", b""))
    assert image.flaw.startswith("the PNG file is damaged: ")
    assert 0.4 < seen(image).mean() <= 0.5
    assert np.array_equal(image.pixels[seen(image)], rows[seen(image)])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_what_is_missing_turns_with_the_picture(orientation):
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    data = stored(PICTURE, "PNG", exif=exif)
    whole = decode(data)
    for draft in (None, (2, 2)):
        image = decode(data[: len(data) * 2 // 3], draft=draft)
        assert image.missing.shape == image.pixels.shape[:2]
        assert 0.2 < image.missing.mean() < 0.5
        if draft is None:
            assert np.array_equal(image.pixels[~image.missing], whole.pixels[~image.missing])
        edge = {1: (-1, 0), 2: (-1, 0), 3: (0, 0), 4: (0, 0), 5: (0, -1), 6: (0, 0), 7: (0, 0), 8: (0, -1)}[orientation]
        assert image.missing[edge]
        assert image.missing.all(axis=1).any() == (orientation < 5)


def test_threads_are_not_disturbed_and_nothing_global_is_changed():
    jobs = [(name, data[: len(data) * 2 // 3]) for name, data in ROW_BY_ROW.items()] * 3
    alone = [decode(data) for _, data in jobs]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda job: decode(job[1]), jobs))
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(seen(one), seen(other))
        assert np.array_equal(one.pixels[seen(one)], other.pixels[seen(one)])
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_gaps_take_the_value_of_the_pixel_that_they_refine():
    known = np.zeros((9, 12), bool)
    known[::8, ::8] = True
    known[0, 4] = True
    values = np.arange(9 * 12).reshape(9, 12) * known
    spread((values, known))
    assert known.all()
    assert values[7].tolist() == [0] * 4 + [4] * 4 + [8] * 4
    assert values[8].tolist() == [96] * 8 + [104] * 4
    known = np.zeros((16, 2), bool)
    known[::8] = True
    known[4] = True
    values = np.arange(32).reshape(16, 2) * known
    spread((values, known))
    assert values[:, 0].tolist() == [0] * 4 + [8] * 4 + [16] * 8
