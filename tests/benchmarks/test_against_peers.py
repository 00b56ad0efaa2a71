"""The comparison with peers: sides take turns, one that fails is skipped with its reason, tables tell who is faster."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True, scope="module")
def _scripts() -> Iterator[None]:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    yield
    sys.path.remove(str(ROOT / "benchmarks"))


def test_sides_take_turns_and_a_failing_one_stops_no_other() -> None:
    from peers.environments import Skipped
    from peers.turns import COMPARED, OURS, compared, take_turns

    order: list[str] = []
    speeds = {OURS: iter([300.0, 100.0, 600.0]), "slow": iter([100.0, 50.0, 100.0])}

    def of(name: str) -> dict[str, float]:
        order.append(name)
        if name == "broken" and order.count(name) == 2:
            raise Skipped("it broke")
        speed = next(speeds[name]) if name in speeds else 1.0
        return {"tokens_per_second": speed, "gflop_per_token": 0.1, "peak_mb": 512.4}

    sides = {name: lambda name=name: of(name) for name in (OURS, "broken", "slow")}
    found = take_turns({"limit": lambda: {"gflops": 100.0}, **sides}, 3)
    assert order == [OURS, "broken", "slow", OURS, "broken", "slow", OURS, "slow"]
    assert found.skipped == {"broken": "it broke"}
    assert found.ratio("slow", "tokens_per_second") == 3.0  # of 3, 2 and 6: within rounds, not of the medians

    ours, slow, broken = compared("training", found, {"slow": 3.5})
    cells = dict(zip(COMPARED, slow, strict=True))
    assert cells["anyseq is"] == "3.00 times as fast"
    assert cells["to reach"] == "3.5"
    assert cells["of the limit"] == "10%"
    assert ours[:3] == ["training", OURS, "300"] and ours[3] == ""
    assert broken[1:3] == ["broken", "skipped: it broke"]
    assert len(ours) == len(slow) == len(broken) == len(COMPARED)


def test_a_peer_that_cannot_be_installed_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from peers.environments import Peer, Skipped

    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ANYSEQ_PEERS", str(tmp_path / "file"))  # no folder can be made in it
    with pytest.raises(Skipped, match=r"cannot be installed: .*file"):
        Peer("nobody", "Nobody", "nobody==1").python()


def test_a_side_that_fails_is_skipped_with_its_last_line() -> None:
    import against_peers
    from peers.environments import Skipped

    runner = against_peers.Runner(1)
    with pytest.raises(Skipped, match="KeyError: 'flying'"):
        runner.ours("flying")


def test_the_corpora_have_the_lengths_they_say(tmp_path: Path) -> None:
    from peers import shapes

    shapes.write_corpus(tmp_path, "equal", 50)
    counts = {len(line.split()) for line in (tmp_path / "train.target").read_text().splitlines()}
    assert counts == {shapes.LENGTH - 1}
    shapes.write_corpus(tmp_path, "captions", 2000)
    lengths = [len(line.split()) for line in (tmp_path / "train.source").read_text().splitlines()]
    assert len(lengths) == 2000
    assert 14.5 < sum(lengths) / len(lengths) < 16
    assert len(set(lengths)) > 20
    assert len((tmp_path / "vocabulary.txt").read_text().splitlines()) == shapes.VOCAB_SIZE


def test_rates_leave_the_warm_up_out_and_tell_the_processor_s_time() -> None:
    from peers.shapes import median_rates

    # Rate, clock, processor: the second report had half of the processor, the third all of it.
    reports = [(10.0, 1.0, 1.0), (100.0, 3.0, 2.0), (220.0, 4.0, 3.0)]
    assert median_rates(reports) == {"tokens_per_second": 160.0, "tokens_per_processor_second": 210.0}
    unknown = [(rate, clock, 0.0) for rate, clock, _ in reports]
    assert median_rates(unknown) == {"tokens_per_second": 160.0}


def test_a_log_is_read_while_it_is_written() -> None:
    from peers.shapes import logged_rates

    program = "for rate in (5, 70, 90): print(f'at {rate} tok/s')"
    assert logged_rates([sys.executable, "-c", program], r"at (\d+) tok/s")["tokens_per_second"] == 80.0
    with pytest.raises(SystemExit, match="it failed"):
        logged_rates([sys.executable, "-c", "raise SystemExit('it failed')"], r"(\d+) tok/s")


def test_the_recipes_are_accepted(tmp_path: Path) -> None:
    from anyseq.config import load_recipe
    from peers import shapes
    from peers.anyseq_recipe import SIDES, overrides

    shapes.write_corpus(tmp_path, "equal", 5)
    for shape in SIDES:
        config = load_recipe(f"translate/{shape}", overrides(shape, tmp_path, 4))
        assert config.training.batch_tokens == shapes.BATCH_TOKENS


@pytest.mark.parametrize(
    ("operator", "group"),
    [
        ("aten::addmm", "matrix products"),
        ("aten::baddbmm", "products of attention"),
        ("aten::expand", "views"),
        ("aten::exp_", "softmax, logarithms"),
        ("aten::index_select", "copies, fills, gathers"),
        ("aten::_fused_adamw_", "the optimiser, clipping"),
        ("aten::random_", "random numbers of dropout"),
        ("AddmmBackward0", "Python, autograd, the profiler"),
    ],
)
def test_operators_are_grouped(operator: str, group: str) -> None:
    from time_spent import group_of

    assert group_of(operator) == group


def test_make_benchmark_runs_what_needs_no_arguments() -> None:
    (line,) = [line for line in (ROOT / "Makefile").read_text().splitlines() if line.startswith("BENCHMARKS :=")]
    names = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    assert set(line.partition(":=")[2].split()) == names - {"multi30k", "large_data"}
