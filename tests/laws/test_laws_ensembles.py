"""Laws 1 and 6 over ensembles of whole models, each with its own encoder; and what an ensemble is."""

from __future__ import annotations

import pytest
import torch

from anyseq.core import Batch, Padded
from anyseq.errors import UsageError
from anyseq.models.ensemble import Ensemble, EnsembleDecoder
from anyseq.search import Beam, EndSymbol, Greedy, Penalties, Sampling, score, search
from laws.whole_models import BOUND, PLAIN, Pair, batch_of, each_of, make, memory_of, outputs, target_of

torch.set_num_threads(1)
pytestmark = pytest.mark.usefixtures("unchecked")
KEYS = [4, 0, 7, 13, 2]
UNLIKE = [PLAIN[0], PLAIN[-1], PLAIN[len(PLAIN) // 2]]
STRATEGIES = pytest.mark.parametrize("strategy", [Greedy(), Beam(3), Sampling(3)], ids=lambda s: type(s).__name__)


def doubled(batch: Batch) -> Batch:
    """The same sources in another encoding: every element twice."""
    fields = {name: getattr(batch, name) for name in ("source", "copied")}
    twice = {
        name: Padded(*(table.repeat_interleave(2, 1) for table in (field.values, field.valid)))
        for name, field in fields.items()
    }
    return Batch(twice, batch.items)


def unlike(*, one_source: bool = True) -> Ensemble:
    """Three models of different architectures; the second may read the source in its own way."""
    return Ensemble([make(pair) for pair in UNLIKE], [None, None if one_source else doubled, None])


@STRATEGIES
@pytest.mark.parametrize("pair", each_of(PLAIN))
def test_copies_of_one_model_are_that_model(pair: Pair, strategy: Beam) -> None:
    model = make(pair, sharpness=2.0)
    copies = Ensemble([model, make(pair, sharpness=2.0), model])
    attends = model.decoder.attends
    assert copies.decoder.attends == attends
    options = {
        "strategy": strategy, "penalties": Penalties(1.0, 0.5 * attends), "stop": EndSymbol(9, 1.5, 2), "n_best": 3,
    }  # fmt: skip
    one, many = (search(each.decoder, memory_of(each, KEYS), **options) for each in (model, copies))
    for place in range(len(KEYS)):
        assert outputs(one, place) == outputs(many, place)
    torch.testing.assert_close(one.log_prob, many.log_prob, **BOUND)
    torch.testing.assert_close(one.score, many.score, **BOUND)


@pytest.mark.parametrize("one_source", [True, False], ids=["one source", "own sources"])
def test_it_is_the_mean_of_probabilities(one_source: bool) -> None:
    ensemble = unlike(one_source=one_source)
    batch = batch_of(KEYS, [target_of(key) for key in KEYS])
    members = [*map(make, UNLIKE)]
    tables = []
    for member, own in zip(members, [batch, batch if one_source else doubled(batch), batch], strict=True):
        emission, _ = member.decoder.unroll(member.decoder.prepare(member.encode(own)), batch.target)
        tables.append(emission.log_probs())
    emission, _ = ensemble.decoder.unroll(ensemble.decoder.prepare(ensemble.encode(batch)), batch.target)
    expected = (sum(table.exp() for table in tables) / 3).log()
    torch.testing.assert_close(emission.log_probs(), expected, **BOUND)
    assert not torch.allclose(expected, tables[0])
    log_prob, _ = score(ensemble.decoder, ensemble.encode(batch), batch.target)
    for row, target in enumerate(map(target_of, KEYS)):
        chosen = expected[row, torch.arange(len(target)), target]
        torch.testing.assert_close(log_prob[row], chosen.sum(), **BOUND)


def test_attention_is_the_mean_where_all_attend_to_one_source() -> None:
    attending = [pair for pair in PLAIN if make(pair).decoder.attends][:2]
    batch = batch_of(KEYS, [target_of(key) for key in KEYS])
    looks = []
    models = [make(pair) for pair in attending]
    for model in [*models, Ensemble(models)]:
        emission, _ = model.decoder.unroll(model.decoder.prepare(model.encode(batch)), batch.target)
        assert emission.attention is not None
        looks.append(emission.attention())
    torch.testing.assert_close((looks[0] + looks[1]) / 2, looks[2], **BOUND)
    own = Ensemble(models, [None, doubled])
    emission, _ = own.decoder.unroll(own.decoder.prepare(own.encode(batch)), batch.target)
    assert emission.attention is None and not own.decoder.attends
    with pytest.raises(UsageError, match="coverage penalty needs attention"):
        score(own.decoder, own.encode(batch), batch.target, Penalties(0.0, 1.0))


@STRATEGIES
@pytest.mark.parametrize("one_source", [True, False], ids=["one source", "own sources"])
def test_1_and_6_alone_as_in_a_batch_and_as_scored(one_source: bool, strategy: Beam) -> None:
    ensemble = unlike(one_source=one_source)
    options = {"strategy": strategy, "penalties": Penalties(0.8), "stop": EndSymbol(9, 1.5, 2), "n_best": 3}
    whole = search(ensemble.decoder, memory_of(ensemble, KEYS, padding=2), **options)
    for place, key in enumerate(KEYS):
        alone = memory_of(ensemble, [key])
        found = search(ensemble.decoder, alone, **options)
        assert outputs(found, 0) == outputs(whole, place)
        torch.testing.assert_close(found.score[0], whole.score[place], **BOUND)
        for n, values in enumerate(outputs(whole, place)):
            target = Padded.stack([torch.tensor(values)])
            log_prob, value = score(ensemble.decoder, alone, target, options["penalties"])
            torch.testing.assert_close(whole.log_prob[place, n], log_prob[0], **BOUND)
            torch.testing.assert_close(whole.score[place, n], value[0], **BOUND)


def test_a_budget_by_the_source_counts_the_first_members_elements() -> None:
    found = EndSymbol(99, 2.0).budget(memory_of(unlike(one_source=False), KEYS))
    assert found.tolist() == [2 * (1 + key % 5) for key in KEYS]


def test_members_of_unlike_kinds_are_refused() -> None:
    decoder, other = make(PLAIN[0]).decoder, make(PLAIN[0]).decoder
    vars(other)["whole"] = True
    with pytest.raises(UsageError, match="emit unlike things"):
        EnsembleDecoder([decoder, other])
