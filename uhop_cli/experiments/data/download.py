"""Downloads of published data sets: from a list of mirrors, resumed where they broke off, checked before they get their name."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from uhop_cli.errors import DatasetError
from uhop_cli.experiments.data.published import PublishedFile
from uhop_cli.files.names import escape
from uhop_cli.progress import OnProgress, Progress
from uhop_cli.version import __version__

BLOCK = 1 << 18  # bytes between two reports of progress
TIMEOUT = 30  # seconds without a byte
PARTIAL_CONTENT = 206


def download(file: PublishedFile, folder: Path, mirrors: Sequence[str], progress: OnProgress | None = None) -> Path:
    """The file, downloaded into `folder`.

    What has come is kept in `<name>.part`, from which the next attempt goes on, at this mirror or another; the file gets its name
    only when its MD5 sum is the official one.

    Raises:
        DatasetError: no mirror has it, or the folder cannot be written; the hint says which file to put where.
    """
    target = folder / file.name
    reasons = []
    for mirror in mirrors:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            part = folder / (file.name + ".part")
            _fetch(mirror + file.name, part, file, progress)
            if checksum(part) == file.md5:
                os.replace(part, target)
                return target
            part.unlink()
            reasons.append(f"{_host(mirror)} has another file under that name")
        except HTTPError as error:
            reasons.append(f"{_host(mirror)} answers {error.code}")
        except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
            reasons.append(f"{_host(mirror)} cannot be reached ({getattr(error, 'reason', error)})")
        except OSError as error:
            raise DatasetError(f"{escape(folder)} cannot be written: {error.strerror}", "choose another --data-dir") from None
    raise DatasetError(
        f"{file.name} cannot be downloaded: {'; '.join(reasons)}", f"put {file.name} (MD5 {file.md5}) into {escape(folder)}"
    )


def checksum(path: Path) -> str:
    """The MD5 sum of a file: the one that the authors of these data sets publish. It guards against accidents, not attacks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _fetch(address: str, part: Path, file: PublishedFile, progress: OnProgress | None) -> None:
    """Gets what `part` lacks; begins anew where the server cannot go on, or the part is no beginning of it."""
    done = part.stat().st_size if part.exists() else 0
    if done == file.size:
        return
    headers = {"User-Agent": f"uhop-cli/{__version__}"}
    if 0 < done < file.size:
        headers["Range"] = f"bytes={done}-"
    with urlopen(Request(address, headers=headers), timeout=TIMEOUT) as answer:
        resumed = answer.status == PARTIAL_CONTENT and 0 < done < file.size
        done = done if resumed else 0
        with part.open("ab" if resumed else "wb") as out:
            while block := answer.read(BLOCK):
                done += len(block)
                if done > file.size:
                    break  # not the file that we know; the checksum says so
                out.write(block)
                if progress:
                    progress(Progress("download", done, file.size, file.name))
    if done < file.size:
        raise URLError(f"the connection broke off after {done} of {file.size} bytes; another attempt goes on from there")


def _host(address: str) -> str:
    return address.split("/")[2]
