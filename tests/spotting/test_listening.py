"""Live, in whatever pieces, and as a whole: the same numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from anyseq.config import load_recipe
from anyseq.core import Item, Symbols, Vectors
from anyseq.errors import ConfigError, UsageError
from anyseq.models.decoders.base import MemoryShape
from anyseq.models.encoders.rnn import RnnEncoderConfig
from anyseq.models.framewise import FramewiseConfig, FramewiseDecoder
from anyseq.tasks.spot.task import Spot
from laws import decoder_laws as laws
from laws.cases import unlike_new

TINY = (
    *("data.streams.count=12", "data.streams.seconds=4", "data.judged.count=2", "data.judged.seconds=10"),
    *("data.generator.train=100", "data.generator.dev=60", "data.generator.test=60"),
    *("model.encoder.embed_dim=8", "model.encoder.hidden_dim=8"),
)


def untrained(*words: str) -> Spot:
    task = load_recipe("tag/wake_word", [*TINY, *words]).build()
    assert isinstance(task, Spot)
    task.fit_codecs(task.read().train)
    torch.manual_seed(1)
    task.build_model()
    unlike_new(task.model, torch.float32)
    return task


@pytest.fixture(scope="module")
def task() -> Spot:
    return untrained()


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    return (3000 * np.random.default_rng(1).standard_normal(20_000)).astype(np.int16)


@pytest.mark.parametrize("pieces", ["20 ms", "1 sample at first", "random"])
def test_any_cutting_gives_the_same_numbers(task: Spot, sound: np.ndarray, pieces: str) -> None:
    cuts = {
        "20 ms": np.arange(160, len(sound), 160),
        "1 sample at first": np.array([1, 2, 3, 255, 256, 257, 258, 19_999]),
        "random": np.sort(np.random.default_rng(2).integers(0, len(sound), 40)),
    }[pieces]
    middle = float(np.median(task.trace(Item({"source": sound})).levels))
    settings = task.config.search.model_copy(update={"threshold": middle})
    whole = task.listener(settings)
    expected, levels = whole.feed(sound), whole.levels
    assert len(levels) == 1 + (len(sound) - 256) // 160 and len(expected) > 1 and levels.std() > 1e-3
    listener, found, parts = task.listener(settings), [], []
    for piece in np.split(sound, cuts):
        found += listener.feed(piece)
        parts.append(listener.levels)
    assert listener.end() == []
    assert [each.time_s for each in found] == [each.time_s for each in expected]
    assert [each.score for each in found] == pytest.approx([each.score for each in expected], abs=1e-5)
    np.testing.assert_allclose(np.concatenate(parts), levels, rtol=0, atol=1e-5)
    np.testing.assert_allclose(task.trace(Item({"source": sound})).levels, levels, rtol=0, atol=1e-5)
    batch = task.batch([Item({"source": sound})], [task.encode_source(Item({"source": sound})).fields])
    with torch.inference_mode():
        output = task.output(task.search(batch, settings).values[0, 0], Item({}))
    assert output == " ".join(f"{each.time_s:.2f}" for each in expected)


def test_what_is_shorter_than_a_frame_is_one(task: Spot) -> None:
    listener, short = task.listener(), np.full(100, 1000, dtype=np.int16)
    assert listener.feed(short) == [] and listener.frames == 0
    listener.end()
    assert listener.frames == 1 and len(task.trace(Item({"source": short})).levels) == 1
    assert task.listener().end() == []


def test_frames_behind_the_keyword_say_so(task: Spot) -> None:
    """The target by hand: 300 ms behind the end, 50 ms before it, of frames of 32 ms every 20."""
    fields = task.encode(Item({"source": np.zeros(16_000, np.int16), "target": "0.5-1.0"}))
    said = fields["target"].nonzero()[:, 0]
    ends_s = (said * 160 + 256) / 8000
    assert len(fields["target"]) == len(fields["source"])
    assert float(ends_s.min()) == pytest.approx(0.95, abs=0.02) and float(ends_s.max()) == pytest.approx(1.3, abs=0.02)
    assert len(said) in (17, 18) and (said.diff() == 1).all()


def test_a_threshold_is_kept_until_another_is_written_whole(
    task: Spot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: Path) -> None:
        raise OSError

    monkeypatch.setattr(task, "_threshold", None)
    monkeypatch.setattr(task, "_chosen", lambda traces: 0.25)
    task.settle([], tmp_path)
    before = (tmp_path / "threshold.json").read_text()
    monkeypatch.setattr(task, "_chosen", lambda traces: 0.75)
    monkeypatch.setattr("anyseq.training.checkpoint._sync", fails)
    with pytest.raises(OSError):
        task.settle([], tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["threshold.json"]
    assert (tmp_path / "threshold.json").read_text() == before


def test_a_run_that_has_not_ended_is_judged_by_a_half(
    task: Spot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not by the threshold that is best for what it is judged by, as dev is while it trains."""
    monkeypatch.setattr(task, "_threshold", None)
    items = task.read().dev[:1]
    assert task.measure(items, task.config.search)["threshold"] != 0.5
    task.load_settled(tmp_path)
    assert task.measure(items, task.config.search)["threshold"] == task.threshold() == 0.5


