"""Sources that are pictures or recordings: arrays, files, folders."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

import anyseq
from anyseq.core import Padded, Symbols, Vectors
from anyseq.data.codecs.pictures import Pictures, PicturesConfig
from anyseq.data.codecs.sound import Sound, SoundConfig
from anyseq.data.synthetic.tones import TonesConfig
from anyseq.data.waves import read_wave
from anyseq.errors import ConfigError, DataError
from anyseq.models.encoders.dense import DenseEncoderConfig, PictureEncoderConfig
from tiny_runs import main, write

QUICK = ("training.max_steps=60", "training.validate_every=30", "training.warmup_steps=5", "training.average=0")
RATE_HZ = 8000


def pictures(count: int = 6, height: int = 8, width: int = 6) -> list[np.ndarray]:
    return list(np.random.default_rng(1).integers(0, 256, (count, height, width), dtype=np.uint8))


def tone(frequency_hz: float, seconds: float = 0.3, rate_hz: int = RATE_HZ) -> np.ndarray:
    time = np.arange(int(seconds * rate_hz)) / rate_hz
    return (0.5 * np.sin(2 * np.pi * frequency_hz * time)).astype(np.float32)


def write_wave(path: Path, samples: np.ndarray, rate_hz: int = RATE_HZ, width: int = 2, channels: int = 1) -> Path:
    whole = np.round(samples.astype(np.float64) * (2 ** (8 * width - 1) - 1)).astype(np.int64)
    whole += 128 * (width == 1)
    content = whole.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :width]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate_hz)
        file.writeframes(content.repeat(channels, 0).tobytes())
    return path


@pytest.mark.parametrize("by", ["whole", "rows"])
def test_a_picture_comes_back(by: str, tmp_path: Path) -> None:
    given = pictures()
    codec = PicturesConfig(by=by).fit(given)
    encoded = [codec.encode(each) for each in given]
    assert encoded[0].shape == ((1, 48) if by == "whole" else (8, 6)) and encoded[0].dtype == torch.float32
    together = torch.stack(encoded)
    assert abs(together.mean()) < 1e-5 and abs(together.std(correction=0) - 1) < 1e-5
    assert all((codec.decode(values)[:, :, 0] == each).all() for values, each in zip(encoded, given, strict=True))
    codec.save(tmp_path)
    again = Pictures.load(tmp_path)
    assert again.stream == codec.stream and torch.equal(again.encode(given[0]), encoded[0])
    Image.fromarray(given[0]).save(tmp_path / "one.png")
    assert torch.equal(codec.encode(str(tmp_path / "one.png")), encoded[0])
    with pytest.raises(DataError, match="6 x 5 is given, the model's have 6 x 8"):
        codec.encode(given[0][:5])
    with pytest.raises(DataError, match="no such picture"):
        codec.encode(str(tmp_path / "none.png"))
    with pytest.raises(DataError, match="this is no picture"):
        codec.encode(str(write(tmp_path / "text.png", "text")))


def test_training_sees_pictures_moved() -> None:
    given = pictures()
    codec = PicturesConfig(shift=2).fit(given)
    seen = {codec.decode(codec.augment(given[0], seed)).tobytes() for seed in range(60)}
    assert codec.augments and len(seen) > 10 and given[0].tobytes() in seen
    assert torch.equal(codec.augment(given[0], 3), codec.augment(given[0], 3))


def test_frames_tell_where_the_sound_is() -> None:
    """A tone is loudest in the band around it; a frame depends on its own samples alone."""
    codec = SoundConfig(bands=20).fit([tone(300), tone(2000)])
    low, high = (codec.frames(torch.from_numpy(tone(each)))[3].argmax() for each in (300, 2000))
    assert low < high
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 4000 / 700), 22) / 2595) - 1)
    assert edges[int(high)] < 2000 < edges[int(high) + 2]
    samples = torch.randn(2000)
    whole = codec.frames(samples)
    assert len(whole) == 1 + (2000 - 200) // 80
    torch.testing.assert_close(codec.frames(samples[80 * 5 :]), whole[5:])
    assert codec.encode(np.zeros(10, dtype=np.int16)).shape == (1, 20)
    with pytest.raises(ValidationError, match="hop_ms=30 is above window_ms=25"):
        SoundConfig(hop_ms=30.0)


@pytest.mark.parametrize(("width", "channels"), [(1, 1), (2, 2), (3, 1), (4, 1)])
def test_waves_of_any_width(width: int, channels: int, tmp_path: Path) -> None:
    given = tone(440)
    read = read_wave(str(write_wave(tmp_path / "a.wav", given, width=width, channels=channels)))
    assert (read.sample_rate_hz, read.channels) == (RATE_HZ, channels)
    assert np.abs(read.samples - given).max() < (0.01 if width == 1 else 1e-4)


def test_another_rate_is_the_same_sound(tmp_path: Path) -> None:
    codec: Sound = SoundConfig().fit([tone(440), tone(880)])
    other = write_wave(tmp_path / "a.wav", tone(440, rate_hz=22050), 22050)
    frames = (codec.frames(codec.samples(each)) for each in (str(other), tone(440)))
    for there, here in zip(*frames, strict=False):
        assert there.argmax() == here.argmax() and abs(there.max() - here.max()) < 0.1
    with pytest.raises(DataError, match="no WAV file"):
        codec.encode(str(write(tmp_path / "b.wav", "text")))


def test_places_that_are_pictures() -> None:
    torch.manual_seed(1)
    encoder = PictureEncoderConfig(channels=(4,), hidden_dim=6).build(Vectors(8 * 6, (8, 6, 1))).eval()
    source = Padded(torch.randn(3, 2, 48), torch.tensor([[True, True], [True, False], [True, True]]))
    memory = encoder(source)
    assert memory.vectors.shape == (3, 2, 6)
    alone = encoder(Padded(source.values[1:2, :1], source.valid[1:2, :1]))
    torch.testing.assert_close(alone.summary, memory.summary[1:2])
    torch.testing.assert_close(alone.vectors[0, 0], memory.vectors[1, 0])
    with pytest.raises(ConfigError, match="reads whole pictures"):
        PictureEncoderConfig().build(Symbols(5))
    with pytest.raises(ConfigError, match="halves a picture of 6 x 8 3 times"):
        PictureEncoderConfig(channels=(4, 4, 4)).build(Vectors(48, (8, 6, 1)))
    with pytest.raises(ConfigError, match="these are symbols"):
        DenseEncoderConfig(num_layers=0).build(Symbols(5))


def test_pictures_in_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for label in ("dark", "light"):
        (tmp_path / "train" / label).mkdir(parents=True)
        for number in range(20):
            level = (40 if label == "dark" else 200) + number
            Image.new("L", (4, 4), level).save(tmp_path / "train" / label / f"{number}.png")
    model = tmp_path / "model"
    command = ["train", "classify/linear", "--output", str(model), f"data.train={tmp_path / 'train'}", *QUICK]
    command += ["training.learning_rate=0.02"]
    notes = write(tmp_path / "train" / "dark" / "notes.txt", "x")
    assert main(command) == 0
    assert "note: train: 1 files of" in capsys.readouterr().err
    notes.unlink()
    assert main(["predict", str(model), "--input", str(tmp_path / "train" / "light")]) == 0
    folder = tmp_path / "train" / "light"
    assert capsys.readouterr().out.splitlines() == [f"{file}\tlight" for file in sorted(map(str, folder.iterdir()))]
    assert main(["evaluate", str(model), "--data", str(tmp_path / "train")]) == 0
    assert "100.0000" in capsys.readouterr().out
    assert main(["predict", str(model), "--input", str(tmp_path / "train")]) == 2
    assert "there are folders in it, give one of them (dark, light)" in capsys.readouterr().err
    names = write(tmp_path / "names.txt", *(str(tmp_path / "train" / label / "3.png") for label in ("dark", "light")))
    assert main(["predict", str(model), "--input", str(names), "--format", "jsonl"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["output"] for each in found] == ["dark", "light"] and found[0]["input"].endswith("3.png")
    table = write(tmp_path / "test.tsv", "train/dark/1.png\tdark", "train/light/1.png\tlight")
    assert main(["evaluate", str(model), "--data", str(table)]) == 0
    assert "100.0000" in capsys.readouterr().out
    write(table, "train/dark/1.png\tdark", "train/none.png\tlight")
    assert main(["evaluate", str(model), "--data", str(table)]) == 2
    assert "test.tsv:2: there is no file" in capsys.readouterr().err
    assert main([*command[:4], f"data.train={tmp_path / 'train' / 'dark'}", "--overwrite"]) == 2
    assert "a folder for each label" in capsys.readouterr().err


def test_recordings_in_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for label, frequency in (("low", 300), ("high", 1500)):
        (tmp_path / label).mkdir()
        for number in range(12):
            write_wave(tmp_path / label / f"{number}.wav", tone(frequency + 5 * number), channels=1 + (number == 3))
    write_wave(tmp_path / "low" / "x.wav", tone(310, rate_hz=16000), 16000)
    words = ["model.encoder.embed_dim=8", "model.encoder.hidden_dim=8", "model.encoder.num_layers=1", *QUICK]
    model = tmp_path / "model"
    assert main(["train", "classify/sounds", "--output", str(model), f"data.train={tmp_path}", *words]) == 0
    told = capsys.readouterr().err
    assert "resampled to codec.source.sample_rate_hz=8000: 1 of 16000 Hz" in told and "several channels" in told
    assert main(["predict", str(model), "--input", str(tmp_path / "high")]) == 0
    assert capsys.readouterr().out.split()[1::2] == ["high"] * 12
    assert capsys.readouterr().err == ""
    assert main(["predict", str(model), "--input", str(tmp_path / "nowhere.wav")]) == 2
    (tmp_path / "empty.wav").write_bytes(b"")
    lines = (f"{tmp_path}/high/1.wav", "", f"{tmp_path}/empty.wav", f" {tmp_path}/low/1.wav")
    names = write(tmp_path / "names.txt", *lines)
    capsys.readouterr()
    assert main(["predict", str(model), "--input", str(names)]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == ["high", "", "", "low"] and "line 3: " in said.err and "empty.wav" in said.err


def test_arrays_from_python(tmp_path: Path) -> None:
    items = TonesConfig(train=60).generate("train")
    data = [(item.raw["source"], item.raw["target"]) for item in items]
    small = {"model.encoder.embed_dim": 8, "model.encoder.hidden_dim": 8, "model.encoder.num_layers": 1}
    few = {"training.max_steps": 4, "training.warmup_steps": 1, "training.validate_every": 2}
    settings = {**small, **few, "data.train": data, "data.held_out": 6}
    trained = anyseq.train("classify/sounds", tmp_path / "model", device="cpu", threads=1, overrides=settings)
    assert trained.trivial is not None and trained.trivial[0] == "the most frequent label"
    assert trained.predictor.predict([data[0][0]])[0].output in "0123456789*#"


def test_what_cannot_be_read_is_told_before_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for split, sizes in (("train", [(4, 4)] * 12), ("test", [(4, 4), (5, 4)])):
        for number, size in enumerate(sizes):
            for label in ("a", "b"):
                (tmp_path / split / label).mkdir(parents=True, exist_ok=True)
                Image.new("L", size, 9 * number).save(tmp_path / split / label / f"{number}.png")
    model = tmp_path / "model"
    data = [f"data.train={tmp_path / 'train'}", f"data.test={tmp_path / 'test'}"]
    for more in ([], ["data.check=tell"]):
        assert main(["train", "classify/linear", "--output", str(model), *data, *QUICK, *more]) == 2
        said = capsys.readouterr().err
        assert "2 errors" in said and "5 x 4 is given, the model's have 4 x 4" in said and not model.exists()
        assert "data.check" not in said
    Image.fromarray(np.arange(16, dtype=np.uint16).reshape(4, 4) * 4000).save(tmp_path / "deep.png")
    with pytest.raises(DataError, match="more than 8 bits"):
        PicturesConfig().fit([str(tmp_path / "deep.png")])


def test_what_is_odd_about_pictures_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").mkdir()
    for number in range(20):
        Image.new("L", (4, 4), number).save(tmp_path / "a" / f"{number}.png")
    assert main(["check", "classify/linear", f"data.train={tmp_path}"]) == 0
    said = capsys.readouterr().out
    assert "with 1 label: 'a' 18" in said and "all items have the same label" in said
    odd = tmp_path / "odd.png"
    Image.new("L", (5, 4)).save(odd)
    with pytest.raises(DataError, match=r"this picture has 4 x 4, the first one \(.*odd.png\) 5 x 4"):
        PicturesConfig().fit([str(odd), str(tmp_path / "a" / "1.png")])


def test_numbers_that_are_none_and_scales_that_are_none() -> None:
    constant = [np.full((3, 3), 0.1, dtype=np.float32)] * 2
    assert PicturesConfig().fit(constant).measured.deviation.item() == 1
    for wrong, told in ((np.array([1, 2**30]), "16 bits"), (np.array([0.1, np.nan]), "nan or infinity")):
        with pytest.raises(DataError, match=told):
            SoundConfig().fit([wrong])
    with pytest.raises(ConfigError, match="halves"):
        PictureEncoderConfig(channels=(12, 12, 12, 12)).build(Vectors(64, (8, 8, 1)))
    assert PictureEncoderConfig(channels=(12,)).build(Vectors(64, (8, 8, 1))).output_dim == 128
