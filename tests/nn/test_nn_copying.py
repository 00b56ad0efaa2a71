"""The pointer-generator's emission against its equations, written out place by place."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from anyseq.core import Noise
from anyseq.nn import losses
from anyseq.nn.copying import NOTHING, Copying, first_places
from anyseq.nn.emissions import Categorical, Table
from anyseq.nn.losses import linear_mixture_cross_entropy

torch.set_num_threads(1)
EXACT = {"rtol": 0.0, "atol": 1e-9}
SYMBOLS, OWN = 6, 2
# Twice the same in a row's source; one row has both own symbols, one has one, one has none; padding at the end.
SOURCE = torch.tensor([[2, 6, 2, 7, 0], [6, 6, 0, NOTHING, NOTHING], [1, 5, 0, NOTHING, NOTHING]])
VALID = torch.tensor([[True, True, True, False], [True, True, False, False], [False] * 4])


def parts(*times: int) -> list[Tensor]:
    torch.manual_seed(0)
    hidden = torch.randn(3, *times, 4, dtype=torch.float64, requires_grad=True)
    weight, bias = torch.randn(SYMBOLS, 4).double().requires_grad_(), torch.randn(SYMBOLS).double().requires_grad_()
    gate = torch.randn(3, *times, dtype=torch.float64, requires_grad=True)
    scores = torch.randn(3, *times, 5, dtype=torch.float64)
    padding = (SOURCE == NOTHING).view(3, *(1,) * len(times), 5)
    weights = scores.masked_fill(padding, -torch.inf).softmax(-1).requires_grad_()
    return [hidden, weight, bias, gate, weights]


def make(given: list[Tensor], valid: Tensor | None = None) -> Copying:
    hidden, weight, bias, gate, weights = given
    return Copying(
        Categorical(hidden, weight, bias, valid=valid), gate, weights, SOURCE, first_places(SOURCE), OWN
    )


def textbook(given: list[Tensor]) -> Tensor:
    """Equation 9, symbol by symbol."""
    hidden, weight, bias, gate, weights = given
    p_gen = gate.sigmoid()[..., None]
    generated = F.pad(F.linear(hidden, weight, bias).softmax(-1), (0, OWN))
    copied = torch.stack(
        [
            torch.stack([(weights[row] * (SOURCE[row] == symbol)).sum(-1) for symbol in range(SYMBOLS + OWN)], -1)
            for row in range(3)
        ]
    )
    return p_gen * generated + (1 - p_gen) * copied


@pytest.mark.parametrize("times", [(), (4,)])
def test_the_table_is_equation_9(times: tuple[int, ...]) -> None:
    given = parts(*times)
    log_probs = make(given).log_probs()
    expected = textbook(given)
    torch.testing.assert_close(log_probs.exp(), expected, **EXACT)
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(3, *times).double(), **EXACT)
    absent = [(1, 7), (2, 6), (2, 7)]
    assert all(bool((log_probs[row, ..., symbol] == -torch.inf).all()) for row, symbol in absent)
    factor = torch.linspace(1, 2, SYMBOLS + OWN).double()
    for one, two in zip(
        torch.autograd.grad((log_probs.exp() * factor).sum(), given),
        torch.autograd.grad((expected * factor).sum(), given),
        strict=True,
    ):
        torch.testing.assert_close(one, two, **EXACT)


@pytest.mark.parametrize("chunk", [2**20, 7])
def test_log_prob_and_loss_are_columns_of_the_table(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an own symbol, a symbol that stands in the source twice, one that does not; gradients too."""
    monkeypatch.setattr(losses, "CHUNK_ELEMENTS", chunk)
    given = parts(4)
    emission = make(given, VALID)
    x = torch.tensor([[2, 7, 3, 0], [6, 5, 7, 7], [7, 7, 7, 7]])
    log_prob = emission.log_prob(x)
    expected = textbook(given).gather(-1, x[..., None]).squeeze(-1).masked_fill(~VALID, 1.0).log()
    torch.testing.assert_close(log_prob, expected, **EXACT)
    torch.testing.assert_close(emission.loss(x), -expected.sum(), **EXACT)
    wanted = torch.autograd.grad(-expected.sum(), given)
    for own in (emission.loss(x), -log_prob.sum()):
        for one, two in zip(torch.autograd.grad(own, given), wanted, strict=True):
            torch.testing.assert_close(one, two, **EXACT)


