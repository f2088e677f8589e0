"""The state of a training as a safetensors file: written whole or not at all, nothing executed when it is read.

The metadata have one key, `uhop`: JSON with the schema `uhop.training/1`, what the training was asked for (`task`) and how far it
is (`history`). Tensors: `now.NAME`, the parameters as they are; where the best epoch is what is kept, `best.NAME`, as they were at
the least validation error; and `adam.I.KEY`, the state of the optimiser for parameter I.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from uhop_cli.errors import MemoryFileError
from uhop_cli.files.atomic import AtomicFile
from uhop_cli.files.names import escape
from uhop_cli.files.regular import open_regular

SCHEMA = "uhop.training/1"
CURE = "delete it, and the training begins anew"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A training after some epochs.

    Attributes:
        task: what it was asked for, JSON; a checkpoint of another task is refused.
        history: (training, validation) error of each epoch.
        now, best: parameters and buffers by name; `best` may be empty.
        adam: state of the optimiser, by number of the parameter.
    """

    task: dict[str, Any]
    history: list[tuple[float, float]]
    now: dict[str, Tensor]
    best: dict[str, Tensor]
    adam: dict[int, dict[str, Tensor]]

    def save(self, path: Path) -> None:
        """Puts it in the place of what is at `path`.

        Raises:
            OutputError: `path` cannot be written.
        """
        tensors = {f"now.{name}": value for name, value in self.now.items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        tensors |= {f"adam.{index}.{key}": value for index, state in self.adam.items() for key, value in state.items()}
        content = json.dumps({"schema": SCHEMA, "task": self.task, "history": self.history}, sort_keys=True, allow_nan=False)
        # clone: safetensors refuses tensors that share memory
        whole = safetensors.torch.save({name: value.detach().cpu().clone() for name, value in tensors.items()}, {"uhop": content})
        with AtomicFile(path) as file:
            file.write(whole, 0)
            file.commit()

    @classmethod
    def load(
        cls, path: Path, like: Mapping[str, Tensor], moved: Sequence[Tensor], task: dict[str, Any], *, best: bool = True
    ) -> Checkpoint:
        """The checkpoint at `path`, of a model whose parameters and buffers are `like`, and of an optimiser that moves `moved`.

        Args:
            path: of the file.
            like: names, shapes and types of parameters and buffers.
            moved: what the optimiser moves.
            task: what it has to be about.
            best: whether it has to have the best parameters, too.

        Raises:
            MemoryFileError: damaged, of another version, of another task, or of a model of other sizes.
        """
        data = _read(path, most=16 * sum(value.numel() * 4 for value in like.values()) + (1 << 20))
        try:
            content = json.loads(_metadata(data)["uhop"])
            tensors = safetensors.torch.load(data)
        except (safetensors.SafetensorError, ValueError, KeyError, TypeError):
            raise MemoryFileError(f"{escape(path)}: no training, or a damaged one", CURE) from None
        if content.get("schema") != SCHEMA or content.get("task") != task:
            raise MemoryFileError(f"{escape(path)}: belongs to another training", CURE)
        try:
            parts = ("now", "best") if best else ("now",)
            found = [{name: _like(tensors[f"{part}.{name}"], like[name]) for name in like} for part in parts]
            adam = {
                index: {key: _like(tensors[f"adam.{index}.{key}"], value) for key, value in _adam(parameter).items()}
                for index, parameter in enumerate(moved)
            }
            history = [(float(error), float(held_out)) for error, held_out in content["history"]]
        except (KeyError, TypeError, ValueError):
            raise MemoryFileError(f"{escape(path)}: inconsistent", CURE) from None
        return cls(task, history, found[0], found[1] if best else {}, adam)


def copied(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Parameters and buffers as they are now, whatever happens to them later."""
    return {name: value.detach().clone(memory_format=torch.contiguous_format) for name, value in state.items()}


def _adam(parameter: Tensor) -> dict[str, Tensor]:
    """The state of Adam for a parameter, as far as its names and shapes go."""
    return {"step": torch.zeros(()), "exp_avg": parameter, "exp_avg_sq": parameter}


def _like(found: Tensor, expected: Tensor) -> Tensor:
    if found.shape != expected.shape or found.dtype != expected.dtype:
        raise ValueError
    return found


def _read(path: Path, most: int) -> bytes:
    descriptor = open_regular(path, MemoryFileError, "training", CURE)
    try:
        if os.fstat(descriptor).st_size > most:
            raise MemoryFileError(f"{escape(path)}: larger than a training of this model can be", CURE)
        with open(descriptor, "rb", closefd=False) as file:
            return file.read()
    except OSError as error:
        raise MemoryFileError(f"{escape(path)}: cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)


def _metadata(data: bytes) -> dict[str, str]:
    """The free strings in the header of a safetensors file, whose size its first 8 bytes tell."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    found = header["__metadata__"]
    if not isinstance(found, dict):
        raise TypeError
    return found
