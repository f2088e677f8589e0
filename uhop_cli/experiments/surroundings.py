"""Where an experiment that trains nets takes place; its rows do not depend on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from uhop_cli.arrays.device import resolve_device
from uhop_cli.progress import OnProgress


@dataclass(frozen=True)
class Surroundings:
    """Where a run takes place.

    Attributes:
        folder: where trained nets and the state of their training are kept; None: nowhere.
        device: of the nets, as `--device` writes it.
        progress: is told how far a training is.
    """

    folder: Path | None = None
    device: str = "auto"
    progress: OnProgress | None = None

    def torch_device(self, flop: float) -> str:
        """Where nets are trained, as torch calls it.

        Args:
            flop: about how much work a training is; `auto` takes a GPU only where it is worth its start.
        """
        kind = resolve_device(self.device, flop).kind
        return "cpu" if kind == "torch-cpu" else kind

    def net_file(self, name: str) -> Path | None:
        """Where the state of the training called `name` is kept."""
        if self.folder is None:
            return None
        folder = self.folder / "nets"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{name}.safetensors"
