"""Laws 1, 3, 13 and 14 over every objective of the table, with every encoder and decoder."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from anyseq.core import Batch, Loss, LossPart, Model, Noise, Objective
from anyseq.errors import UsageError
from anyseq.models.seq2seq import Seq2Seq
from anyseq.training.gradients import backward
from anyseq.training.loop import noise_of
from laws.cases import named as variants
from laws.whole_models import BOUND, EVERY, KINDS, Pair, batch_of, make, named, often, target_of, with_dropout

torch.set_num_threads(1)
KEYS = [4, 0, 7, 13, 2]
OBJECTIVES = {name: each for name, each in variants("objectives").items() if "targets" not in each.exceptions}
unchecked = pytest.mark.usefixtures("unchecked")


def refused(pair: Pair, name: str) -> bool:
    return "constrained" in OBJECTIVES[name].exceptions and "constrained" in pair[1]


def together(pairs: Sequence[Pair]) -> pytest.MarkDecorator:
    """Every objective with these models; whether it refuses some is a test of its own."""
    cases = [
        pytest.param(pair, name, id=f"{named(pair)}-{name}", marks=often(pair))
        for name in OBJECTIVES
        for pair in pairs
        if not refused(pair, name)
    ]
    return pytest.mark.parametrize(("pair", "name"), cases)


every_kind = together(KINDS)


def data(keys: Sequence[int] = KEYS) -> Batch:
    return batch_of(keys, [target_of(key) for key in keys])


def training(pair: Pair) -> Seq2Seq:
    """A model as it is trained, but for dropout."""
    return with_dropout(make(pair), 0.0)


def total(loss: Loss) -> Tensor:
    return torch.stack([part.weight * part.sum / part.count for part in loss.parts.values()]).sum()


def evaluate(objective: Objective, model: Model, batch: Batch) -> Loss:
    return objective(model, batch, noise_of(batch, seed=1, step=7))


@unchecked
@every_kind
def test_1_parts_add_up_over_items(pair: Pair, name: str) -> None:
    model, objective = training(pair), OBJECTIVES[name].config.build()
    together = evaluate(objective, model, data()).parts
    alone = [evaluate(objective, model, data([key])).parts for key in KEYS]
    for part, loss in together.items():
        torch.testing.assert_close(loss.sum, torch.stack([each[part].sum for each in alone]).sum(), **BOUND)
        assert int(loss.count) == sum(int(each[part].count) for each in alone)


@together(EVERY)
def test_3_every_parameter_of_a_model_learns(pair: Pair, name: str) -> None:
    model, objective = training(pair), OBJECTIVES[name].config.build()
    total(evaluate(objective, model, data())).backward()
    idle = [name for name, own in model.named_parameters() if own.grad is None or not own.grad.any()]
    assert not idle


@unchecked
@every_kind
def test_13_gradients_agree_with_finite_differences(pair: Pair, name: str) -> None:
    """Along random directions in the space of all parameters, by central differences."""
    model, objective = training(pair), OBJECTIVES[name].config.build()
    batch, parameters = data([4, 7]), list(model.parameters())
    total(evaluate(objective, model, batch)).backward()
    for _ in range(2):
        directions = [torch.randn_like(parameter) for parameter in parameters]
        ends = []
        for distance in (1e-6, -2e-6, 1e-6):  # there, to the other side, and back
            with torch.no_grad():
                torch._foreach_add_(parameters, directions, alpha=distance)
                ends.append(float(total(evaluate(objective, model, batch))))
        slope = sum(float((p.grad * d).sum()) for p, d in zip(parameters, directions, strict=True))
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(slope, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", [name for name, variant in OBJECTIVES.items() if "constrained" in variant.exceptions])
def test_a_constraint_of_the_model_is_refused(name: str) -> None:
    pair = next(pair for pair in KINDS if "constrained" in pair[1])
    with pytest.raises(UsageError, match="objective=cross_entropy"):
        evaluate(OBJECTIVES[name].config.build(), training(pair), data())


class WithPrior(Objective):
    """A loss of two parts whose counts differ: an objective, and a penalty on the memory's vectors, by place."""

    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self.objective = objective
        self.scale = nn.Parameter(torch.tensor(1.5, dtype=torch.float64))

    def forward(self, model: Model, batch: Batch, noise: Noise) -> Loss:
        memory = model.encode(batch)
        places = memory.vectors[memory.valid].square().sum(-1)
        prior = LossPart((self.scale * places).sum(), batch.source.valid.sum(), weight=0.3)
        return Loss({**self.objective(model, batch, noise).parts, "prior": prior})


@unchecked
@pytest.mark.parametrize("parts", [pytest.param(1, marks=pytest.mark.full), 2])
@every_kind
def test_14_accumulation_is_a_big_batch(pair: Pair, name: str, parts: int) -> None:
    """Micro-batches with unequally many items and symbols."""
    model, objective = training(pair), OBJECTIVES[name].config.build()
    if parts == 2:
        objective = WithPrior(objective)
    parameters = [*model.parameters(), *objective.parameters()]
    gradients, reports = [], []
    for split in ([KEYS], [KEYS[:1], KEYS[1:4], KEYS[4:]]):
        for parameter in parameters:
            parameter.grad = None
        losses = (evaluate(objective, model, data(keys)) for keys in split)
        reports.append(backward(losses, parameters, len(split)))
        gradients.append([parameter.grad for parameter in parameters])
    torch.testing.assert_close(reports[0], reports[1], **BOUND)
    for whole, accumulated in zip(*gradients, strict=True):
        torch.testing.assert_close(whole, accumulated, rtol=0, atol=1e-9)
    for parameter in parameters:
        parameter.grad = None
    total(evaluate(objective, model, data())).backward()
    for plain, parameter in zip(gradients[0], parameters, strict=True):
        torch.testing.assert_close(plain, parameter.grad, rtol=0, atol=1e-9)
