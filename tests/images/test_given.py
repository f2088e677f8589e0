"""Pictures as programs have them: every form of one picture is the same picture."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from made_pictures import ALPHA, GRAY, RGB, palette_image, stored
from uhop_cli.errors import ImageError
from uhop_cli.images.decode import Image
from uhop_cli.images.given import header_of, image_of, is_picture, name_of


@pytest.mark.parametrize("pixels", [RGB, GRAY, np.dstack((RGB, ALPHA))], ids=["rgb", "gray", "alpha"])
def test_all_forms_of_a_picture_are_the_same(pixels, tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    path.write_bytes(stored(Pillow.fromarray(pixels)))
    forms = [str(path), path, path.read_bytes(), Pillow.fromarray(pixels), Pillow.open(path), pixels, pixels / 255]
    decoded = [image_of(form) for form in forms]
    assert image_of(decoded[0]) is decoded[0]
    for form, image in zip(forms, decoded, strict=True):
        assert np.array_equal(image.pixels, decoded[0].pixels)
        assert np.array_equal(image.alpha, decoded[0].alpha) if image.alpha is not None else decoded[0].alpha is None
        header = header_of(form)
        assert (header.width, header.height, header.gray) == (8, 6, pixels.ndim == 2)
        assert header.alpha == (pixels.ndim == 3 and pixels.shape[2] == 4)
        assert is_picture(form)


def test_what_a_photo_of_a_phone_looks_like_upright() -> None:
    turned = Pillow.Exif()
    turned[0x0112] = 6
    data = stored(Pillow.fromarray(RGB), "PNG", exif=turned)
    given = Pillow.open(BytesIO(data))
    assert np.array_equal(image_of(given).pixels, image_of(data).pixels)
    assert image_of(given).pixels.shape == (8, 6, 3)
    assert (header_of(given).width, header_of(given).height) == (6, 8)


def test_palettes_and_truth_values() -> None:
    indexed, pixels = palette_image()
    assert np.array_equal(image_of(indexed).pixels, pixels)
    assert np.array_equal(image_of(GRAY > 99).pixels[:, :, 0], (GRAY > 99) * np.uint8(255))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (None, "a NoneType is no picture"),
        (7, "a int is no picture"),
        ({"a": 1}, "a dict is no picture"),
        (np.zeros((2, 3, 5)), "no picture"),
        (np.zeros((0, 3)), "no picture"),
        (np.zeros(7), "no picture"),
        (np.full((2, 2), 1.5), "1.5 to 1.5"),
        (np.full((2, 2), -0.1), "-0.1"),
        (np.full((2, 2), np.nan), "nan"),
        (np.zeros((2, 2), np.int32), "int32"),
        (np.array([["a", "b"]]), "no numbers"),
        ("no-such-file.png", "no-such-file.png"),
        (b"text", "not an image"),
    ],
)
def test_what_is_no_picture_is_said_with_a_cure(wrong: object, message: str) -> None:
    for work in (image_of, header_of):
        with pytest.raises(ImageError) as caught:
            work(wrong)
        assert message in caught.value.message
        assert caught.value.hint or caught.value.cure


def test_a_file_that_pil_cannot_decode(tmp_path: Path) -> None:
    (tmp_path / "cut.jpg").write_bytes(stored(Pillow.fromarray(RGB.repeat(9, axis=0)), "JPEG")[:-60])
    with Pillow.open(tmp_path / "cut.jpg") as given, pytest.raises(ImageError, match="PIL cannot decode it"):
        image_of(given)


def test_names(tmp_path: Path) -> None:
    (tmp_path / "p.png").write_bytes(stored(Pillow.fromarray(RGB)))
    with Pillow.open(tmp_path / "p.png") as given:
        assert name_of(tmp_path / "p.png") == name_of(given) == str(tmp_path / "p.png")
    assert name_of("a\x1b[0m") == "a\\x1b[0m"
    assert name_of(RGB) is None
    assert name_of(Pillow.fromarray(RGB)) is None
    assert not is_picture([RGB])
    assert not is_picture(np.zeros((3, 4, 5, 3)))
    assert is_picture(Image(RGB, None))
