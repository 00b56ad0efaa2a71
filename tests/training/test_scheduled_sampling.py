"""Scheduled sampling: what the decoder reads instead of the target, and how often (its laws: tests/laws)."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from anyseq.core import Batch, Noise, Padded
from anyseq.errors import UsageError
from anyseq.models.seq2seq import Seq2Seq
from anyseq.training.loop import noise_of
from anyseq.training.objectives.cross_entropy import CrossEntropy
from anyseq.training.objectives.scheduled_sampling import Decay, ScheduledSampling, teacher_forcing
from laws.whole_models import PLAIN, Pair, batch_of, make, named, target_of, with_dropout
from tiny_runs import events, train

KEYS = list(range(40))
every_decoder = pytest.mark.parametrize("pair", [pair for pair in PLAIN if pair[0] == PLAIN[0][0]], ids=named)


def data() -> Batch:
    return batch_of(KEYS, [target_of(key) for key in KEYS])


def always_own(sample: bool = True, passes: int = 1) -> ScheduledSampling:
    return ScheduledSampling(0.0, "linear", 1, 0.0, sample, passes)


def test_the_share_falls_as_the_paper_says() -> None:
    steps = (0, 10, 500, 10**9)
    assert [teacher_forcing("linear", step, 1000, 0.1) for step in steps] == pytest.approx([1, 0.99, 0.5, 0.1])
    k = math.exp(-1 / 300)
    expected = [k**step for step in steps]
    assert [teacher_forcing("exponential", step, 300, 0.0) for step in steps] == pytest.approx(expected)
    expected = [50 / (50 + math.exp(step / 50)) for step in steps[:3]]
    assert [teacher_forcing("inverse_sigmoid", step, 50, 0.0) for step in steps] == pytest.approx([*expected, 0])
    assert teacher_forcing("inverse_sigmoid", 6908, 1000, 0.0) == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("decay", ["linear", "exponential", "inverse_sigmoid"])
@every_decoder
def test_with_all_of_the_target_it_is_cross_entropy_exactly(pair: Pair, decay: Decay) -> None:
    """With dropout too: no random number is used up."""
    batch, noise = data(), noise_of(data(), 1, 40)
    results = []
    for objective in (CrossEntropy(0.1), ScheduledSampling(0.1, decay, 5, 1.0, True, 2)):
        model = with_dropout(make(pair), 0.3)
        torch.manual_seed(5)
        (part,) = objective(model, batch, noise).parts.values()
        results.append([part.sum, part.count, *torch.autograd.grad(part.sum, list(model.parameters()))])
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


def test_in_evaluation_mode_it_is_cross_entropy() -> None:
    model, batch = make(PLAIN[0]), data()
    (own,) = always_own()(model, batch, noise_of(batch, 1, 40)).parts.values()
    (plain,) = CrossEntropy(0.0)(model, batch, noise_of(batch, 1, 40)).parts.values()
    assert torch.equal(own.sum, plain.sum)
    (own,) = always_own()(model.train(), batch, noise_of(batch, 1, 40)).parts.values()
    assert not torch.isclose(own.sum, plain.sum)


def test_the_share_is_what_is_drawn_and_the_last_place_is_left() -> None:
    objective = ScheduledSampling(0.0, "linear", 10, 0.0, True, 1)
    lengths = torch.arange(400) % 9 + 1
    target = Padded(torch.zeros(400, 9, dtype=torch.int64), torch.arange(9) < lengths[:, None])
    followed = target.valid & (torch.arange(9) < lengths[:, None] - 1)
    counts = int(followed.sum())
    before = None
    for step, share in ((0, 0.0), (3, 0.3), (10, 1.0), (99, 1.0)):
        keys = torch.arange(400)
        noise = Noise(7, keys, torch.zeros_like(keys), torch.full_like(keys, step))
        own = objective.own_places(target, noise)
        assert not own[~followed].any()
        assert int(own.sum()) / counts == pytest.approx(share, abs=4 * (share * (1 - share) / counts) ** 0.5)
        assert torch.equal(own, objective.own_places(target, noise))
        if step == 3:
            before = own
            other = objective.own_places(target, Noise(8, keys, torch.zeros_like(keys), noise.step))
            assert not torch.equal(own, other), "the seed counts"
    assert before is not None and before.any(0)[:8].all() and not before.all(0).any()


def test_own_symbols_come_as_often_as_the_model_says() -> None:
    """Also where few are own: whether a symbol is own, and which it is, are drawn apart."""
    count, model = 4000, make(PLAIN[0], sharpness=2.0)
    memory = model.encode(batch_of([4], [target_of(4)]))
    keys = torch.arange(count)
    memory = model.decoder.prepare(memory.select(torch.zeros(count, dtype=torch.int64)).replace(item=keys))
    target = Padded(torch.tensor([[1, 2, 0]]).expand(count, 3), torch.ones(count, 3, dtype=torch.bool))
    noise = Noise(3, keys, torch.zeros_like(keys), torch.full_like(keys, 6))
    objective = ScheduledSampling(0.0, "linear", 10, 0.0, True, 1)
    own = objective.own_places(target, noise)
    emission, _ = model.decoder.unroll(memory, target)
    for place in (0, 1):
        drawn = objective.fed(model.decoder, memory, target, noise).values[own[:, place], place]
        share = drawn.bincount(minlength=5).double() / len(drawn)
        expected = emission.log_probs()[0, place].exp()
        assert 0.5 < len(drawn) / count < 0.7
        assert bool(((share - expected).abs() < 4.5 * (expected * (1 - expected) / len(drawn)).sqrt()).all())


@pytest.mark.parametrize("sample", [True, False])
@every_decoder
def test_with_enough_passes_own_symbols_follow_own_symbols(pair: Pair, sample: bool) -> None:
    """The mixture grows step by step, as in Bengio et al.; here by the chain of steps."""
    model, batch, noise = with_dropout(make(pair, sharpness=4.0), 0.0), data(), noise_of(data(), 1, 8)
    objective = ScheduledSampling(0.0, "linear", 10, 0.0, sample, passes=4)
    with torch.no_grad():
        memory = model.decoder.prepare(model.encode(batch))
        mixed = objective.fed(model.decoder, memory, batch.target, noise).values
        own = objective.own_places(batch.target, noise)
        expected = by_steps(model, batch, own, noise, sample)
        one_pass = ScheduledSampling(0.0, "linear", 10, 0.0, sample, passes=1)
        parallel = one_pass.fed(model.decoder, memory, batch.target, noise).values
    assert torch.equal(mixed, expected)
    assert torch.equal(mixed[~own], batch.target.values[~own]) and not torch.equal(mixed, batch.target.values)
    assert torch.equal(first(parallel, own), first(mixed, own)), "what follows the target alone is the same"
    if sample and "placewise" not in pair[1]:  # which feeds nothing back
        assert not torch.equal(parallel, mixed)


def by_steps(model: Seq2Seq, batch: Batch, own: Tensor, noise: Noise, sample: bool) -> Tensor:
    decoder, memory = model.decoder, model.decoder.prepare(model.encode(batch))
    state, previous, columns = decoder.start(memory), batch.target.values[:, 0], []
    for time in range(batch.target.values.shape[1]):
        emission, state = decoder.step(memory, state, previous)
        draws = Noise(noise.seed, noise.item, torch.full_like(noise.item, time), noise.step)
        said = emission.sample(draws) if sample else emission.mode()
        previous = torch.where(own[:, time], said.values, batch.target.values[:, time])
        columns.append(previous)
    return torch.stack(columns, 1)


def first(values: Tensor, own: Tensor) -> Tensor:
    """Each row's first own symbol."""
    return values[own & (own.cumsum(1) == 1)]


