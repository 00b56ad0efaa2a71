"""The laws over the recurrent decoders."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from anyseq.core import Symbols, Tree, Vectors
from anyseq.errors import ConfigError
from anyseq.models.decoders.attention import AttentionDecoderConfig, RnnAttentionDecoder, RnnInputFeedingDecoder
from anyseq.models.decoders.base import DecoderConfig, MemoryShape
from anyseq.models.decoders.rnn import Bridge, RnnDecoderConfig, SoftmaxHead
from anyseq.nn.attention_scores import AdditiveScores, Reader
from anyseq.nn.cells import Cell
from anyseq.nn.embeddings import FedBack, SymbolEmbedding
from anyseq.nn.recurrent import Causal, RecurrentStack
from laws import decoder_laws as laws

VOCAB = 7
SHAPE = MemoryShape(vectors_dim=6, summary_dim=5)
SIZES = {"embed_dim": 4, "hidden_dim": 6, "num_layers": 2}

CONFIGS: dict[str, DecoderConfig] = {
    "gru": RnnDecoderConfig(**SIZES),
    "lstm": RnnDecoderConfig(cell="lstm", residual=False, **SIZES),
    "elman": RnnDecoderConfig(cell="elman", activation="relu", tied=False, **SIZES),
    "gru-reset-before": RnnDecoderConfig(gru_form="reset_before", **SIZES),
    "dot": AttentionDecoderConfig(scores="dot", **SIZES),
    "general": AttentionDecoderConfig(cell="lstm", **SIZES),
    "additive": AttentionDecoderConfig(scores="additive", attention_dim=3, tied=False, **SIZES),
    "feeding": AttentionDecoderConfig(input_feeding=True, **SIZES),
    "feeding-lstm": AttentionDecoderConfig(cell="lstm", input_feeding=True, scores="additive", **SIZES),
    "feeding-reset-before": AttentionDecoderConfig(
        gru_form="reset_before", input_feeding=True, scores="dot", embed_dim=4, hidden_dim=6
    ),
}


class AverageCell(Cell):
    """A user's own: the state moves half-way to a map of the input, and counts."""

    def __init__(self, input_dim: int, hidden_dim: int) -> None:
        super().__init__(input_dim, hidden_dim)
        self.map = nn.Linear(input_dim, hidden_dim)

    def start(self, like: Tensor) -> Tree:
        return super().start(like).replace(count=like.new_zeros(like.shape[0]))

    def step(self, x: Tensor, state: Tree) -> Tree:
        h = (state.h + self.map(x).sin()) / (2 + 0.1 * state.count[:, None])
        return Tree(h=h, count=state.count + 1)


def own_cell(kind: type[RnnAttentionDecoder]) -> RnnAttentionDecoder:
    embed = SymbolEmbedding(VOCAB, 4)
    stack = RecurrentStack([Causal(AverageCell(4, 6))])
    return kind(
        fed_back=FedBack(embed, 4),
        stack=stack,
        bridge=Bridge(SHAPE.summary_dim, stack),
        reader=Reader(AdditiveScores(6, SHAPE.vectors_dim, 3), 4),
        head=SoftmaxHead(nn.Linear(4, VOCAB), 0.0),
    )


@pytest.fixture(params=[*CONFIGS, "own-cell"])
def case(request: pytest.FixtureRequest) -> laws.Case:
    torch.manual_seed(1)
    if request.param in CONFIGS:
        decoder = CONFIGS[request.param].build(SHAPE, Symbols(VOCAB))
    else:
        decoder = own_cell(RnnAttentionDecoder)
    decoder = decoder.double().eval()
    for parameter in decoder.parameters():  # biases that start at 0 would hide what they do
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    return laws.Case(decoder, laws.make_memory(SHAPE.vectors_dim, SHAPE.summary_dim), VOCAB)


@pytest.mark.parametrize("width", [1, 2])
def test_unroll_is_a_chain_of_steps(case: laws.Case, width: int) -> None:
    laws.check_unroll_is_a_chain_of_steps(case, width)


@pytest.mark.parametrize("width", [1, 2])
def test_unroll_in_pieces(case: laws.Case, width: int) -> None:
    laws.check_unroll_in_pieces(case, width)


def test_select_commutes_with_step(case: laws.Case) -> None:
    laws.check_select_commutes_with_step(case)


def test_causal(case: laws.Case) -> None:
    laws.check_causal(case, lambda decoder: decoder.fed_back.embed)


def test_padding_and_neighbours(case: laws.Case) -> None:
    laws.check_padding_and_neighbours(case)


def test_every_parameter_learns(case: laws.Case) -> None:
    laws.check_every_parameter_learns(case)


def test_start_vector(case: laws.Case) -> None:
    laws.check_start_vector(case)


def test_attention_is_offered_where_it_is_declared(case: laws.Case) -> None:
    decoder, memory = case.decoder, case.decoder.prepare(case.memory)
    emission, _ = decoder.step(memory, decoder.start(memory), torch.zeros(4, dtype=torch.int64))
    assert (emission.attention is not None) == decoder.attends
    if emission.attention is not None:
        weights = emission.attention()
        torch.testing.assert_close(weights.sum(1), torch.ones(4, dtype=torch.float64))
        assert not weights[~memory.valid].any()


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        (AttentionDecoderConfig(scores="dot", hidden_dim=8), "general"),
        (RnnDecoderConfig(cell="lstm", gru_form="reset_before"), "gru_form"),
    ],
)
def test_impossible_settings_are_refused(config: DecoderConfig, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        config.build(SHAPE, Symbols(VOCAB))


def test_impossible_partners_are_refused() -> None:
    with pytest.raises(ConfigError, match="symbols"):
        RnnDecoderConfig().build(SHAPE, Vectors(3))
    with pytest.raises(ConfigError, match="share_embeddings"):
        RnnDecoderConfig(embed_dim=4).build(SHAPE, Symbols(VOCAB), SymbolEmbedding(VOCAB, 5))


def test_input_feeding_refuses_a_cell_that_cannot_be_projected() -> None:
    with pytest.raises(ValueError, match="AffineCell"):
        own_cell(RnnInputFeedingDecoder)


def test_tied_and_shared_embeddings_are_one_tensor() -> None:
    embed = SymbolEmbedding(VOCAB, 4)
    decoder = AttentionDecoderConfig(embed_dim=4, hidden_dim=6).build(SHAPE, Symbols(VOCAB), embed)
    assert decoder.head.output.weight is embed.weight
    assert decoder.fed_back.embed is embed
