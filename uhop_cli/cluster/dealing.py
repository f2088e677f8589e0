"""Which worker has which shards: as evenly as what each of them sees allows, and few shards change hands."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

HandOver = tuple[str, int, str]  # who gives, which shard, who takes it


def dealt(sees: Mapping[str, Sequence[bool]], before: Sequence[str | None]) -> list[str]:
    """A worker for every shard; no other way of dealing has a smaller largest load.

    Who has a shard keeps it, and any other one goes to the least busy worker that sees it. Then whoever holds most gives: as long
    as there is a path of hand-overs to a worker that has at least two fewer, each on the path seeing what it is handed, it is
    taken. Loads without such a path are as even as they can be (Harvey, Ladner, Lovasz & Tamir 2006, Semi-matchings for bipartite
    graphs and load balancing, theorem 3.1: cost-reducing paths).

    Args:
        sees: of each worker, which shards it sees; every shard is seen by one at least.
        before: who had each shard.
    """
    has: dict[str, set[int]] = {worker: set() for worker in sees}
    rest = []
    for number, worker in enumerate(before):
        if worker is not None and worker in sees and sees[worker][number]:
            has[worker].add(number)
        else:
            rest.append(number)
    for number in rest:
        has[min((worker for worker in sees if sees[worker][number]), key=lambda worker: len(has[worker]))].add(number)
    while path := _levelling(sees, has):
        for giver, number, taker in path:
            has[giver].remove(number)
            has[taker].add(number)
    owner = {number: worker for worker, numbers in has.items() for number in numbers}
    return [owner[number] for number in range(len(before))]


def _levelling(sees: Mapping[str, Sequence[bool]], has: Mapping[str, set[int]]) -> list[HandOver]:
    """Hand-overs that make loads more even, from the one who has most, the fewest of them; none where there are no such."""
    least = min(map(len, has.values()))
    for first in sorted(has, key=lambda worker: -len(has[worker])):
        if len(has[first]) < least + 2:
            return []
        came: dict[str, HandOver] = {}
        waiting = deque([first])
        while waiting:
            worker = waiting.popleft()
            if len(has[worker]) <= len(has[first]) - 2:
                path = []
                while worker != first:
                    path.append(came[worker])
                    worker = came[worker][0]
                return path
            for number in sorted(has[worker]):
                for other in sees:
                    if other != first and other not in came and sees[other][number]:
                        came[other] = (worker, number, other)
                        waiting.append(other)
    return []