def test_training_hears_other_streams_each_time(task: Spot) -> None:
    [item, *_] = task.read().train
    one, again, other = (task.encode(item, seed) for seed in (1, 1, 2))
    assert task.augments and torch.equal(one["source"], again["source"])
    assert not torch.equal(one["source"], other["source"])
    assert torch.equal(task.encode(item)["source"], task.encode_source(item).values)


def test_what_listens_needs_no_end() -> None:
    with pytest.raises(ConfigError, match="bidirectional=false"):
        untrained("model.encoder.bidirectional=true")
    with pytest.raises(ConfigError, match="kind=sound"):
        load_recipe("tag/wake_word", ["codec.source={kind: pictures}"]).build()
    settings = load_recipe("tag/wake_word").search.model_copy(update={"beam_size": 2})
    with pytest.raises(UsageError, match="one output"):
        untrained().refuse(settings)


def framewise() -> laws.Case:
    torch.manual_seed(3)
    decoder = unlike_new(FramewiseDecoder(8, 3, 0.1))
    return laws.Case(decoder, laws.make_memory(MemoryShape(8, 5)), 3)


@pytest.mark.parametrize("width", [1, 2])
def test_the_laws_of_a_decoder(width: int) -> None:
    laws.check_unroll_is_a_chain_of_steps(framewise(), width)
    with torch.no_grad():
        laws.check_unroll_in_pieces(framewise(), width)
    laws.check_select_commutes_with_step(framewise())
    laws.check_padding_and_neighbours(framewise())
    laws.check_every_parameter_learns(framewise())
    laws.check_output_dim(framewise())


def test_frames_are_said_apart_and_pieces_are_the_whole() -> None:
    torch.manual_seed(1)
    encoder = RnnEncoderConfig(embed_dim=4, hidden_dim=6, bidirectional=False)
    model = FramewiseConfig(encoder=encoder).build(Vectors(3), 2)
    assert not isinstance(model.encoder.embed, type(Symbols)) and model.decoder.whole
    vectors = torch.randn(1, 9, 3)

    def said(values: torch.Tensor, carry: object = None) -> tuple[torch.Tensor, object]:
        from anyseq.core import Padded

        source = Padded(values, torch.ones(values.shape[:2], dtype=torch.bool))
        memory = model.encoder(source, carry)
        target = Padded(torch.zeros(values.shape[:2], dtype=torch.int64), source.valid)
        return model.decoder.unroll(model.decoder.prepare(memory), target)[0].log_probs(), memory.carry

    model.eval()
    whole, _ = said(vectors)
    first, carry = said(vectors[:, :4])
    second, _ = said(vectors[:, 4:], carry)
    torch.testing.assert_close(torch.cat([first, second], 1), whole)
