"""Several processes train, predict and judge together: what each has, what is written, how they end and go on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from anyseq import api
from anyseq.cli.main import main
from anyseq.core import ranks
from anyseq.data.batching import TokenBatches
from anyseq.training.distributed import Share
from several import run, stop, together, torchrun
from tiny_runs import RECIPE, TINY, assert_same_run, events, named, steps, tensors, train, wait_for, write

ALIKE = ("model.encoder.dropout=0", "model.decoder.dropout=0", "training.schedule=constant", "training.average=0.9")
TEXT = ("data.piece_length=16", "training.batch_tokens=96", "training.max_minutes=null", "training.validate_every=4",
    "training.warmup_steps=2", "model.decoder.hidden_dim=16", "training.schedule=constant", "data.judged_length=50",
    "training.validate_items=2", "model.decoder.dropout=0")  # fmt: skip


def command(count: int, *words: object) -> list[tuple[int, str, str]]:
    """A command line in so many ranks: the exit code, stdout and stderr of each."""
    return together(count, "training.ranks_at_work:anyseq", *words)


def trained(count: int, folder: Path, *words: object) -> Path:
    """Train the tiny recipe in so many ranks."""
    found = command(count, "train", RECIPE, "--output", folder, "--device", "cpu", *TINY, *words)
    assert [code for code, *_ in found] == [0] * count, found
    return folder


def test_the_words_that_ranks_exchange() -> None:
    one, two = run(2, "training.ranks_at_work:exchanges")
    said, *last = one.splitlines()
    first, second = json.loads(said), json.loads(two)
    for found in (first, second):
        assert found["outside"][:3] == [1, 1, 2] and found["world"] == 2
        assert found["shared"] == [[2 * each for each in range(count)] for count in range(6)]
        assert found["everyones"] == ["rank 0", "rank 1"] and found["first"] == "rank 0"
        assert found["largest"] == [1.0, 0.0, 3.0]
        assert found["rows"] == [list(range(count)) for count in range(2, 7)]
        assert found["fed"] == ["a", "b", "c"]
        assert re.search(r"the number of rank \d and of rank \d differ: give all the same", found["different"])
    assert first["share failed"] == "RunError: rank 1 has failed in its share: ZeroDivisionError: " + (
        second["share failed"].removeprefix("ZeroDivisionError: ")
    )
    assert first["reading failed"] == "UsageError: line 2 cannot be read"
    assert second["reading failed"] == "RunError: rank 0 cannot read on: line 2 cannot be read"
    assert re.match(r"RunError: the other processes cannot be reached, one of which has failed", last[0])


@pytest.mark.parametrize("world", [2, 4])
def test_shares_cost_about_the_same(world: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In padded tokens: what the slowest does over what each would do of the whole, over an epoch."""
    lengths = torch.from_numpy(np.random.default_rng(1).lognormal(3.0, 0.5, 5000).astype(int) + 1)
    batches = TokenBatches(lengths, 4096, seed=1).epoch(0)
    slowest = 0.0
    for rows in batches:
        costs = []
        for rank in range(world):
            monkeypatch.setattr(ranks, "world", lambda: world)
            monkeypatch.setattr(ranks, "rank", lambda rank=rank: rank)
            own = Share.of(rows).rows
            costs.append(len(own) * int(lengths[own].max()))
        slowest += max(costs)
    whole = sum(len(rows) * int(lengths[rows].max()) for rows in batches)
    assert 0.97 <= slowest / (whole / world) <= 1.03


def test_a_run_of_two_is_written_once_and_goes_on_bit_for_bit(tmp_path: Path) -> None:
    """With dropout, of which each rank has its own: stopped between two updates, on as many ranks."""
    words = ("training.schedule=constant", "training.average=0.9", "model.encoder.dropout=0.3")
    whole = trained(2, tmp_path / "whole", *words)
    assert {path.name for path in whole.iterdir()} == {
        *("config.yaml", "codecs", "metrics.jsonl", "checkpoints", "best", "last", "results.json", "training.html")
    }
    assert [event["step"] for event in events(whole)] == [4, 4, 8, 8, 12, 12]
    states = [tensor for name, tensor in tensors(whole, 12).items() if "random.safetensors:cpu" in name]
    assert len(states) == 2 and not torch.equal(*states)
    stopped = trained(2, tmp_path / "stopped", *words, "training.max_steps=6")
    (code, out, err), (_, other_out, other_err) = command(2, "train", "--resume", stopped, "training.max_steps=12")
    assert code == 0 and out.startswith("dev: ") and "training ended: 12 updates made" in err
    assert other_out == other_err == ""
    for name, tensor in tensors(whole, 12).items():
        assert torch.equal(tensor, tensors(stopped, 12)[name]), name


