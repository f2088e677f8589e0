"""Opening an image file: its plug-in by its bytes, its header checked, and one line for whatever a decoder raises.

Nothing for the pixels is allocated here, but by the plug-ins of WebP and ICO, whose sizes are checked before.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING

from uhop_cli.errors import ImageError
from uhop_cli.files.names import escape
from uhop_cli.images.formats.boxes import check_boxes
from uhop_cli.images.formats.hevc import check_heif
from uhop_cli.images.formats.icons import check_icons
from uhop_cli.images.formats.jpeg2000 import check_codestream
from uhop_cli.images.formats.limits import MAX_PPM_HEADER, check_size, check_structure, check_work, is_raw_thumbnail
from uhop_cli.images.formats.signatures import ACCEPTED, DEVELOP, HEAD_BYTES, WEB_PAGE, Format, has_tga_footer, sniff
from uhop_cli.images.formats.silence import quiet_libtiff, quiet_pillow

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

AGAIN = "copy it once more from where it came from"

_PLUGINS: dict[Format, tuple[str, str]] = {
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),  # of an MPO file this is the first picture
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "PPM": ("PIL.PpmImagePlugin", "PpmImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "HEIF": ("pi_heif.as_plugin", "HeifImageFile"),  # decodes only, and its wheels hold no code under the GPL
    "JPEG 2000": ("PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile"),
    "ICO": ("PIL.IcoImagePlugin", "IcoImageFile"),  # its largest picture
    "TGA": ("PIL.TgaImagePlugin", "TgaImageFile"),
    "PCX": ("PIL.PcxImagePlugin", "PcxImageFile"),
}
# Of these a file that ends too early gives no picture at all: what stands where is told elsewhere in it, or a decoder wants it all.
WHOLE_ONLY: frozenset[Format] = frozenset(("AVIF", "HEIF", "JPEG 2000", "ICO"))
_CHECKS: dict[Format, Callable[[bytes], None]] = {
    "AVIF": check_boxes, "HEIF": check_heif, "JPEG 2000": check_codestream, "ICO": check_icons,
}  # fmt: skip

quiet_pillow()


def recognised(data: bytes) -> Format:
    """The format of a file, told by its first bytes.

    Raises:
        ImageError: none that is read; what it is instead, and the cure.
    """
    signature = sniff(data[:HEAD_BYTES])
    if signature.format is not None:
        return signature.format
    if has_tga_footer(data):
        return "TGA"
    if not data:
        raise ImageError("an empty file", AGAIN)
    if not data[:HEAD_BYTES].strip(b"\0"):
        raise ImageError("a file of zeros", f"nothing of a picture is left in it; {AGAIN}")
    if signature == WEB_PAGE:
        raise ImageError("a web page, not a picture", "download the picture itself")
    if signature.cure is None:
        raise ImageError("not an image of a known format", ACCEPTED)
    raise ImageError(f"{signature.name} pictures are not read", signature.cure)


def opened(data: bytes, kind: Format) -> ImageFile:
    """The file with its header read and checked, its pixels not yet decoded.

    Raises:
        ImageError: damaged, too large, or of too much work.
    """
    with refusing(kind):
        check_structure(data, kind)
        if kind in _CHECKS:
            _CHECKS[kind](data)
        if kind == "TIFF":
            quiet_libtiff()
        plugin = _plugin(kind)
        if kind == "PPM":
            plugin(BytesIO(data[:MAX_PPM_HEADER]))  # raises where the header has no end
        file: ImageFile = plugin(BytesIO(data))
        if kind == "TIFF" and is_raw_thumbnail(file):
            raise ImageError("camera raw pictures are not read", DEVELOP)
        check_size(file, kind, data)
        check_work(file, kind, data)
    return file


def _plugin(kind: Format) -> Callable[[BytesIO], ImageFile]:
    """The class that reads the format.

    Raises:
        ImageError: it is not installed.
    """
    module, name = _PLUGINS[kind]
    try:
        plugin: Callable[[BytesIO], ImageFile] = getattr(import_module(module), name)
    except ImportError:
        raise ImageError("HEIF pictures need the extra `heif`", "pip install 'uhop-cli[heif]', or convert it to JPEG") from None
    return plugin


class refusing:
    """Turns whatever a decoder raises on damaged data into one `ImageError`."""

    def __init__(self, kind: Format) -> None:
        self._kind = kind

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if error is None or isinstance(error, ImageError) or not isinstance(error, Exception):
            return
        if isinstance(error, MemoryError):
            raise ImageError("more memory is needed to decode it than there is", "save a smaller copy") from None
        if type(error).__name__ == "DecompressionBombError":
            raise ImageError("too large: it would unpack to hundreds of megapixels", "save a smaller copy") from None
        if is_cut(error) and self._kind not in WHOLE_ONLY:
            raise ImageError(f"the {self._kind} file is cut short, before the first pixels", AGAIN) from None
        text = str(error).strip() or type(error).__name__
        raise ImageError(f"damaged {self._kind} data ({escape(text)[:120]})", AGAIN) from None


def is_cut(error: Exception) -> bool:
    """Whether a decoder raised this because the file ended too early."""
    return "truncated" in str(error).lower() or isinstance(error, EOFError)
