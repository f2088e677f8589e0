"""Where arrays live: on the CPU in NumPy, or on a GPU through torch."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.library import Array, torch_library
from uhop_cli.arrays.resources import available_memory
from uhop_cli.arrays.threads import chunks, on_all_cores, one_blas_thread, product_on_all_cores, small_buffers
from uhop_cli.errors import DeviceError

LONGER = 64  # times a part on a device is as long as one that has to stay in the cache of a core: its calls are what costs
GPU_WORTH_FLOP = 2e12  # below this, starting CUDA (2 to 5 s) costs more than the CPU needs for the whole work


@dataclass(frozen=True)
class Device:
    """Where arrays live: `kind` is 'cpu' (NumPy), 'cuda', 'cuda:N', 'mps', or 'torch-cpu' (torch on the CPU, for the law tests)."""

    kind: str = "cpu"

    @property
    def is_numpy(self) -> bool:
        """True where arrays are NumPy's and torch is not imported."""
        return self.kind == "cpu"

    @property
    def saves_products(self) -> bool:
        """Whether what takes fewer or shorter products (features, shortlists) is worth its preparation: a GPU's products are not
        what takes the time."""
        return self.is_numpy

    def put(self, array: NDArray[Any]) -> Array:
        """The array on this device; NumPy arrays are passed on as they are."""
        if self.is_numpy:
            return array
        target = "cpu" if self.kind == "torch-cpu" else self.kind
        return torch_library().tensor(array, device=target)  # always a copy: what is mapped from a file may not be written to

    def send(self, array: NDArray[Any], parts: Iterable[slice]) -> Iterator[tuple[slice, Array]]:
        """Parts of an array that stays in host memory, one after the other on this device."""
        if self.kind.startswith("cuda"):
            from uhop_cli.arrays.transfer import send

            return send(array, self.kind, parts)
        return ((part, self.put(array[part])) for part in parts)

    def free_memory(self) -> int:
        """Bytes that may still be taken where the arrays live."""
        if self.kind.startswith("cuda"):
            torch = torch_library()
            kept = torch.cuda.memory_reserved(self.kind) - torch.cuda.memory_allocated(self.kind)  # by torch, for what comes next
            return int(torch.cuda.mem_get_info(self.kind)[0] + kept)
        return available_memory()

    def on_all_cores(self, work: Callable[[slice], object], total: int, step: int) -> None:
        """Run `work` on slices that cover range(total): of at most `step` and on all cores; on a device, which has its own cores,
        `LONGER` ones, one after the other."""
        if self.is_numpy:
            on_all_cores(work, total, step)
        else:
            for part in chunks(total, LONGER * step):
                work(part)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """What surrounds work whose threads are `on_all_cores`: one BLAS thread in each on the CPU, and small buffers."""
        with one_blas_thread() if self.is_numpy else nullcontext(), small_buffers():
            yield

    def product(self, left: Array, right: Array) -> Array:
        """left @ right, for few rows and many columns."""
        return product_on_all_cores(left, right) if self.is_numpy else left @ right


CPU = Device()


def device_of(array: Array) -> Device:
    """Where an array lives."""
    if isinstance(array, np.ndarray):
        return CPU
    return Device("torch-cpu" if array.device.type == "cpu" else str(array.device))


def resolve_device(name: str, flop: float = 0.0) -> Device:
    """The device that `name` asks for.

    Args:
        name: 'auto', 'cpu', 'cuda', 'cuda:N', 'mps' or 'torch-cpu'.
        flop: floating point operations of the work ahead; `auto` takes a GPU only where the work is worth its start-up.

    Raises:
        DeviceError: an explicit device is not there, or the name is none of the above.
    """
    if name == "cpu" or (name == "auto" and flop < GPU_WORTH_FLOP):
        return CPU
    if name == "auto" and not _gpu_files_present():
        return CPU
    if name not in ("auto", "torch-cpu", "mps", "cuda") and not name.removeprefix("cuda:").isdecimal():
        raise DeviceError(f"unknown device '{name}'", "use auto, cpu, cuda, cuda:N or mps")
    try:
        torch = torch_library()
    except ImportError:
        if name == "auto":
            return CPU
        raise DeviceError(
            f"device '{name}' needs torch, which is not installed", "pip install torch, or use --device cpu"
        ) from None
    if name == "torch-cpu":
        return Device("torch-cpu")
    if name != "mps" and torch.cuda.is_available():
        index = int(name.partition(":")[2] or 0)
        if index < torch.cuda.device_count():
            return Device(f"cuda:{index}")
    if name in ("auto", "mps") and torch.backends.mps.is_available():
        return Device("mps")
    if name == "auto":
        return CPU
    raise DeviceError(f"device '{name}' is not available here", "use --device auto or --device cpu")


def available_devices() -> list[str]:
    """The devices that `--device` may name here, GPUs with what they are called. torch is imported only where there may be one."""
    found = ["cpu"]
    if _gpu_files_present():
        try:
            torch = torch_library()
        except ImportError:
            return found
        found += [f"cuda:{index} ({torch.cuda.get_device_name(index)})" for index in range(torch.cuda.device_count())]
        found += ["mps"] if torch.backends.mps.is_available() else []
    return found


def _gpu_files_present() -> bool:
    """Whether a look at the file system gives torch a chance to find a GPU: importing torch only to hear 'no' costs seconds."""
    return os.path.exists("/dev/nvidiactl") or os.path.exists("/dev/dxg") or os.path.exists("/dev/kfd") or sys.platform == "darwin"