def test_a_decoder_that_feeds_nothing_back_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model, batch = make(PLAIN[0]).train(), data()
    monkeypatch.setattr(type(model.decoder), "whole", True)
    with pytest.raises(UsageError, match="feeds nothing back; use objective=cross_entropy"):
        always_own()(model, batch, noise_of(batch, 1, 4))


def test_lower_precision_keeps_all_gradients() -> None:
    """What autocast has cast without gradients must not be used where gradients are wanted (torch before 2.10)."""
    pair = next(pair for pair in PLAIN if "transformer" in pair[0] and "transformer" in pair[1])
    model, batch = with_dropout(make(pair, dtype=torch.float32), 0.0), data()
    with torch.autocast("cpu", torch.bfloat16):
        (part,) = always_own()(model, batch, noise_of(batch, 1, 4)).parts.values()
    part.sum.backward()
    assert [name for name, own in model.named_parameters() if own.grad is None or not own.grad.any()] == []


def test_a_recipe_trains_with_it(tmp_path: Path) -> None:
    words = ["objective=scheduled_sampling", "objective.decay=linear", "objective.least=0.2"]
    losses = {}
    for steps in (1, 10**6):
        trained = train(tmp_path / str(steps), *words, f"objective.decay_steps={steps}")
        losses[steps] = [event["loss"] for event in events(tmp_path / str(steps)) if event["kind"] == "training"]
        assert "max_steps" in trained.ended
    assert losses[1] != losses[10**6]
