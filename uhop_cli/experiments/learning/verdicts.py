"""A paired difference with its interval, in words."""

from __future__ import annotations


def interval(mean: float, half: float) -> str:
    """A difference with its interval; of a single pair, or of equal ones, the difference alone."""
    return f"{mean:+.3f}" if half == 0 else f"{mean:+.3f} [{mean - half:+.3f}, {mean + half:+.3f}]"


def verdict(method: str, other: str, what: str, mean: float, half: float) -> str:
    """Whether a method is better than another, where larger is better; of a single pair, whose half width is 0, nothing is sure."""
    words = "beats" if mean > half > 0 else "is worse than" if -mean > half > 0 else "does not surely differ from"
    return f"{method} {words} {other} in {what}, {interval(mean, half)}"
