"""A small memory to save, load and spoil."""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, settings

from shapes import check_shapes
from uhop_cli.images.patterns import PatternSpec, to_vectors
from uhop_cli.kernel.feature_map import KernelFamily
from uhop_cli.memory.entries import Entries
from uhop_cli.memory.local import LocalDescriptors
from uhop_cli.memory.memory import Memory, Originals

check_shapes()

# Of `mutants.py`, which asks whether an example fails, not for the smallest that does.
settings.register_profile("any failure", phases=(Phase.explicit, Phase.generate), deadline=None)


# A shell without job control starts in the background what ignores SIGINT, and so would the processes that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test finds anything in the user's cache, or leaves anything there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


MakeMemory = Callable[..., Memory]


def _make_memory(
    patterns: int = 5,
    files: int = 7,
    features: int = 4,
    members: int = 3,
    spec: PatternSpec | None = None,
    record: dict[str, Any] | None = None,
    explicit: bool = False,
    compact: int = 0,
    embed: bool = False,
    described: bool = False,
    seed: int = 0,
) -> Memory:
    rng = np.random.default_rng(seed)
    spec = spec or PatternSpec(4, 3, 3)
    pixels = rng.integers(0, 256, (patterns, *spec.shape), dtype=np.uint8)
    weight = rng.normal(size=(features, spec.dim)).astype(np.float32)
    if explicit:
        kernel = KernelFamily.explicit(weight)
    else:
        gains = rng.uniform(0.1, 2, (members, features)).astype(np.float32)
        gains[members - 1] = 1
        spectrum = np.sort(rng.uniform(0, 9, features).astype(np.float32))[::-1]
        kernel = KernelFamily(weight, gains, tuple(10.0**-k for k in range(members)), members - 1, spectrum)
    contents = [b"content %d of %d" % (index, seed) for index in range(files)]
    entries = Entries.build(
        [b"folder/%d\xff.png" % index for index in range(files)],
        [index % patterns for index in range(files)],
        [hashlib.sha256(content).digest() for content in contents],
        [len(content) for content in contents],
    )
    return Memory(
        spec,
        pixels,
        kernel,
        kernel.norms(to_vectors(pixels)),
        entries,
        beta=1.5,
        record=record if record is not None else {"seed": 0, "settings": {"size": "auto"}, "self_test": [{"level": 0.5}]},
        compact=rng.normal(size=(compact, patterns)).astype(np.float32) if compact else None,
        compact_map=rng.normal(size=(compact - 1, spec.dim)).astype(np.float32) if compact else None,
        originals=Originals.build(contents) if embed else None,
        local=_make_local(patterns, rng) if described else None,
    )


def _make_local(pictures: int, rng: np.random.Generator) -> LocalDescriptors:
    """Two descriptors a picture, none of the second."""
    offsets = np.cumsum([0, *(0 if row == 1 else 2 for row in range(pictures))])
    count = int(offsets[-1])
    codes = rng.integers(-99, 100, (count, 64), dtype=np.int8)
    places = rng.integers(0, 256, (count, 4), dtype=np.uint8)
    return LocalDescriptors(codes, places, offsets, rng.uniform(-0.3, 0.3, (65, 128)).astype(np.float32))


def _arrays(memory: Memory) -> dict[str, Any]:
    kernel, entries, originals = memory.kernel, memory.entries, memory.originals
    return {
        "memories": memory.patterns,
        "W": kernel.weight,
        "gains": kernel.gains,
        "spectrum": kernel.spectrum,
        "norms": memory.norms,
        "compact": memory.compact,
        "compact_map": memory.compact_map,
        "name_bytes": entries.name_bytes,
        "name_offsets": entries.name_offsets,
        "name_entry": entries.name_entry,
        "digests": entries.digests,
        "sizes": entries.sizes,
        **{name: memory.local and getattr(memory.local, name) for name in ("codes", "places", "offsets", "directions")},
        "originals": originals and originals.data,
        "original_offsets": originals and originals.offsets,
    }


def _assert_same(one: Memory, other: Memory) -> None:
    assert one.spec == other.spec
    assert (one.kernel.rhos, one.kernel.chosen, one.beta) == (other.kernel.rhos, other.kernel.chosen, other.beta)
    assert dict(one.record) == dict(other.record)
    for (name, first), second in zip(_arrays(one).items(), _arrays(other).values(), strict=True):
        assert (first is None) == (second is None), name
        if first is not None:
            assert first.dtype == second.dtype, name
            np.testing.assert_array_equal(first, second, err_msg=name)


@pytest.fixture(scope="session")
def make_memory() -> MakeMemory:
    """Builds a random consistent memory; equal arguments, equal memory."""
    return _make_memory


@pytest.fixture(scope="session")
def assert_same() -> Callable[[Memory, Memory], None]:
    """Asserts that two memories are equal, bit for bit."""
    return _assert_same
