"""Training: it learns, it goes on after a kill, and Stage I moves what it should."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from uhop_cli.errors import MemoryFileError
from uhop_cli.nn.learning import NetSettings, Samples, SetClassifier, StageOne, TrainingSettings, accuracy, fit, learn, scores
from uhop_cli.nn.training import seeded

SHORT = TrainingSettings(epochs=3, batch=32, rate=3e-3, steps=20)


def net_of(settings: NetSettings, *, kernel: bool = True, seed: int = 1, **changes: object) -> SetClassifier:
    return seeded(seed, lambda: SetClassifier(replace(settings, kernel=kernel, **changes)))  # type: ignore[arg-type]


@pytest.mark.parametrize(("kernel", "stage"), [(False, "none"), (True, "alternation")])
def test_it_learns(kernel: bool, stage: StageOne, settings: NetSettings, samples: Samples, others: Samples) -> None:
    net = net_of(settings, kernel=kernel)
    told: list[tuple[int, str]] = []
    longer = replace(SHORT, epochs=15, rate=1e-2, stage=stage)
    learned = learn(net, samples, longer, seed=0, on_epoch=lambda *words: told.append(words))
    assert learned.losses[-1] < 0.5 * learned.losses[0]
    assert learned.accuracies[-1] > 0.9
    assert accuracy(net, others) > 0.85
    assert told[-1] == (15, f"loss {learned.losses[-1]:.4f}, training accuracy {learned.accuracies[-1]:.3f}")
    assert learned.support == 4


def test_losses_are_those_before_each_step(settings: NetSettings, samples: Samples) -> None:
    net = net_of(settings)
    with torch.no_grad():
        logits = net(*samples.inputs(slice(None)))
    expected, right = F.cross_entropy(logits, samples.labels), (logits.argmax(dim=1) == samples.labels).double().mean()
    assert accuracy(net, samples) == pytest.approx(float(right))
    assert scores(net, samples) == pytest.approx((logits[:, 1] - logits[:, 0]).numpy(), abs=1e-5)
    learned = learn(net, samples, replace(SHORT, epochs=1, batch=200), seed=0)
    assert learned.losses == [pytest.approx(float(expected), rel=1e-5)]
    assert learned.accuracies == [pytest.approx(float(right))]


@pytest.mark.parametrize("stage", ["none", "warm-up", "alternation", "whitened"])
def test_a_killed_training_goes_on(stage: StageOne, settings: NetSettings, samples: Samples, tmp_path: Path) -> None:
    class KilledError(Exception):
        pass

    def kill(epoch: int, _: str) -> None:
        if epoch == 2:
            raise KilledError

    asked = replace(SHORT, stage=stage)
    whole = net_of(settings, dropout=0.3)
    expected = learn(whole, samples, asked, seed=3)
    with pytest.raises(KilledError):
        learn(net_of(settings, dropout=0.3), samples, asked, seed=3, checkpoint=tmp_path / "a", on_epoch=kill)
    torch.manual_seed(99)  # the state of the process is not that of the one that was killed
    again = net_of(settings, dropout=0.3)
    assert learn(again, samples, asked, seed=3, checkpoint=tmp_path / "a") == expected
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in whole.state_dict().items())
    with pytest.raises(MemoryFileError, match="another training"):
        learn(net_of(settings), samples, asked, seed=4, checkpoint=tmp_path / "a")
    with pytest.raises(MemoryFileError, match="another training"):
        learn(net_of(settings), samples, asked, seed=3, checkpoint=tmp_path / "a", about={"data": 1})


@pytest.mark.parametrize("stage", ["warm-up", "whitened"])
def test_stage_one_before_the_training_moves_phi_alone_and_separates(
    stage: StageOne, settings: NetSettings, samples: Samples
) -> None:
    net, before = net_of(settings), net_of(settings).state_dict()
    fit.prepare(net, samples, samples, replace(SHORT, stage=stage), seed=0)
    moved = {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
    assert moved
    assert all(".kernel." in name for name in moved)
    after, start = (fit.mean_separation(one, samples, "average") for one in (net, net_of(settings)))
    assert after is not None
    assert start is not None
    assert after < start - 0.1
    separation = learn(net_of(settings), samples, replace(SHORT, epochs=1, stage=stage), seed=0).separation
    assert separation is not None
    assert separation[:2] == (start, after)


def test_the_warm_up_takes_its_steps_on_other_batches_than_the_training(
    settings: NetSettings, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []
    monkeypatch.setattr("uhop_cli.nn.alternation.Alternation.step", lambda self, tokens, mask: seen.append(tokens))
    fit.prepare(net_of(settings), samples, samples, replace(SHORT, stage="warm-up", batch=150, steps=3), seed=0)
    assert [len(tokens) for tokens in seen] == [150, 50, 150]  # from the start again, in another order
    assert not torch.equal(seen[0], seen[2])
    seen.clear()
    learn(net_of(settings), samples, replace(SHORT, stage="alternation", batch=150, epochs=2), seed=0)
    assert [len(tokens) for tokens in seen] == [150, 50, 150, 50]  # one before each step


def test_the_rate_falls_along_half_a_cosine(settings: NetSettings, samples: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []

    def note(net: object, optimiser: torch.optim.Optimizer, *rest: object) -> tuple[float, float]:
        rates.append(optimiser.param_groups[0]["lr"])
        return 1.0, 0.5

    monkeypatch.setattr(fit, "_epoch", note)
    learn(net_of(settings), samples, replace(SHORT, epochs=4, rate=0.8), seed=0)
    assert rates == pytest.approx([0.8, 0.4 + 0.4 * math.sqrt(0.5), 0.4, 0.4 - 0.4 * math.sqrt(0.5)])


def test_weights_decay_where_asked(settings: NetSettings, samples: Samples) -> None:
    norms = []
    for decay in (0.0, 10.0):
        net = net_of(settings)
        learn(net, samples, replace(SHORT, decay=decay), seed=0)
        norms.append(float(net.embed.weight.detach().norm()))  # type: ignore[operator, union-attr]
    assert norms[1] < 0.9 * norms[0]


def test_sparsemax_leaves_some_tokens_out(settings: NetSettings, samples: Samples) -> None:
    net = net_of(settings, separation="sparsemax")
    with torch.no_grad():
        net.layer.in_proj_weight.mul_(8)  # type: ignore[union-attr, operator]
        weights = net.pool.associations(net.embed(samples.inputs(slice(None))[0]))  # type: ignore[union-attr, misc]
    support = fit.mean_support(net, samples)
    assert support == pytest.approx(float((weights > 0).double().sum(dim=-1).mean()))
    assert support is not None
    assert 1 <= support < 3.9


def test_without_an_association_or_pairs_nothing_is_said(settings: NetSettings, samples: Samples) -> None:
    learned = learn(net_of(settings, kernel=False, association="mean"), samples, replace(SHORT, epochs=1), seed=0)
    assert (learned.separation, learned.support) == (None, None)
    single = Samples(samples.tokens[:, :1], samples.labels, None, samples.shift, samples.scale)
    learned = learn(net_of(settings, tokens=1), single, replace(SHORT, epochs=1), seed=0)
    assert (learned.separation, learned.support) == (None, 1)
