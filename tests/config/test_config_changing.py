from __future__ import annotations

import pytest
from toy_task import Round, Square, ToyTraining

from anyseq.config import change, read_flags
from anyseq.errors import ConfigError


def test_what_is_not_changed_stays() -> None:
    before = ToyTraining(max_steps=50, learning_rate=0.5)
    after = change(before, "search", {"max_steps": 20})
    assert after == ToyTraining(max_steps=20, learning_rate=0.5) and before.max_steps == 50
    assert change(before, "search", {}) == before


@pytest.mark.parametrize("given", ["round", {"kind": "round"}, Round()])
def test_a_part_is_given_by_name_by_mapping_or_itself(given: object) -> None:
    assert change(Square(), "model", {"inner": given}).inner == Round()
    assert change(Square(inner=Round(radius=9.0)), "model", {"inner": None}).inner is None
    assert change(Square(inner=Round(radius=9.0)), "model", {"inner": {"colour": "green"}}).inner == Round(
        radius=9.0, colour="green"
    )


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        change(ToyTraining(), "search", {"max_stepz": 3, "learning_rate": -1.0})
    assert len(caught.value.faults) == 2
    assert "search.max_stepz=3: unknown key 'max_stepz'; did you mean 'max_steps'?" in str(caught.value)
    with pytest.raises(ConfigError, match=r"^search: warmup_steps 10 is more than max_steps 5"):
        change(ToyTraining(), "search", {"max_steps": 5})


def test_a_flag_may_be_a_part() -> None:
    assert read_flags(Square, {"inner": "round", "side": "3"}) == {"inner": Round(), "side": 3}
    assert read_flags(Square, {"inner": "{kind: round, radius: 2.5}"}) == {"inner": Round(radius=2.5)}
    assert read_flags(Square, {"inner": "null"}) == {"inner": None}
    with pytest.raises(ConfigError) as caught:
        read_flags(Square, {"inner": "{kind: round, radios: 2}", "side": "0", "colour": "red"})
    assert [str(fault).split(" (")[0] for fault in caught.value.faults] == [
        "command line: --inner {kind: round, radios: 2}: unknown key 'radios'; did you mean 'radius'?",
        "command line: --side 0: should be greater than or equal to 1, not 0",
    ]
    for text, hint in (("rond", "did you mean 'round'?"), ("{kind: round", "this is no YAML"), ("7", "one of round")):
        with pytest.raises(ConfigError, match="command line: --inner") as caught:
            read_flags(Square, {"inner": text})
        assert hint in str(caught.value)
