"""Faults of the machine and of the world around: full and read-only disks, little memory, odd files and names, changes meanwhile.

    python tests/stress/faults.py [CHECK...] [--data-dir DIR]    (from the root of the repository)

After each fault the memory file is what it was or what it should have become, no temporary file remains, and the next run works.
Whatever the commands print is looked at byte by byte: no control character, so no escape sequence, reaches the terminal. Full and
read-only disks are small file systems in memory where one may be mounted (as root), else injected faults and permissions.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from faults_of_disks import full_disk, little_memory, read_only, two_writers
from faults_of_files import changed_sources, clocks, malformed, odd_files, odd_names, vanishing
from watch import Watch

CHECKS: dict[str, Callable[..., None]] = {
    function.__name__: function
    for function in (
        full_disk, read_only, little_memory, two_writers, changed_sources, clocks, odd_names, odd_files, vanishing, malformed
    )
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=", ".join(CHECKS))
    parser.add_argument("--data-dir", type=Path, help="folder that holds malformed/, sprites/ and photos/")
    options = parser.parse_args()
    data = None if options.data_dir is None else options.data_dir.resolve()
    watch = Watch("faults", hang=1800.0)
    for name in options.checks or CHECKS:
        with tempfile.TemporaryDirectory() as folder, watch.case(name):
            print(f"-- {name}", flush=True)
            CHECKS[name](Path(folder), watch, *([data] if name in ("little_memory", "malformed") else []))
            watch.counts[f"{name}: as it should be"] += 1
    return watch.finish()


if __name__ == "__main__":
    sys.exit(main())
