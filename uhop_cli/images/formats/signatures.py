"""Which format a file has, told from its first bytes; needs neither numpy nor Pillow.

The allow-list of formats stands here. What is not on it never reaches a decoder; what is a picture all the same (camera raw,
Photoshop, ...) is refused by name, with the cure where there is one.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Format = Literal["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "HEIF", "JPEG 2000", "ICO", "TGA", "PCX"]

HEAD_BYTES = 64  # what `sniff` needs to see

ACCEPTED = "PNG, JPEG, WebP, GIF, BMP, TIFF, PPM, AVIF, HEIF, JPEG 2000, ICO, TGA and PCX are read"
DEVELOP = "export it as JPEG, PNG or TIFF from a raw developer first, for example: darktable-cli picture.raw picture.png"
SAVE_AS = f"save it as PNG first; {ACCEPTED}"

SUFFIXES = {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"}
SUFFIXES |= {".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".heic", ".heif", ".hif", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"}
_WEAK_SUFFIXES: dict[Format, frozenset[str]] = {  # of what has no signature, or a short one, and in folders is told by both
    "TGA": frozenset((".tga", ".icb", ".vda", ".vst")),
    "PCX": frozenset((".pcx",)),
    "ICO": frozenset((".ico",)),
}
SUFFIXES |= set().union(*_WEAK_SUFFIXES.values())
RAW_SUFFIXES = {".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".mrw", ".nef"}
RAW_SUFFIXES |= {".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"}


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
WEB_PAGE = Signature(None, "web page", None)

_FOREIGN: tuple[tuple[bytes, str, str], ...] = (
    (b"FUJIFILMCCD-RAW", "camera raw", DEVELOP),
    (b"IIRO", "camera raw", DEVELOP),
    (b"IIRS", "camera raw", DEVELOP),
    (b"MMOR", "camera raw", DEVELOP),
    (b"IIU\x00", "camera raw", DEVELOP),
    (b"FOVb", "camera raw", DEVELOP),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL", SAVE_AS),
    (b"\xff\x0a", "JPEG XL", SAVE_AS),
    (b"8BPS", "Photoshop", SAVE_AS),
    (b"gimp xcf", "GIMP", SAVE_AS),
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
    (b"II\x1a\x00\x00\x00HEAPCCDR", "camera raw", DEVELOP),
    (b"<svg", "SVG", SAVE_AS),
    (b"%PDF-", "PDF", SAVE_AS),
    (b"PF\n", "PFM", SAVE_AS),
    (b"Pf\n", "PFM", SAVE_AS),
    (b"P7\n", "PAM", SAVE_AS),
)

_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_HEIF_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"))
_TGA_FOOTER = b"TRUEVISION-XFILE.\0"  # the last bytes of a TGA of version 2
_TGA_KINDS, _TGA_DEPTHS = (1, 2, 3, 9, 10, 11), (8, 15, 16, 24, 32)
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
    return _without_signature(head) or (WEB_PAGE if _is_page(head) else NOT_A_PICTURE)


def sniff_named(head: bytes, suffix: str) -> Signature:
    """The signature of a file from its first bytes and, for camera raw, TGA, PCX and ICO, its suffix (".NEF", any case).

    Most camera raw files are TIFF files in form whose first picture is a thumbnail, and some have no signature at all. The first
    bytes of TGA, PCX and ICO may be those of anything, so that the suffix has to say the same. Whatever is a picture of another
    kind by its bytes is taken as that, however it is called.
    """
    signature = sniff(head)
    weak = None if signature.format is None else _WEAK_SUFFIXES.get(signature.format)
    if suffix.lower() in RAW_SUFFIXES and (weak is not None or signature.format in (None, "TIFF")):
        return Signature(None, "camera raw", DEVELOP)
    return signature if weak is None or suffix.lower() in weak else NOT_A_PICTURE


def has_tga_footer(data: bytes) -> bool:
    """Whether the end of a file says that it is a TGA of version 2, and its header does not contradict."""
    return data.endswith(_TGA_FOOTER) and data[2] in _TGA_KINDS and data[16] in _TGA_DEPTHS


def suffix_of(kind: Format) -> str:
    """The suffix of a format whose file has lost its own."""
    return {"JPEG 2000": ".jp2", "HEIF": ".heic"}.get(kind, f".{kind.lower()}")


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
    if head.startswith((b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")):
        return "JPEG 2000"
    return None


def _without_signature(head: bytes) -> Signature | None:
    """Formats that are told by the values in their headers, each of which alone would fit many files."""
    word = [int.from_bytes(head[at : at + 2], "little") for at in range(0, 18, 2)]
    if len(head) < 18:
        return None
    if word[0] == 0 and word[1] in (1, 2) and 0 < word[2] <= 256 and head[9] == 0:  # a directory of so many pictures
        return Signature("ICO", "ICO", None) if word[1] == 1 else Signature(None, "cursor (CUR)", SAVE_AS)
    ends = word[4] >= word[2] and word[5] >= word[3]  # of the picture, not before its beginning
    if head[0] == 10 and head[1] in (0, 2, 3, 4, 5) and head[2] < 2 and head[3] in (1, 2, 4, 8) and ends:
        return Signature("PCX", "PCX", None)
    palette, kind, depth = head[1], head[2], head[16]
    likely = palette < 2 and kind in _TGA_KINDS and depth in _TGA_DEPTHS and word[6] and word[7] and head[17] & 0xC0 == 0
    return Signature("TGA", "TGA", None) if likely and (palette or head[3:8] == bytes(5)) else None


def _is_page(head: bytes) -> bool:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return text.startswith((b"<!doctype html", b"<html", b"<head", b"<body"))


def _iso_media(head: bytes) -> Signature:
    """HEIC, AVIF, Canon CR3 and videos share a container; its brands tell them apart."""
    brands = {head[8:12], *(head[i : i + 4] for i in range(16, len(head), 4))}
    if b"crx " in brands:
        return Signature(None, "camera raw", DEVELOP)
    if brands & _AVIF_BRANDS:
        return Signature("AVIF", "AVIF", None)
    return Signature("HEIF", "HEIF", None) if brands & _HEIF_BRANDS else Signature(None, "video", None)
