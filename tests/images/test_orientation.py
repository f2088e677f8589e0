"""Pictures as the eye sees them: EXIF orientations 1 to 8."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from made_pictures import (
    RGB,
    chunk,
    stored,
    turned,
)
from uhop_cli.images.decode import decode, read_header


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "JPEG"])
def test_exif_orientation(kind, orientation):
    y, x = np.mgrid[:48, :32]
    smooth = np.stack((x * 6, y * 4, x + y), axis=2).astype(np.uint8)
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    data = stored(Pillow.fromarray(smooth), kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    image = decode(data)
    expected = turned(smooth, orientation)
    header = read_header(data)
    assert (header.height, header.width) == image.pixels.shape[:2] == expected.shape[:2]
    assert np.abs(image.pixels.astype(int) - expected).mean() < (4 if kind == "JPEG" else 1e-9)


def test_orientation_after_the_pixels_of_a_png_and_in_xmp():
    exif = Pillow.Exif()
    exif[0x0112] = 6
    late = stored(Pillow.fromarray(RGB))
    late = late[:-12] + chunk(b"eXIf", exif.tobytes()[6:]) + late[-12:]
    assert decode(late).pixels.shape == (8, 6, 3)
    assert read_header(late).width == 6
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="3"/></x:xmpmeta>')
    assert np.array_equal(decode(stored(Pillow.fromarray(RGB), pnginfo=info)).pixels, RGB[::-1, ::-1])
