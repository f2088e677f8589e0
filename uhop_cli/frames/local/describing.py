"""Keypoints -> the codes that a memory keeps of them, 68 bytes each.

A descriptor d >= 0 becomes r = sqrt(d / sum d) (RootSIFT: the dot product of two is the Hellinger kernel), then

    c = P (r - mean) / |P (r - mean)|,

P the 64 leading directions of the descriptors of this very set: what all its pictures have in common tells them apart no more, as
in Stage I. <c, c'> is the likeness of two.

    R. Arandjelovic, A. Zisserman, Three things everyone should know to improve object retrieval, CVPR 2012
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.types import Float32, Float64, Int8, UInt8
from uhop_cli.frames.local.keypoints import LENGTH, Keypoints, keypoints
from uhop_cli.frames.sheet import sheet_of_image
from uhop_cli.images.decode import Header, Image

SIDE = 192  # pixels of the longer side of a picture that is described
DRAFT = (SIDE // 6, SIDE // 6)  # of `images.decode`, which hands out at least six times as many pixels
MOST = 64  # keypoints kept of a stored picture
SMALLEST = 100  # pixels of the longer side of a picture from which on it has keypoints worth the name
DIRECTIONS = 64
UNIT = 127  # of a code

_SIZES = 1 / 32  # octaves in a step of the stored size


def is_describable(header: Header) -> bool:
    """Whether a picture is large enough to be described."""
    return max(header.width, header.height) >= SMALLEST


def describe(image: Image) -> Keypoints:
    """The keypoints of a stored picture, which may be reduced, if to no less than `SIDE` pixels."""
    return keypoints(sheet_of_image(image), SIDE, MOST)


def root(descriptors: UInt8) -> Float32:
    """RootSIFT of descriptors (n, 128): unit vectors (n, 128)."""
    values = descriptors.astype(np.float32)
    unit: Float32 = np.sqrt(values / np.maximum(values.sum(axis=1, keepdims=True), 1))
    return unit


def learn_directions(parts: Iterable[UInt8]) -> Float32:
    """Mean and leading directions of the RootSIFT of descriptors that come in parts (n, 128): (65, 128), the mean first.

    The directions are the leading eigenvectors of the covariance, each with its largest value positive.
    """
    count, total, second = 0, np.zeros(LENGTH), np.zeros((LENGTH, LENGTH))
    for part in parts:
        vectors = root(part).astype(np.float64)
        count += len(vectors)
        total += vectors.sum(axis=0)
        second += vectors.T @ vectors
    mean = total / max(count, 1)
    _, vectors = np.linalg.eigh(second / max(count, 1) - np.outer(mean, mean))
    leading: Float64 = vectors[:, ::-1][:, :DIRECTIONS].T
    largest = np.abs(leading).argmax(axis=1)
    leading = leading * np.sign(leading[np.arange(DIRECTIONS), largest])[:, None]
    return np.vstack((mean, leading)).astype(np.float32)


def codes(descriptors: UInt8, directions: Float32) -> Float32:
    """Unit vectors (n, 64) of descriptors (n, 128); 0 where nothing is left."""
    projected = (root(descriptors) - directions[0]) @ directions[1:].T
    unit: Float32 = projected / np.maximum(np.linalg.norm(projected, axis=1, keepdims=True), 1e-6)
    return unit


def encode(descriptors: UInt8, directions: Float32) -> Int8:
    """The codes as they are kept, (n, 64) int8."""
    kept: Int8 = np.rint(codes(descriptors, directions) * UNIT).astype(np.int8)
    return kept


def encode_places(points: Keypoints) -> UInt8:
    """Places as they are kept, (n, 4): x and y in 256ths, the size in 32nds of an octave below the longer side, the direction in
    256ths of a turn."""
    x, y, size, angle = points.places.astype(np.float64).T
    steps = -np.log2(np.maximum(size, 1e-6)) / _SIZES
    kept = (np.floor(x * 256), np.floor(y * 256), np.rint(steps), np.rint(angle * 256) % 256)
    clipped: UInt8 = np.clip(np.stack(kept, axis=1), 0, 255).astype(np.uint8)
    return clipped


def decode_places(places: NDArray[np.uint8]) -> Float32:
    """Places (n, 4) as `Keypoints` has them."""
    x, y, steps, angle = places.astype(np.float32).T
    return np.stack(((x + 0.5) / 256, (y + 0.5) / 256, np.exp2(-steps * _SIZES), angle / 256), axis=1, dtype=np.float32)
