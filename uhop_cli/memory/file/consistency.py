"""Whether the parts of a memory fit each other: checked before it is written and after it is read, by the same code."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.types import Float32, Int64
from uhop_cli.evidence.statistics import Statistics
from uhop_cli.kernel.feature_map import KernelFamily
from uhop_cli.memory.entries import Entries
from uhop_cli.memory.local import LocalDescriptors
from uhop_cli.memory.memory import Memory, Originals
from uhop_cli.memory.near import NearPairs

MAX_COMPACT = 128
LOCAL_LENGTH, LOCAL_DIRECTIONS = 128, 64  # values of a local descriptor, and of its code
MAX_LOCAL = 1024  # descriptors of a picture: a query looks at some pictures' all together
MAX_MEMBERS = 64
LARGEST_NORM, LARGEST_SQUARE = 1e19, 1e38  # the end of float32 is 3.4e38
MAX_NAME = 16384  # bytes; no system takes a path that long


def fault(memory: Memory) -> str | None:
    """The first thing that doesn't fit, named by its tensor, or None. Reads everything but patterns, codes and originals."""
    shape = (len(memory), *memory.spec.shape)
    if memory.patterns.dtype != np.uint8 or memory.patterns.shape != shape or len(memory) == 0:
        return f"memories are {_form(memory.patterns)} where uint8 {shape} is due"
    if not (math.isfinite(memory.beta) and memory.beta > 0):
        return "beta is not a positive number"
    return (
        _kernel_fault(memory.kernel, memory.spec.dim)
        or _array_fault("norms", memory.norms, np.float32, (len(memory), memory.kernel.members), 0, LARGEST_NORM)
        or (memory.statistics is not None and _statistics_fault(memory.statistics, len(memory), memory.spec.dim))
        or _compact_fault(memory)
        or (memory.near is not None and _near_fault(memory.near, len(memory)))
        or (memory.shapes is not None and _shapes_fault(memory.shapes, len(memory)))
        or (memory.local is not None and _local_fault(memory.local, len(memory)))
        or (memory.opacity is not None and _array_fault("opacity", memory.opacity, np.uint8, shape[:3]))
        or _entries_fault(memory.entries, len(memory))
        or (memory.originals is not None and _originals_fault(memory.originals, memory.entries.sizes))
        or None
    )


def _form(array: NDArray[np.generic]) -> str:
    return f"{array.dtype} {array.shape}"


def _array_fault(
    name: str,
    array: NDArray[np.generic],
    dtype: type[np.generic],
    shape: tuple[int, ...],
    lowest: float = -math.inf,
    highest: float = math.inf,
) -> str | None:
    if array.dtype != dtype or array.shape != shape:
        return f"{name} is {_form(array)} where {np.dtype(dtype)} {shape} is due"
    if array.size and dtype is np.float32:
        low, high = float(array.min()), float(array.max())  # NaN stays NaN
        if not (math.isfinite(low) and math.isfinite(high)):
            return f"{name} has values that are not finite"
        if low < lowest:
            return f"{name} has {'negative values' if lowest == 0 else 'values out of range'}"
        if high > highest:
            return f"{name} has values out of range"
    return None


def _kernel_fault(kernel: KernelFamily, dim: int) -> str | None:
    if 0 in (kernel.weight.ndim, kernel.gains.ndim) or 0 in (kernel.weight.shape[0], kernel.gains.shape[0]):
        return "W or gains is empty"
    features, members = kernel.feature_dim, kernel.members
    if len(kernel.rhos) not in ({0, 1} if members == 1 else {members}):
        return f"gains have {members} members, the grid of rho has {len(kernel.rhos)}"
    if not all(math.isfinite(rho) and rho >= 0 for rho in kernel.rhos):
        return "the grid of rho has a value that is negative or not finite"
    if members > MAX_MEMBERS:  # a query keeps d values for each
        return f"gains have {members} members; at most {MAX_MEMBERS} are read"
    if not 0 <= kernel.chosen < members:
        return f"the chosen kernel is number {kernel.chosen} of {members}"
    return (
        _array_fault("W", kernel.weight, np.float32, (features, dim))
        or _array_fault("gains", kernel.gains, np.float32, (members, features), lowest=0)
        or _range_fault(kernel)
        or ("gains of the chosen kernel are not 1" if (kernel.gains[kernel.chosen] != 1).any() else None)
        or (None if kernel.spectrum is None else _array_fault("spectrum", kernel.spectrum, np.float32, (features,), lowest=0))
    )


def _range_fault(kernel: KernelFamily) -> str | None:
    """Whether the squared feature norm of some picture could exceed the range of float32: it is at most D (d max|W| max gain)^2."""
    largest = max(abs(float(kernel.weight.min())), abs(float(kernel.weight.max()))) * float(kernel.gains.max())
    square = kernel.feature_dim * (kernel.pattern_dim * largest) ** 2
    return None if square < LARGEST_SQUARE else "W and gains have values out of range"


def _shapes_fault(shapes: Int64, count: int) -> str | None:
    wrong = _array_fault("shapes", shapes, np.int64, (count, 2))
    return wrong or ("shapes has a picture without pixels" if shapes.min() < 1 else None)


