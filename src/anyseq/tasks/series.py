"""Windows of series: what forecasting and autoencoding them have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from anyseq.core import Codec, Hypotheses, Item, Memory, Padded
from anyseq.data.batching import Overlapping
from anyseq.data.check import Finding
from anyseq.data.codecs.series import SeriesCodec, SeriesConfig
from anyseq.data.series import Layout, Series, Stretch, are_several, read_series
from anyseq.errors import ConfigError, DataError, UsageError
from anyseq.models.seq2seq import Seq2Seq
from anyseq.nn.continuous import Continuous
from anyseq.search.settings import SearchConfig
from anyseq.tasks.base import Task
from anyseq.tasks.series_settings import SeriesTaskConfig
from anyseq.tasks.settings import AtFaults
from anyseq.tasks.splits import EncodedSource, Splits

_NAMED = 10  # series, in a warning


class Cut(NamedTuple):
    """Windows of some series.

    Attributes:
        items: The windows.
        short: Series of which rows were given, but not enough for one, and how many were.
        filled: Targets that hold what was filled in, or whose source begins before anything came: they are no items.
    """

    items: list[Item]
    short: list[tuple[Series, int]]
    filled: list[Stretch]

    def notes(self, name: str, needs: str) -> Iterator[str]:
        """What is left out of a part of this name, whose windows need something."""
        if self.short:
            rows = [f"{each.file or 'series'} ({count:,} rows)" for each, count in self.short]
            more = f" and {len(rows) - _NAMED:,} more" if len(rows) > _NAMED else ""
            yield f"{name}: too short for a window of {needs}, and left out: {', '.join(rows[:_NAMED])}{more}"
        if self.filled:
            given = f"{len(self.filled):,} of {len(self.filled) + len(self.items):,} windows are left out"
            yield f"{name}: {given}, for what they are to give, or all before it, was filled in (data.gaps=fill)"

    def left_out(self, needs: str) -> Iterator[tuple[str, str]]:
        """Place and reason of each."""
        for series, count in self.short:
            yield series.file or "series", f"{count:,} rows hold no window of {needs}"
        for each in self.filled:
            series, ends = each.series, f"{each.series.show(each.first)} to {each.series.show(each.last - 1)}"
            yield f"{series.file or 'series'}: {', '.join(each.names)}, {ends}", "values were filled in"


class SeriesTask(Task):
    """Windows, a codec, an encoder-decoder of vectors.

    Args:
        config: The recipe.
    """

    lines: ClassVar[bool] = False

    def __init__(self, config: SeriesTaskConfig) -> None:
        if not isinstance(config.codec.target, SeriesConfig):
            raise ConfigError("codec.target: series are read by kind=series")
        self._config, self._apart = config, config.codec.target.apart
        self._left_out: list[str] = []  # when data were read
        self.metrics = []

    @property
    def config(self) -> SeriesTaskConfig:
        """The recipe."""
        return self._config

    @property
    def codec(self) -> SeriesCodec:
        """Of the values, and of what is known besides."""
        codec = self.codecs["target"]
        assert isinstance(codec, SeriesCodec)  # that is what its configuration makes
        return codec

    @property
    @abstractmethod
    def length(self) -> int:
        """Rows of an output."""

    @abstractmethod
    def windows(self, series: Series, first: int, last: int, stride: int = 1) -> Iterator[Mapping[str, Stretch]]:
        """Source and target of each window whose target lies in these rows."""

    def cut(self, parts: Sequence[tuple[Series, int, int]], stride: int) -> Cut:
        """The windows of some rows of series; where each variable stands apart, one for each."""
        cut = Cut([], [], [])
        for series, first, last in parts:
            before = len(cut.items) + len(cut.filled)
            for window in self.windows(series, first, last, stride):
                for variable in range(len(series.names)) if self._apart else [None]:
                    raw = {side: replace(stretch, variable=variable) for side, stretch in window.items()}
                    if raw["target"].measured and raw["source"].begun:
                        cut.items.append(Item(raw, len(cut.items), series.file))
                    else:
                        cut.filled.append(raw["target"])
            if last > first and len(cut.items) + len(cut.filled) == before:
                cut.short.append((series, last - first))
        return cut

    def items(self, parts: Sequence[tuple[Series, int, int]], stride: int) -> list[Item]:
        """Those of them that can be learnt from, and judged by."""
        return self.cut(parts, stride).items

    def _series(self, data: Any) -> list[Series]:
        return read_series(data, self._config.data.layout)

    def _train_series(self) -> list[Series]:
        data = self._config.data
        if data.train is not None:
            return self._series(data.train)
        if data.generator is None:
            raise DataError("nothing to learn from: give data.train=FILE.csv")
        found = [item.raw["source"] for item in data.generator.generate("train")]
        if not all(isinstance(each, Stretch) for each in found):
            raise ConfigError("data.generator: this kind makes no series; choose seasons, or give data.train=FILE.csv")
        return [each.series for each in found]

    def _bounds(self, series: Series) -> list[tuple[int, int]]:
        """Rows of train, dev and test in one series."""
        data = self._config.data
        train, dev, test = (share * (len(series) if max(data.split) <= 1 else 1) for share in data.split)
        if data.test is not None:
            train, test = train + test, 0
        if data.dev is not None:
            train, dev = train + dev, 0
        ends = [round(train), round(train + dev), round(train + dev + test)]
        if ends[-1] > len(series):
            raise DataError(f"data.split asks for {ends[-1]:,} rows, there are {len(series):,}", series.file)
        return list(zip([0, *ends[:2]], ends, strict=True))

    def read(self) -> Splits:
        """Read the windows of train and dev, or generate them."""
        data, parts = self._config.data, [(series, self._bounds(series)) for series in self._train_series()]
        train_rows = [(series, *bounds[0]) for series, bounds in parts]
        dev_rows = [(series, *bounds[1]) for series, bounds in parts]
        if data.dev is not None:
            dev_rows = [(series, 0, len(series)) for series in self._series(data.dev)]
        train, dev = self.cut(train_rows, 1), self.cut(dev_rows, data.stride)
        for name, cut, given in (("train", train, train_rows), ("dev", dev, dev_rows)):
            if not cut.items:
                rows = sum(last - first for _, first, last in given)
                whole = " without values that were filled in" if cut.filled else ""
                raise DataError(
                    f"{name}: {rows:,} rows hold no window of {self._needs()}{whole}: give more rows, shorter windows, "
                    "or more rows to this part (data.split)", given[0][0].file,
                )  # fmt: skip
        self._left_out = [note for name, cut in (("train", train), ("dev", dev))
                          for note in cut.notes(name, self._needs())]  # fmt: skip
        return Splits(train.items, dev.items, left_out=list(train.left_out(self._needs())))

    def _needs(self) -> str:
        """What a window takes, with the settings that say so."""
        return f"data.look_back={self._config.data.look_back}"

    def read_test(self) -> list[Item] | None:
        """Read the windows of test; None where there are none."""
        data = self._config.data
        if data.test is not None:
            parts = [(series, 0, len(series)) for series in self._series(data.test)]
        else:
            parts = [(series, *self._bounds(series)[2]) for series in self._train_series()]
        cut = self.cut(parts, data.stride)
        self._left_out += [note for note in cut.notes("test", self._needs()) if note not in self._left_out]
        return cut.items if data.test is not None else cut.items or None

    def read_judged(
        self, source: Path | None, targets: Sequence[Path], data: Path | None
    ) -> tuple[list[Item], list[list[str]]]:
        """All windows of a file, each with what it is compared with.

        Raises:
            UsageError: something else is given.
            DataError: the file cannot be used, or holds no window.
        """
        if data is None:
            raise UsageError("a model of series is judged by series: give one file, --data FILE.csv")
        series = read_series(data, self._own_layout())
        cut = self.cut([(each, 0, len(each)) for each in series], self._config.data.stride)
        items = cut.items
        if not items:
            whole = " without values that were filled in" if cut.filled else ""
            raise DataError(f"{len(series[0]):,} rows hold no window of {self._needs()}{whole}: give more", str(data))
        return items, [[self.reference(item)] for item in items]

    def _own_layout(self) -> Layout:
        """What the columns are of a file to be used with the codec that was learnt."""
        data = self._config.data
        return Layout(data.date, self.codec.names, self.codec.known, data.gaps == "fill")

    def examine(self, splits: Splits, test: Sequence[Item]) -> Iterator[Finding]:
        """Say what the series are, and what was left out; count the windows."""
        yield from (Finding("warning", note) for note in self._left_out)
        for series in dict.fromkeys(item.raw["source"].series for item in splits.train):
            yield Finding("note", f"{series.file or 'series'}: {series.outline}")
            for place, name in enumerate(series.names):
                if series.values[:, place].min() == series.values[:, place].max():
                    yield Finding("warning", f"{name} never changes; leave it out (data.variables)")
            season = 1 if series.clock is None else series.clock.step.season
            if self._config.data.look_back < season:
                short = f"a window of data.look_back={self._config.data.look_back} rows is shorter than a season"
                yield Finding("warning", f"{short} ({season} rows): is that meant?")
        for name, items in (("train", splits.train), ("dev", splits.dev), ("test", test)):
            yield Finding("note", f"{name}: {len(items):,} windows")

    @property
    def at_faults(self) -> AtFaults:
        """As `data.check` says."""
        return self._config.data.check

    def fit_codecs(self, items: Sequence[Item], reading: Codec | None = None) -> None:
        """Learn means and deviations from the rows that windows of train hold."""
        self.codecs = {"target": self._config.codec.target.fit(raw for item in items for raw in item.raw.values())}

    def save_codecs(self, folder: Path) -> None:
        """One folder."""
        (folder / "target").mkdir(parents=True)
        self.codecs["target"].save(folder / "target")

    def load_codecs(self, folder: Path) -> None:
        """Read what `save_codecs` wrote."""
        self.codecs = {"target": self._config.codec.target.load(folder / "target")}

    def build_model(self) -> None:
        """Make the model for the codec's vectors and for outputs of one length."""
        self.model: Seq2Seq = self._config.model.build(self.codec.stream.dim, self.codec.features_dim, self.length)

    def select(self, splits: Splits) -> Splits:
        """All windows; each series is encoded here, once."""
        return replace(splits, encoded=self._overlapping(splits.train))

    def _overlapping(self, items: Sequence[Item]) -> dict[str, Overlapping]:
        """The fields of windows that have come, as `encode` gives them, but not a copy of each row for each window."""
        tables: list[Tensor] = []
        begins: dict[tuple[Series, int | None], int] = {}
        rows = 0
        for source in (item.raw["source"] for item in items):
            if (source.series, source.variable) not in begins:
                begins[source.series, source.variable] = rows
                tables.append(self._described(replace(source, first=0, last=len(source.series))))
                rows += len(tables[-1])
        table, dim = torch.cat(tables), self.codec.stream.dim
        columns = {"source": table, "future": table[:, dim:], "target": table[:, :dim]}
        fields = {}
        for name in columns if self.codec.features_dim else ("source", "target"):
            own = [self._output_rows(item.raw["source"]) if name == "future" else item.raw[name] for item in items]
            firsts = torch.tensor([begins[each.series, each.variable] + each.first for each in own])
            fields[name] = Overlapping(columns[name], firsts, torch.tensor([len(each) for each in own]))
        return fields

    def _described(self, stretch: Stretch) -> Tensor:
        """Values that came, and what is known of their rows."""
        return torch.cat([self.codec.encode(stretch), self.codec.features(stretch)], 1)

    def encode_source(self, item: Item) -> EncodedSource:
        """The values of the window that is read, and what is known of its rows and of those of the output."""
        source = self._own_window(item)
        codec, future = self.codec, self._output_rows(source)
        others = {"future": codec.features(future)} if codec.features_dim else {}
        return EncodedSource(self._described(source), False, False, others)

    def _own_window(self, item: Item) -> Stretch:
        """As many rows as this model reads, up to where an item's end: another model may have cut its window.

        Raises:
            UsageError: there are not so many, or what is to come is of another length.
        """
        source, back, target = item.raw["source"], self._config.data.look_back, item.raw.get("target")
        if target is not None and len(target) != self.length:
            raise UsageError(
                f"windows of {len(target):,} rows to give are judged, and this model gives {self.length:,}: compare "
                "models that give as many"
            )
        if source.last < back:
            raise UsageError(
                f"a window ends at row {source.last:,}, and this model looks back at {back:,}: name the model that "
                "looks back furthest first"
            )
        return source if len(source) == back else replace(source, first=source.last - back)

    @abstractmethod
    def _output_rows(self, source: Stretch) -> Stretch:
        """The rows of the output for a source; they may not have come yet."""

    def encode(self, item: Item, seed: int | None = None) -> Mapping[str, Tensor]:
        """The same, and the values that came."""
        return {**self.encode_source(item).fields, "target": self.codec.encode(item.raw["target"])}

    def sources(self, raws: Any) -> list[Item]:
        """The items of a series (a file, a DataFrame, an array), or of several in a list.

        Raises:
            DataError: it cannot be used, or is too short.
        """
        found: list[Item] = []
        for raw in raws if are_several(raws) else [raws]:
            if isinstance(raw, Stretch):
                found.append(Item({"source": raw}, len(found), raw.series.file))
                continue
            for series in read_series(raw, self._own_layout()):
                self.codec.refuse_other(series)
                for stretch in self._to_predict(series):
                    variables = range(len(series.names)) if self.codec.apart else [None]
                    own = [replace(stretch, variable=variable) for variable in variables]
                    found += [Item({"source": each}, len(found) + at, series.file) for at, each in enumerate(own)]
        return found

    @abstractmethod
    def _to_predict(self, series: Series) -> Iterator[Stretch]:
        """The sources that a series, given to `predict`, holds."""

    def refuse(self, settings: SearchConfig) -> None:
        """Refuse what is for symbols.

        Raises:
            UsageError: a beam, or what outputs of symbols begin with or hold.
        """
        super().refuse(settings)
        if settings.beam_size > 1:
            raise UsageError("numbers cannot be counted, so there is no beam of them: search.beam_size=1, or samples")

    @property
    def augments(self) -> bool:
        """Never."""
        return False

    def reference(self, item: Item) -> str:
        """The rows that came."""
        return repr(item.raw["target"])

    def at_once(self, memory: Memory) -> Continuous | None:
        """What a decoder that feeds nothing back says of all rows; None of others."""
        if not self.model.decoder.independent:
            return None
        prepared = self.model.decoder.prepare(memory)
        nothing = memory.shift.new_zeros(memory.rows, self.length, self.codec.stream.dim)
        everywhere = torch.ones(nothing.shape[:2], dtype=torch.bool, device=nothing.device)
        emission, _ = self.model.decoder.unroll(prepared, Padded(nothing, everywhere))
        assert isinstance(emission, Continuous)
        return emission

    def likeliest(self, memory: Memory, settings: SearchConfig, said: Continuous | None) -> Tensor:
        """The values to give, scaled: of what is said of all rows at once, or found row by row."""
        return self.searched(memory, settings).values[:, 0] if said is None else said.middle()

    def actual(self, items: Sequence[Item]) -> np.ndarray:
        """What came, scaled."""
        return torch.stack([self.codec.encode(item.raw["target"]) for item in items]).numpy()

    def of_variables(self, item: Item, numbers: Sequence[float]) -> list[float]:
        """Numbers of all variables; those of an item's own, where each stands apart."""
        variable = item.raw["source"].variable
        return list(numbers) if variable is None else [numbers[variable]]

    def scaled(self, item: Item, values: np.ndarray) -> Tensor:
        """Values of an item's variables, as the codec scales them."""
        measured = self.codec.measured
        mean, deviation = (self.of_variables(item, each.tolist()) for each in (measured.mean, measured.deviation))
        values = np.log(values) if self.codec.log else values
        return torch.from_numpy((values - np.array(mean)) / np.array(deviation)).float()

    def searched(self, memory: Memory, settings: SearchConfig) -> Hypotheses:
        """The likeliest output, or samples, at the one length that outputs have."""
        length = {"min_length": 1, "max_length": self.length, "max_length_ratio": None, "max_length_extra": 0}
        empty = Padded(
            memory.shift.new_zeros(memory.rows, 0, self.codec.stream.dim),
            torch.zeros(memory.rows, 0, dtype=torch.bool, device=memory.item.device),
        )
        return settings.model_copy(update=length).run(self.model.decoder, memory, vocab_size=0, prefix=empty)
