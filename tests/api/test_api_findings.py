"""What is found in the data is said before the first step, by `train` as by `check`, and stops both alike."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from anyseq import api
from anyseq.api import checking
from anyseq.data.codecs.characters import Characters
from anyseq.errors import DataError, UsageError
from tiny_runs import RECIPE, TINY, assert_same_run, events, write

Run = Callable[..., tuple[int, str, str]]
TRANSFORMER = (
    *("model.encoder=transformer", "model.encoder.model_dim=8", "model.encoder.ffn_dim=8"),
    *("model.encoder.num_layers=1", "model.encoder.num_heads=1"),
    *("model.decoder=transformer", "model.decoder.model_dim=8", "model.decoder.ffn_dim=8"),
    *("model.decoder.num_layers=1", "model.decoder.num_heads=1"),
)
SETTINGS = {key: int(value) for key, value in (word.split("=") for word in TINY)}


def pairs(count: int = 600) -> tuple[list[str], list[str]]:
    draw = random.Random(0)
    drawn = ("".join(draw.choices("abcdefgh", k=draw.randint(2, 14))) for _ in range(2 * count))
    source = list(dict.fromkeys(drawn))[:count]
    return source, [text.translate(str.maketrans("abcdefgh", "stuvwxyz")) for text in source]


@pytest.fixture
def shifted(tmp_path: Path) -> list[str]:
    """A recipe on data of which the target lost its 201st line, and won one at the end."""
    source, target = pairs()
    one = write(tmp_path / "source.txt", *source)
    other = write(tmp_path / "target.txt", *target[:200], *target[201:], "stuv")
    return [RECIPE, *TINY, f"data.train.source={one}", f"data.train.target={other}"]


def test_train_stops_at_errors_in_the_data_as_check_does(run: Run, shifted: list[str], tmp_path: Path) -> None:
    code, out, err = run("train", *shifted, "--output", tmp_path / "run")
    assert (code, out) == (2, "") and not (tmp_path / "run").exists()
    *notes, message = err.splitlines()
    assert notes and all(note.startswith("note: ") for note in notes), err
    assert message.startswith("anyseq: train: ") and " of 600 (6" in message
    assert f"to {tmp_path / 'source.txt'}:600 the target that fits stands 1 line earlier" in message
    assert message.endswith("to train on the data as they are: data.check=tell")
    code, out, err = run("check", *shifted)
    assert (code, err) == (2, "")
    said = message.removeprefix("anyseq: ").removesuffix("; to train on the data as they are: data.check=tell")
    assert f"error: {said}\n" in out and "expect: about" in out


def test_errors_may_be_told_and_allowed_or_not_looked_for(run: Run, shifted: list[str], tmp_path: Path) -> None:
    code, _, err = run("train", *shifted, "data.check=tell", "--output", tmp_path / "told")
    assert code == 0 and err.index("error: train: ") < err.index("step 4")
    code, out, _ = run("check", *shifted, "data.check=tell")
    assert code == 0 and "error: train: " in out
    code, _, err = run("train", *shifted, "data.check=off", "--output", tmp_path / "off")
    assert code == 0 and [line for line in err.splitlines() if line.startswith(("note", "warn", "error"))] == [
        "note: no data.dev given: 60 of 600 training items are held out to choose and stop by"
    ]
    assert "error" not in run("check", *shifted, "data.check=off")[1]
    assert_same_run(tmp_path / "told", tmp_path / "off")
    # what was said when a run began is not said again
    assert "error" not in run("train", "--resume", tmp_path / "told", "--more-steps", "1")[2]


def test_all_errors_are_named_at_once(tmp_path: Path) -> None:
    source, target = pairs(1000)
    data = {
        "train": list(zip(source[:600], target[1:601], strict=True)),
        "dev": list(zip(target[600:900], source[600:900], strict=True)),
        "test": list(zip(source[900:], [*target[901:], "st"], strict=True)),
    }
    with pytest.raises(DataError) as fault:
        api.train(RECIPE, tmp_path / "run", overrides=SETTINGS, data=data)
    assert str(fault.value).startswith("3 errors in the data:\n  dev: its source looks like train's target")
    assert "\n  train: " in str(fault.value) and "\n  test: " in str(fault.value)


def test_train_says_what_is_odd_before_the_first_step(run: Run, tmp_path: Path) -> None:
    source, target = pairs()
    rows = [f"{one}\t{other}" for one, other in zip(source, target, strict=True)]
    file, dev = write(tmp_path / "train.tsv", *rows, rows[0]), write(tmp_path / "dev.tsv", *rows[3:20], "abc\tßßß")
    words = [RECIPE, *TINY, f"data.train={file}", f"data.dev={dev}", "codec.target.kind=characters"]
    code, _, err = run("train", *words, "--output", tmp_path / "run")
    assert code == 0
    said = err[: err.index("step 4")]
    assert "note: train: 601 pairs" in said
    assert "warning: train: 1 of 601 (0.17%) pairs stood before already; they count double in training (" in said
    assert f"({file}:601)" in said
    assert "pairs stand in train too; results on dev will look better than they are" in said
    assert "of the target's characters are unknown to the codec learnt from train ('ß'); is it text of another" in said
    assert f"({dev}:18)" in said
    out = run("check", *words)[1]
    assert [line for line in said.splitlines() if not line.startswith("note: no data.dev")] == [
        line for line in out.splitlines() if not line.startswith(("note: measuring", "expect"))
    ]


def test_check_says_what_it_finds_before_it_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = pairs()
    told: list[tuple[str, str]] = []
    real = checking.estimate

    def estimate(*arguments: Any) -> Any:
        told.append(("measured", ""))
        return real(*arguments)

    monkeypatch.setattr(checking, "estimate", estimate)
    data = [*zip(source, target, strict=True), ("abc", "stu"), ("abc", "stu")]
    words = {"training.max_steps": 2, "training.warmup_steps": 1, "training.batch_tokens": 500, "data.train": data}
    report = api.check(RECIPE, tell=lambda text, severity: told.append((severity, text)), overrides=words)
    assert told[-1] == ("measured", "")
    assert told[-2] == ("note", "measuring a few updates and outputs, to say what training will cost")
    assert told[0] == ("note", report.notes[0]) and "held out" in report.notes[0]
    assert sorted(told[1:-2]) == sorted((finding.severity, str(finding)) for finding in report.findings)
    assert report.usable and report.estimate is not None
    assert [finding.severity for finding in report.findings] == sorted(
        (severity for severity, _ in told[1:-2]), key=("error", "warning", "note").index
    )


def test_check_takes_the_precision_into_account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    for verb in (
        lambda: api.check(RECIPE, device="cpu", precision="bf16", overrides=TINY),
        lambda: api.train(RECIPE, tmp_path / "run", device="cpu", precision="bf16", overrides=TINY),
    ):
        with pytest.raises(UsageError, match=r"recurrent models compute in float32 only"):
            verb()
    entered: Counter[str] = Counter()

    @contextmanager
    def cast() -> Iterator[None]:
        entered["forward"] += 1
        with torch.autocast("cpu", torch.bfloat16):
            yield

    monkeypatch.setattr(checking, "autocast", lambda precision, device: cast)
    words = [word for word in TINY if not word.startswith("model")]
    report = api.check(RECIPE, device="cpu", precision="bf16", overrides=[*words, *TRANSFORMER])
    assert entered["forward"] == 9  # one to warm up, eight that count
    assert report.estimate is not None and report.estimate.minutes is not None


def test_a_warm_up_that_never_ends_is_remarked(run: Run, tmp_path: Path) -> None:
    remark = (
        "note: training.max_steps=12 ends before training.warmup_steps=50 are over, so that the learning rate never "
        "reaches training.learning_rate=0.005: lower training.warmup_steps (a tenth of all is usual), or train longer"
    )
    code, _, err = run("train", RECIPE, *TINY, "--output", tmp_path / "run")
    assert code == 0 and err.count(remark) == 1 and err.index(remark) < err.index("step 4")
    assert run("check", RECIPE, *TINY)[1].count(remark) == 1
    quiet = [*TINY, "training.warmup_steps=12"]
    assert "warmup" not in run("train", RECIPE, *quiet, "--output", tmp_path / "run", "--overwrite")[2]
    assert "warmup" not in run("check", RECIPE, *quiet)[1]


# Six seconds: twenty updates, after which it is said, must fit in on a slow machine.
def test_a_warm_up_that_the_minutes_do_not_allow_is_remarked_when_the_speed_is_known(
    run: Run, tmp_path: Path
) -> None:
    words = [*TINY, "training.max_steps=25", "training.max_minutes=30", "training.validate_every=100"]
    long = [*words, "training.warmup_steps=10000000", "training.max_steps=null", "training.max_minutes=0.1"]
    said = "note: training.max_minutes=0.1 allows about"
    code, _, err = run("train", RECIPE, *long, "--output", tmp_path / "long")
    assert code == 0 and said in err and err.count("warmup_steps=10000000 are over") == 1
    assert run("check", RECIPE, *long)[1].count(said) == 1
    short = [*words, "training.warmup_steps=5"]
    assert "warmup" not in run("train", RECIPE, *short, "--output", tmp_path / "short")[2]
    assert "warmup" not in run("check", RECIPE, *short)[1]
    assert [event["step"] for event in events(tmp_path / "short")] == [20, 25, 25]


def test_each_pair_is_encoded_once_before_training(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source, target = pairs(300)
    encoded: Counter[str] = Counter()
    real = Characters.encode

    def encode(self: Characters, raw: Any) -> torch.Tensor:
        encoded[raw] += 1
        return real(self, raw)

    monkeypatch.setattr(Characters, "encode", encode)
    data = list(zip(source, target, strict=True))
    api.train(RECIPE, tmp_path / "run", overrides=SETTINGS, data={"train": data[:250], "dev": data[250:]})
    assert {encoded[text] for text in (*source[:250], *target[:250])} == {1}