def _statistics_fault(statistics: Statistics, count: int, dim: int) -> str | None:
    blocks, kernels = statistics.sums.shape[-1], statistics.norms.shape[-1]
    coefficients, bands = statistics.bands.shape[-1], statistics.band_scales.shape[-1]
    top = 1.01 * dim  # values are at most 1
    return (
        _array_fault("block_sums", statistics.sums, np.float32, (count, blocks), 0, top)
        or _array_fault("block_squares", statistics.squares, np.float32, (count, blocks), 0, top)
        or _array_fault("centred_norms", statistics.norms, np.float32, (count, kernels), 0, LARGEST_NORM)
        or _array_fault("bands", statistics.bands, np.int8, (count, coefficients))
        or _array_fault("band_scales", statistics.band_scales, np.float32, (count, bands), 0, top)
        or (statistics.opacity is not None and _opacity_fault(statistics.opacity, count, top))
        or _array_fault("variances", statistics.variances, np.float32, statistics.variances.shape, 0, top)
    )


def _opacity_fault(sums: Float32, count: int, top: float) -> str | None:
    return _array_fault("opacity_sums", sums, np.float32, (count, *sums.shape[1:]), 0, top)


def _compact_fault(memory: Memory) -> str | None:
    compact, directions = memory.compact, memory.compact_map
    if compact is None or directions is None:
        return None if compact is directions else "compact and compact_map go together"
    count = len(memory)
    if compact.dtype != np.float32 or compact.ndim != 2 or compact.shape[1] != count or not 1 < compact.shape[0] <= MAX_COMPACT:
        return f"compact is {_form(compact)} where float32 (at most {MAX_COMPACT}, {count}) is due"
    size = directions.shape[0] if directions.ndim else 0
    if not 0 < size < compact.shape[0] or size % (compact.shape[0] - size):
        return f"compact_map is {_form(directions)}, which does not give codes of {compact.shape[0]} values"
    return _array_fault("compact_map", directions, np.float32, (size, memory.spec.dim), -LARGEST_NORM, LARGEST_NORM)


def _near_fault(near: NearPairs, count: int) -> str | None:
    pairs, verified = near.pairs, near.verified
    size = len(verified) if verified.ndim else 0
    wrong = _array_fault("near", pairs, np.int64, (size, 2)) or _array_fault("near_verified", verified, np.int8, (size,))
    if wrong or not size:
        return wrong
    if pairs.min() < 0 or pairs.max() >= count or (pairs[:, 0] >= pairs[:, 1]).any():
        return "near has a pair that is none of two memories"
    return "near_verified has a value other than 1, 0 and -1" if verified.min() < -1 or verified.max() > 1 else None


def _local_fault(local: LocalDescriptors, count: int) -> str | None:
    """Every code and every place is a possible one, so that these are not read."""
    size = len(local.codes) if local.codes.ndim else 0
    return (
        _array_fault("local", local.codes, np.int8, (size, LOCAL_DIRECTIONS))
        or _array_fault("local_places", local.places, np.uint8, (size, 4))
        or _array_fault("local_map", local.directions, np.float32, (LOCAL_DIRECTIONS + 1, LOCAL_LENGTH), -1.01, 1.01)
        or _array_fault("local_offsets", local.offsets, np.int64, (count + 1,))
        or _offsets_fault("local_offsets", local.offsets, size)
        or ("local_offsets gives a picture too many descriptors" if np.diff(local.offsets).max() > MAX_LOCAL else None)
    )


def _entries_fault(entries: Entries, count: int) -> str | None:
    files, names = len(entries), entries.name_bytes
    wrong = (
        _array_fault("name_entry", entries.name_entry, np.int64, (files,))
        or _array_fault("digests", entries.digests, np.uint8, (files, 32))
        or _array_fault("sizes", entries.sizes, np.int64, (files,))
        or _array_fault("name_offsets", entries.name_offsets, np.int64, (files + 1,))
        or _array_fault("name_bytes", names, np.uint8, (names.size,))
        or _offsets_fault("name_offsets", entries.name_offsets, names.size)
    )
    if wrong:
        return wrong
    if not files or entries.name_entry.min() < 0 or entries.name_entry.max() >= count:
        return "name_entry points outside the memories"
    if (np.bincount(entries.name_entry, minlength=count) == 0).any():
        return "name_entry leaves a memory without a file"
    if entries.sizes.min() < 0:
        return "sizes has negative values"
    lengths = np.diff(entries.name_offsets)
    if lengths.min() == 0 or lengths.max() > MAX_NAME:
        return f"name_offsets has an empty name, or one of more than {MAX_NAME} bytes"
    if (names == 0).any() or (names[entries.name_offsets[:-1]] == ord("/")).any():
        return "name_bytes has a name with a NUL, or an absolute path"
    return None


def _offsets_fault(name: str, offsets: Int64, total: int) -> str | None:
    # Compared, not subtracted: a difference of hostile numbers can overflow.
    if offsets[0] != 0 or offsets[-1] != total or (offsets[1:] < offsets[:-1]).any():
        return f"{name} do not rise from 0 to {total}"
    return None


def _originals_fault(originals: Originals, sizes: Int64) -> str | None:
    wrong = (
        _array_fault("originals", originals.data, np.uint8, (originals.data.size,))
        or _array_fault("original_offsets", originals.offsets, np.int64, (sizes.size + 1,))
        or _offsets_fault("original_offsets", originals.offsets, originals.data.size)
    )
    if wrong:
        return wrong
    lengths = np.diff(originals.offsets)
    return "original_offsets disagree with sizes" if ((lengths != 0) & (lengths != sizes)).any() else None
