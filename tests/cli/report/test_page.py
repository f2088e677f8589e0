"""Pages are self-contained, and nothing in their values becomes markup or script."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from uhop_cli.cli.report import page
from uhop_cli.errors import OutputError

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def review(title: str = "t") -> str:
    skipped = [{"path": HOSTILE, "reason": HOSTILE}]
    return page.render("review.html", title=title, facts=[(HOSTILE, HOSTILE)], groups=[], skipped=skipped)


def test_values_are_text_and_nothing_else() -> None:
    text = review(HOSTILE)
    assert text.count("<script>") == 1  # our own
    assert "<img" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_the_policy_names_the_style_and_the_script_and_allows_nothing_else() -> None:
    text = review()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    wanted = {"default-src": "&#39;none&#39;", "img-src": "data:", "base-uri": "&#39;none&#39;", "form-action": "&#39;none&#39;"}
    for tag in ("style", "script"):
        inside = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert inside
        digest = base64.b64encode(hashlib.sha256(inside[1].encode()).digest()).decode()
        wanted[f"{tag}-src"] = f"&#39;sha256-{digest}&#39;"
    found = dict(part.strip().split(" ", 1) for part in policy[1].replace("&#43;", "+").split(";\x20"))
    assert {name: value.replace("&#43;", "+") for name, value in found.items()} == wanted


def test_nothing_is_loaded_from_elsewhere() -> None:
    assert not re.search(r"(src|href|url)\s*[=(]\s*[\"']?(?!data:)\w*:?//", review())
    assert "@import" not in review()


def test_a_page_is_replaced_and_anything_else_is_not(tmp_path: Path) -> None:
    place = tmp_path / "r.html"
    page.write(place, review("one"), force=False)
    page.write(place, review("two"), force=False)
    assert "<title>two</title>" in place.read_text()
    place.write_text("<!DOCTYPE html><title>mine</title>")
    with pytest.raises(OutputError, match="uhop did not write it"):
        page.write(place, review(), force=False)
    page.write(place, review("three"), force=True)
    assert "<title>three</title>" in place.read_text()
    with pytest.raises(OutputError, match="a folder"):
        page.check(tmp_path, force=True)
    with pytest.raises(OutputError):
        page.write(tmp_path / "no" / "r.html", review(), force=False)


@pytest.mark.browser
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_a_browser_runs_our_script_and_no_other(tmp_path: Path) -> None:
    card = f'<article class="doubtful" tabindex="-1"><h3>{HOSTILE}</h3></article>'
    for name, text in (("ours", review()), ("theirs", review().replace("<main>", f"<main>{card}"))):
        (tmp_path / f"{name}.html").write_text(text)
    line = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", f"--user-data-dir={tmp_path / 'profile'}"]
    seen = {
        name: subprocess.run([*line, f"file://{tmp_path}/{name}.html"], capture_output=True, text=True, timeout=120).stdout
        for name in ("ours", "theirs")
    }
    assert '<nav class="bar" hidden="">' in seen["ours"]  # nothing is doubtful
    assert '<nav class="bar">' in seen["theirs"]  # the script ran: there is a card to go to
    assert "1 doubtful" in seen["theirs"]
