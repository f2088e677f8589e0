"""Which format a file has, told from its first bytes; needs neither numpy nor Pillow.

The allow-list of formats stands here. What is not on it never reaches a decoder; what is a picture all the same (HEIC, camera
raw, Photoshop, ...) is refused by name, with the cure where there is one.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Format = Literal["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"]

HEAD_BYTES = 64  # what `sniff` needs to see

ACCEPTED = "PNG, JPEG, WebP, GIF, BMP, TIFF and PPM are read"
CONVERT = "convert it to PNG or JPEG first, for example: magick picture.heic picture.png"
DEVELOP = "export it as JPEG, PNG or TIFF from a raw developer first, for example: darktable-cli picture.raw picture.png"
SAVE_AS = f"save it as PNG first; {ACCEPTED}"

SUFFIXES = {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"}
SUFFIXES |= {".ppm", ".pgm", ".pbm", ".pnm"}
_HEIF_SUFFIXES = {".heic", ".heif", ".hif", ".avif"}
_RAW_SUFFIXES = {".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".mrw", ".nef"}
_RAW_SUFFIXES |= {".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"}


class Signature(NamedTuple):
    """What the first bytes, or the suffix, say a file is.

    Attributes:
        format: the format to decode it as, or None where it is not on the allow-list.
        name: what to call it.
        cure: what the user can do about a picture that is not read, or None where it is no picture at all.
    """

    format: Format | None
    name: str
    cure: str | None


NOT_A_PICTURE = Signature(None, "not a picture", None)

_FOREIGN: tuple[tuple[bytes, str, str], ...] = (
    (b"FUJIFILMCCD-RAW", "camera raw", DEVELOP),
    (b"IIRO", "camera raw", DEVELOP),
    (b"IIRS", "camera raw", DEVELOP),
    (b"MMOR", "camera raw", DEVELOP),
    (b"IIU\x00", "camera raw", DEVELOP),
    (b"FOVb", "camera raw", DEVELOP),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000", SAVE_AS),
    (b"\xff\x4f\xff\x51", "JPEG 2000", SAVE_AS),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL", SAVE_AS),
    (b"\xff\x0a", "JPEG XL", SAVE_AS),
    (b"8BPS", "Photoshop", SAVE_AS),
    (b"gimp xcf", "GIMP", SAVE_AS),
    (b"\x00\x00\x01\x00", "icon (ICO)", SAVE_AS),
    (b"\x00\x00\x02\x00", "cursor (CUR)", SAVE_AS),
    (b"icns", "icon (ICNS)", SAVE_AS),
    (b"DDS ", "DDS texture", SAVE_AS),
    (b"BLP1", "BLP texture", SAVE_AS),
    (b"BLP2", "BLP texture", SAVE_AS),
    (b"qoif", "QOI", SAVE_AS),
    (b"\x76\x2f\x31\x01", "OpenEXR", SAVE_AS),
    (b"#?RADIANCE", "Radiance HDR", SAVE_AS),
    (b"SIMPLE  =", "FITS", SAVE_AS),
    (b"\x01\xda", "SGI", SAVE_AS),
    (b"\x59\xa6\x6a\x95", "Sun raster", SAVE_AS),
    (b"/* XPM */", "XPM", SAVE_AS),
    (b"<svg", "SVG", SAVE_AS),
    (b"%PDF-", "PDF", SAVE_AS),
    (b"PF\n", "PFM", SAVE_AS),
    (b"Pf\n", "PFM", SAVE_AS),
    (b"P7\n", "PAM", SAVE_AS),
)

_HEIC_BRANDS = frozenset((b"heic", b"heix", b"hevc", b"heim", b"heis"))
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_HEIF_BRANDS = frozenset((b"mif1", b"msf1"))  # the container alone
_BMP_HEADER_SIZES = frozenset((12, 16, 40, 52, 56, 64, 108, 124))


def sniff(head: bytes) -> Signature:
    """The signature in the first `HEAD_BYTES` bytes of a file; `NOT_A_PICTURE` where nothing is recognised."""
    accepted = _accepted(head)
    if accepted:
        if accepted == "TIFF" and head[8:10] == b"CR":
            return Signature(None, "camera raw", DEVELOP)
        return Signature(accepted, accepted, None)
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    for start, name, cure in _FOREIGN:
        if head.startswith(start):
            return Signature(None, name, cure)
    return NOT_A_PICTURE


def foreign_suffix(suffix: str) -> Signature | None:
    """What a file with this suffix (".NEF", any case) is if uhop does not read it, else None.

    Most camera raw files are TIFF files in form whose first picture is a thumbnail, so the suffix is asked before the bytes.
    """
    lower = suffix.lower()
    if lower in _HEIF_SUFFIXES:
        return Signature(None, "AVIF" if lower == ".avif" else "HEIC", CONVERT)
    return Signature(None, "camera raw", DEVELOP) if lower in _RAW_SUFFIXES else None


def _accepted(head: bytes) -> Format | None:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    if head.startswith((b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")):
        return "TIFF"
    # two letters alone would take a text that starts with "BM"; the header that follows has one of few sizes
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    if len(head) > 2 and head[:1] == b"P" and head[1:2] in b"123456" and head[2:3] in b" \t\r\n\x0b\x0c#":
        return "PPM"
    return None


def _iso_media(head: bytes) -> Signature:
    """HEIC, AVIF, Canon CR3 and videos share a container; its brands tell them apart."""
    brands = {head[8:12], *(head[i : i + 4] for i in range(16, len(head), 4))}
    if b"crx " in brands:
        return Signature(None, "camera raw", DEVELOP)
    for known, name in ((_AVIF_BRANDS, "AVIF"), (_HEIC_BRANDS, "HEIC"), (_HEIF_BRANDS, "HEIF")):
        if brands & known:
            return Signature(None, name, CONVERT)
    return Signature(None, "video", None)
