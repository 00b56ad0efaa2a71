"""Music as piano rolls: MIDI files, texts and arrays in, MIDI out; models of it, and which collection it is from."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import anyseq
from anyseq import api
from anyseq.core import Item
from anyseq.data.codecs.piano_roll import PianoRoll, PianoRollConfig
from anyseq.data.midi import KEYS, LOWEST, read_midi, write_midi
from anyseq.data.synthetic.cadences import CadencesConfig
from anyseq.errors import ConfigError, DataError, ModelFolderError
from anyseq.nn.continuous import Bernoulli
from tiny_runs import main, write

mido = pytest.importorskip("mido")

SMALL = ("model.decoder.embed_dim=16", "model.decoder.hidden_dim=48", "model.decoder.dropout=0",
    "model.decoder.cell=gru")  # fmt: skip
QUICK = ("training.max_steps=200", "training.validate_every=50", "training.warmup_steps=9", "training.average=0",
    "training.learning_rate=0.02")  # fmt: skip
ROUND = ["C3+G3+E4+C5", "F3+A3+F4+C5", "G3+B3+D4+G4", "C3+C4+E4+G4"] * 3
FRAMES = st.lists(st.frozensets(st.integers(LOWEST, LOWEST + KEYS - 1), max_size=5), min_size=1, max_size=9)


def piece(first: int) -> str:
    return " ".join(ROUND[first : first + 8])


@given(FRAMES)
def test_a_piece_comes_back(frames: list[frozenset[int]]) -> None:
    numbers = " ".join("+".join(map(str, sorted(frame))) or "-" for frame in frames)
    roll = np.zeros((len(frames), KEYS), dtype=np.uint8)
    for place, frame in enumerate(frames):
        roll[place, [key - LOWEST for key in frame]] = 1
    for codec in (PianoRoll(), PianoRoll(notation="numbers")):
        assert torch.equal(codec.encode(numbers), torch.from_numpy(roll).float())
        assert torch.equal(codec.encode(roll), codec.encode(numbers))
        text = codec.decode(codec.encode(numbers))
        assert torch.equal(codec.encode(text), codec.encode(numbers)) and codec.decode(codec.encode(text)) == text
    assert PianoRoll(notation="numbers").decode(codec.encode(numbers)) == numbers


def test_keys_have_names() -> None:
    codec = PianoRoll()
    assert codec.decode(codec.encode("Bb3+c4+60+F#4  108 -")) == "A#3+C4+F#4 C8 -"
    assert codec.decode(codec.encode("A0+Cb4")) == "A0+B3" and not len(codec.encode(" "))


@pytest.mark.parametrize("wrong", ["H4", "20", "109", "C9", "C4+", "C4,E4", "A-1", "Cb"])
def test_what_is_no_key_is_told_by_its_frame(wrong: str) -> None:
    with pytest.raises(DataError, match=r"^frame 3: .* is none of a piano's keys: A0 to C8"):
        PianoRoll().encode(f"C4 - {wrong}")


@pytest.mark.parametrize("wrong", [np.zeros((3, 87)), np.zeros(88), np.full((2, 88), 0.5)])
def test_what_is_no_roll_is_told_by_its_shape(wrong: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"an array \[frame, 88\] of 0 and 1"):
        PianoRoll().encode(wrong)


def test_training_hears_it_higher_and_shorter(tmp_path: Path) -> None:
    codec = PianoRollConfig(transpose=5, least_frames=3).fit([])
    heard = [codec.augment("C8 A#7 - C8 B7", seed) for seed in range(200)]
    assert {len(each) for each in heard} == {3, 4, 5}
    assert {codec.decode(each[:1]) for each in heard} == {"C8", "B7", "A#7", "A7", "G#7", "G7"}
    assert all(each.sum() == len(each) - 1 for each in heard)
    assert torch.equal(codec.augment("C4 - E4 F4", 3), codec.augment("C4 - E4 F4", 3)) and codec.augments
    short = PianoRollConfig(least_frames=1, most_frames=2).fit([])
    assert {len(short.augment("C4 D4 E4", seed)) for seed in range(40)} == {1, 2} and short.augments
    assert not PianoRollConfig().fit([]).augments and torch.equal(codec.augment("- -", 1), torch.zeros(2, 88))
    codec.save(tmp_path)
    assert vars(PianoRoll.load(tmp_path)) == vars(codec)
    (tmp_path / "codec.json").write_text("{")
    with pytest.raises(ModelFolderError, match="no codec of this kind"):
        PianoRoll.load(tmp_path)


@pytest.mark.parametrize("frame_beats", [0.25, 1.0, 1.5])
def test_what_is_written_is_read(frame_beats: float, tmp_path: Path) -> None:
    codec = PianoRoll(frame_beats)
    text = "C4+E4 C4+E4 - C4+G4 C4 B3"
    codec.write(text, tmp_path / "a.mid")
    assert codec.decode(codec.encode(str(tmp_path / "a.mid"))) == text
    halves = PianoRoll(frame_beats / 2)
    assert halves.decode(halves.encode(f" {tmp_path}/a.mid ")) == " ".join(each for each in text.split() for _ in "ab")


def midi(path: Path, *notes: tuple[int, str, int, int], beat: int = 96, kind: int = 1) -> str:
    """A file of notes: when (in ticks), what, which key, on which channel."""
    file = mido.MidiFile(ticks_per_beat=beat, type=kind)
    track, now = file.add_track(), 0
    for when, what, key, channel in notes:
        track.append(mido.Message(what, note=key, channel=channel, velocity=64, time=when - now))
        now = when
    file.save(path)
    return str(path)


def test_midi_as_people_play_it(tmp_path: Path) -> None:
    """A little late, a little long, struck anew, on another channel; drums, and a key no piano has, are not heard."""
    path = midi(
        tmp_path / "a.mid",
        *[(0, "note_on", 38, 9), (0, "note_on", 10, 0), (5, "note_on", 60, 0), (100, "note_off", 60, 0)],
        *[(102, "note_on", 64, 1), (190, "note_on", 64, 1), (280, "note_off", 64, 1), (300, "note_off", 38, 9)],
        (700, "note_off", 10, 0),
    )
    codec = PianoRoll()
    assert codec.decode(codec.encode(path)) == "C4 E4 E4"
    Path(path).unlink()
    midi(Path(path), (0, "note_on", 60, 0), (96, "note_off", 60, 0))
    assert codec.decode(codec.encode(path)) == "C4"  # a file that has changed is read anew


def test_midi_that_cannot_be_read(tmp_path: Path) -> None:
    silent = midi(tmp_path / "silent.mid", (0, "note_on", 38, 9), (96, "note_off", 38, 9))
    short = midi(tmp_path / "short.mid", (50, "note_on", 60, 0), (60, "note_off", 60, 0))
    several = midi(tmp_path / "several.mid", (0, "note_on", 60, 0), kind=2)
    (tmp_path / "text.mid").write_text("text")
    cut = (tmp_path / "cut.mid").write_bytes(Path(short).read_bytes()[:30])
    for name, told in {
        silent: "no music in this file .no notes", short: "1 notes, of which none", several: "no common beats",
        str(tmp_path / "text.mid"): "no MIDI file", str(tmp_path / "cut.mid"): "no MIDI file",
        str(tmp_path / "none.mid"): "no such file",
    }.items():  # fmt: skip
        with pytest.raises(DataError, match=told) as fault:
            read_midi(name, 1.0)
        assert fault.value.file == name and cut


def test_each_key_by_itself() -> None:
    """log_prob is the sum over keys of binary cross-entropies; sharpened it goes to the mode."""
    logits = torch.tensor([[0.3, -2.0, 4.0]], dtype=torch.float64)
    x = torch.tensor([[1.0, 1.0, 0.0]], dtype=torch.float64)
    wanted = -torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    torch.testing.assert_close(Bernoulli(logits).log_prob(x)[0], wanted)
    torch.testing.assert_close(Bernoulli(logits).sharpen(2.0).parameters, logits / 2)
    assert Bernoulli(logits).mode().values.tolist() == [[1, 0, 1]]
    probability = torch.sigmoid(logits[0, 0]).item()
    for share, value in ((1 - probability - 0.01, 0), (1 - probability + 0.01, 1)):
        assert Bernoulli(logits).quantile(share)[0, 0] == value


def test_styles_are_told_by_their_chords() -> None:
    items = CadencesConfig(train=80).generate("train")
    codec = PianoRoll()
    assert {item.raw["target"] for item in items} == {"major", "minor", "dorian", "blues"}
    for item in items:
        roll = codec.encode(item.raw["source"])
        assert len(roll) in (36, 54) and ((roll.sum(1) >= 3) & (roll.sum(1) <= 4)).all()
        classes = {int(key + LOWEST) % 12 for key in roll[-1].nonzero().flatten()}
        assert len(classes) == 3 or item.raw["target"] == "blues"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> api.Trained:
    """Knows a round of four chords."""
    folder = tmp_path_factory.mktemp("music") / "model"
    words = dict(word.split("=") for word in (*SMALL, *QUICK))
    data = {"data.train": [piece(n % 4) for n in range(40)], "data.dev": [piece(n) for n in range(4)]}
    settings = {key: json.loads(value) if value[-1].isdigit() else value for key, value in words.items()}
    return anyseq.train("music/chorales", folder, device="cpu", threads=1,
        overrides={**settings, **data, "codec.target.transpose": 0})  # fmt: skip


def test_it_goes_on_as_it_has_learnt(trained: api.Trained) -> None:
    """The first frame is any of four, the rest is certain; the trivial answer knows only which keys go on sounding."""
    assert trained.trivial is not None
    assert trained.dev.metrics["nats_per_frame"] < 1 < trained.trivial[1]["nats_per_frame"]
    assert trained.dev.metrics["loss"] > trained.dev.metrics["nats_per_frame"] + 0.1
    [found] = trained.predictor.predict(["F3+A3+F4+C5"], max_length=5)
    assert found.output.split() == ROUND[1:6] and found.stopped == "budget"
    array = trained.predictor.task.codecs["target"].encode("67+59+62+55").numpy()
    assert trained.predictor.predict([array], max_length=4)[0].output.split() == ROUND[2:6]


def test_the_figure_is_that_of_all_frames_but_the_first(trained: api.Trained) -> None:
    items = [Item({"target": text}, key) for key, text in enumerate(["C3 - C4 E4", "G4 C3", "A4"])]
    scored = trained.predictor.score(items)
    task = trained.predictor.task
    firsts = trained.predictor.score([Item({"target": item.raw["target"].split()[0]}) for item in items])
    wanted = sum(first.log_prob - whole.log_prob for first, whole in zip(firsts, scored, strict=True)) / 4
    assert trained.predictor.evaluate(items, [[""]] * 3).metrics["nats_per_frame"] == pytest.approx(wanted, rel=1e-5)
    assert [each.length for each in scored] == [4, 2, 1]
    # Trivial: counted by hand for one key; all the others never sound.
    found = task.trivial([Item({"target": "C4 C4 - C4"})], [Item({"target": "- C4 C4"})])
    silent = 2 * 87 * -np.log((3 + 1) / (3 + 2))
    assert found is not None and found.metrics["nats_per_frame"] == pytest.approx(
        (silent - np.log((1 + 1) / (1 + 2)) - np.log((1 + 1) / (2 + 2))) / 2
    )


def test_files_out_and_files_in(
    trained: api.Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = str(trained.folder)
    ask = ["predict", model, "--samples", "3", "--max-length", "6"]
    assert main([*ask, "--files", "out", "--plot", "out.png"]) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert len(lines) == 3 and all(len(line.split()) == 6 for line in lines) and not said.err
    assert sorted(each.name for each in Path("out").iterdir()) == ["1-1.mid", "1-2.mid", "1-3.mid"]
    codec = PianoRoll()
    for line, name in zip(lines, ("1-1", "1-2", "1-3"), strict=True):
        assert line.startswith(codec.decode(codec.encode(f"out/{name}.mid")))
    assert Path("out.png").stat().st_size > 1000
    assert main([*ask, "--files", "out"]) == 2 and "holds files" in capsys.readouterr().err
    assert main([*ask, "--files", "out.png"]) == 2 and "is a file" in capsys.readouterr().err
    assert main([*ask, "--files", "out", "--overwrite", "--interactive"]) == 2
    codec.write(piece(0), Path("begin.mid"))
    capsys.readouterr()
    ask = ["predict", model, "--input", "begin.mid", "--max-length", "9", "--format", "jsonl", "--files", "on"]
    assert main(ask) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["input"] == "begin.mid" and found["output"].startswith(piece(0)) and len(found["output"].split()) == 9
    assert [each.name for each in Path("on").iterdir()] == ["1.mid"]
    assert main(["predict", model, "--samples", "2", "--max-length", "3", "--files", "out", "--overwrite"]) == 0
    assert sorted(each.name for each in Path("out").iterdir()) == ["1-1.mid", "1-2.mid"]
    capsys.readouterr()
    prompts = write(tmp_path / "prompts.txt", "begin.mid", "C3+H4")
    assert main(["predict", model, "--input", str(prompts)]) == 2
    assert "line 2: frame 1: 'H4' is none of" in capsys.readouterr().err
    assert main(["evaluate", model, "--data", "out"]) == 0
    assert "nats_per_frame" in capsys.readouterr().out
    assert main(["score", model, "--data", "begin.mid"]) == 0


def test_a_beginning_that_leaves_no_room_is_told(
    trained: api.Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = write(tmp_path / "prompts.txt", piece(0), "C4")
    ask = ["predict", str(trained.folder), "--input", str(prompts), "--max-length"]
    assert main([*ask, "8"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == piece(0) and len(said.out.splitlines()[1].split()) == 8
    assert "line 1 has 8 symbols (of music: frames), which search.max_length counts, too" in said.err
    assert main([*ask, "9", "--format", "jsonl"]) == 0
    said = capsys.readouterr()
    assert not said.err and "full" not in said.out
    assert [each.full for each in trained.predictor.predict([piece(0), "C4"], max_length=4)] == [8, None]


def test_what_cannot_be_written_is_told_before_there_is_anything(
    trained: api.Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "mido", None)
    assert main(["predict", str(trained.folder), "--files", str(tmp_path / "out")]) == 2
    said = capsys.readouterr()
    assert not said.out and "mido" in said.err


def test_settings_of_training_stay_the_recipes(
    trained: api.Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*SMALL, "training.max_steps=2", "training.validate_every=2", "training.warmup_steps=1"]
    pieces = [piece(n % 4) for n in range(8)]
    given = dict(word.split("=") for word in words)
    settings = {key: json.loads(value) if value[-1].isdigit() else value for key, value in given.items()}
    begun = anyseq.train(
        "music/chorales", tmp_path / "m", start_from=trained.folder, device="cpu", threads=1,
        overrides={**settings, "data.train": pieces, "data.dev": pieces[:2], "codec.target.transpose": 3,
            "codec.target.least_frames": 2},
    )  # fmt: skip
    for task in (begun.predictor.task, anyseq.load(begun.folder).task):
        codec = task.codecs["target"]
        assert isinstance(codec, PianoRoll) and (codec.transpose, codec.least_frames) == (3, 2)
    with pytest.raises(ValidationError, match="least_frames=4 is above most_frames=2"):
        PianoRollConfig(least_frames=4, most_frames=2)


def test_what_music_has_not_is_refused(
    trained: api.Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(trained.folder)
    for words, told in {
        ("--beam-size", "3"): "emits no symbols", ("--prefix", "C4"): "are texts", ("--forbid", "C4"): "are texts",
        ("--max-length-ratio", "2"): "speaks of a source", ("--alignments", "hard"): "",
        ("--every-step", "frames"): "this model's source is none",
    }.items():  # fmt: skip
        assert main(["predict", model, *words]) == 2 and told in capsys.readouterr().err
    with pytest.raises(ConfigError, match="read as piano rolls: kind=piano_roll"):
        anyseq.train("music/chorales", tmp_path / "m", overrides=["codec.target=characters"])
    with pytest.raises(ConfigError, match="say what each value's distribution is"):
        anyseq.train("music/chorales", tmp_path / "m", overrides=["model.decoder.emission=null"])


def test_faults_are_told_by_file_and_line_before_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    PianoRoll().write("C4 E4", tmp_path / "good.mid")
    (tmp_path / "bad.mid").write_bytes(b"MThd")
    texts = write(tmp_path / "pieces.txt", piece(0), "good.mid", "C4 X", "C4+21 109")
    train = ["train", "music/chorales", "--output", str(tmp_path / "model"), *SMALL, *QUICK]
    assert main([*train, f"data.train={texts}", f"data.dev={tmp_path}/good.mid"]) == 2
    said = capsys.readouterr().err
    assert "2 errors" in said and f"({texts}:3)" in said and f"({texts}:4)" in said and "frame 2: 'X'" in said
    assert "data.check=tell" not in said and "mend what cannot be read" in said
    for more in ([], ["data.check=tell"]):
        assert main([*train, f"data.train={tmp_path}", f"data.dev={tmp_path}/good.mid", *more]) == 2
        assert "bad.mid: this is no MIDI file, or a damaged one (it ends too early);" in capsys.readouterr().err
    assert main(["check", "music/chorales", f"data.train={tmp_path}", f"data.dev={tmp_path}/good.mid"]) == 2
    said = capsys.readouterr()
    assert said.out.count("bad.mid") == 1 and not said.err
    write(texts, piece(0), "none.mid")
    assert main([*train, f"data.train={texts}"]) == 2
    assert f"{texts}:2: there is no file" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    write(tmp_path / "empty" / "notes.txt", "x")
    assert main([*train, f"data.train={tmp_path / 'empty'}"]) == 2
    assert "no file of this folder ends in .mid" in capsys.readouterr().err


def test_pieces_from_python_and_from_folders(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(12):
        PianoRoll().write(piece(number % 4) + " C4" * number, tmp_path / "in" / f"{number}.mid")
    few = {"training.max_steps": 2, "training.validate_every": 2, "training.warmup_steps": 1}
    rolls = [PianoRoll().encode(piece(n % 4) + " C4" * n).bool().numpy() for n in range(12)]
    for number, data in enumerate((rolls, str(tmp_path / "in"))):
        settings = {**few, "data.train": data, "data.dev": rolls[:2]}
        trained = anyseq.train("music/chorales", tmp_path / str(number), device="cpu", threads=1, overrides=settings)
        items = trained.predictor.task.read_texts(data)
        encoded = {trained.predictor.task.encode(item)["target"].numpy().tobytes() for item in items}
        assert encoded == {roll.astype(np.float32).tobytes() for roll in rolls}


def test_which_collection_after_some_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train").mkdir()
    rows = []
    for number in range(40):
        label, text = ("up", "C4 D4 E4 F4") if number % 2 else ("down", "C4 B3 A3 G3")
        rows.append(f"{text} C4\t{label}")
    table = write(tmp_path / "train.tsv", *rows)
    for label, text in (("up", "C4 D4 E4"), ("down", "C4 B3 A3")):
        (tmp_path / "files" / label).mkdir(parents=True)
        PianoRoll().write(text, tmp_path / "files" / label / "a.mid")
    model = str(tmp_path / "model")
    words = ["model.encoder.embed_dim=8", "model.encoder.hidden_dim=8", *QUICK]
    data = [f"data.train={table}", f"data.dev={tmp_path / 'files'}", "codec.source.transpose=0"]
    assert main(["train", "music/collection", "--output", model, *data, *words]) == 0
    assert "exact_match 100" in capsys.readouterr().err
    name = tmp_path / "files" / "down" / "a.mid"
    assert main(["predict", model, "--input", str(name)]) == 0
    assert capsys.readouterr().out == "down\n"
    assert main(["predict", model, "--input", str(name), "--every-step", "frames"]) == 0
    steps = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [(step[1], step[4]) for step in steps] == [("1", "C4"), ("2", "C4 B3"), ("3", "C4 B3 A3")]
    assert float(steps[0][2]) < 0.8 and float(steps[2][2]) > 0.9 and steps[2][3] == "down"
    assert main(["predict", model, "--input", str(name), "--every-step", "words"]) == 2
    assert "are read by frames" in capsys.readouterr().err
    lines = write(tmp_path / "lines.txt", "C4 D4 E4", "", "C4 H4", f"{name}")
    assert main(["predict", model, "--input", str(lines)]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == ["up", "", "", "down"] and "line 3: frame 2: 'H4'" in said.err
    assert main(["predict", model, "--input", str(lines), "--every-step", "frames"]) == 2
    assert "line 3: frame 2" in capsys.readouterr().err
    write(table, "C4 D4\tup", "C4 X\tdown", "C4 B3\tdown")
    assert main(["train", "music/collection", "--output", model, *data, *words, "--overwrite"]) == 2
    assert f"{table}:2: frame 2: 'X'" in capsys.readouterr().err
    assert main(["predict", model, "--files", str(tmp_path / "out"), "--input", str(name)]) == 2
    assert "texts and no files" in capsys.readouterr().err


def test_a_long_note_is_one(tmp_path: Path) -> None:
    roll = np.zeros((4, KEYS), dtype=bool)
    roll[:3, 39] = True
    write_midi(roll, tmp_path / "a.mid", 1.0, 120.0)
    messages: list[Any] = [each for each in mido.MidiFile(tmp_path / "a.mid") if not each.is_meta]
    assert [(each.type, round(each.time, 3)) for each in messages] == [("note_on", 0.0), ("note_off", 1.5)]
