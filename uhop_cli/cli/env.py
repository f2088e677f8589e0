"""`uhop env`: what a report of a bug should say of the machine."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from uhop_cli.cli import options
from uhop_cli.cli.help import examples
from uhop_cli.cli.output import Output, bytes_in_words
from uhop_cli.files.names import escape
from uhop_cli.version import __version__

EXAMPLES = examples(
    ("uhop env", "for a report of a bug"),
    ("uhop env --json", "the same for programs"),
)
NEEDED = ("numpy", "pillow", "safetensors", "typer", "rich", "jinja2", "array-api-compat", "platformdirs", "threadpoolctl", "torch")
EXTRAS = ("pi-heif", "matplotlib", "opencv-python-headless", "dask", "distributed", "faiss-cpu", "imagehash")
VARIABLES = (
    "UHOP_MEMORY",
    "UHOP_DEVICE",
    "UHOP_DATA_DIR",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NO_COLOR",
)
CODECS = ("jpg", "libjpeg_turbo", "zlib", "libtiff", "webp", "avif", "jpg_2000")  # as Pillow calls them


def env(
    as_json: options.Json = False,
    debug: options.Debug = False,
) -> None:
    """Say what is installed, and what the machine has: versions, device, threads, BLAS, paths."""
    output = Output(json=as_json)
    found = describe()
    output.document(found)
    packages = {name: number or "not installed" for name, number in found["packages"].items()}
    output.facts(
        [
            ("uhop", f"{found['uhop']}, Python {found['python']}, {found['system']}"),
            ("packages", ", ".join(f"{name} {packages[name]}" for name in NEEDED)),
            ("extras", ", ".join(f"{name} {packages[name]}" for name in EXTRAS)),
            ("codecs", ", ".join(f"{name} {number or 'missing'}" for name, number in found["codecs"].items())),
            ("devices", ", ".join(found["devices"])),
            ("cores", f"{found['cores']}, of which {found['threads']} are used; {bytes_in_words(found['memory_available'])} free"),
            ("blas", "; ".join(_blas_in_words(item) for item in found["blas"]) or "none found"),
            *((f"path of {name}", path) for name, path in found["paths"].items()),
            *((name, value) for name, value in found["environment"].items()),
        ]
    )


def describe() -> dict[str, Any]:
    """The document `uhop.env/1`."""
    from uhop_cli.arrays.device import available_devices
    from uhop_cli.arrays.resources import available_memory
    from uhop_cli.arrays.threads import blas_libraries, cores
    from uhop_cli.experiments.data.datasets import data_folders

    blas = blas_libraries()
    paths = {"package": Path(__file__).parents[1], "python": Path(sys.executable)}
    paths |= {"memory": Path(os.environ.get("UHOP_MEMORY", options.DEFAULT_MEMORY)), "data": data_folders(None)[0]}
    return {
        "schema": "uhop.env/1",
        "uhop": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": {name: _version(name) for name in (*NEEDED, *EXTRAS)},
        "codecs": _codecs(),
        "devices": available_devices(),
        "cores": os.cpu_count(),
        "threads": cores(),
        "memory_available": available_memory(),
        "blas": [{name: item.get(name) for name in ("internal_api", "version", "architecture", "num_threads")} for item in blas],
        "paths": {name: escape(path) for name, path in paths.items()},
        "environment": {name: escape(os.environ[name]) for name in VARIABLES if name in os.environ},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _codecs() -> dict[str, str | None]:
    """The decoders that Pillow was built with, and their versions; None where one is missing."""
    from PIL import features

    return {name: str(features.version(name) or "of unknown version") if features.check(name) else None for name in CODECS}


def _blas_in_words(library: dict[str, Any]) -> str:
    named = " ".join(str(library[name]) for name in ("internal_api", "version", "architecture") if library[name])
    return f"{named}, {library['num_threads']} threads"
