from __future__ import annotations

import itertools

import pytest
import torch

from anyseq.core import Memory, Padded, Spelt, Symbols
from anyseq.models.decoders.aligned import CrfDecoder, CrfDecoderConfig, PlacewiseDecoderConfig
from anyseq.models.decoders.base import MemoryShape
from anyseq.nn.embeddings import SpeltEmbedding
from anyseq.search import All, Beam, Constrained, EndSymbol, Never, Sampling, score, search
from anyseq.search.tagging import AsLong, Exactly, Following
from anyseq.tasks.tag.task import legal
from laws.cases import unlike_new

torch.set_num_threads(1)
TAGS = ["", "\ufffd", "O", "B-a", "I-a", "I-b"]


def field() -> CrfDecoder:
    torch.manual_seed(2)
    decoder = CrfDecoderConfig(dropout=0.0).build(MemoryShape(4, 4), Symbols(len(TAGS)))
    unlike_new(decoder)
    return decoder


def memory() -> Memory:
    torch.manual_seed(3)
    valid = torch.arange(4) < torch.tensor([4, 2, 3])[:, None]
    return Memory(item=torch.arange(3), vectors=torch.randn(3, 4, 4, dtype=torch.float64), valid=valid)


def test_places_said_each_by_itself_know_nothing_of_each_other() -> None:
    torch.manual_seed(2)
    decoder = PlacewiseDecoderConfig(dropout=0.0).build(MemoryShape(4, 4), Symbols(len(TAGS)))
    unlike_new(decoder)
    prepared = decoder.prepare(memory())
    targets = [Padded.stack([torch.tensor(each[:length]) for length in (4, 2, 3)]) for each in ([2, 3, 4, 0], [5] * 4)]
    one, other = (decoder.unroll(prepared, target)[0].log_probs() for target in targets)
    assert torch.equal(one, other)
    wanted = (prepared.vectors @ decoder.output.weight.T + decoder.output.bias).log_softmax(-1)
    torch.testing.assert_close(one[0], wanted[0])
    assert decoder.aligned and decoder.independent and Constrained(decoder, AsLong(len(TAGS))).aligned
    assert not field().independent


def test_a_field_said_symbol_by_symbol_is_the_field() -> None:
    """Against its definition: the score of a whole sequence, and the sum over all sequences of that length."""
    decoder, given = field(), memory()
    with torch.no_grad():
        said = decoder.output(given.vectors)
        follow, first = decoder.fed_back.embed.weight, decoder.fed_back.start
        prepared = decoder.prepare(given)
        for source, length in enumerate(given.valid.sum(1).tolist()):
            every = list(itertools.product(range(len(TAGS)), repeat=length))
            scores = torch.stack([
                sum(said[source, t, y] + (first[y] if t == 0 else follow[each[t - 1], y]) for t, y in enumerate(each))
                for each in every
            ])  # fmt: skip
            rows = Padded(torch.tensor(every), torch.ones(len(every), length, dtype=torch.bool))
            one = prepared.select(torch.tensor([source]))
            emission, _ = decoder.unroll(one, rows)
            torch.testing.assert_close(emission.log_prob(rows.values).sum(1), scores.log_softmax(0))


def test_under_its_constraint_it_is_the_field_over_what_obeys() -> None:
    """Not renormalised step by step: the probability of a legal sequence is its own by that of all legal ones."""
    table = legal(TAGS, iob=True, labelled=False)
    free, bound = field(), field()
    bound.only(table)
    constrained, given = Constrained(bound, All([AsLong(len(TAGS)), Following(table)])), memory()
    for source, length in enumerate(given.valid.sum(1).tolist()):
        one = given.select(torch.tensor([source]))
        bodies = itertools.product(range(1, len(TAGS)), repeat=length - 1)
        every = [(*body, 0) for body in bodies if all(table[b, a] for b, a in zip((-1, *body), body, strict=False))]
        rows = Padded.stack([torch.tensor(each) for each in every])
        alone, _ = score(free, one, rows)
        found, _ = score(constrained, one, rows)
        torch.testing.assert_close(found, alone.log_softmax(0))


def test_a_long_source_costs_no_digits() -> None:
    """What is summed over all that follows grows with the source; float32 is as far from float64 as at a short one."""
    torch.manual_seed(4)
    vectors, target = 3 * torch.randn(2, 400, 4, dtype=torch.float64), Padded.stack([torch.randint(6, (400,))] * 2)
    found = []
    for dtype in (torch.float64, torch.float32):
        decoder = field().to(dtype)
        given = Memory(item=torch.arange(2), vectors=vectors.to(dtype), valid=target.valid)
        with torch.no_grad():
            emission, _ = decoder.unroll(decoder.prepare(given), target)
            found.append(emission.log_prob(target.values).double())
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=2e-5)


