from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError
from search_toys import Attending, memory_of

from anyseq.core import Padded
from anyseq.errors import UsageError
from anyseq.search import (
    All,
    Beam,
    EndSymbol,
    ForbiddenTexts,
    Greedy,
    MinLength,
    NoRepeatNgram,
    Penalties,
    Sampling,
    SearchConfig,
    search,
)
from signs import forbidden


def test_every_field_is_described() -> None:
    assert all(field.description for field in SearchConfig.model_fields.values())


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"n_best": 6}, "beam_size of 6 or more"),
        ({"n_best": 5, "samples": 4}, "n_best 5 needs samples of 5 or more"),
        ({"top_k": 3}, "set samples to 1 or more"),
        ({"top_p": 0.5}, "set samples to 1 or more"),
        ({"temperature": 0.5}, "set samples to 1 or more"),
        ({"min_length": 9, "max_length": 8}, "min_length 9 is above max_length 8"),
        ({"max_length_extra": 8}, "max_length_ratio, which is not set"),
        ({"forbid": ("a", "")}, "empty text"),
        ({"beam_size": 0}, "greater than or equal to 1"),
        ({"length_penalty": -0.1}, "greater than or equal to 0"),
        ({"samples": 1, "top_p": 0.0}, "greater than 0"),
        ({"samples": 1, "seed": 2**63}, "less than or equal to 9223372036854775807"),
        ({"samples": 1, "temperature": 1e-40}, "greater than or equal to 0.000001"),
        ({"beams": 3}, "Extra inputs"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        SearchConfig(**settings)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ValidationError, match=r"top_k 3.*n_best 9.*min_length"):
        SearchConfig(top_k=3, n_best=9, min_length=300)


def test_forbidden_texts_may_come_as_a_list() -> None:
    assert SearchConfig(forbid=["a", "b"]).forbid == ("a", "b")


def test_settings_make_the_parts() -> None:
    assert isinstance(SearchConfig(beam_size=1).strategy(), Greedy)
    beam = SearchConfig(beam_size=3).strategy()
    assert isinstance(beam, Beam) and beam.width == 3
    sampling = SearchConfig(samples=4, temperature=0.5, top_k=6, top_p=0.7, seed=8).strategy()
    assert isinstance(sampling, Sampling)
    assert (sampling.width, sampling.temperature, sampling.top_k, sampling.top_p, sampling.seed) == (4, 0.5, 6, 0.7, 8)
    stop = SearchConfig(max_length=9, max_length_ratio=1.5, max_length_extra=2).stop()
    assert (stop.max_length, stop.max_length_ratio, stop.max_length_extra) == (9, 1.5, 2)
    assert SearchConfig(length_penalty=0.5, coverage_penalty=0.2).penalties() == Penalties(0.5, 0.2)


def test_settings_make_the_constraint() -> None:
    assert SearchConfig().constraint(9) is None
    assert isinstance(SearchConfig(min_length=2).constraint(9), MinLength)
    assert isinstance(SearchConfig(no_repeat_ngram=2).constraint(9), NoRepeatNgram)
    assert isinstance(SearchConfig().constraint(9, forbidden([[3]], 9)), ForbiddenTexts)
    assert isinstance(SearchConfig(min_length=2, no_repeat_ngram=2).constraint(9), All)


def test_run_is_the_search_with_these_settings() -> None:
    decoder, memory = Attending(5, seed=3), memory_of([1, 2, 3])
    prefix = Padded.stack([torch.tensor([4])] * 3)
    settings = SearchConfig(
        beam_size=4, n_best=2, length_penalty=1.0, coverage_penalty=0.3, min_length=4, max_length=8, no_repeat_ngram=2
    )
    found = settings.run(decoder, memory, vocab_size=5, forbidden=forbidden([[2]], 5), prefix=prefix)
    expected = search(
        decoder, memory, strategy=Beam(4), stop=EndSymbol(8), penalties=Penalties(1.0, 0.3), prefix=prefix, n_best=2,
        constraint=All([MinLength(4, 5), NoRepeatNgram(2, 5), forbidden([[2]], 5)]),
    )  # fmt: skip
    assert torch.equal(found.values, expected.values) and torch.equal(found.score, expected.score)
    samples = SearchConfig(samples=7).run(decoder, memory, vocab_size=5)
    assert samples.count.tolist() == [7, 7, 7]
    best = SearchConfig(samples=7, n_best=2).run(decoder, memory, vocab_size=5)
    assert best.count.tolist() == [2, 2, 2] and torch.equal(best.score, samples.score[:, :2])


@pytest.mark.parametrize(
    "make",
    [
        lambda: Beam(0), lambda: Sampling(0), lambda: Sampling(1, temperature=0.0),
        lambda: Sampling(1, temperature=1e-40), lambda: Sampling(1, top_p=1.5), lambda: Sampling(1, top_k=-1),
        lambda: EndSymbol(0), lambda: EndSymbol(5, 0.0), lambda: EndSymbol(5, 1.0, -1),
        lambda: Penalties(-1.0), lambda: Penalties(0.0, -1.0),
    ],
)  # fmt: skip
def test_parts_refuse_what_is_out_of_range(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError):
        make()
