"""Attention of a known output, as numbers."""

from __future__ import annotations

import pytest
import torch

from anyseq.core import Batch, Item, Padded, Symbols
from anyseq.errors import UsageError
from anyseq.inspection.attention import attention
from anyseq.models.decoders.attention import AttentionDecoderConfig
from anyseq.models.decoders.rnn import RnnDecoderConfig
from anyseq.models.encoders.rnn import RnnEncoderConfig
from anyseq.models.seq2seq import Seq2SeqConfig

WIDTHS = {"embed_dim": 8, "hidden_dim": 8, "dropout": 0.5}


@pytest.mark.parametrize("training", [True, False])
def test_weights_are_of_the_model_in_use_and_leave_its_mode(training: bool) -> None:
    torch.manual_seed(1)
    sides = {side: Padded.stack([torch.randint(1, 9, (time,)) for time in (5, 3)]) for side in ("source", "target")}
    batch = Batch(sides, [Item({}, 0), Item({}, 1)])
    for decoder in (AttentionDecoderConfig(**WIDTHS), RnnDecoderConfig(**WIDTHS)):
        model = Seq2SeqConfig(encoder=RnnEncoderConfig(**WIDTHS), decoder=decoder).build(Symbols(9), Symbols(9))
        model.train(training)
        if not model.decoder.attends:
            with pytest.raises(UsageError, match="does not attend"):
                attention(model, batch)
        else:
            weights = attention(model, batch)
            assert torch.equal(weights, attention(model, batch))  # no dropout
            assert weights[1, :3, 3:].abs().max() == 0
            torch.testing.assert_close(weights[1, :3].sum(1), torch.ones(3))
        assert model.training is training
