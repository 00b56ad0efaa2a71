"""Decoders without attention against the papers' equations, and against torch.nn put together by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from anyseq.core import Memory, Padded, Symbols
from anyseq.errors import ConfigError
from anyseq.models.decoders.attention import AttentionDecoderConfig
from anyseq.models.decoders.base import MemoryShape
from anyseq.models.decoders.context import ContextDecoder, ContextDecoderConfig
from anyseq.models.decoders.rnn import RnnDecoder, RnnDecoderConfig
from anyseq.models.encoders.rnn import RnnEncoder, RnnEncoderConfig
from anyseq.models.encoders.transformer import TransformerEncoderConfig
from laws.cases import unlike_new

SYMBOLS = Symbols(7)
EXACT = {"rtol": 0.0, "atol": 1e-9}


def torch_lstm(stack: nn.Module, input_dim: int) -> nn.LSTM:
    """torch's deep LSTM with a stack's weights."""
    layers = [layer.cell.state_dict() for layer in stack.layers]
    theirs = nn.LSTM(input_dim, 5, len(layers), batch_first=True).double()
    theirs.load_state_dict({f"{name}_l{i}": value for i, layer in enumerate(layers) for name, value in layer.items()})
    return theirs


def test_sutskever_is_two_lstms_of_torch_one_behind_the_other() -> None:
    """The source reversed but for its end; h and c of all three layers handed over."""
    torch.manual_seed(1)
    settings = {"cell": "lstm", "embed_dim": 4, "hidden_dim": 5, "num_layers": 3, "connections": "plain"}
    encoder = unlike_new(RnnEncoderConfig(**settings, bidirectional=False, reverse=True).build(SYMBOLS))
    config = RnnDecoderConfig(**settings, start="states", tied=False)
    decoder = unlike_new(config.build(MemoryShape.of(encoder), SYMBOLS))
    assert isinstance(encoder, RnnEncoder) and isinstance(decoder, RnnDecoder)
    source, target = torch.tensor([3, 1, 4, 2, 0]), torch.tensor([2, 5, 5, 0])
    emission, _ = decoder.unroll(decoder.prepare(encoder(padded(source))), padded(target))

    turned = torch.tensor([2, 4, 1, 3, 0])
    _, state = torch_lstm(encoder.stack, 4)(encoder.embed(turned)[None])
    inputs = torch.cat([decoder.fed_back.start[None], decoder.fed_back.embed(target[:-1])])
    outputs, _ = torch_lstm(decoder.stack, 4)(inputs[None], state)
    torch.testing.assert_close(emission.logits(), decoder.head.output(outputs), **EXACT)


def padded(values: Tensor) -> Padded:
    return Padded(values[None], torch.ones(1, len(values), dtype=torch.bool))


def test_cho_is_what_the_paper_prints() -> None:
    torch.manual_seed(2)
    config = ContextDecoderConfig(embed_dim=4, hidden_dim=6, gru_form="reset_before")
    decoder = unlike_new(config.build(MemoryShape(9, 5), SYMBOLS))
    assert isinstance(decoder, ContextDecoder)
    summary, target = torch.randn(2, 5, dtype=torch.float64), torch.tensor([[2, 5, 0], [1, 1, 0]])
    memory = Memory(item=torch.arange(2), summary=summary)
    emission, _ = decoder.unroll(decoder.prepare(memory), Padded(target, torch.ones(2, 3, dtype=torch.bool)))
    table = emission.log_probs()

    cell = decoder.stack.layers[0].cell
    w, u = cell.weight_ih.split(6), cell.weight_hh.split(6)
    readout, embed = decoder.readout, decoder.fed_back.embed.weight
    for row in range(2):
        c = torch.tanh(decoder.context.weight @ summary[row] + decoder.context.bias)
        h = torch.tanh(decoder.bridge.linear.weight @ c + decoder.bridge.linear.bias)
        y = decoder.fed_back.start
        for time in range(3):
            both = torch.cat([y, c])
            r, z = (torch.sigmoid(w[k] @ both + u[k] @ h) for k in (0, 1))
            h = z * h + (1 - z) * torch.tanh(w[2] @ both + u[2] @ (r * h))
            s = readout.read.weight @ torch.cat([h, y]) + readout.read.bias + readout.context.weight @ c
            t = torch.stack([torch.max(s[i], s[i + 4]) for i in range(4)])
            expected = (embed @ t + decoder.head.output.bias).log_softmax(0)
            torch.testing.assert_close(table[row, time], expected, **EXACT)
            y = embed[target[row, time]]


@pytest.mark.parametrize(
    ("encoder", "own"),
    [
        (RnnEncoderConfig(cell="lstm", hidden_dim=4, num_layers=1), {"cell": "lstm", "hidden_dim": 8}),
        (RnnEncoderConfig(cell="lstm", hidden_dim=4), {"cell": "gru", "hidden_dim": 8}),
        (RnnEncoderConfig(hidden_dim=8, num_layers=2, bidirectional=False, connections="dense"),
         {"hidden_dim": 8, "num_layers": 2}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [RnnDecoderConfig, AttentionDecoderConfig])
def test_the_states_are_handed_over_as_they_are(
    kind: type[RnnDecoderConfig] | type[AttentionDecoderConfig], encoder: RnnEncoderConfig, own: dict[str, object]
) -> None:
    fold = encoder.build(SYMBOLS)
    decoder = kind(start="states", **own).build(MemoryShape.of(fold), SYMBOLS)
    source = Padded(torch.tensor([[1, 2, 3], [4, 0, 0]]), torch.tensor([[1, 1, 1], [1, 0, 0]]) > 0)
    memory = decoder.prepare(fold(source))
    cells = decoder.start(memory).cells
    for name, layer in cells:
        last = memory.states.get(name)
        assert [field for field, _ in layer] == (["h", "c"] if own.get("cell") == "lstm" else ["h"])
        assert all(torch.equal(leaf, last.get(field)) for field, leaf in layer)
    assert not any(name.startswith("first") for name, _ in decoder.named_parameters())


@pytest.mark.parametrize(
    ("encoder", "fault"),
    [
        (RnnEncoderConfig(cell="lstm", hidden_dim=8, num_layers=3), "3 layers of h 16, c 16 .* 2 layers of h 8, c 8"),
        (RnnEncoderConfig(cell="lstm", hidden_dim=8, num_layers=2), "2 layers of h 16, c 16"),
        (RnnEncoderConfig(cell="gru", hidden_dim=4, num_layers=2), "2 layers of h 8 and"),
        (TransformerEncoderConfig(), "it leaves no states"),
    ],
)
def test_states_that_do_not_fit_are_refused(encoder: RnnEncoderConfig, fault: str) -> None:
    config = RnnDecoderConfig(cell="lstm", hidden_dim=8, num_layers=2, start="states")
    with pytest.raises(ConfigError, match=fault):
        config.build(MemoryShape.of(encoder.build(SYMBOLS)), SYMBOLS)
