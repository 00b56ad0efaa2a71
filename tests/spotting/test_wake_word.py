"""The whole use, by the command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import anyseq
from anyseq.config import load_recipe, load_resolved
from anyseq.data.codecs.sound import Sound
from anyseq.data.synthetic.tones import TonesConfig
from anyseq.errors import DataError, UsageError
from spotting.test_listening import TINY
from tiny_runs import main, write

SHORT = (*TINY, "training.max_steps=4", "training.validate_every=2", "training.warmup_steps=1", "training.average=0")
FILES = (*(word for word in SHORT if "generator" not in word), "data.judged.seconds=20", "data.check=tell")
Run = Callable[..., tuple[int, str, str]]


def write_wave(path: Path, samples: np.ndarray, rate_hz: int = 8000, channels: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        whole = samples if samples.dtype == np.int16 else np.round(samples * 32767).clip(-32768, 32767).astype("<i2")
        file.writeframes(whole.repeat(channels).tobytes())
    return path


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a folder of recordings for each key."""
    home = tmp_path_factory.mktemp("words")
    for item in TonesConfig(train=150).generate("train"):
        name = {"*": "star", "#": "hash"}.get(item.raw["target"], item.raw["target"])
        write_wave(home / name / f"{item.key}.wav", item.raw["source"])
    return home


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, words: Path) -> Path:
    folder = tmp_path_factory.mktemp("wake") / "model"
    given = [f"data.train={words}", "data.keyword=3", *FILES]
    trained = anyseq.train("tag/wake_word", folder, device="cpu", threads=1, overrides=given)
    assert {"miss_rate", "false_alarms_per_10_minutes", "recordings_missed", "threshold"} <= trained.dev.metrics.keys()
    assert trained.trivial is not None and trained.trivial[0] == "whatever is loud"
    assert 0 <= trained.trivial[1]["miss_rate"] <= 100
    return folder


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*given: str | Path) -> tuple[int, str, str]:
        code = main([str(word) for word in given])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    return (3000 * np.random.default_rng(1).standard_normal(24_000)).astype(np.int16)


@pytest.fixture(scope="module")
def level(model: Path, sound: np.ndarray) -> float:
    """A threshold that this hardly trained model reaches now and then."""
    listener = anyseq.load(model).listener()
    listener.feed(sound)
    return float(np.median(listener.levels))


def test_the_threshold_is_kept_with_the_model(model: Path, run: Run) -> None:
    chosen = json.loads((model / "codecs" / "threshold.json").read_text())["threshold"]
    predictor = anyseq.load(model)
    assert predictor.task.threshold() == chosen
    assert json.loads((model / "results.json").read_text())["dev"]["metrics"]["threshold"] == chosen
    assert predictor.task.threshold(predictor.settings(threshold=0.3)) == 0.3
    going_on: Any = load_resolved(model).build()
    going_on.load_codecs(model / "codecs")
    assert going_on._threshold is None  # training goes on with another model
    code, told, _ = run("info", model)
    assert code == 0 and "sound" in told


def test_a_line_for_each_detection(
    model: Path, sound: np.ndarray, level: float, run: Run, tmp_path: Path
) -> None:
    one, other = write_wave(tmp_path / "in" / "a.wav", sound), write_wave(tmp_path / "in" / "b.wav", sound[:100])
    words = ("predict", model, "--threshold", str(level))
    code, out, err = run(*words, "--input", one, "--plot", tmp_path / "trace.png")
    lines = [line.split("\t") for line in out.splitlines()]
    assert (code, err) == (0, "") and len(lines) > 1 and {line[0] for line in lines} == {str(one)}
    assert all(0 < float(line[1]) < 3 and float(line[2]) >= level - 1e-4 for line in lines)
    assert (tmp_path / "trace.png").read_bytes().startswith(b"\x89PNG")
    assert run(*words, "--input", tmp_path / "in")[1].startswith(out)  # the folder's first
    names = write(tmp_path / "names.txt", str(other), "", str(tmp_path / "none.wav"), str(one))
    code, listed, err = run(*words, "--input", names, "--format", "jsonl")
    found = [json.loads(line) for line in listed.splitlines()]
    ours = [each for each in found if each["input"] == str(one)]
    assert code == 0 and [f"{each['time_s']:.2f}" for each in ours] == [line[1] for line in lines]
    assert "none.wav: there is no such recording" in err
    output = tmp_path / "out.tsv"
    assert run(*words, "--input", one, "--output", output)[:2] == (0, "") and output.read_text() == out
    [prediction] = anyseq.load(model).predict([str(one)], threshold=level)
    assert prediction.output.split() == [line[1] for line in lines]


