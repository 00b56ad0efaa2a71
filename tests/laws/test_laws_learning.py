"""Law 17: every encoder with every decoder learns a handful of pairs by heart, and search finds them."""

from __future__ import annotations

import pytest
import torch

from anyseq.models.seq2seq import Seq2Seq
from anyseq.search import EndSymbol, Greedy, search
from anyseq.training.loop import noise_of
from laws.cases import ENCODERS, FREE_OF
from laws.cases import named as variants
from laws.whole_models import KINDS, SYMBOLS, Pair, batch_of, make, named, outputs, target_of, with_dropout

torch.set_num_threads(1)
pytestmark = pytest.mark.usefixtures("unchecked")
KEYS = [4, 0, 7, 13, 2, 1]
OBJECTIVES = {name: each for name, each in variants("objectives").items() if "targets" not in each.exceptions}
# Every kind of model by the first objective, and every other objective. A constraint of the model learns nothing, and
# an ensemble is made of models that have learnt.
FREE = [
    pair
    for pair in KINDS
    if "constrained" not in pair[1] and "ensemble" not in pair[1] and "order" not in ENCODERS[pair[0]].exceptions
    # What reads nothing of what it said, and says of places, learns no target that is longer than its source.
    and "fed_back" not in FREE_OF.get(pair[1], {})
    # The one reads what stands at a place, and of symbols the other leaves too little there.
    and not (pair[0].startswith("hops") and pair[1].startswith("tree"))
]
CASES = [(pair, next(iter(OBJECTIVES))) for pair in FREE] + [(KINDS[0], name) for name in list(OBJECTIVES)[1:]]


def found(model: Seq2Seq) -> list[list[int]]:
    model.eval()
    with torch.no_grad():
        hypotheses = search(model.decoder, model.encode(batch_of(KEYS)), strategy=Greedy(), stop=EndSymbol(8))
    return [outputs(hypotheses, source)[0] for source in range(len(KEYS))]


@pytest.mark.parametrize(("pair", "name"), CASES, ids=lambda x: named(x) if isinstance(x, tuple) else x)
def test_17_a_handful_of_pairs_is_learnt_by_heart(pair: Pair, name: str) -> None:
    model, objective = make(pair), OBJECTIVES[name].config.build()
    targets = [target_of(key) for key in KEYS]
    if "long" in FREE_OF.get(pair[1], {}):
        targets = [torch.tensor([1 + key % (SYMBOLS - 1), 0]) for key in KEYS]
    batch, wanted = batch_of(KEYS, targets), [values.tolist() for values in targets]
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    assert found(model) != wanted
    for step in range(1, 301):
        (part,) = objective(with_dropout(model, 0.0), batch, noise_of(batch, 1, 0)).parts.values()
        optimiser.zero_grad()
        (part.sum / part.count).backward()
        optimiser.step()
        if step % 20 == 0 and found(model) == wanted:
            return
    assert found(model) == wanted
