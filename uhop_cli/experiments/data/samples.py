"""Where the sample pictures are: inside an installed package, or at the top of a source checkout."""

from __future__ import annotations

from pathlib import Path

from uhop_cli.errors import UhopError


def sample_data() -> Path:
    """The folder that holds `images/` (the pictures to store) and `damaged/` (copies to restore).

    Raises:
        UhopError: the installation lacks it.
    """
    package = Path(__file__).resolve().parents[2]
    for folder in (package / "sample_data", package.parent / "sample_data"):
        if (folder / "images").is_dir() and (folder / "damaged").is_dir():
            return folder
    raise UhopError("the sample pictures are not part of this installation", "install uhop-cli again, from a wheel or a checkout")