def test_other_rates_and_channels_are_said(model: Path, run: Run, tmp_path: Path) -> None:
    path = write_wave(tmp_path / "a.wav", np.zeros(16_000, np.int16), rate_hz=16_000, channels=2)
    code, _, err = run("predict", model, "--input", path)
    assert code == 0, err
    assert "1 of 16000 Hz" in err and "1 recordings have several channels" in err
    (tmp_path / "text.wav").write_text("text")
    code, _, err = run("predict", model, "--input", tmp_path / "text.wav")
    assert code == 2 and "text.wav: this is no WAV file" in err


def listen(model: Path, level: float, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "anyseq", "predict", str(model), "--input", "-", "--threshold", str(level), *more]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_stream_is_answered_while_it_goes_on(model: Path, sound: np.ndarray, level: float, tmp_path: Path) -> None:
    expected = [f"{each.time_s:.2f}" for each in anyseq.load(model).listener(threshold=level).feed(sound)]
    process = listen(model, level, "--plot", str(tmp_path / "live.svg"))
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    into, content = process.stdin.fileno(), sound.astype("<i2").tobytes()
    first: list[bytes] = []
    reader = threading.Thread(target=lambda: first.append(process.stdout.readline()))  # type: ignore[union-attr]
    reader.start()
    for place in range(0, len(content), 321):  # also within a sample
        os.write(into, content[place : place + 321])
    reader.join(60)  # stdin is still open
    assert first and first[0].decode().split("\t")[0] == expected[0]
    with process:  # closes what is still open
        process.stdin.close()
        rest, told = process.stdout.read().decode(), process.stderr.read().decode()
    assert process.returncode == 0 and told == ""
    assert [line.split("\t")[0] for line in rest.splitlines()] == expected[1:]
    assert "<svg" in (tmp_path / "live.svg").read_text()


@pytest.mark.parametrize(
    ("content", "code", "told"), [(b"RIFF....WAVE", 2, "this is a WAV file"), (b"\0" * 401, 0, "within a sample")]
)
def test_what_is_no_raw_sound_is_told(content: bytes, code: int, told: str, model: Path) -> None:
    process = listen(model, 0.5)
    _, err = process.communicate(content, timeout=120)
    assert process.returncode == code and told in err.decode()


