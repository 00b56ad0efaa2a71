from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError

from anyseq.data.spoken import Spoken, holds_spans, read_spoken, written
from anyseq.data.synthetic.streams import Composer, Recording, StreamsConfig
from anyseq.errors import DataError

RATE_HZ = 1000
PLAIN = {"noises": ("none",), "loudness_db": 0.0}


def recordings(label: str, count: int, length: int = 300, seed: int = 1) -> list[Recording]:
    draw = np.random.default_rng(seed)
    samples = [(0.1 * draw.standard_normal(length)).astype(np.float32) for _ in range(count)]
    return [Recording(each, label, f"{label} {number}") for number, each in enumerate(samples)]


def composer(**others: object) -> Composer:
    words = [*recordings("seven", 3), *recordings("one", 4, seed=2), *recordings("two", 4, seed=3)]
    return Composer(words, "seven", RATE_HZ, **others)  # type: ignore[arg-type]


def loudness(samples: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))))


def test_words_come_as_often_as_asked_for() -> None:
    settings = StreamsConfig(seconds=2000.0, every_s=2.0, gaps_s=(0.2, 4.0), keyword_share=0.1, **PLAIN)
    stream = composer().stream(settings, 1)
    heard = stream.samples != 0
    edges = np.flatnonzero(np.diff(np.concatenate([[0], heard, [0]]).astype(int)))
    gaps = [after - before for before, after in pairwise(edges) if not heard[before]]
    # Words of noise hold a zero now and then, so that short gaps are none.
    gaps = [each / RATE_HZ for each in gaps if each > 100]
    assert min(gaps) > 0.19 and max(gaps) < 4.0 and max(gaps) > 3.8
    assert len(gaps) == pytest.approx(1000, rel=0.05)
    assert len(stream.spoken) == pytest.approx(100, rel=0.3)
    counts = [sum(each.name == f"seven_{number}" for each in stream.spoken) for number in range(3)]
    assert max(counts) - min(counts) <= 1  # in rounds


def test_the_keyword_stands_where_it_is_said_to() -> None:
    stream = composer().stream(StreamsConfig(seconds=60.0, keyword_share=0.5, **PLAIN), 3)
    own = {f"seven_{number}": each.samples for number, each in enumerate(recordings("seven", 3))}
    assert len(stream.spoken) > 5
    for each in stream.spoken:
        begin, end = (round(moment * RATE_HZ) for moment in (each.begin_s, each.end_s))
        assert np.corrcoef(stream.samples[begin:end], own[each.name])[0, 1] > 0.999
    assert read_spoken(written(stream.spoken)) == list(stream.spoken)


def test_noise_is_as_loud_as_asked_for_and_babble_holds_no_keyword() -> None:
    level = {"level_db": (-30.0, -30.0), "snr_db": (10.0, 10.0), "seconds": 20.0, "gaps_s": (0.0, 0.0), "every_s": 0.3}
    quiet = composer().stream(StreamsConfig(**level, **PLAIN), 1).samples / 32768
    assert loudness(quiet) == pytest.approx(-30, abs=0.1)
    # Without gaps the words fill the stream, and are the first that is drawn: what noise adds is the difference.
    for noises, more in ((("white",), {}), (("babble",), {}), (("recorded",), {"recorded": [np.ones(7, np.float32)]})):
        settings = StreamsConfig(**level, noises=noises, loudness_db=0.0)
        noisy = composer(**more).stream(settings, 1).samples / 32768
        assert loudness(noisy[:19000] - quiet[:19000]) == pytest.approx(-40, abs=0.2)
    speakers = composer(babble=[*recordings("seven", 2), *recordings("one", 1)])
    assert [each.label for each in speakers.babble] == ["one"]


def test_the_same_seed_gives_the_same() -> None:
    settings = StreamsConfig(count=3, seconds=5.0, speed=0.2)
    one, other = composer().streams(settings), composer().streams(settings)
    assert all((left.samples == right.samples).all() for left, right in zip(one, other, strict=True))
    assert not (one[0].samples == one[1].samples).all()
    different = composer().streams(settings.model_copy(update={"seed": 2}))
    assert not (one[0].samples == different[0].samples).all()
    assert all(len(each.samples) == 5000 and each.samples.dtype == np.int16 for each in one)


def test_what_cannot_be_put_together() -> None:
    with pytest.raises(DataError, match="'nine'; they are of: one"):
        Composer(recordings("one", 2), "nine", RATE_HZ)
    with pytest.raises(DataError, match="all recordings are of"):
        Composer(recordings("one", 2), "one", RATE_HZ)
    with pytest.raises(DataError, match="give data"):
        composer().stream(StreamsConfig(noises=("recorded",)), 1)
    with pytest.raises(ValidationError, match="give the lower first"):
        StreamsConfig(gaps_s=(4.0, 0.2))


def test_spans_of_time() -> None:
    assert read_spoken(" 7-7.5  1.25-1.75=a.wav ") == [Spoken(1.25, 1.75, "a.wav"), Spoken(7.0, 7.5)]
    assert read_spoken("") == read_spoken(" - ") == []
    assert holds_spans("1-2 3.5-4=x x") and not holds_spans("seven") and not holds_spans("")
    for wrong in ("1.5", "2-1", "1-2-3"):
        with pytest.raises(DataError, match="is no span of time"):
            read_spoken(wrong)
