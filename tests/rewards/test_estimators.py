"""Law 13 of learning from reward: the mean of each estimator is the exact gradient, by enumeration on a toy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import pytest
import torch
from torch import Tensor

from anyseq.core import Batch, Memory, Padded
from anyseq.core.tree import width
from anyseq.models.seq2seq import Seq2Seq
from anyseq.search import Greedy, search
from anyseq.search.stops import EndSymbol
from anyseq.training.gradients import backward
from anyseq.training.loop import noise_of
from anyseq.training.objectives.minimum_risk import MinimumRisk, beside, repeated
from anyseq.training.objectives.mixer import Mixer
from anyseq.training.objectives.reinforce import Baseline, Reinforce
from anyseq.training.objectives.reward import at_rest
from anyseq.training.rollouts import Drawn, Rollouts
from laws.whole_models import PLAIN, SYMBOLS, batch_of, make, target_of, with_dropout

torch.set_num_threads(1)
KEYS = [4, 7]
PAIRS = [PLAIN[0], next(pair for pair in PLAIN if "transformer" in pair[0] and "transformer" in pair[1])]
with_models = pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: " × ".join(pair))
BASELINES: tuple[Baseline, ...] = ("none", "moving_average", "learned", "greedy")


def outputs_within(budget: int) -> list[list[int]]:
    """All that may come out: ended, or as long as the budget."""
    found = [[symbol] for symbol in range(SYMBOLS)]
    for _ in range(budget - 1):
        found = [each for each in found if each[-1] == 0] + [
            [*each, symbol] for each in found if each[-1] != 0 for symbol in range(SYMBOLS)
        ]
    return found


def padded(rows: Sequence[Sequence[int]]) -> Padded:
    return Padded.stack([torch.tensor(row) for row in rows])


class Given(Rollouts):
    """Draws what it is told to; a symbol is worth its square by its place, and the source's number."""

    def __init__(self, model: Seq2Seq, budget: int, chosen: Sequence[Sequence[int]] = ()) -> None:
        self.model, self.budget, self.chosen = model, budget, chosen
        self.memory_dim = model.encoder.output_dim

    def draw(
        self, memory: Memory, batch: Batch, samples: int, seed: int, prefix: Padded | None = None, spread: bool = False
    ) -> Drawn:
        assert not self.model.decoder.training and not torch.is_grad_enabled()
        assert len(self.chosen) == samples * len(batch.items)
        return Drawn(padded(self.chosen), torch.zeros(len(self.chosen)))

    def greedy(self, memory: Memory, batch: Batch, prefix: Padded | None = None) -> Padded:
        found = search(self.model.decoder, memory, strategy=Greedy(), stop=EndSymbol(self.budget))
        rows = zip(found.values[:, 0].tolist(), found.lengths[:, 0].tolist(), strict=True)
        return padded([row[:length] for row, length in rows])

    def reward(self, outputs: Padded, batch: Batch) -> Tensor:
        worth = (outputs.values**2 * outputs.valid) / torch.arange(1, outputs.values.shape[1] + 1)
        own = torch.arange(len(batch.items)).repeat_interleave(outputs.rows // len(batch.items))
        return worth.sum(1).double() / 20 + own


def exact(model: Seq2Seq, batch: Batch, budget: int, rollouts: Given) -> list[Tensor]:
    """The gradient of -Σ p(y) R(y), mean over sources."""
    every = outputs_within(budget)
    memory = model.decoder.prepare(model.encode(batch))
    target = padded(every * len(batch.items))
    emission, _ = model.decoder.unroll(memory, target)
    probability = emission.log_prob(target.values).sum(1).exp()
    torch.testing.assert_close(probability.view(len(batch.items), -1).sum(1), torch.ones(len(batch.items)).double())
    loss = -(probability * rollouts.reward(target, batch)).sum() / len(batch.items)
    return list(torch.autograd.grad(loss, list(model.parameters()), allow_unused=True, materialize_grads=True))


def mean_gradient(
    model: Seq2Seq, batch: Batch, budget: int, samples: int, make_objective: Callable[[Given], Reinforce]
) -> list[Tensor]:
    """The estimator's gradient, weighted by the probability of what is drawn, for the first of two sources.

    The other's outputs are held: gradients of sources add up, and their mean is linear in each.
    """
    every = outputs_within(budget)
    memory = model.decoder.prepare(model.encode(batch))
    target = padded(every * len(batch.items))
    with torch.no_grad(), at_rest(model.decoder):
        emission, _ = model.decoder.unroll(memory, target)
        table = emission.log_prob(target.values).sum(1).exp().view(len(batch.items), -1)
    total = [torch.zeros_like(parameter) for parameter in model.parameters()]
    for chosen in product(range(len(every)), repeat=samples):
        weights = [float(table[source, list(chosen)].prod()) for source in range(len(batch.items))]
        for source, weight in enumerate(weights):
            one = Batch({name: field.select(torch.tensor([source])) for name, field in batch.fields.items()},
                        [batch.items[source]])  # fmt: skip
            objective = make_objective(Numbered(model, budget, [every[place] for place in chosen], source))
            loss = objective(model, one, noise_of(one, 1, 0)).parts["reward"]
            grads = torch.autograd.grad(
                loss.sum / loss.count, list(model.parameters()), allow_unused=True, materialize_grads=True
            )
            for sum_, grad in zip(total, grads, strict=True):
                sum_ += weight * grad / len(batch.items)
    return total


class Numbered(Given):
    """The same where the one source is not the first."""

    def __init__(self, model: Seq2Seq, budget: int, chosen: Sequence[Sequence[int]], source: int) -> None:
        super().__init__(model, budget, chosen)
        self.source = source

    def reward(self, outputs: Padded, batch: Batch) -> Tensor:
        return super().reward(outputs, batch) + self.source


def agree(one: Sequence[Tensor], two: Sequence[Tensor]) -> None:
    assert max(float(each.abs().max()) for each in one) > 1e-3, "a gradient of nothing shows nothing"
    for left, right in zip(one, two, strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=1e-9)


def toy(pair: tuple[str, str]) -> tuple[Seq2Seq, Batch]:
    torch.manual_seed(3)
    model = with_dropout(make(pair), 0.0)
    return model, batch_of(KEYS, [target_of(key) for key in KEYS])


@pytest.mark.parametrize("baseline", BASELINES)
@with_models
def test_13_the_mean_of_reinforce_is_the_exact_gradient(pair: tuple[str, str], baseline: Baseline) -> None:
    model, batch = toy(pair)

    def made(rollouts: Given) -> Reinforce:
        torch.manual_seed(1)
        objective = Reinforce(rollouts, 1, 0.0, 0.0, baseline, 0.9).double()
        objective.average[0] = 0.3  # as after former updates
        return objective

    agree(mean_gradient(model, batch, 2, 1, made), exact(model, batch, 2, Given(model, 2)))


def test_13_it_is_where_training_drops_units_out() -> None:
    """A baseline costs nothing only if what is scored is what was drawn from."""
    model, batch = toy(PAIRS[0])
    expected = exact(model, batch, 2, Given(model, 2))
    with_dropout(model.decoder, 0.5)
    dropped = mean_gradient(model, batch, 2, 1, lambda rollouts: Reinforce(rollouts, 1, 0.0, 0.0, "greedy", 0.9))
    agree(dropped, expected)


@with_models
def test_13_so_is_that_with_the_mean_of_the_others(pair: tuple[str, str]) -> None:
    model, batch = toy(pair)
    found = mean_gradient(model, batch, 1, 2, lambda rollouts: Reinforce(rollouts, 2, 0.0, 0.0, "shared", 0.9))
    agree(found, exact(model, batch, 1, Given(model, 1)))


@with_models
def test_13_minimum_risk_over_all_outputs_is_the_expected_loss(pair: tuple[str, str]) -> None:
    """At α = 1, when every output is drawn; some are drawn twice, and one is the target."""
    model, _ = toy(pair)
    batch = batch_of(KEYS, [torch.tensor([2, 0]), torch.tensor([0])])
    every = outputs_within(2)
    rollouts = Given(model, 2, [*every, *every[:3]] * 2)
    objective = MinimumRisk(rollouts, len(every) + 3, 0.0, 0.0, 1.0, target=True)
    part = objective(model, batch, noise_of(batch, 1, 0)).parts["risk"]
    found = torch.autograd.grad(
        part.sum / part.count, list(model.parameters()), allow_unused=True, materialize_grads=True
    )
    agree(list(found), exact(model, batch, 2, rollouts))


def test_13_mixer_learns_what_is_given_by_likelihood_and_the_rest_by_reward() -> None:
    """Before it grows, at 1 symbol: the loss of the target's first symbols, and that of what was drawn behind them."""
    model, _ = toy(PAIRS[0])
    batch = batch_of([4], [torch.tensor([1, 2, 0])])
    rollouts = Given(model, 3, [[1, 2, 3], [1, 2, 0]])
    objective = Mixer(rollouts, 2, 0.0, 0.0, "none", 0.9, growth=1, every=5)
    parts = objective(model, batch, noise_of(batch, 1, 0)).parts
    emission, _ = model.decoder.unroll(model.decoder.prepare(model.encode(batch)), batch.target)
    log_probs = emission.log_probs()[0]
    torch.testing.assert_close(parts["given"].sum, -(log_probs[0, 1] + log_probs[1, 2]))
    rewards = rollouts.reward(padded(rollouts.chosen), batch)
    expected = -(rewards[0] * log_probs[2, 3] + rewards[1] * log_probs[2, 0])
    torch.testing.assert_close(parts["reward"].sum, expected)
    # After 10 updates three symbols are drawn: nothing is given, of the one item that counts.
    parts = objective(model, batch, noise_of(batch, 1, 10)).parts
    assert set(parts) == {"reward", "given"} and float(parts["given"].sum) == 0 and int(parts["given"].count) == 1


def test_14_mixer_of_micro_batches_where_one_is_given_nothing() -> None:
    """The items that are given nothing count in the mean all the same, whatever batch they stand in."""
    model, _ = toy(PAIRS[0])
    targets, chosen = [torch.tensor([1, 2, 3, 0]), torch.tensor([1, 0])], [[1, 2, 3, 1], [1, 2, 3, 4], [1, 2], [3, 0]]
    gradients = []
    for split in ([slice(0, 2)], [slice(0, 1), slice(1, 2)]):
        objective = Mixer(Given(model, 4), 2, 0.0, 0.0, "none", 0.9, growth=2, every=5)
        losses = []
        for part in split:
            own = batch_of(KEYS[part], targets[part])
            objective.rollouts = Numbered(model, 4, chosen[2 * part.start : 2 * part.stop], part.start)
            losses.append(objective(model, own, noise_of(own, 1, 0)))
        for parameter in model.parameters():
            parameter.grad = None
        backward(losses, list(model.parameters()), len(losses))
        gradients.append([torch.zeros(()) if each.grad is None else each.grad for each in model.parameters()])
    agree(*gradients)


@pytest.mark.parametrize("baseline", [*BASELINES, "shared"])
def test_14_accumulation_is_a_big_batch(baseline: Baseline) -> None:
    """Also for the average over former updates, which knows where one ends."""
    model, batch = toy(PAIRS[0])
    chosen = [[1, 0], [2, 3], [4, 4], [0]]
    gradients = []
    for split in ([slice(0, 2)], [slice(0, 1), slice(1, 2)]):
        torch.manual_seed(1)
        objective = Reinforce(Given(model, 2), 2, 0.5, 0.1, baseline, 0.9).double()
        parameters = [*model.parameters(), *objective.parameters()]
        for step in range(2):
            losses = []
            for parameter in parameters:
                parameter.grad = None
            for part in split:
                rows = torch.arange(2)[part]
                own = Batch({name: field.select(rows) for name, field in batch.fields.items()}, batch.items[part])
                objective.rollouts = Numbered(model, 2, chosen[2 * part.start : 2 * part.stop], part.start)
                losses.append(objective(model, own, noise_of(own, 1, step)))
            backward(losses, parameters, len(losses))
        gradients.append([parameter.grad.clone() for parameter in parameters if parameter.grad is not None])
    for whole, accumulated in zip(*gradients, strict=True):
        torch.testing.assert_close(whole, accumulated, rtol=0, atol=1e-9)


def test_entropy_is_made_larger() -> None:
    model, batch = toy(PAIRS[0])
    objective = Reinforce(Given(model, 2, [[1, 0], [2, 3]]), 1, 0.0, 0.7, "none", 0.9)
    part = objective(model, batch, noise_of(batch, 1, 0)).parts["entropy"]
    target = padded([[1, 0], [2, 3]])
    emission, _ = model.decoder.unroll(model.decoder.prepare(model.encode(batch)), target)
    expected = torch.distributions.Categorical(logits=emission.log_probs()).entropy().sum()
    torch.testing.assert_close(part.sum, -expected)
    assert int(part.count) == 4 and part.weight == 0.7


def test_each_output_counts_once() -> None:
    outputs = padded([[1, 2], [1], [1, 2], [1], [3], [1, 0]])
    assert repeated(outputs, 2).tolist() == [[False, False, True], [False, False, False]]
    both = beside(padded([[1, 2], [3]]), padded([[4], [1, 2, 0]]))
    rows = zip(both.values.tolist(), both.lengths.tolist(), strict=True)
    assert [row[:length] for row, length in rows] == [[1, 2], [4], [3], [1, 2, 0]]


def test_row_r_belongs_to_source_r_by_width() -> None:
    model, batch = toy(PAIRS[0])
    assert width(model.encode(batch), 6) == 3