def test_judged_by_folders_and_by_annotated_streams(model: Path, words: Path, run: Run, tmp_path: Path) -> None:
    code, out, _ = run("evaluate", model, "--data", words, "--json", tmp_path / "figures.json")
    found = json.loads((tmp_path / "figures.json").read_text())
    assert code == 0 and "delay" in out + "delay" and found["count"] == 2
    assert found["metrics"]["minutes_heard"] == pytest.approx(2 * 20 / 60)
    write_wave(tmp_path / "s.wav", np.zeros(80_000, np.int16))
    table = write(tmp_path / "streams.tsv", "s.wav\t1.0-1.5 4.0-4.5", "s.wav\t")
    code, _, _ = run("evaluate", model, "--data", table, "--threshold", "0.999", "--json", tmp_path / "figures.json")
    figures = json.loads((tmp_path / "figures.json").read_text())["metrics"]
    assert code == 0 and (figures["said"], figures["miss_rate"], figures["false_alarms_per_10_minutes"]) == (2, 100, 0)
    assert figures["threshold"] == 0.999
    assert run("score", model, "--data", table)[1].count("\n") == 2
    write(table, "s.wav\t1.0-1.5", "s.wav\t2-1")
    code, _, err = run("evaluate", model, "--data", table)
    assert code == 2 and "streams.tsv:2: '2-1' is no span of time" in err
    write(table, "s.wav\t", "s.wav\t1.0-1.5", "s.wav\t1.0-1,5 2-3")
    code, _, err = run("evaluate", model, "--data", table)
    assert code == 2 and "streams.tsv:3: '1.0-1,5' is no span of time" in err
    write(table, "s.wav\t9.5-10.05", "s.wav\t1-2 500-900")
    code, _, err = run("evaluate", model, "--data", table)
    assert code == 2 and "streams.tsv:2: 500-900 ends behind the recording, which has 10.00 s" in err
    write(table, "s.wav\t3", "t.wav\t2")
    assert "streams.tsv:2: there is no file" in run("evaluate", model, "--data", table)[2]


def test_check_and_what_cannot_be_learnt(words: Path, run: Run, tmp_path: Path) -> None:
    code, out, _ = run("check", "tag/wake_word", f"data.train={words}", "data.keyword=3", *FILES)
    assert code == 0 and "recordings, " in out and "few to judge by" in out and "expect: about" in out
    train = ("train", "tag/wake_word", "--output", tmp_path / "m")
    code, _, err = run(*train, f"data.train={words}", "data.keyword=three")
    assert code == 2 and "no recording is of data.keyword='three'; they are of: 0, 1, 2" in err
    code, out, _ = run("check", "tag/wake_word", f"data.train={words}", "data.keyword=3", "data.noise=x", *FILES)
    assert code == 0 and "data.noise is heard nowhere" in out
    code, _, err = run(*train, f"data.train={tmp_path / 'nowhere'}")
    assert code == 2 and "nowhere: there is no such file" in err
    (words / "3" / "bad.wav").write_bytes(b"RIFF")
    code, _, err = run(*train, f"data.train={words}", "data.keyword=3")
    (words / "3" / "bad.wav").unlink()
    assert code == 2 and "bad.wav: this is no WAV file of whole numbers (PCM): it ends too early" in err
    write(tmp_path / "t.tsv", f"{words}/3/nothing.wav\t3")
    code, _, err = run(*train, f"data.train={tmp_path / 't.tsv'}")
    assert code == 2 and "t.tsv:1: there is no file" in err


def test_what_a_listening_model_cannot_do(model: Path, run: Run, tmp_path: Path) -> None:
    path = write_wave(tmp_path / "a.wav", np.zeros(800, np.int16))
    for more, told in (
        (["--samples", "3"], "one output"), (["--interactive"], "leave out --interactive"),
        (["--every-step", "words"], "leave out --interactive and --every-step"), (["--prefix", "a"], "leave them out"),
    ):  # fmt: skip
        code, _, err = run("predict", model, "--input", path, *more)
        assert code == 2 and told in err
    raw = tmp_path / "a.raw"
    raw.write_bytes(bytes(100))
    code, _, err = run("predict", model, "--input", raw)
    assert code == 2 and "a file that is a source itself ends in .wav" in err
    assert run("embed", model, "--input", path, "--output", tmp_path / "a.npy")[0] == 0
    code, _, err = run("predict", model, model, "--input", path)
    assert code == 2 and "give one model" in err
    with pytest.raises(DataError, match="one row of samples"):
        anyseq.load(model).listener().feed(np.zeros((2, 2)))