@pytest.mark.parametrize(
    ("recipe", "words", "counts"),
    [
        (RECIPE, (*TINY, *ALIKE), (2, 1)),
        ("language_model/text", TEXT, (2, 1)),
        pytest.param(RECIPE, (*TINY, *ALIKE), (2, 1, 4), marks=pytest.mark.full),
        pytest.param("language_model/text", TEXT, (1, 4, 2), marks=pytest.mark.full),
    ],
)  # fmt: skip
def test_a_run_goes_on_on_another_number_of_ranks(
    recipe: str, words: tuple[str, ...], counts: tuple[int, ...], tmp_path: Path
) -> None:
    """Without dropout: the weights are those of one rank from the beginning, and so are the states carried on."""
    ends = [6 * (number + 1) for number in range(len(counts))]
    common = ["train", recipe, "--device", "cpu", *words]
    if recipe == "language_model/text":
        text = "".join(f"house {number} stands by the sea, " for number in range(300))
        common.append(f"data.train={write(tmp_path / 'text', text)}")
    assert main([*common, "--threads", "1", "--output", str(tmp_path / "one"), f"training.max_steps={ends[-1]}"]) == 0
    for count, end in zip(counts, ends, strict=True):
        begin = [*common, "--output", tmp_path / "run"] if end == 6 else ["train", "--resume", tmp_path / "run"]
        assert [code for code, *_ in command(count, *begin, f"training.max_steps={end}")] == [0] * count
    one, other = (api.load(tmp_path / name, device="cpu").task.model.state_dict() for name in ("one", "run"))
    for name, weight in one.items():
        torch.testing.assert_close(other[name], weight, rtol=0, atol=2e-5)
    losses = [[event["loss"] for event in events(tmp_path / name)] for name in ("one", "run")]
    assert losses[1][-1] == pytest.approx(losses[0][-1], rel=1e-4)


def test_outputs_of_two_are_joined_in_order(tmp_path: Path) -> None:
    model = train(tmp_path / "model", "training.max_steps=40").folder
    lines = ["".join(chr(97 + (3 * n + k) % 26) for k in range(1 + n % 6)) if n % 7 else "" for n in range(41)]
    sources = write(tmp_path / "sources", *lines)
    call = ["predict", model, "--input", sources, "--beam-size", 3, "--n-best", 2, "--output"]
    assert main([str(word) for word in [*call, tmp_path / "one"]]) == 0
    (code, out, _), (other_code, other_out, _) = command(2, *call, tmp_path / "two")
    assert (code, other_code, out, other_out) == (0, 0, "", "")
    assert (tmp_path / "two").read_text() == (tmp_path / "one").read_text()
    assert (tmp_path / "two").read_text().count("\n") >= len(lines)

    call = [*("evaluate", model, "--source", sources, "--target", sources), "--json"]
    assert main([str(word) for word in [*call, tmp_path / "one.json"]]) == 0
    assert [code for code, *_ in command(2, *call, tmp_path / "two.json")] == [0, 0]
    one, two = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("one", "two"))
    assert two["metrics"] == pytest.approx(one["metrics"]) and two["count"] == one["count"]

    (code, _, err), _ = command(2, "predict", model, "--interactive")
    assert code == 2 and "rank 0: --interactive: for one process; leave out torchrun" in err


