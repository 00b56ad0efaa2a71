"""Recordings of words read, and streams put together of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anyseq.core import Item
from anyseq.data.codecs.base import CodecConfig
from anyseq.data.codecs.sound import SoundConfig
from anyseq.data.media import files_in, left_alone, read_labelled
from anyseq.data.spoken import holds_spans, read_spoken, says_none, written
from anyseq.data.synthetic.streams import Composer, Recording, Stream, StreamsConfig
from anyseq.data.waves import read_header
from anyseq.errors import ConfigError, DataError
from anyseq.tasks.splits import Splits, hold_out
from anyseq.tasks.spot.settings import SpotData

_HELD_OUT_STREAMS = 500
_NO_LABELS = (".", "_")  # what folders begin with that hold no words: Speech Commands' _background_noise_
_ROUNDED_S = 0.1  # that a span may end behind its recording


class Reader:
    """Makes items of a stream each: `source` samples or a file, `target` when the keyword is said in it.

    Args:
        data: Where recordings are, and how streams are put together.
        codec: Reads recordings.
    """

    def __init__(self, data: SpotData, codec: CodecConfig) -> None:
        if not isinstance(codec, SoundConfig):
            raise ConfigError("codec.source: what is heard are recordings: kind=sound")
        self._data, self._codec = data, codec

    def read(self) -> tuple[Splits, Composer | None]:
        """Train and dev; what puts train's streams together, None where streams are given.

        Raises:
            DataError: something cannot be read, or there is too little.
        """
        train = self._labelled("train", self._data.train)
        if _are_streams(train):
            return self._given(train), None
        notes = [*self._codec.remarks(item.raw["source"] for item in train), *self._left_alone()]
        if self._data.train is not None and self._data.dev is None:
            train, dev = held_out(train)
            notes.append(f"no data.dev given: {len(dev)} recordings, a tenth of each word's, are held out of train")
        else:
            dev = self._labelled("dev", self._data.dev)
        recordings = self._recordings(train)
        streams = self._data.streams
        composer = self._composer(recordings, streams)
        said = len(composer.keywords)
        notes.append(
            f"train: {len(recordings):,} recordings, {said:,} of them of {self._data.keyword!r}; {streams.count:,} "
            f"streams of {streams.seconds:g} s an epoch are put together of them, others each time"
        )
        return Splits(self._items(composer.streams(streams)), self._composed(dev), notes), composer

    def _given(self, train: Sequence[Item]) -> Splits:
        if self._data.dev is None:
            return hold_out(self._checked(train), _HELD_OUT_STREAMS)
        return Splits(self._checked(train), self.judged(self._data.dev))

    def read_test(self) -> list[Item] | None:
        """Streams of test, None where there are none."""
        given = self._data.test
        if given is None and (self._data.train is not None or self._data.generator is None):
            return None
        return self._composed(self._labelled("test", given))

    def judged(self, data: Any) -> list[Item]:
        """Streams of what somebody wants to judge by."""
        return self._composed(self._read(data))

    def _labelled(self, split: str, given: Any) -> list[Item]:
        if given is not None:
            return self._read(given)
        if self._data.generator is None:
            raise DataError("nothing to learn from: give data.train=FOLDER, with a folder of recordings for each word")
        return self._data.generator.generate(split)

    def _read(self, data: Any) -> list[Item]:
        return read_labelled(data, endings=self._codec.endings, no_labels=_NO_LABELS)

    def _left_alone(self) -> Iterator[str]:
        advice = "; noise to be heard behind the words is given as data.noise=FOLDER"
        for name in ("train", "dev", "test"):
            for note in left_alone(getattr(self._data, name), self._codec.endings, _NO_LABELS, advice):
                yield f"{name}: {note}"

    def _composed(self, items: Sequence[Item]) -> list[Item]:
        """Streams of these items alone, babble included: whoever judges by the same recordings hears the same."""
        if _are_streams(items):
            return self._checked(items)
        judged = self._data.judged
        return self._items(self._composer(self._recordings(items), judged).streams(judged))

    def _composer(self, recordings: Sequence[Recording], streams: StreamsConfig) -> Composer:
        noise = self._noise() if "recorded" in streams.noises else []
        return Composer(recordings, self._data.keyword, self._rate_hz, recorded=noise)

    def _checked(self, items: Sequence[Item]) -> list[Item]:
        for item in items:
            try:
                self._check(item)
            except DataError as fault:
                if item.line is None:
                    raise
                raise DataError(str(fault), item.file, item.line) from None
        return list(items)

    def _check(self, item: Item) -> None:
        raw, spoken = item.raw["source"], read_spoken(item.raw["target"])
        if not spoken:
            return
        seconds = read_header(raw).seconds if isinstance(raw, str) else len(raw) / self._rate_hz
        last = max(spoken, key=lambda each: each.end_s)
        if last.end_s > seconds + _ROUNDED_S:
            raise DataError(
                f"{last.begin_s:g}-{last.end_s:g} ends behind the recording, which has {seconds:.2f} s; spans of time "
                "are in seconds from its beginning"
            )

    def _items(self, streams: Sequence[Stream]) -> list[Item]:
        return [Item(self.raw(stream), key) for key, stream in enumerate(streams)]

    def raw(self, stream: Stream) -> dict[str, Any]:
        """A stream as an item holds it."""
        return {"source": stream.samples, "target": written(stream.spoken)}

    @property
    def _rate_hz(self) -> int:
        return self._codec.sample_rate_hz

    def _recordings(self, items: Sequence[Item]) -> list[Recording]:
        codec = self._codec.unmeasured()
        found = []
        for item in items:
            raw = item.raw["source"]
            try:
                samples = codec.samples(raw).numpy()
            except DataError as fault:
                if item.line is None:
                    raise
                raise DataError(str(fault), item.file, item.line) from None
            name = raw if isinstance(raw, str) else item.place
            found.append(Recording(samples, item.raw["target"].strip(), name))
        return found

    def _noise(self) -> list[np.ndarray]:
        given = self._data.noise
        if given is None:
            return []
        if isinstance(given, str | Path):
            given = files_in(Path(given), self._codec.endings) if Path(given).is_dir() else [str(given)]
        codec = self._codec.unmeasured()
        return [codec.samples(each).numpy() for each in given]


def _are_streams(items: Sequence[Item]) -> bool:
    """Whether what stands beside recordings are moments, not words; beside all of them may stand nothing."""
    targets = [item.raw["target"] for item in items]
    return any(map(holds_spans, targets)) or all(map(says_none, targets))


def held_out(items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """The rest, and a tenth of each label's items, at least one; the same items give the same.

    Raises:
        DataError: a label has one item alone.
    """
    by_label: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        by_label[item.raw["target"].strip()].append(item)
    train: list[Item] = []
    dev: list[Item] = []
    draw = torch.Generator().manual_seed(0)
    for label, own in by_label.items():
        if len(own) < 2:
            raise DataError(f"there is one recording alone of {label!r}: give more, or data.dev", own[0].file)
        order = torch.randperm(len(own), generator=draw).tolist()
        cut = max(1, len(own) // 10)
        dev += [own[place] for place in sorted(order[:cut])]
        train += [own[place] for place in sorted(order[cut:])]
    return [replace(item, key=key) for key, item in enumerate(train)], [replace(i, key=k) for k, i in enumerate(dev)]