def test_recorded_noise_and_streams_to_learn_from(words: Path, tmp_path: Path) -> None:
    write_wave(tmp_path / "noise" / "hum.wav", np.random.default_rng(1).standard_normal(4000).astype(np.float32) * 0.1)
    noise = {"data.noise": str(tmp_path / "noise"), "data.streams.noises": ["recorded"], "data.keyword": "3"}
    given = dict(word.split("=", 1) for word in FILES)
    overrides = {name: json.loads(value) if value[0].isdigit() else value for name, value in given.items()}
    trained = anyseq.train(
        "tag/wake_word", tmp_path / "noisy", device="cpu", threads=1,
        overrides={**overrides, **noise, "data.train": str(words)},
    )  # fmt: skip
    assert trained.dev.metrics["said"] > 0
    draw = np.random.default_rng(2)
    streams = [(draw.standard_normal(16_000).astype(np.float32), "0.5-0.9 1.2-1.6") for _ in range(20)]
    trained = anyseq.train(
        "tag/wake_word", tmp_path / "given", device="cpu", threads=1, overrides={**overrides, "data.train": streams},
    )  # fmt: skip
    assert not trained.predictor.task.augments and trained.dev.metrics["said"] == 4


def test_the_same_recordings_are_the_same_streams_whoever_judges(words: Path, tmp_path: Path) -> None:
    """Babble is of the judged recordings; noise that is not asked for is not read."""
    given = [f"data.train={words}", f"data.dev={words}", "data.keyword=3", "data.noise=nowhere"]
    task = load_recipe("tag/wake_word", [*given, *FILES]).build()
    dev = [item.raw for item in task.read().dev]
    again = [item.raw for item in load_recipe("tag/wake_word", [*given, *FILES]).build().read_pairs(str(words))]
    assert all(
        np.array_equal(one["source"], two["source"]) and one["target"] == two["target"]
        for one, two in zip(dev, again, strict=True)
    )


def test_what_is_no_recording_of_a_word_is_left_alone(words: Path, tmp_path: Path) -> None:
    """As Speech Commands comes: with a folder of noise, which has a text in it."""
    folder = tmp_path / "words"
    shutil.copytree(words, folder)
    write(folder / "3" / "notes.txt", "x")
    write_wave(folder / "_background_noise_" / "hum.wav", np.ones(4000, np.int16))
    write(folder / "_background_noise_" / "README.md", "x")
    noise = f"data.noise={folder / '_background_noise_'}"
    recipe = [f"data.train={folder}", "data.keyword=3", noise, "data.streams.noises=[recorded]", *FILES]
    splits = load_recipe("tag/wake_word", recipe).build().read()
    notes = "; ".join(splits.notes)
    assert "train: 1 files of" in notes and "do not end in .wav and are left alone" in notes
    assert "no labels are left alone: _background_noise_; noise to be heard" in notes and "data.noise=FOLDER" in notes


def test_others_do_not_listen(tmp_path: Path) -> None:
    from tiny_runs import train

    predictor = train(tmp_path / "copy", "training.max_steps=1").predictor
    with pytest.raises(UsageError, match="does not listen"):
        predictor.listener()
    with pytest.raises(UsageError, match="is for a model that listens"):
        predictor.settings(threshold=0.5)


def test_a_classifier_begins_with_what_listens(model: Path, words: Path, tmp_path: Path) -> None:
    """And hears recordings as loud as its own recipe says."""
    short = ["training.max_steps=2", "training.validate_every=2", "training.warmup_steps=1"]
    own = [*short, f"data.train={words}", "codec.source.loudness_db=9"]
    given = {"start_from": model, "device": "cpu", "threads": 1, "overrides": own}
    classifier = anyseq.train("classify/sounds", tmp_path / "c", **given)  # type: ignore[arg-type]
    sound = anyseq.load(classifier.folder).task.codecs["source"]
    there = anyseq.load(model).task.codecs["source"]
    assert isinstance(sound, Sound) and isinstance(there, Sound)
    assert sound.loudness_db == 9 and sound.augments and (sound.hop, sound.window) == (there.hop, there.window)
    with pytest.raises(UsageError, match=r"of another task .classify.*makes? texts or labels") as fault:
        anyseq.train("tag/wake_word", tmp_path / "w", start_from=classifier.folder, overrides=list(SHORT))
    assert "joint" not in str(fault.value)