def test_smoothing_falls_on_what_the_softmax_gives() -> None:
    given = parts(4)
    emission = make(given, VALID)
    x = torch.tensor([[2, 7, 3, 0], [6, 5, 7, 7], [7, 7, 7, 7]])
    hidden, weight, bias, gate, _ = given
    generated = F.linear(hidden, weight, bias).log_softmax(-1) + F.logsigmoid(gate)[..., None]
    smooth = emission.smooth(0.3)
    expected = 0.7 * emission.loss(x) - 0.3 * generated.mean(-1)[VALID].sum()
    torch.testing.assert_close(smooth.loss(x), expected, **EXACT)
    torch.testing.assert_close(smooth.log_prob(x), emission.log_prob(x), **EXACT)
    for one, two in zip(torch.autograd.grad(smooth.loss(x), given), torch.autograd.grad(expected, given), strict=True):
        torch.testing.assert_close(one, two, **EXACT)
    changed = torch.where(VALID, x, 7)
    torch.testing.assert_close(smooth.loss(x), smooth.loss(changed), **EXACT)


def test_what_is_hardly_looked_at_is_not_impossible() -> None:
    """In float32 a weight may be 0; the loss of the only way to a symbol must stay a number."""
    hidden, weight, bias, gate, _ = (each.detach().float().requires_grad_() for each in parts())
    weights = torch.tensor([[1.0, 0.0, 0.0, 0.0, 0.0]] * 3)
    emission = make([hidden, weight, bias, gate, weights])
    x = torch.tensor([6, 6, 1])
    assert -100 < float(emission.log_prob(x).detach()[0]) < -80
    torch.testing.assert_close(emission.log_prob(x), emission.log_probs().gather(1, x[:, None]).squeeze(1))
    unrolled = Copying(
        Categorical(hidden[:, None], weight, bias), gate[:, None], weights[:, None], SOURCE, first_places(SOURCE), OWN
    )
    gradients = torch.autograd.grad(unrolled.loss(x[:, None]), [hidden, weight, bias, gate])
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)


def test_candidates_samples_and_temperature_are_those_of_the_table() -> None:
    emission = make([each.detach() for each in parts()])
    table = Table(emission.log_probs())
    allowed = torch.ones(3, SYMBOLS + OWN, dtype=torch.bool)
    allowed[:, :3] = False
    for given in (None, allowed):
        best, wanted = emission.candidates(3, given), table.candidates(3, given)
        assert torch.equal(best.values, wanted.values)
        torch.testing.assert_close(best.log_prob, wanted.log_prob, **EXACT)
        rows = torch.arange(3)
        noise = Noise(1, rows, rows, rows)
        assert torch.equal(emission.sample(noise, given)[0], table.sample(noise, given)[0])
        assert torch.equal(emission.mode(given)[0], table.candidates(1, given)[0].squeeze(1))
    expected = (table.log_probs() / 0.5).log_softmax(-1)
    torch.testing.assert_close(emission.sharpen(0.5).log_probs(), expected, **EXACT)
    restricted = emission.restrict(allowed).log_probs().exp()
    torch.testing.assert_close(restricted.sum(1), torch.ones(3).double(), **EXACT)
    assert not restricted[:, :3].any()


def test_steps_side_by_side_are_one_emission() -> None:
    hidden, weight, bias, gate, weights = (each.detach() for each in parts(4))
    whole = make([hidden, weight, bias, gate, weights], VALID)
    steps = [make([hidden[:, t], weight, bias, gate[:, t], weights[:, t]]) for t in range(4)]
    stacked = Copying.stack(steps, VALID)
    torch.testing.assert_close(stacked.log_probs(), whole.log_probs(), **EXACT)
    assert torch.equal(stacked.valid, VALID)
    assert stacked.attention is not None and torch.equal(stacked.attention(), weights)
    mean = Copying.mix([steps[0], steps[1]]).log_probs().exp()
    torch.testing.assert_close(mean, (steps[0].log_probs().exp() + steps[1].log_probs().exp()) / 2, **EXACT)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_the_mixture_loss_agrees_with_finite_differences(smoothing: float) -> None:
    hidden, weight, bias, gate, _ = parts()
    other = torch.randn(3).double().requires_grad_()
    target = torch.tensor([1, 0, 5])
    assert torch.autograd.gradcheck(
        lambda *given: linear_mixture_cross_entropy(*given[:3], target, *given[3:], smoothing),
        (hidden, weight, bias, gate, other),
    )
    with torch.autocast("cpu", torch.bfloat16):
        low = [each.detach().float() for each in (hidden, weight, bias, gate, other)]
        loss = linear_mixture_cross_entropy(*low[:3], target, *low[3:], smoothing)
    exact = linear_mixture_cross_entropy(hidden, weight, bias, target, gate, other, smoothing)
    assert loss.dtype == torch.float32 and abs(float(loss) - float(exact.detach())) < 0.05


def test_first_places() -> None:
    assert first_places(SOURCE).tolist() == [[0, 1, 0, 3, 4], [0, 0, 2, 3, 3], [0, 1, 2, 3, 3]]
