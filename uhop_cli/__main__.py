"""The entry point of `uhop` and of `python -m uhop_cli`."""

import gc
import sys
from typing import NoReturn

RARELY = (20_000, 20, 20)  # new objects before cycles are looked for: a twentieth of the time of a batch of queries went into that


def main() -> NoReturn:
    """Runs the command line and leaves with its exit code."""
    gc.set_threshold(*RARELY)
    try:
        from uhop_cli.cli.app import INTERRUPTED, run
    except KeyboardInterrupt:  # Ctrl-C while it is loading, when nothing has begun
        sys.stderr.write("error: interrupted\n")
        sys.exit(130)
    try:
        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # before the command's own handling, or after it
        code = INTERRUPTED
    gc.freeze()  # what is left is given back as a whole: to look for cycles in it first takes some hundredths of a second
    sys.exit(code)


if __name__ == "__main__":
    main()
