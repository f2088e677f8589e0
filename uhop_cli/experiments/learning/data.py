"""What the learning experiments learn from, and what their journal says of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from uhop_cli.experiments.data.bags import Bags, load_bags
from uhop_cli.experiments.data.datasets import data_folders
from uhop_cli.experiments.data.labelled import LabelledSet, load_labelled
from uhop_cli.experiments.learning.config import MIL
from uhop_cli.progress import OnProgress


def load(
    experiments: Sequence[str], name: str, data_dir: Path | None, progress: OnProgress | None
) -> tuple[LabelledSet | Bags, dict[str, Any], tuple[str, ...]]:
    """The data for these experiments, what there is to say of them, and warnings.

    Raises:
        DatasetError: they cannot be found, downloaded or used.
    """
    if MIL in experiments:
        bags = load_bags(name, data_folders(data_dir))
        about = {"dataset": bags.name, "train": len(bags), "test": 0, "classes": 2, "digest": bags.digest, "files": {}}
        return bags, about | {"instances": len(bags.instances), "features": bags.instances.shape[1]}, ()
    data = load_labelled(name, data_dir, progress)
    about = {"dataset": data.name, "train": len(data.train), "test": len(data.test), "classes": data.classes}
    return data, about | {"digest": data.digest, "files": data.files, "shape": list(data.train.pixels.shape[1:])}, data.warnings
