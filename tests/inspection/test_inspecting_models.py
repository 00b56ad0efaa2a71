"""Every kind of model can be looked into, says what it has, and says the same as without being looked into."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import torch

import anyseq
from anyseq.api import Predictor, inspect_items
from anyseq.errors import UsageError
from anyseq.inspection.report import page
from anyseq.inspection.result import VIEWS

Untrained = Callable[..., Predictor]
FEW = ("data.generator.train=60", "data.generator.dev=4", "data.generator.test=4")
NARROW = ("model.encoder.model_dim=16", "model.decoder.model_dim=16")
SMALL = ("model.encoder.hidden_dim=8", "model.decoder.hidden_dim=16")
SOURCE, ITSELF, ELEMENTS, INSIDE = (
    ("output", "source"), ("output", "itself"), ("output", "elements"), ("source", "source")
)  # fmt: skip
# What attends, and whether something recurs with gates, something is searched, and gradients reach places.
CASES = {
    "transduce/copy": ((*FEW, *SMALL), {SOURCE}, True, True, True),
    "translate/transformer": ((*FEW, *NARROW, "codec.source=characters"), {SOURCE, ITSELF, INSIDE}, False, True, True),
    "translate/conv": ((*FEW, "codec.source=characters"), {SOURCE}, False, True, True),
    "translate/copying": (FEW, {SOURCE}, True, True, True),
    "translate/cho": ((*FEW, "codec.source=characters"), set(), True, True, True),
    "parse/guided": (FEW, set(), True, True, True),
    "point/hull": (("data.generator.train=60", "data.generator.dev=4"), {ELEMENTS, INSIDE}, True, True, True),
    "tag/crf": (FEW, set(), True, True, True),
    "tag/intents": (FEW, set(), True, True, True),
    "classify/words": (FEW, set(), True, True, True),
    "classify/pronouns": (FEW, set(), True, True, True),
    "tag/autocomplete": (("data.generator.held_out=4",), set(), True, True, True),
    "classify/labels": (FEW, set(), True, False, True),
    "language_model/names": ((), set(), True, True, True),
    "language_model/names+transformer": (("model.decoder=transformer",), {ITSELF}, False, True, True),
    "answer/attention": (FEW, {INSIDE}, True, True, True),
    "forecast/series": ((), set(), True, False, True),
    "forecast/autoregressive": ((), set(), True, False, True),
    "autoencode/text": ((*FEW, "codec.source=characters"), set(), True, True, True),
    "autoencode/series": ((), set(), True, False, True),
    "autoencode/pictures": ((), set(), True, False, True),
    "classify/pictures": ((), set(), False, True, True),
    "language_model/text": ((), set(), True, True, True),
    "music/chorales": (FEW, set(), True, False, True),
}


@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_model(untrained: Untrained, case: str) -> None:
    words, looks, gated, searched, reached = CASES[case]
    predictor = untrained(case.partition("+")[0], *words)
    task = predictor.task
    search = {} if task.config.search.beam_size == 1 else {"beam_size": 3}
    if task.lines and not task.prompted and task.model.decoder.discrete:
        search["max_length"] = 12
    items, references = task.judged_by_targets(list(task.read().dev)[:4])
    outputs = None if task.prompted else [one.output for one in predictor.predict_items(items, 9, **search)]
    weights = {name: value.clone() for name, value in task.model.state_dict().items()}
    found = inspect_items(predictor, items, references, views=VIEWS, items=2, name="it", **search)

    assert len(found.items) == 2 and found.count == 4
    if outputs is not None:
        assert [item.said for item in found.items] == outputs[:2]
        assert {one.said for one in found.errors.items} == set(outputs)
        assert [one.output for one in predictor.predict_items(items, 9, **search)] == outputs
    assert all(torch.equal(weights[name], value) for name, value in task.model.state_dict().items())
    assert not task.model.training
    maps = ((), ()) if found.attention is None else found.attention.items
    assert {(each.looks, each.at) for each in maps[0]} == looks
    for shown, own in zip(found.items, maps, strict=True):
        for each in own:
            assert each.weights.shape[1:] == (len(each.rows), len(each.columns))
            assert abs(each.weights.sum(-1) - 1).max() < 1e-4, each.path
            assert each.looks != "output" or each.rows == shown.output
    assert (found.gates is not None) is gated
    if found.gates is not None:
        for shown, traces in zip(found.items, found.gates.items, strict=True):
            for trace in traces:
                at_once = case == "forecast/series" and trace.over == "output"  # it says all rows in one step
                read = shown.source if trace.over == "source" else ("1",) if at_once else shown.read
                assert trace.places == read
                values = [*trace.gates.values(), *trace.states.values()]
                assert {each.shape for each in values} == {(len(trace.places), len(trace.cells))}
                assert all(each.min() >= 0 and each.max() <= 1 for each in trace.gates.values())
    assert (found.search is not None) is searched
    assert (found.gradients is not None) is reached
    if found.gradients is not None:
        assert all(each.norms.shape == (len(each.rows), len(each.columns)) for each in found.gradients.items)
        assert any(each.norms.max() > 0 for each in found.gradients.items)
    assert sum(part.parameters for part in found.about.parts) == sum(each.numel() for each in task.model.parameters())
    json.dumps(found.as_dict(), allow_nan=False)
    assert "<script" in page([found])


def test_the_tree_holds_the_output(untrained: Untrained) -> None:
    predictor = untrained("transduce/copy", *FEW, *SMALL)
    lines = ["abc", "de"]
    found = anyseq.inspect(predictor, lines, beam_size=3, max_length=6, views=["search"])
    assert found.attention is None and found.gates is None
    for tree, predicted in zip(found.search, predictor.predict(lines, beam_size=3, max_length=6), strict=True):
        best = [node for node in tree.nodes if node.best]
        assert [node.symbol for node in best] == list(tree.beam)
        assert best[-1].log_prob == pytest.approx(predicted.log_prob, rel=1e-5)
        assert [node.step for node in best] == list(range(1, len(best) + 1))
        assert all(node.parent < place for place, node in enumerate(tree.nodes))
        assert tree.beam_log_prob >= tree.greedy_log_prob - 1e-5 or tree.parted is not None


def test_prefixes_and_empty_lines(untrained: Untrained) -> None:
    predictor = untrained("transduce/copy", *FEW, *SMALL)
    found = anyseq.inspect(predictor, ["", "abc"], prefix="a", max_length=5, beam_size=2)
    assert found.count == 1 and found.items[0].said.startswith("a")
    assert found.search[0].nodes[0].step == 2
    assert [node.symbol for node in found.search[0].nodes if node.best] == list(found.search[0].beam[1:])


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ({"inputs": ["a"], "views": ["atention"]}, "choose among attention, gates"),
        ({"inputs": ["a"], "items": 0}, "give 1 or more"),
        ({"inputs": [""]}, "nothing to inspect"),
        ({"inputs": ["a", "b"], "targets": ["a"]}, "2 inputs and 1 targets"),
        ({"inputs": ["a"], "samples": 2}, "leave search.samples out"),
    ],
)
def test_misuse_is_told(untrained: Untrained, arguments: dict, hint: str) -> None:
    with pytest.raises(UsageError, match=hint):
        anyseq.inspect(untrained("transduce/copy", *FEW, *SMALL), **arguments)
