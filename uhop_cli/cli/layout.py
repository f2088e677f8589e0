"""Text in columns: widths as a terminal counts them, lines that break between words and after the slashes of a path."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Literal

Style = Literal["found", "doubtful", "absent", "head"]
GAP = 2  # blanks between columns
LEAST = 12  # columns that a column of words keeps, where there is room at all
_CODES: dict[Style, str] = {"found": "32", "doubtful": "33", "absent": "2", "head": "1"}  # green, yellow, dim, bold


class Styled(str):
    """Words with a colour that means something; a plain string wherever no colours are shown."""

    style: Style | None = None


def styled(text: str, style: Style | None) -> Styled:
    """`text` in a colour: found, doubtful, absent, or a head."""
    result = Styled(text)
    result.style = style
    return result


def painted(text: str, style: Style | None) -> str:
    """The text between the codes that switch its colour on and off."""
    return text if style is None or not text.strip() else f"\x1b[{_CODES[style]}m{text}\x1b[0m"


def width_of(text: str) -> int:
    """Columns that a text takes in a terminal: 2 for wide characters, none for marks on the one before."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns: broken between words, in a word too long for a line after a slash, else anywhere."""
    lines = [""]
    for word in text.split(" "):
        for place, piece in enumerate(_pieces(word, width)):
            space = " " if place == 0 and lines[-1] else ""
            if width_of(lines[-1]) + len(space) + width_of(piece) <= width:
                lines[-1] += space + piece
            else:
                lines.append(piece)
    return [line for line in lines if line] or [""]


def table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[int], columns: int
) -> list[list[tuple[str, Style | None]]]:
    """The lines of a table, each as its cells, padded, with their styles: heads, a rule, rows.

    Args:
        heads: of its columns.
        rows: cells; a `Styled` one keeps its style.
        left: columns of words, aligned left and wrapped where the table is too wide; the others hold numbers.
        columns: that the table may take.
    """
    widths = [max(map(width_of, cells)) for cells in zip(heads, *rows, strict=True)]
    spare = columns - sum(widths) - GAP * (len(heads) - 1)
    for index in sorted(left, key=lambda index: -widths[index]):
        if spare < 0:
            given = min(-spare, max(0, widths[index] - max(LEAST, width_of(heads[index]))))
            widths[index] -= given
            spare += given
    lines = _row([styled(head, "head") for head in heads], widths, left)
    lines.append([("\N{BOX DRAWINGS LIGHT HORIZONTAL}" * min(columns, sum(widths) + GAP * (len(heads) - 1)), None)])
    for row in rows:
        lines += _row(row, widths, left)
    return lines


def _row(cells: Sequence[str], widths: Sequence[int], left: Sequence[int]) -> list[list[tuple[str, Style | None]]]:
    parts = [wrapped(cell, width) for cell, width in zip(cells, widths, strict=True)]
    lines = []
    for place in range(max(map(len, parts))):
        line: list[tuple[str, Style | None]] = []
        for index, (cell, part, width) in enumerate(zip(cells, parts, widths, strict=True)):
            text = part[place] if place < len(part) else ""
            blank = " " * (width - width_of(text))
            gap = "" if index == len(cells) - 1 else " " * GAP
            padded = (text + blank if gap else text) if index in left else blank + text
            line.append((padded + gap, cell.style if isinstance(cell, Styled) else None))
        lines.append(line)
    return lines


def _pieces(word: str, width: int) -> list[str]:
    """A word in parts of at most `width` columns, ending in slashes where it has some."""
    if width_of(word) <= width:
        return [word]
    pieces = [""]
    for part in word.replace("/", "/\0").split("\0"):
        if width_of(pieces[-1]) + width_of(part) <= width:
            pieces[-1] += part
            continue
        pieces.append("")
        for letter in part:
            if width_of(pieces[-1]) + width_of(letter) > width:
                pieces.append("")
            pieces[-1] += letter
    return [piece for piece in pieces if piece]
