"""Law 14 on two ranks, which are two processes: gradients of everything in the table, losses of every use."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from anyseq.config import load_recipe
from anyseq.core import PartConfig
from anyseq.recipes import RECIPES
from laws.several_ranks import STEPS
from laws.test_laws_objectives import every_kind
from laws.whole_models import Pair
from several import run

Found = dict[str, Any]


def on_two_ranks(request: pytest.FixtureRequest, work: str, names: Sequence[str], folder: Path) -> Found:
    """What two processes find of all cases that are to be tested here, by the test's id."""
    tests = [each for each in request.session.items if getattr(each, "function", None) is request.function]
    cases = {each.name: [each.callspec.params[name] for name in names] for each in tests}  # type: ignore[attr-defined]
    file = folder / "cases.json"
    flat = [case[0] if len(case) == 1 else case for case in cases.values()]
    file.write_text(json.dumps(flat))
    both = [json.loads(said) for said in run(2, f"laws.several_ranks:{work}", file)]
    return dict(zip(cases, zip(*both, strict=True), strict=True))


_KEPT: dict[str, Found] = {}


def found(request: pytest.FixtureRequest, work: str, names: Sequence[str], folder: Path) -> Any:
    """What they find of this test; they are started once."""
    if work not in _KEPT:
        _KEPT[work] = on_two_ranks(request, work, names, folder)
    return _KEPT[work][request.node.name]


@every_kind
def test_14_two_ranks_give_the_gradients_of_a_big_batch(
    pair: Pair, name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Of one micro-batch, and of three, of which one is of a single item: a rank has nothing to do."""
    for distances in found(request, "gradients", ("pair", "name"), tmp_path):
        assert max(distances) < 1e-9


SHORT = ("data.generator.max_length=6", "search.max_length=10", "training.accumulate=2")
OWN = {  # noise is off here, as dropout is; and batches of more than one window
    "forecast/repeat_vector": ("model.noise=0", "training.batch_tokens=1500"),
    "forecast/direct": ("training.batch_tokens=5000",),
    "tag/wake_word": (
        *("data.streams.count=12", "data.streams.seconds=4", "data.judged.count=2", "data.judged.seconds=10"),
        "training.batch_tokens=1500",
    ),
}
COMMON = (f"training.max_steps={STEPS}", "training.max_minutes=null", "training.batch_tokens=200",
    f"training.validate_every={STEPS}", "training.warmup_steps=5")  # fmt: skip
FEW = ("data.generator.train=60", "data.generator.dev=4", "data.generator.test=4")
OFTEN = {"translate/transformer", "tag/crf", "point/tsp", "forecast/repeat_vector", "language_model/text"}
REWARDED = ("objective.reward=character_error_rate", "objective.samples=3")
OBJECTIVES = {
    "scheduled_sampling": ("objective.decay=linear", "objective.decay_steps=9"),
    "reinforce": (*REWARDED, "objective.baseline=moving_average", "objective.entropy=0.1"),
    "self_critical": REWARDED,
    "minimum_risk": REWARDED,
    "mixer": (*REWARDED, "objective.baseline=learned", "objective.every=4"),
}


def shrunk(recipe: str) -> list[str]:
    """A recipe with overrides for little data and small batches."""
    generator = getattr(load_recipe(recipe).data, "generator", None)  # type: ignore[attr-defined]
    sized = "train" in type(generator).model_fields if isinstance(generator, PartConfig) else False
    return [recipe, *COMMON, *(FEW if sized else ()), *OWN.get(recipe, ())]


CASES = [
    *(pytest.param(shrunk(name), id=name, marks=[] if name in OFTEN else [pytest.mark.full]) for name in RECIPES),
    *(
        pytest.param([*shrunk("transduce/copy"), f"objective={name}", *words, *SHORT], id=name)
        for name, words in OBJECTIVES.items()
    ),
]


@pytest.mark.parametrize("case", CASES)
def test_14_two_ranks_have_the_losses_of_one(case: list[str], request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Of every use and objective, from the task's own batches; reward and entropy are drawn by item, so they agree."""
    for together, alone in found(request, "losses", ("case",), tmp_path):
        assert len(alone) == STEPS and min(map(abs, alone)) > 0
        assert together == pytest.approx(alone, rel=1e-4, abs=1e-5)  # what is lost of a reward may cancel out
