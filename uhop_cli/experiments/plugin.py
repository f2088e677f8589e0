"""A Python file of the user's own that registers methods and experiments (`uhop bench --plugin`)."""

from __future__ import annotations

import hashlib
import sys
import traceback
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from uhop_cli.errors import UhopError
from uhop_cli.experiments.grids.catalogue import EXPERIMENTS
from uhop_cli.experiments.methods.registry import METHODS
from uhop_cli.files.names import escape

_CURE = "CONTRIBUTING.md shows one that registers a method and an experiment"


def load_plugin(path: Path) -> str:
    """Runs the file, which is to call `register` for methods, experiments or both, as any program of the user's.

    Returns:
        the sha256 of the file, which belongs to the configuration of a run.

    Raises:
        UhopError: there is no such file, it fails, or it registers nothing.
    """
    if not path.is_file():
        raise UhopError(f"{escape(path)}: no such file", "name a Python file")
    name = f"uhop_plugin_{path.stem}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UhopError(f"{escape(path)}: not a Python file", "its name ends in .py")
    before = len(METHODS) + len(EXPERIMENTS)
    module = module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for the names in their annotations
    try:
        spec.loader.exec_module(module)
    except UhopError:  # such as a name that is taken
        raise
    except (Exception, SystemExit) as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        place = f"{escape(path)}{f', line {lines[-1]}' if lines else ''}"
        raise UhopError(f"{place}: {type(error).__name__}: {escape(str(error))[:200]}", _CURE) from error
    if len(METHODS) + len(EXPERIMENTS) == before:
        raise UhopError(f"{escape(path)}: registers neither a method nor an experiment", _CURE)
    return hashlib.sha256(path.read_bytes()).hexdigest()
