"""The registry of methods: what is compared, one entry each.

A method takes a task and the settings of the protocol and answers with weights over the memories or with pictures. To add one,
write an entry; CONTRIBUTING.md has an example.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from uhop_cli.errors import SettingsError
from uhop_cli.experiments.methods.learners import Learner
from uhop_cli.experiments.methods.protocol import Prediction, ProtocolName, Tuner
from uhop_cli.experiments.methods.task import Task

Role = Literal["uhop", "baseline", "control", "ceiling", "published", "quirk"]


GROUPS: dict[str, Callable[[Role], bool]] = {
    "all": lambda role: role != "quirk",
    "published": lambda role: role == "published",
    "quirks": lambda role: role == "quirk",
}


@dataclass(frozen=True)
class Method:
    """One method.

    Attributes:
        name: as `--methods` takes it.
        description: one line; of a published variant, its quirks.
        role: 'uhop' (the models of this project), 'baseline' (others), 'control' (what a method has to beat to be worth its
            name), 'ceiling' (what no method can beat), 'published' (as published code does it), 'quirk' (the paper's protocol
            with one quirk of that code).
        answer: the method.
        learners: ways of Stage I that it needs W of under the paper's protocol.
        tuned_learners: the same under the tuned protocol.
        protocols: under which it is run by default.
    """

    name: str
    description: str
    role: Role
    answer: Callable[[Task, Tuner], Prediction]
    learners: tuple[Learner, ...] = ()
    tuned_learners: tuple[Learner, ...] = ()
    protocols: tuple[ProtocolName, ...] = ("paper", "tuned")

    def needs(self, protocol: ProtocolName) -> tuple[Learner, ...]:
        """The learners of a protocol."""
        return self.learners if protocol == "paper" else self.tuned_learners


METHODS: dict[str, Method] = {}


def register(*methods: Method) -> None:
    """Adds methods to the registry.

    Raises:
        SettingsError: a name is taken.
    """
    for method in methods:
        if method.name in METHODS:
            raise SettingsError(f"there is a method '{method.name}' already")
        METHODS[method.name] = method


def select(names: Sequence[str], protocol: ProtocolName) -> list[Method]:
    """Methods by name; no name means those of the protocol, 'published' and 'quirks' the variants, 'all' all but the quirks.

    Raises:
        SettingsError: an unknown name.
    """
    registered = list(METHODS.values())
    if not names:
        return [method for method in registered if method.role not in ("published", "quirk") and protocol in method.protocols]
    chosen: dict[str, Method] = {}
    for name in names:
        if name in GROUPS:
            wanted = [m for m in registered if GROUPS[name](m.role)]
            chosen.update((m.name, m) for m in wanted if protocol in m.protocols)
        elif name in METHODS:
            chosen[name] = METHODS[name]
        else:
            near = difflib.get_close_matches(name, METHODS, n=1)
            raise SettingsError(f"unknown method '{name}'", f"did you mean {near[0]}?" if near else "uhop bench --list names them")
    return list(chosen.values())
