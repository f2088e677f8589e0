"""Prints how far the patterns of photographs that are decoded at reduced size lie from those of all their pixels.

    python tests/acceptance/reduced.py --data-dir ~/data

Each photograph under DIR/photos is brought to a random size from 400 to 1,600 pixels on its shorter side and saved as JPEG and PNG;
without photographs the script says so and stops. The exit status is 1 if more than five values in a thousand are off by more than
one level of 255, or if any is off by more than 8.
"""

from __future__ import annotations

import argparse
import os
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from uhop_cli.images.decode import decode
from uhop_cli.images.patterns import PatternSpec, to_pattern

SIDES = (400, 1600)
SPEC = PatternSpec(32, 32, 3)


def main() -> int:
    """Print one line for each kind of file; 1 if a promise is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path(os.environ.get("UHOP_DATA_DIR", "")))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    photos = sorted((options.data_dir / "photos").rglob("*.jpg"))
    if not photos:
        print(f"skipped: no photographs under {options.data_dir / 'photos'}")
        return 0
    rng, missed = np.random.default_rng(options.seed), False
    off: dict[str, list[np.ndarray]] = {"JPEG": [], "PNG": []}
    for path in photos:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
        scale = rng.integers(*SIDES, endpoint=True) / min(image.size)
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
        for kind, differences in off.items():
            file = BytesIO()
            image.save(file, kind, **({"quality": 90} if kind == "JPEG" else {"compress_level": 1}))
            full, reduced = (to_pattern(decode(file.getvalue(), draft=draft), SPEC).astype(int) for draft in (None, (32, 32)))
            differences.append(reduced - full)
    for kind, differences in off.items():
        size = np.abs(np.stack(differences))
        more, worst = float((size > 1).mean()), int(size.max())
        kept = more <= 0.005 and worst <= 8
        missed |= not kept
        print(
            f"{kind}: {len(photos)} photographs, rms {np.sqrt((size**2.0).mean()):.2f} levels, more than 1 level {more:.2%}, "
            f"worst {worst}  {'kept' if kept else 'MISSED'}"
        )
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
