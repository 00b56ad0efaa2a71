"""Every parameter of every model belongs to one part."""

from __future__ import annotations

import pytest
from torch import nn

from anyseq.core import Symbols
from anyseq.inspection.parts import parts_of
from anyseq.models.decoders.transformer import TransformerDecoderConfig
from anyseq.models.encoders.transformer import TransformerEncoderConfig
from anyseq.models.seq2seq import Seq2SeqConfig
from laws.whole_models import EVERY, Pair, make, named

ONE_BY_ONE = [pair for pair in EVERY if "ensemble" not in named(pair)]  # of several models each has its own parts


@pytest.mark.parametrize("pair", ONE_BY_ONE, ids=named)
def test_parts_add_up(pair: Pair) -> None:
    model = make(pair)
    parts = {part.name: part for part in parts_of(model)}
    assert sum(part.parameters for part in parts.values()) == sum(each.numel() for each in model.parameters())
    alone = "pointing" in pair[1] or "placewise" in pair[1]  # a pointer's target is its source; the other reads none
    embedded = ["source embedding"] if alone else ["source embedding", "target embedding"]
    assert [name for name in parts if "embedding" in name] == embedded
    assert {"encoder", *([] if "placewise" in pair[1] else ["decoder"])} <= set(parts)  # that is an output layer alone
    assert set(parts) <= {"source embedding", "target embedding", "encoder", "decoder", "output"}
    assert all(dict(model.named_modules())[part.path] is part.module for part in parts.values())


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("shared", [True, False])
def test_what_is_shared_counts_once(shared: bool, tied: bool) -> None:
    config = Seq2SeqConfig(
        encoder=TransformerEncoderConfig(model_dim=8, ffn_dim=10, num_layers=1),
        decoder=TransformerDecoderConfig(model_dim=8, ffn_dim=10, num_layers=1, tied=tied),
        share_embeddings=shared,
    )
    model = config.build(Symbols(20), Symbols(20))
    found = {part.name: (part.parameters, part.tied_to) for part in parts_of(model)}
    target = "embedding" if shared else "target embedding"
    tables = {name: value for name, value in found.items() if "embedding" in name}
    assert tables == dict.fromkeys(["embedding"] if shared else ["source embedding", target], (160, None))
    assert found["output"] == ((20, target) if tied else (180, None))


def test_what_no_role_holds_is_a_part_too() -> None:
    model = make(EVERY[0])
    model.extra = nn.Linear(3, 2)
    assert [(part.name, part.parameters) for part in parts_of(model)][-1] == ("other", 8)