def test_in_bfloat16_what_follows_is_not_rounded() -> None:
    """The network's numbers are; sums over all that may follow are made of these, and stay exact."""
    decoder, given = field().float(), memory()
    given = given.replace(vectors=given.vectors.float())
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        said, rounded = decoder.output(given.vectors), decoder.prepare(given).said
    exact = field().float()
    exact.output = torch.nn.Identity()  # type: ignore[assignment]
    with torch.no_grad():
        wanted = exact.prepare(given.replace(vectors=said.double())).said
    assert said.dtype == torch.bfloat16 and rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, wanted.float())


def test_its_samples_are_as_frequent_as_it_says() -> None:
    decoder, one = field(), memory().select(torch.tensor([1]))
    found = search(decoder, one, strategy=Sampling(4000), stop=EndSymbol(2), n_best=4000)
    drawn = [tuple(found.values[0, n, : found.lengths[0, n]].tolist()) for n in range(4000)]
    likeliest = max(set(drawn), key=drawn.count)
    log_prob, _ = score(decoder, one, Padded.stack([torch.tensor(likeliest)]))
    share = drawn.count(likeliest) / 4000
    assert abs(share - float(log_prob.exp())) < 4 * (share * (1 - share) / 4000) ** 0.5 and 0.05 < share < 0.95


@pytest.mark.parametrize("strategy", [Beam(1), Beam(4), Sampling(5)])
def test_tags_are_as_many_as_tokens_and_legal(strategy: Beam) -> None:
    limits = All([AsLong(len(TAGS)), Following(legal(TAGS, iob=True, labelled=False))])
    decoder, given = Constrained(field(), limits), memory()
    found = search(
        decoder, given, strategy=strategy, stop=EndSymbol(10), n_best=strategy.width, constraint=Never(1, len(TAGS))
    )
    for source, places in enumerate(given.valid.sum(1).tolist()):
        for n in range(int(found.count[source])):
            values = found.values[source, n, : found.lengths[source, n]].tolist()
            assert len(values) == places and values[-1] == 0 and not {0, 1} & set(values[:-1])
            tags = [TAGS[value] for value in values[:-1]]
            assert all(tag != "I-b" for tag in tags), "nothing begins it"
            assert all(before in ("B-a", "I-a") for before, tag in zip(["", *tags], tags, strict=False) if tag == "I-a")
            log_prob, _ = score(decoder, given.select(torch.tensor([source])), Padded.stack([torch.tensor(values)]))
            torch.testing.assert_close(log_prob[0], found.log_prob[source, n])


@pytest.mark.parametrize("limit", [AsLong(6), Exactly(2, 6), Following(legal(TAGS, iob=True, labelled=False))])
def test_a_constraint_of_tags_unrolled_is_its_chain_of_steps(limit: AsLong | Following) -> None:
    given = memory()
    lengths = torch.tensor([4, 0, 2])
    target = Padded(torch.randint(6, (3, 4)), torch.arange(4) < lengths[:, None])
    state = limit.advance(given, limit.start(given), torch.tensor([2, 3, 4]))  # in pieces
    tables, after = limit.unroll(given, state, target)
    expected, other = super(type(limit), limit).unroll(given, state, target)
    for row, length in enumerate(lengths.tolist()):
        assert torch.equal(tables[row, :length], expected[row, :length])
    for name, leaf in after:
        assert torch.equal(leaf, other.get(name)), name


def test_a_word_is_spelt_alike_wherever_it_stands() -> None:
    """Its vector does not depend on its neighbours, nor on how long they are; an unknown one is told by its letters."""
    torch.manual_seed(1)
    embed = SpeltEmbedding(Spelt(5, 9, 4), 6).double().eval()
    known, strange, other = [3, 2, 5, 0, 0], [1, 2, 5, 7, 8], [1, 2, 5, 7, 3]
    values = torch.tensor([[known, strange, other], [strange, known, [0] * 5]])
    vectors = embed(values)
    torch.testing.assert_close(vectors[0, 0], vectors[1, 1])
    torch.testing.assert_close(vectors[0, 0], embed(torch.tensor([known]))[0])
    assert not torch.allclose(vectors[0, 1], vectors[0, 2])
    torch.testing.assert_close(vectors[1, 2], embed.words.weight[0] + embed.out.bias, msg="the end has no letters")


def test_in_training_some_words_are_read_as_unknown() -> None:
    torch.manual_seed(1)
    embed = SpeltEmbedding(Spelt(5, 9, 4), 6, unknown_share=0.25).train()
    values = torch.tensor([[4, 2, 5, 0, 0]]).expand(4000, -1)
    vectors = embed(values)
    unknown = (vectors - vectors[0] == 0).all(1)
    share = min(float(unknown.float().mean()), 1 - float(unknown.float().mean()))
    assert abs(share - 0.25) < 0.03