def test_what_one_process_does_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    assert main(["average", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        "anyseq: rank 1: average is done by one process: leave out torchrun (what several do together: train, predict, "
        "evaluate, score)\n"
    )
    monkeypatch.delenv("MASTER_PORT")  # some who start processes say how many, and no place to meet
    assert main(["average", str(tmp_path)]) == 2
    assert "torchrun" not in capsys.readouterr().err


def test_a_signal_to_torchrun_saves_and_ends_all(tmp_path: Path) -> None:
    """Whom torchrun tells, all of them save together."""
    folder = tmp_path / "run"
    words = ["train", RECIPE, "--output", folder, "--device", "cpu", *TINY, "training.max_steps=1000000"]
    process = torchrun(2, *words)
    try:
        wait_for(lambda: (folder / "best").exists(), 120)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    finally:
        stop(process)
    assert "stopped by SIGTERM at step" in err and "everything saved; go on with: anyseq train --resume" in err
    step = named(folder, "last")
    assert step > 0 and step == max(steps(folder))
    assert (tensors(folder, step)["training/random.safetensors:cpu.1"] != 0).any()


@pytest.mark.full
def test_a_killed_worker_is_started_anew_and_goes_on(tmp_path: Path) -> None:
    """Bit for bit as if nothing had happened; the same command would refuse a folder it has not begun itself."""
    words = (*TINY, "training.max_steps=400", "training.validate_every=50", "training.schedule=constant")
    whole = trained(2, tmp_path / "whole", *words)
    folder = tmp_path / "run"
    common = ["train", RECIPE, "--output", folder, "--device", "cpu", *words]
    process = torchrun(2, *common, options=("--max-restarts", "1"))
    try:
        wait_for(lambda: (folder / "last").exists() and named(folder, "last") >= 100, 120)
        os.kill(max(workers(process)), signal.SIGKILL)
        _, err = process.communicate(timeout=120)
    finally:
        stop(process)
    assert process.returncode == 0 and "training ended: 400 updates made" in err
    assert_same_run(whole, folder)
    again = torchrun(2, *common, options=("--max-restarts", "1"))
    _, err = again.communicate(timeout=120)
    assert again.returncode != 0 and "already holds a run" in err


def workers(process: subprocess.Popen[str]) -> list[int]:
    """The processes that torchrun has started."""
    return [int(each) for each in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def test_an_update_that_is_not_finite_on_one_rank_is_made_by_none_and_all_go_back(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for count, folder in ((1, one), (2, two)):
        words = ("train", RECIPE, "--output", folder, "--device", "cpu", *TINY, *ALIKE)
        found = together(count, "training.ranks_at_work:spoilt", *words, "training.max_skipped_updates=3")
        assert [code for code, *_ in found] == [0] * count, found
    told, others = (
        [json.loads(line) for line in (folder / "incidents.jsonl").read_text().splitlines()] for folder in (one, two)
    )
    assert [(each["kind"], each["step"], each["done"]) for each in told] == [
        *(("not_finite", step, "no update was made") for step in (6, 7, 8)), ("went_back", 8, "to step 4")
    ]  # fmt: skip
    key = ("kind", "step", "done")
    assert [[each[name] for name in key] for each in others] == [[each[name] for name in key] for each in told]
    assert [sorted(each["items"]) for each in others] == [sorted(each["items"]) for each in told]
    before, after = tensors(one, 12), tensors(two, 12)
    for name in before:
        if name.startswith("weights"):
            torch.testing.assert_close(before[name], after[name], rtol=1e-3, atol=1e-5)


def test_a_share_larger_than_memory_ends_a_run_of_several(tmp_path: Path) -> None:
    words = ("train", RECIPE, "--output", tmp_path / "run", "--device", "cpu", *TINY)
    (first, _, other), (second, _, said) = together(2, "training.ranks_at_work:too_large", *words)
    assert (first, second) == (1, 1) and "the other processes cannot be reached" in other
    assert "step 3: the share of a batch of rank 1" in said and "several processes cannot halve it" in said


def test_auto_batches_are_of_one_size_on_all_ranks_and_go_on(tmp_path: Path) -> None:
    folder = trained(2, tmp_path / "run", "training.batch_tokens=auto")
    found = re.search(r"batch_tokens: (\d+)", (folder / "config.yaml").read_text())
    assert found is not None
    assert [code for code, *_ in command(2, "train", "--resume", folder, "--more-steps", "2")] == [0, 0]
    assert f"batch_tokens: {found[1]}" in (folder / "config.yaml").read_text()
    assert named(folder, "last") == 14
