"""Emissions over symbols against torch.distributions and by enumeration."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Categorical as Reference
from torch.utils._python_dispatch import TorchDispatchMode

from anyseq.core import Noise
from anyseq.nn import losses
from anyseq.nn.emissions import Categorical, Discrete, Mixture, Table

torch.set_num_threads(1)
EXACT = {"rtol": 0.0, "atol": 1e-9}
SYMBOLS = 6


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def emissions(*shape: int, valid: Tensor | None = None) -> list[Discrete]:
    """The same distribution, lazy, as a table, and as a mixture of itself."""
    torch.manual_seed(0)
    hidden, weight, bias = draw(*shape, 4), draw(SYMBOLS, 4), draw(SYMBOLS)
    lazy = Categorical(hidden, weight, bias, valid=valid)
    table = Table(lazy.logits() + 3.0, valid)  # logits are what they are up to a constant
    return [lazy, table, Mixture([lazy, table, lazy])]


KINDS = pytest.mark.parametrize("kind", [0, 1, 2], ids=["lazy", "table", "mixture"])


def some_allowed(rows: int) -> Tensor:
    torch.manual_seed(1)
    allowed = torch.rand(rows, SYMBOLS) < 0.5
    allowed[0], allowed[1, :], allowed[1, 4] = False, False, True
    return allowed


@KINDS
def test_log_probabilities_are_torch_distributions(kind: int) -> None:
    emission = emissions(5)[kind]
    reference = Reference(logits=emission.logits())
    x = torch.tensor([0, 5, 2, 2, 1])
    torch.testing.assert_close(emission.log_prob(x), reference.log_prob(x), **EXACT)
    torch.testing.assert_close(emission.log_probs(), reference.logits, **EXACT)
    mode, log_prob = emission.mode()
    assert torch.equal(mode, reference.mode)
    torch.testing.assert_close(log_prob, reference.log_prob(mode), **EXACT)


@KINDS
def test_padding_has_no_log_probability_and_no_loss(kind: int) -> None:
    valid = torch.tensor([[True, True, False], [False, False, False]])
    emission = emissions(2, 3, valid=valid)[kind]
    x = torch.tensor([[1, 0, 5], [2, 3, 4]])
    log_prob = emission.log_prob(x)
    assert not log_prob[~valid].any() and log_prob[valid].all()
    torch.testing.assert_close(emission.loss(x), -log_prob.sum(), **EXACT)
    changed = torch.where(valid, x, 0)
    for e in (emission, emission.smooth(0.2)):
        torch.testing.assert_close(e.loss(x), e.loss(changed), **EXACT)


@KINDS
def test_smoothing_is_that_of_torch_and_touches_the_loss_alone(kind: int) -> None:
    valid = torch.tensor([[True, True, False], [True, False, False]])
    emission = emissions(2, 3, valid=valid)[kind]
    x = torch.tensor([[1, 0, 5], [2, 3, 4]])
    smooth = emission.smooth(0.3)
    expected = F.cross_entropy(emission.logits()[valid], x[valid], reduction="sum", label_smoothing=0.3)
    torch.testing.assert_close(smooth.loss(x), expected, **EXACT)
    torch.testing.assert_close(smooth.log_prob(x), emission.log_prob(x), **EXACT)


@KINDS
@pytest.mark.parametrize("k", [1, 3, SYMBOLS, SYMBOLS + 2])
def test_candidates_are_the_best_of_the_allowed(kind: int, k: int) -> None:
    emission, allowed = emissions(5)[kind], some_allowed(5)
    log_probs = emission.log_probs()
    for given in (None, allowed):
        values, log_prob = emission.candidates(k, given)
        assert values.shape == log_prob.shape == (5, k)
        for row in range(5):
            open_ = [s for s in range(SYMBOLS) if given is None or given[row, s]]
            best = sorted(open_, key=lambda s: (-float(log_probs[row, s]), s))[:k]
            assert values[row, : len(best)].tolist() == best
            torch.testing.assert_close(log_prob[row, : len(best)], log_probs[row, best], **EXACT)
            assert bool((log_prob[row, len(best) :] == -torch.inf).all())


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_equals_go_to_the_lowest_symbol(k: int) -> None:
    table = Table(torch.tensor([[1.0, 2.0, 2.0, 1.0, 2.0], [0.0] * 5, [3.0, -torch.inf, 1.0, 1.0, 1.0]]))
    values, log_prob = table.candidates(k)
    expected = [[1, 2, 4, 0, 3], [0, 1, 2, 3, 4], [0, 2, 3, 4, 1]]
    for row in range(3):
        finite = int((log_prob[row] > -torch.inf).sum())
        assert values[row, :finite].tolist() == expected[row][:finite]


@KINDS
def test_samples_come_as_often_as_the_table_says(kind: int) -> None:
    """Among the allowed; the log-probability is that of the unrestricted table."""
    draws = 4000
    one = emissions(1)[kind]
    many = Table(one.log_probs().expand(draws, -1))
    keys = torch.arange(draws)
    noise = Noise(5, torch.zeros_like(keys), keys, torch.ones_like(keys))
    allowed = torch.tensor([True, False, True, True, False, True])
    for given in (None, allowed):
        values, log_prob = many.sample(noise, None if given is None else given.expand(draws, -1))
        p = one.log_probs()[0].exp() * (1 if given is None else given)
        p = p / p.sum()
        share = torch.bincount(values, minlength=SYMBOLS).double() / draws
        assert bool(((share - p).abs() <= 4 * (p * (1 - p) / draws).sqrt()).all())
        torch.testing.assert_close(log_prob, one.log_probs()[0][values], **EXACT)
    assert torch.equal(many.sample(noise)[0], many.sample(noise)[0])
    nothing = emissions(2)[kind].sample(Noise(1, *keys[:6].view(3, 2)), torch.zeros(2, SYMBOLS).bool())
    assert nothing.log_prob.tolist() == [-torch.inf] * 2


@KINDS
def test_restriction_renormalises_what_is_left(kind: int) -> None:
    emission, allowed = emissions(5)[kind], some_allowed(5)
    restricted = emission.restrict(allowed)
    expected = emission.log_probs().exp() * allowed
    expected = expected / expected.sum(1, keepdim=True)
    torch.testing.assert_close(restricted.log_probs()[1:].exp(), expected[1:], **EXACT)
    assert bool((restricted.log_probs()[0] == -torch.inf).all()), "nothing is left, and it is no nan"


@KINDS
def test_smoothing_after_a_restriction_spreads_over_what_is_left(kind: int) -> None:
    valid = torch.ones(1, 2, dtype=torch.bool)
    emission = emissions(1, 2, valid=valid)[kind]
    allowed = torch.tensor([[[True, False, True, True, False, False], [True] * SYMBOLS]])
    restricted, x = emission.restrict(allowed), torch.tensor([[2, 5]])
    log_probs = restricted.log_probs()[0]
    spread = -(log_probs[0][allowed[0, 0]].mean() + log_probs[1].mean())
    plain = -(log_probs[0, 2] + log_probs[1, 5])
    torch.testing.assert_close(restricted.smooth(0.2).loss(x), 0.8 * plain + 0.2 * spread, **EXACT)


@KINDS
def test_a_temperature_divides_the_logits(kind: int) -> None:
    emission = emissions(5)[kind]
    for temperature in (0.25, 3.0):
        expected = (emission.log_probs() / temperature).log_softmax(-1)
        torch.testing.assert_close(emission.sharpen(temperature).log_probs(), expected, **EXACT)


def test_a_mixture_is_the_mean_of_probabilities() -> None:
    one, *_ = emissions(3)
    two = Table(draw(3, SYMBOLS), attention=lambda: torch.ones(3, 2))
    mixed, x = Table.mix([one, two]), torch.tensor([5, 0, 2])
    expected = (one.log_probs().exp() + two.log_probs().exp()) / 2
    torch.testing.assert_close(mixed.log_probs().exp(), expected, **EXACT)
    torch.testing.assert_close(mixed.log_prob(x).exp(), expected[torch.arange(3), x], **EXACT)
    torch.testing.assert_close(mixed.sharpen(0.5).log_probs(), (2 * expected.log()).log_softmax(1), **EXACT)
    assert mixed.attention is None
    both = Table.mix([Table(draw(3, SYMBOLS), attention=lambda: torch.zeros(3, 2)), two])
    assert both.attention is not None and torch.equal(both.attention(), torch.full((3, 2), 0.5))


@KINDS
def test_steps_side_by_side_are_one_emission(kind: int) -> None:
    valid = torch.tensor([[True, True], [True, False]])
    whole = emissions(2, 2, valid=valid)[kind]
    look, steps = (lambda: torch.ones(2, 3)), list[Discrete]()
    for time in range(2):
        step: Discrete = Table(whole.logits()[:, time], attention=look)
        if isinstance(whole, Categorical):
            step = Categorical(whole.hidden[:, time], whole.weight, whole.bias, attention=look)
        elif isinstance(whole, Mixture):
            step = Mixture([step, step])
        steps.append(step)
    stacked = type(whole).stack(steps, valid)
    x = torch.tensor([[1, 2], [3, 4]])
    torch.testing.assert_close(stacked.log_prob(x), whole.log_prob(x), **EXACT)
    assert stacked.attention is not None and stacked.attention().shape == (2, 2, 3)


@pytest.mark.parametrize("kind", ["categorical", "table"])
def test_at_some_places_an_emission_is_what_steps_there_would_give(kind: str) -> None:
    torch.manual_seed(0)
    hidden, weight, looks = torch.randn(3, 4, 5), torch.randn(6, 5), torch.rand(3, 4, 2)
    valid, places = torch.ones(3, 4, dtype=torch.bool), torch.rand(3, 4) < 0.5
    assert places.any() and not places.all()
    emission = Categorical(hidden, weight, valid=valid, attention=lambda: looks)
    if kind == "table":
        emission = emission.restrict(torch.rand(3, 4, 6) < 0.7)
    some = emission.at(places)
    assert some.valid is None and some.log_probs().shape == (int(places.sum()), 6)
    torch.testing.assert_close(some.log_probs(), emission.log_probs()[places])
    assert some.attention is not None and torch.equal(some.attention(), looks[places])


def test_log_probabilities_of_given_symbols_need_a_chunk_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is computed at padding."""
    valid = torch.arange(4) < torch.tensor([4, 0, 3])[:, None]
    lazy, table, _ = emissions(3, 4, valid=valid)
    x = torch.randint(SYMBOLS, (3, 4)).masked_fill(~valid, 99)  # no symbol
    expected = table.log_prob(x.masked_fill(~valid, 0))
    seen: list[torch.Size] = []

    class Watched(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            result = function(*args, **(kwargs or {}))
            if function in (torch.ops.aten.addmm.default, torch.ops.aten.mm.default):
                seen.append(result.shape)
            return result

    monkeypatch.setattr(losses, "CHUNK_ELEMENTS", 3 * SYMBOLS)
    with torch.no_grad(), Watched():
        log_prob = lazy.log_prob(x)
    torch.testing.assert_close(log_prob, expected, **EXACT)
    assert seen == [(3, SYMBOLS), (3, SYMBOLS), (1, SYMBOLS)]
