"""One self-contained HTML page: nothing in it is loaded from elsewhere, and no script runs but our own.

Every value goes through the autoescape of jinja2. Should one get through all the same, the policy in the head of the page lets the
browser run no script and apply no style but the two whose hashes it names (Content Security Policy, level 2).
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from pathlib import Path
from typing import Any

from uhop_cli.errors import OutputError
from uhop_cli.files.atomic import AtomicFile
from uhop_cli.files.names import escape

MARK = "<!-- written by uhop -->"  # by which a page is known again, and may be replaced
_TEMPLATES = Path(__file__).with_name("templates")
_HEAD_BYTES = 256  # the mark stands in the first lines


def render(template: str, **values: Any) -> str:
    """The page that a template makes of values, which are escaped.

    Args:
        template: a file of `templates/` that extends `base.html`.
        values: strings, numbers, and lists and objects of them.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    style, script = ((_TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "keys.js"))
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(template).render(
        mark=Markup(MARK), style=Markup(style), script=Markup(script), policy=_policy(style, script), **values
    )  # fmt: skip


def write(path: Path, text: str, *, force: bool) -> None:
    """Writes a page, whole or not at all.

    Raises:
        OutputError: it cannot be written, or would replace what uhop did not write.
    """
    check(path, force=force)
    with AtomicFile(path) as file:
        file.write(text.encode(), 0)
        file.commit(durable=False)  # it can be made again


def check(path: Path, *, force: bool) -> None:
    """Refuses a place where no page can go, before the work.

    Raises:
        OutputError: so it is.
    """
    if path.is_dir():
        raise OutputError(f"{escape(path)}: a folder, not a file", f"name a file, such as {escape(path / 'report.html')}")
    if not force and path.exists() and not _is_own(path):
        raise OutputError(f"{escape(path)}: exists, and uhop did not write it", "--force replaces it; or name another file")


def _is_own(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return MARK.encode() in file.read(_HEAD_BYTES)


def _policy(style: str, script: str) -> str:
    """What the browser may do with the page: show embedded pictures, apply this style, run this script."""
    styles, scripts = (f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in (style, script))
    return f"default-src 'none'; img-src data:; style-src {styles}; script-src {scripts}; base-uri 'none'; form-action 'none'"
