"""The series of the benchmark: published ones found on this machine, or a CSV file of one's own.

`etth1`, `ettm1` and `wth` are the files that the Informer's authors published (ETT: Creative Commons BY-ND, so that it is neither
bundled nor changed). They are looked for in the data folder, plain or below `timeseries`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from uhop_cli.errors import DatasetError
from uhop_cli.files.names import escape
from uhop_cli.forecasting.reading import read_csv
from uhop_cli.forecasting.series import Series

FILES = {
    "etth1": ("ETTh1.csv", "7 series of a power transformer, hourly, 17,420 rows"),
    "ettm1": ("ETTm1.csv", "the same, every 15 minutes, 69,680 rows"),
    "wth": ("WTH.csv", "12 series of the weather, hourly, 35,064 rows (not the 21 series of 'Weather')"),
}
SUFFIXES = (".csv", ".tsv", ".txt")
BELOW = ("timeseries", ".", "ETT-small")


def load_series(name: str, folders: Sequence[Path]) -> Series:
    """The published series called `name`, from the first of the folders that has it, or the CSV file at that path.

    Raises:
        DatasetError: it cannot be found or read.
    """
    if name in FILES:
        file = FILES[name][0]
        for folder in folders:
            for below in BELOW:
                if (folder / below / file).is_file():
                    return read_csv(folder / below / file, name)
        raise DatasetError(f"{file} is not in {escape(folders[0])}", f"put it there, or name its folder with --data-dir: {name}")
    if Path(name).suffix.lower() in SUFFIXES:
        return read_csv(name)
    known = ", ".join(FILES)
    raise DatasetError(f"'{escape(name)}' is no time series", f"--dataset {known}, or a CSV file")
