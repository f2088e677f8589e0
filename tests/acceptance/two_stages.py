"""Prints how often two stages name what the pass over all memories names, for every kind of damage, and what both take.

    python tests/acceptance/two_stages.py cifar10.safetensors                  # of a memory with codes: 20,000 pictures or more
    python tests/acceptance/two_stages.py cifar10.safetensors --queries 200 --seed 2 --damages values:0.9 noise:1

Queries are damaged copies of memories, clipped to 8 bits as files are. Seconds are those of the processor, on one core: other work
does not count, though it makes them longer. The exit status is 1 if a promise is missed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from evidence import TEN, damaged
from uhop_cli.arrays.device import CPU
from uhop_cli.arrays.threads import share_cores
from uhop_cli.memory.file.reader import load
from uhop_cli.querying.answer import Answer
from uhop_cli.querying.by_evidence import ByEvidence
from uhop_cli.querying.retriever import Retriever
from uhop_cli.querying.settings import RetrievalSettings

EACH, MEAN = 0.985, 0.997  # least share of equal answers, of every damage and on average
HEADS = ("on the shortlist", "open", "equal", "right", "of all", "log loss", "of all", "refused", "of all", "ms", "of all")
SURE = 0.5  # confidence below which an answer is refused by default


def timed(work: Callable[[], Answer]) -> tuple[Answer, float]:
    """What `work` returns, and the seconds of the processor it takes."""
    started = time.process_time()
    with np.errstate(all="ignore"), CPU.computing():
        answer = work()
    return answer, time.process_time() - started


def named(answer: Answer) -> np.ndarray:
    """The row of each answer's best memory, (Q,)."""
    return np.array([answer.ranking(place, 1)[0] for place in range(len(answer.scores))])


def log_loss(confidence: np.ndarray, right: np.ndarray) -> float:
    """Mean of -ln P(what was the case), P(right) being the confidence."""
    share = np.clip(confidence, 1e-6, 1 - 1e-6)
    return float(-np.mean(np.log(np.where(right, share, 1 - share))))


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("memory", type=Path)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--damages", nargs="+", default=TEN)
    options = parser.parse_args()
    share_cores(1)
    memory = load(options.memory)
    evidence = Retriever(memory, RetrievalSettings(steps=1)).strategy
    assert isinstance(evidence, ByEvidence)
    assert evidence.shortlist is not None, "a memory with codes"
    rows = np.sort(np.random.default_rng(options.seed).choice(len(memory), options.queries, replace=False))
    print("| damage | " + " | ".join(HEADS) + " |\n|---|" + "--:|" * len(HEADS))
    shares = []
    for label in options.damages:
        asked = damaged(memory, rows, label, options.seed)
        lists, named_too = evidence.shortlist.find(asked)
        two, seconds = timed(lambda asked=asked: evidence.answer(asked, None))
        every, longer = timed(lambda asked=asked: evidence.among_all(asked))
        first = evidence.among(asked, lists, named=named_too)
        answers, wanted = named(two), named(every)
        assert two.confidence is not None
        assert every.confidence is not None
        figures = [
            (lists == rows[:, None]).any(axis=1).mean(),
            len(evidence.open_places(first.confidence, asked)) / len(rows),
            (answers == wanted).mean(),
            (answers == rows).mean(),
            (wanted == rows).mean(),
            log_loss(two.confidence, answers == rows),
            log_loss(every.confidence, wanted == rows),
            (two.confidence < SURE).mean(),
            (every.confidence < SURE).mean(),
        ]
        times = " | ".join(f"{1e3 * part / len(rows):.1f}" for part in (seconds, longer))
        print(f"| {label} | " + " | ".join(f"{figure:.3f}" for figure in figures) + f" | {times} |", flush=True)
        shares.append(figures[2])
    missed = min(shares) < EACH or np.mean(shares) < MEAN
    print(f"{'MISSED' if missed else 'ok'} equal {np.mean(shares):.4f}, least {min(shares):.4f}; promised {MEAN}, {EACH}")
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
