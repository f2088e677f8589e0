"""Which array library an array belongs to, and the passage from one to the other.

The engine is written once against the array API standard. On the CPU its namespace is NumPy itself and torch is never imported; on
a GPU it is `array_api_compat.torch`. This is the only file, beside nn/, in which torch is imported (`torch_library`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = Any  # an array of the namespace in use: numpy.ndarray or torch.Tensor


def torch_library() -> Any:
    """torch, imported when it is first needed: that takes seconds, and nothing on the CPU needs it."""
    import torch

    return torch


def namespace(*arrays: Array) -> Any:
    """The array API namespace of the arrays: numpy, or array_api_compat.torch."""
    if all(isinstance(array, np.ndarray | np.generic | float | int) for array in arrays):
        return np
    import array_api_compat

    return array_api_compat.array_namespace(*(array for array in arrays if not isinstance(array, float | int)))


def to_numpy(array: Array) -> NDArray[Any]:
    """The array as a NumPy array in host memory."""
    if isinstance(array, np.ndarray):
        return array
    return np.asarray(array.detach().cpu().numpy()) if hasattr(array, "detach") else np.asarray(array)


def like(array: Array, values: NDArray[Any]) -> Array:
    """`values` on the device and in the library of `array`."""
    if isinstance(array, np.ndarray):
        return values
    return array.new_tensor(values) if values.ndim == 0 else _tensor(values, array)


def _tensor(values: NDArray[Any], array: Array) -> Array:
    return torch_library().from_numpy(np.ascontiguousarray(values)).to(array.device)


def float32(array: Array) -> Array:
    """The array in float32."""
    if isinstance(array, np.ndarray):
        return array.astype(np.float32, copy=False)
    return array.float()
