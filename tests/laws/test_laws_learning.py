"""Law 17: every encoder with every decoder learns a handful of pairs by heart, and search finds them."""

from __future__ import annotations

import pytest
import torch

from anyseq.models.seq2seq import Seq2Seq
from anyseq.search import EndSymbol, Greedy, search
from anyseq.training.loop import noise_of
from laws.cases import named as variants
from laws.whole_models import KINDS, Pair, batch_of, make, named, outputs, target_of

torch.set_num_threads(1)
KEYS = [4, 0, 7, 13, 2, 1]


def found(model: Seq2Seq) -> list[list[int]]:
    model.eval()
    with torch.no_grad():
        hypotheses = search(model.decoder, model.encode(batch_of(KEYS)), strategy=Greedy(), stop=EndSymbol(8))
    return [outputs(hypotheses, source)[0] for source in range(len(KEYS))]


@pytest.mark.parametrize("name", variants("objectives"))
@pytest.mark.parametrize("pair", KINDS, ids=named)
def test_17_a_handful_of_pairs_is_learnt_by_heart(pair: Pair, name: str) -> None:
    objective = variants("objectives")[name].config.build()
    model = make(pair)
    wanted = [target_of(key) for key in KEYS]
    batch = batch_of(KEYS, wanted)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    assert found(model) != [values.tolist() for values in wanted]
    for _ in range(20):
        for _ in range(10):
            (part,) = objective(model, batch, noise_of(batch, 1, 0)).parts.values()
            optimiser.zero_grad()
            (part.sum / part.count).backward()
            optimiser.step()
        if found(model) == [values.tolist() for values in wanted]:
            return
    assert found(model) == [values.tolist() for values in wanted]
