"""Laws 1 to 6 and 17 over decoders of vectors: fed back or not, with what is known in advance, in units of a window."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from anyseq.core import Batch, Decoder, Item, Memory, Model, Padded
from anyseq.models.decoders.attention import AttentionDecoderConfig
from anyseq.models.decoders.base import DecoderConfig
from anyseq.models.decoders.direct import RepeatDecoderConfig, SegmentsDecoderConfig
from anyseq.models.decoders.rnn import RnnDecoderConfig
from anyseq.models.emissions.normal import NormalConfig, SquaredErrorConfig
from anyseq.models.emissions.quantile import QuantileConfig
from anyseq.models.emissions.student import StudentTConfig
from anyseq.models.encoders.base import EncoderConfig
from anyseq.models.encoders.rnn import RnnEncoderConfig
from anyseq.models.encoders.segments import SegmentsConfig
from anyseq.models.series import By, SeriesModelConfig
from anyseq.search import Greedy, Sampling, search
from anyseq.search.scoring import score
from anyseq.search.stops import AtBudget
from anyseq.training.loop import noise_of
from anyseq.training.objectives.cross_entropy import CrossEntropy
from laws.cases import unlike_new

torch.set_num_threads(1)
pytestmark = pytest.mark.usefixtures("unchecked")
VALUES, FEATURES, LENGTH = 2, 3, 5
RNN = RnnEncoderConfig(embed_dim=4, hidden_dim=6, num_layers=2, bidirectional=False)
SMALL = {"embed_dim": 4, "hidden_dim": 6, "num_layers": 2}
MODELS: dict[str, tuple[EncoderConfig, DecoderConfig, By]] = {
    "rnn": (RNN, RnnDecoderConfig(emission=NormalConfig(), **SMALL), "mean"),
    "attention": (RNN, AttentionDecoderConfig(emission=StudentTConfig(), **SMALL), "last"),
    "input feeding": (RNN, AttentionDecoderConfig(emission=NormalConfig(), input_feeding=True, **SMALL), "mean"),
    "segments": (
        SegmentsConfig(length=3, dim=4, encoder=RNN),
        SegmentsDecoderConfig(emission=NormalConfig(), segment=2, start="states", **SMALL), "last",
    ),
    "direct": (RNN, SegmentsDecoderConfig(emission=QuantileConfig(), **SMALL), "mean"),
    "repeat": (RNN.model_copy(update={"embed_dim": 0}), RepeatDecoderConfig(emission=NormalConfig(), **SMALL), "none"),
}  # fmt: skip
every = pytest.mark.parametrize("name", MODELS)


def make(name: str) -> Model:
    torch.manual_seed(1)
    encoder, decoder, by = MODELS[name]
    config = SeriesModelConfig(encoder=encoder, decoder=decoder, normalise=by, affine=by == "mean")
    return unlike_new(config.build(VALUES, FEATURES, LENGTH))


def batch_of(keys: list[int], padding: int = 0) -> Batch:
    """Windows of 4 to 7 places, whose content depends on the key alone; large numbers at padding."""
    fields = []
    for key in keys:
        draw = torch.Generator().manual_seed(key)
        shapes = {
            "source": (4 + key % 4, VALUES + FEATURES), "future": (LENGTH, FEATURES), "target": (LENGTH, VALUES),
        }  # fmt: skip
        fields.append({
            each: 3 + torch.randn(shape, generator=draw, dtype=torch.float64) for each, shape in shapes.items()
        })
    stacked = {each: Padded.stack([field[each] for field in fields]) for each in fields[0]}
    source = stacked["source"]
    more = torch.zeros(len(keys), padding, VALUES + FEATURES, dtype=torch.float64)
    valid = torch.cat([source.valid, torch.zeros(len(keys), padding, dtype=torch.bool)], 1)
    values = torch.cat([source.values, more], 1).masked_fill(~valid[:, :, None], 7.0)
    return Batch({**stacked, "source": Padded(values, valid)}, [Item({}, key) for key in keys])


KEYS = [0, 1, 6, 3]
EMPTY = Padded(torch.zeros(len(KEYS), 0, VALUES, dtype=torch.float64), torch.zeros(len(KEYS), 0, dtype=torch.bool))


def near(one: Tensor, two: Tensor) -> None:
    torch.testing.assert_close(one, two, rtol=0, atol=1e-9)


def prepared(model: Model, batch: Batch) -> Memory:
    return model.decoder.prepare(model.encode(batch))


@every
def test_1_padding_and_neighbours_change_nothing(name: str) -> None:
    model, batch = make(name), batch_of(KEYS, padding=3)
    together = score(model.decoder, model.encode(batch), batch.target)[0]
    for place, key in enumerate(KEYS):
        alone = batch_of([key])
        near(score(model.decoder, model.encode(alone), alone.target)[0][0], together[place])


@every
@pytest.mark.parametrize("width", [1, 2])
def test_2_unroll_is_a_chain_of_steps(name: str, width: int) -> None:
    """Also beyond the last place that is known in advance."""
    model, batch = make(name), batch_of(KEYS)
    memory, rows = prepared(model, batch), len(KEYS) * width
    values = torch.randn(rows, LENGTH + 2, VALUES, dtype=torch.float64)
    target = Padded(values, torch.arange(LENGTH + 2) < (torch.arange(rows) * 3 % 8)[:, None])
    one, after = model.decoder.unroll(memory, target)
    two, chained = Decoder.unroll(model.decoder, memory, target)
    near(one.log_prob(values), two.log_prob(values))
    near(one.loss(values), two.loss(values))
    more = torch.randn(rows, VALUES, dtype=torch.float64)
    said = [model.decoder.step(memory, state, more)[0].log_prob(more) for state in (after, chained)]
    near(*said)


@every
def test_2_in_pieces(name: str) -> None:
    model, batch = make(name), batch_of(KEYS)
    memory, target = prepared(model, batch), batch.target
    whole = model.decoder.unroll(memory, target)[0].log_prob(target.values)
    first, second = (Padded(target.values[:, part], target.valid[:, part]) for part in (slice(0, 2), slice(2, None)))
    one, state = model.decoder.unroll(memory, first)
    two, _ = model.decoder.unroll(memory, second, state, target.values[:, 1])
    near(torch.cat([one.log_prob(first.values), two.log_prob(second.values)], 1), whole)


@every
def test_3_what_depends_on_what(name: str) -> None:
    model, batch = make(name), batch_of(KEYS, padding=2)
    source, values = batch.source.values.clone().requires_grad_(), batch.target.values.clone().requires_grad_()
    fields = {**batch.fields, "source": Padded(source, batch.source.valid)}
    memory = prepared(model, Batch(fields, batch.items))
    emission, _ = model.decoder.unroll(memory, Padded(values, batch.target.valid))
    said = emission.parameters[:, 2].sum()  # type: ignore[attr-defined]
    by_source, by_target = torch.autograd.grad(said, (source, values), allow_unused=True)
    assert by_source[batch.source.valid].abs().sum(-1).all() and not by_source[~batch.source.valid].any()
    if model.decoder.independent:
        assert by_target is None or not by_target.any()
    else:
        assert by_target[:, :2].any() and not by_target[:, 2:].any()


@every
def test_3_every_parameter_learns(name: str) -> None:
    model, batch = make(name), batch_of(KEYS)
    CrossEntropy(0.0)(model, batch, noise_of(batch, 1, 1)).parts["cross_entropy"].sum.backward()
    assert not [each for each, own in model.named_parameters() if own.grad is None or not own.grad.any()]


@every
def test_4_select_commutes_with_step(name: str) -> None:
    model, batch = make(name), batch_of(KEYS)
    memory = prepared(model, batch)
    _, state = model.decoder.unroll(memory, batch.target)
    previous, rows = batch.target.values[:, -1], torch.tensor([2, 0])
    emission, _ = model.decoder.step(memory, state, previous)
    picked, _ = model.decoder.step(memory.select(rows), state.select(rows), previous[rows])
    near(picked.log_prob(previous[rows]), emission.log_prob(previous)[rows])


@every
@pytest.mark.parametrize("strategy", [Greedy(), Sampling(2, seed=5)], ids=["greedy", "samples"])
def test_6_what_a_search_reports_is_what_scoring_finds(name: str, strategy: Greedy) -> None:
    model = make(name)
    found = search(
        model.decoder, model.encode(batch_of(KEYS, 2)), strategy=strategy, stop=AtBudget(LENGTH), prefix=EMPTY,
        n_best=strategy.width,
    )  # fmt: skip
    assert found.lengths.eq(LENGTH).all()
    for place, key in enumerate(KEYS):
        for number in range(strategy.width):
            own = Padded.stack([found.values[place, number]])
            near(score(model.decoder, model.encode(batch_of([key])), own)[0][0], found.log_prob[place, number])


@every
def test_17_it_learns_a_handful_by_heart(name: str) -> None:
    torch.manual_seed(2)
    encoder, decoder, by = MODELS[name]
    wide = {"embed_dim": 16, "hidden_dim": 24}
    inner = encoder.encoder if isinstance(encoder, SegmentsConfig) else encoder
    inner = inner.model_copy(update={**wide, "dropout": 0.0, "embed_dim": 16 if inner.embed_dim else 0})
    encoder = encoder.model_copy(update={"encoder": inner}) if isinstance(encoder, SegmentsConfig) else inner
    decoder = decoder.model_copy(update={**wide, "dropout": 0.0, "emission": SquaredErrorConfig()})
    model = SeriesModelConfig(encoder=encoder, decoder=decoder, normalise=by).build(VALUES, FEATURES, LENGTH).double()
    batch, objective = batch_of(KEYS), CrossEntropy(0.0)
    optimiser = torch.optim.Adam(model.parameters())

    def error() -> float:
        model.eval()
        found = model.decoder.unroll(prepared(model, batch), batch.target)[0].mode().values
        model.train()
        return (found - batch.target.values).abs().mean().item()

    assert error() > 0.25
    for step in range(300):
        if step % 20 == 0 and error() < 0.25:
            break
        optimiser.param_groups[0]["lr"] = 0.02 * (1 - step / 300)
        optimiser.zero_grad()
        objective(model, batch, noise_of(batch, 1, step)).parts["cross_entropy"].sum.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    assert error() < 0.25


def forms() -> dict[By, Callable[[Tensor], tuple[Tensor, Tensor]]]:
    return {
        "last": lambda x: (x[-1], torch.ones_like(x[-1])),
        "mean": lambda x: (x.mean(0), (x.var(0, correction=0) + 1e-5).sqrt()),
    }


@pytest.mark.parametrize("by", forms())
def test_a_window_in_other_units_is_forecast_in_these(by: By) -> None:
    """Shifted (and, where scaled too, stretched) windows have shifted (and stretched) forecasts."""
    encoder, decoder, _ = MODELS["direct"]
    torch.manual_seed(1)
    config = SeriesModelConfig(encoder=encoder, decoder=decoder, normalise=by)
    model = unlike_new(config.build(VALUES, FEATURES, LENGTH))
    batch, stretched = batch_of(KEYS), 100.0 if by == "mean" else 1.0
    memory = model.encode(batch)
    for row, length in enumerate(batch.source.lengths.tolist()):
        shift, scale = forms()[by](batch.source.values[row, :length, :VALUES])
        near(memory.shift[row], shift)
        near(memory.scale[row], scale)
    moved = batch.source.values.clone()
    moved[..., :VALUES] = moved[..., :VALUES] * stretched + 40
    other = Batch({**batch.fields, "source": Padded(moved, batch.source.valid)}, batch.items)
    one, two = (model.decoder.unroll(prepared(model, each), batch.target)[0].quantile(0.8) for each in (batch, other))  # type: ignore[attr-defined]
    torch.testing.assert_close(two, one * stretched + 40, rtol=1e-4, atol=1e-2)
