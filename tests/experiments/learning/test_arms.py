"""Arms differ from those that they are compared with in one thing."""

from __future__ import annotations

from dataclasses import asdict

from uhop_cli.experiments.learning.arms import ARMS, SPARSE
from uhop_cli.experiments.learning.bag_arms import BAG_ARMS, SEPARATIONS
from uhop_cli.nn.separation import LayerSeparation

BESIDE = {"words", "against", "in_expressiveness"}


def difference(one: object, other: object) -> set[str]:
    these, those = (asdict(arm) for arm in (one, other))  # type: ignore[call-overload]
    return {name for name in these if these[name] != those[name]} - BESIDE


def test_one_thing_at_a_time() -> None:
    expected = {
        "plain": {"kernel"},
        "warm-up": {"stage"},
        "alternation-average": {"stage"},
        "alternation": {"stage", "loss"},
        "whitened": {"stage"},
    }
    for name, what in expected.items():
        assert difference(ARMS[name], ARMS["kernel"]) == what
        assert difference(ARMS[f"{name}-{SPARSE}"], ARMS[f"kernel-{SPARSE}"]) == what
        assert difference(ARMS[f"{name}-{SPARSE}"], ARMS[name]) == {"separation"}
        assert (ARMS[name].against, ARMS[f"{name}-{SPARSE}"].against) == ("kernel", f"kernel-{SPARSE}")
    assert difference(ARMS["published:value-path"], ARMS["published:one-token"]) == {"values"}
    assert ARMS["published:value-path"].stage == "none"
    assert not ARMS["published:value-path"].kernel
    assert difference(ARMS["mean-of-patches"], ARMS["plain"]) == {"association"}


def test_every_arm_is_compared_with_one_that_is_there() -> None:
    for arms in (ARMS, BAG_ARMS):
        for name, arm in arms.items():
            assert arm.against is None or arm.against in arms, name  # type: ignore[attr-defined]
            assert arm.against != name  # type: ignore[attr-defined]


def test_bags_have_every_separation_of_the_layers() -> None:
    kinds = {"softmax", "sparsemax", "entmax", "top-k", "window", "random", "linear", "prf", "argmax"}
    assert {LayerSeparation.parse(arm.separation).kind for arm in BAG_ARMS.values()} == kinds
    assert all(difference(BAG_ARMS[name], BAG_ARMS["softmax"]) == {"separation"} for name in SEPARATIONS)
    assert difference(BAG_ARMS["softmax+kernel"], BAG_ARMS["softmax"]) == {"kernel"}
    assert difference(BAG_ARMS["softmax+warm-up"], BAG_ARMS["softmax+kernel"]) == {"stage"}
    assert difference(BAG_ARMS["softmax+u-hop-plus"], BAG_ARMS["softmax+kernel"]) == {"stage", "loss"}
