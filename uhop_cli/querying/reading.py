"""A picture file -> the query that it is: decoded, known as far as it is visible, at the pattern's size, damaged if asked for."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

from uhop_cli.arrays.types import Float32
from uhop_cli.errors import ImageError
from uhop_cli.files.names import escape
from uhop_cli.images.decode import Image
from uhop_cli.images.given import Given, image_of, name_of
from uhop_cli.images.patterns import holes_only, laid_on_background, to_query, with_mask
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.restoration import Query
from uhop_cli.querying.settings import QuerySettings
from uhop_cli.querying.verifying import sheet_of_query


class QueryReader:
    """Makes queries for one memory.

    Args:
        memory: what is asked.
        settings: damage, masks, transparency.
        verifies: whether queries are compared with originals.
    """

    def __init__(self, memory: Memory, settings: QuerySettings, *, verifies: bool) -> None:
        self._memory, self._settings, self._verifies = memory, settings, verifies

    def query(self, source: Given, name: str | None = None) -> Query:
        """The query that a picture is: decoded, brought to the pattern's size, and damaged if that was asked for.

        Raises:
            ImageError: it cannot be read, or nothing of it is visible.
        """
        shown = name or name_of(source) or "<image>"
        settings, spec = self._settings, self._memory.spec
        try:
            image, alpha = self._seen(source)
            pattern, visible = to_query(image, spec, alpha)
            verifiable = self._verifies and settings.damage == settings.framing
            sheet = sheet_of_query(image, spec.background if alpha == "blend" else None) if verifiable else None
        except ImageError as error:
            raise ImageError(
                error.message if error.message.startswith(shown) else f"{shown}: {error.message}", error.hint
            ) from None
        known = bool(settings.damage) and not settings.framing and visible is None
        truth = self._truth() if settings.truth is not None else pattern if known else None
        row = pattern[None]
        for corruption in settings.damage[len(settings.framing) :]:
            row, seen = corruption(row, spec, settings.seed)
            if settings.known_mask and seen is not None:
                visible = seen[0] if visible is None else visible & seen[0]
        if visible is not None and not visible.any():
            raise ImageError(f"{shown}: nothing of it is visible", "mask less of it")
        undamaged = settings.damage == settings.framing
        picture = partial(self._again, source) if settings.frames != "same" and undamaged else None
        on_background = alpha == "blend" and image.alpha is not None
        return Query(shown, row[0], visible, truth, notes_on(image), sheet, picture, on_background)

    def _seen(self, source: Given) -> tuple[Image, Literal["missing", "blend"]]:
        """A query with what is missing of it, in the frame that was asked for, and what its transparency means."""
        image, settings = self._open(source), self._settings
        if settings.mask_file is not None:
            image = with_mask(image, self._whole(settings.mask_file))
        for frame in settings.framing:
            image = frame.reframed(image, settings.seed)
        alpha = "missing" if settings.mask_file is not None else self._alpha()
        return (holes_only(image, self._memory.spec) if alpha == "missing" and self._transparent else image), alpha

    def _again(self, source: Given) -> Image | None:
        """A query as frames take it, decoded once more: transparent where it is missing; None where it is no longer there."""
        try:
            image, alpha = self._seen(source)
        except ImageError:
            return None
        return laid_on_background(image, self._memory.spec) if alpha == "blend" else image

    def _open(self, source: Given) -> Image:
        # A crop shows more of what it shows than a reduced picture has.
        return image_of(source, draft=None if self._settings.framing else (self._memory.spec.width, self._memory.spec.height))

    def _whole(self, source: str | Path) -> Image:
        """A picture that says something about the query, of which all has to be there."""
        image = self._open(source)
        if image.flaw is not None:
            raise ImageError(f"{escape(source)}: {image.flaw}", "give one that is whole")
        return image

    def _alpha(self) -> Literal["missing", "blend"]:
        if self._settings.alpha != "auto":
            return self._settings.alpha
        return "blend" if self._transparent else "missing"

    @property
    def _transparent(self) -> bool:
        """Whether stored pictures have transparent parts, which lie on the background in their patterns."""
        return self._memory.record.get("transparent") is True

    def _truth(self) -> Float32:
        assert self._settings.truth is not None
        return to_query(self._whole(self._settings.truth), self._memory.spec, "blend")[0]


def notes_on(image: Image) -> tuple[str, ...]:
    """What a person should know of the file that a picture comes from."""
    flaw = (
        () if image.flaw is None else (f"{image.flaw}; the rest is taken as missing" if image.missing is not None else image.flaw,)
    )
    pages = () if image.pages == 1 else (f"{image.pages} pages or frames; the first one was taken",)
    return (*flaw, *pages)
