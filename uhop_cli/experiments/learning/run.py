"""The learning experiments: what they ask, and how their results are shown."""

from __future__ import annotations

from functools import partial
from typing import Any

from uhop_cli.experiments.learning import classify, mil, tables
from uhop_cli.experiments.learning.config import CLASSIFY, EXPRESSIVENESS, MIL
from uhop_cli.experiments.results.family import Family, PartedExperiment

KEY = ("experiment", "method", "train_size", "seed")


def _of_pictures(name: str, question: str) -> PartedExperiment:
    return PartedExperiment(
        name,
        question,
        classify.METHODS,
        partial(classify.rows, experiment=name),
        classify.KNOWN,
        lambda data, config: classify.parts(config, name),
        classify.told,
    )


EXPERIMENTS = {
    one.name: one
    for one in (
        _of_pictures(CLASSIFY, "does Stage I on the kernel of a layer help it classify, all else being equal"),
        _of_pictures(EXPRESSIVENESS, "does a kernel learn more of its training pictures: accuracy against their number"),
        PartedExperiment(
            MIL,
            "which separations lose nothing where bags of instances are classified, and does Stage I help",
            mil.METHODS,
            mil.rows,
            mil.KNOWN,
            lambda data, config: mil.parts(config),
            mil.told,
        ),
    )
}


def facts(config: dict[str, Any]) -> str:
    """What a report says of data and run."""
    settings = config["settings"]
    if "instances" in config:
        size = f"{config['train']:,} bags of {config['instances']:,} instances of {config['features']} features"
        return f"{size}, sha256 `{config['digest']}`; repeats from seed {settings['seed']}, uhop {config['version']}."
    return (
        f"{config['train']:,} training and {config['test']:,} test samples of {config['classes']} classes, "
        f"sha256 of pixels and classes `{config['digest']}`; "
        f"seeds from {settings['seed']}, uhop {config['version']}."
    )


LEARNING = Family(
    EXPERIMENTS,
    "Arms of a seed share training samples, batches and, as far as their layers are the same, initial weights.",
    facts,
    tables.tables,
    tables.sentences,
)
