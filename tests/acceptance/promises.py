"""What an acceptance script promises: each figure printed beside its promise, what was missed remembered."""

from __future__ import annotations

missed: list[str] = []


def promise(name: str, value: float, kept: bool, what: str) -> None:
    """Print a figure beside its promise and remember a miss."""
    print(f"  {'kept  ' if kept else 'MISSED'} {name}: {value:.4g} ({what})", flush=True)
    if not kept:
        missed.append(name)
