"""From the shell prompt to the answer: what starting takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from uhop_cli.experiments.data.samples import sample_data


def test_start(race: Any, tmp_path: Path) -> None:
    def uhop(*words: str) -> Any:
        return lambda: subprocess.run([sys.executable, "-m", "uhop_cli", *words], check=True, capture_output=True)

    memory = str(tmp_path / "sample.safetensors")
    uhop("store", str(sample_data() / "images"), "-m", memory)()
    query = sorted((sample_data() / "damaged").iterdir())[0]
    contestants = {
        "python -c pass": lambda: subprocess.run([sys.executable, "-c", "pass"], check=True),
        "import numpy": lambda: subprocess.run([sys.executable, "-c", "import numpy"], check=True),
        "uhop --help": uhop("--help"),
        "uhop info": uhop("info", memory),
        "uhop query (sample memory)": uhop("query", str(query), "-m", memory, "--no-output"),
    }
    race("Start-up", contestants, rounds=5)
