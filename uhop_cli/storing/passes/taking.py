"""One picture taken in: read, hashed, decoded, its pattern made, and described where that is asked for; here or on a worker."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from uhop_cli.arrays.types import UInt8
from uhop_cli.errors import ImageError
from uhop_cli.frames.local.describing import DRAFT, SIDE, describe, is_describable
from uhop_cli.frames.local.keypoints import Keypoints
from uhop_cli.images.decode import Header
from uhop_cli.images.patterns import PatternSpec, to_layers
from uhop_cli.storing.resume import pattern_key
from uhop_cli.storing.sources import Source


@dataclass(frozen=True, eq=False)
class Encoded:
    """What is taken of a picture.

    Attributes:
        pattern: (H, W, C).
        opacity: (H, W) of its cells, where the picture has transparent parts.
        pages: how many pages or frames its file has.
        key: the `pattern_key`.
        shape: width and height of the picture.
        points: what it is described by, None where it isn't.
        seconds: that describing took.
    """

    pattern: UInt8
    opacity: UInt8 | None
    pages: int
    key: bytes
    shape: tuple[int, int]
    points: Keypoints | None
    seconds: float


def _encoded(source: Source, data: bytes, header: Header, spec: PatternSpec, *, described: bool, left: UInt8 | None) -> Encoded:
    """The picture in `data`, of which, if it is opaque, a killed run may have `left` the pattern.

    It is described from the pixels that the pattern is made from, unless there are too few of them.
    """
    shape, points, seconds = (header.width, header.height), None, 0.0
    pattern, opacity, pages = left, None, 1
    if left is None or described:
        image = source.image(data, (spec.width, spec.height))
        pages = image.pages
        if left is None:
            pattern, opacity = to_layers(image, spec)
    if described:
        started = time.perf_counter()
        points = describe(image if image.axes is None or max(image.width, image.height) >= SIDE else source.image(data, DRAFT))
        seconds = time.perf_counter() - started
    assert pattern is not None
    return Encoded(pattern, opacity, pages, pattern_key(pattern), shape, points, seconds)


Taken = tuple[bytes, int, bytes, Encoded | int]  # bytes that are kept, size, sha256, and the picture or the row that it has


@dataclass(frozen=True)
class Taking:
    """How pictures are taken in.

    Attributes:
        spec: of the patterns.
        described: whether those that are large enough are described.
        whole: whether the bytes of their files are kept.
    """

    spec: PatternSpec
    described: bool
    whole: bool

    def of(
        self,
        source: Source,
        known: Callable[[bytes], int | None] = lambda digest: None,
        decoded: Callable[[bytes], UInt8 | None] = lambda digest: None,
    ) -> Taken | ImageError:
        """What is taken of one source, or why nothing is; `known` and `decoded` as in `ingest`."""
        try:
            data = source.read()
            digest = hashlib.sha256(data).digest()
            encoded: Encoded | int | None = known(source.identity(digest))
            if encoded is None:
                header = source.header(data)
                described = self.described and is_describable(header)
                left = decoded(digest) if source.costly else None
                encoded = _encoded(source, data, header, self.spec, described=described, left=left)
        except ImageError as error:
            return error
        return data if self.whole else b"", len(data), digest, encoded


def taken(piece: tuple[Taking, list[Source]]) -> list[Taken | ImageError]:
    """What is taken of a group of sources: a piece of work for a crew."""
    taking, group = piece
    return [taking.of(source) for source in group]
