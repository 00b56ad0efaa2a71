"""Pointing: outputs are elements of the source, by their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Self, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor

from anyseq.core import Batch, Constraint, Hypotheses, Item, Padded, Pointers, content
from anyseq.core.pointed import (
    as_line,
    as_numbers,
    as_pointers,
    elements_of,
    is_line,
    pointers_of,
    source_of,
    target_of,
)
from anyseq.data.check import Finding
from anyseq.data.codecs.base import CodecConfig
from anyseq.data.codecs.pointers import PointersConfig
from anyseq.data.codecs.points import Points, PointsConfig
from anyseq.data.files import read_items
from anyseq.data.ptrnet import read_points
from anyseq.errors import DataError, UsageError
from anyseq.inspection.points import Picture, draw
from anyseq.metrics.base import Metric, MetricConfig
from anyseq.metrics.pointing import (
    OutlineConfig,
    PointersRightConfig,
    TourConfig,
    TourMetric,
    TrianglesConfig,
)
from anyseq.search.pointing import Closing, EachOnce, Triples
from anyseq.search.settings import SearchConfig
from anyseq.tasks.base import EncodedSource, Splits
from anyseq.tasks.choosing import Chooser, DecodingConfig
from anyseq.tasks.point.answers import Answer, easy, wrong
from anyseq.tasks.point.choosers import OfLines, Shortest
from anyseq.tasks.point.lengths import trip_lengths
from anyseq.tasks.point.sides import from_sides, together
from anyseq.tasks.text_to_text import TextCodecs, TextToText, TextToTextConfig
from anyseq.tasks.trivial import Trivial

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anyseq.tasks.decoding import Prediction

_PICTURED = 20
_NAMED = 10


class PointCodecs(TextCodecs):
    """How elements and pointers become tensors."""

    source: CodecConfig = Field(PointsConfig(), description="codec of the elements")
    target: CodecConfig | None = Field(PointersConfig(), description="codec of the pointers")

    @model_validator(mode="after")
    def _elements(self) -> Self:
        if not isinstance(self.source, PointsConfig) or not isinstance(self.target, PointersConfig):
            raise ValueError("what is pointed at are elements of numbers: source.kind=points, target.kind=pointers")
        return self


class PointConfig(TextToTextConfig):
    """Elements of the source, pointed at one after the other."""

    codec: PointCodecs = Field(default_factory=PointCodecs, description="how elements and pointers become tensors")
    answer: Answer = Field(
        "any", description="what an output is. order: every element once; tour: the same, as a round trip; outline: no "
        "element twice but the first, again at the end; triangles: three elements at a time, increasing; any: any "
        "elements",
    )  # fmt: skip
    valid: bool = Field(
        True, description="a constraint of the model: every output is such a one, and training, scoring and search all "
        "know; false: it has to learn that, too",
    )  # fmt: skip
    metrics: tuple[MetricConfig, ...] = Field(
        (PointersRightConfig(),), min_length=1, description="how good an output is; the first decides"
    )

    @model_validator(mode="after")
    def _tours_close(self) -> Self:
        target = self.codec.target
        if self.answer == "tour" and isinstance(target, PointersConfig) and not target.round_trip:
            raise ValueError("answer=tour: an output ends with its first city: set codec.target.round_trip=true")
        return self

    @model_validator(mode="after")
    def _measurable(self) -> Self:
        columns = cast(PointsConfig, self.codec.source).columns
        rewarded = self.objective.rewarded_by
        named = [("metrics", each) for each in self.metrics] + [("objective.reward", rewarded)] * (rewarded is not None)
        for name, each in named:
            if isinstance(each, TourConfig) and each.columns != columns:
                raise ValueError(f"{name}: tour measures cities of {each.columns} numbers, and codec.source.columns is "
                                 f"{columns}: set columns={columns} in it, too")  # fmt: skip
            if isinstance(each, OutlineConfig | TrianglesConfig) and columns != 2:
                raise ValueError(f"{name}: outline and triangles are measured in the plane, and codec.source.columns "
                                 f"is {columns}: choose others, such as metrics=[pointers_right]")  # fmt: skip
        return self

    def build(self) -> Point:
        """Make the task."""
        return Point(self)


class Point(TextToText):
    """Sources of elements, targets that name some of them, counted from 1, and a model that points.

    What outputs are compared with (`reference`) are whole lines, `x1 y1 x2 y2 ... output 1 4 2 1`, for a metric may
    need the points. A source that is given as such a line, with or without an answer, gets one for an output.

    Args:
        config: The recipe.
    """

    plots = ("predictions", "judged")

    _config: PointConfig

    def read_pairs(self, data: Any) -> list[Item]:
        """Files of published lines (.txt), besides what all pairs are read from."""
        return [self._tidied(item) for item in read_items(data, read_file=read_points)]

    def _tidied(self, item: Item) -> Item:
        """Targets as text, whatever they were; of elements that there are."""
        try:
            pointers = pointers_of(item.raw["target"])
            elements = len(elements_of(item.raw["source"], self._columns))
        except DataError as fault:
            table = item.line == 1 and str(item.file).removesuffix(".gz").endswith((".csv", ".tsv"))
            header = "; a table's header names its columns source and target"
            raise _at(item, f"{fault}{header * table}") from None
        if max(pointers, default=0) > elements:
            message = f"element {max(pointers)} is pointed at, and there are {elements}; mend the line"
            raise _at(item, message)
        return replace(item, raw={**item.raw, "target": as_pointers(pointers)})

    @property
    def _points(self) -> Points:
        return cast(Points, self.codecs["source"])

    @cached_property
    def model_limits(self) -> Constraint | None:
        """What an output may be; of symbols of a vocabulary, which all sources share, there is no limit."""
        limits: Mapping[Answer, Constraint] = {
            "order": EachOnce(), "tour": EachOnce(), "outline": Closing(), "triangles": Triples()
        }  # fmt: skip
        points = isinstance(self.codecs["target"].stream, Pointers)
        return limits.get(self._config.answer) if self._config.valid and points else None

    def refuse(self, settings: SearchConfig) -> None:
        """Refuse what is said in words, of which outputs have none; and sides of what has none."""
        if settings.prefix is not None or settings.forbid or settings.replace_unknown:
            raise UsageError(
                "search.prefix, search.forbid and search.replace_unknown are about words, and this model points at "
                "elements of the source: leave them out"
            )
        if not isinstance(settings, DecodingConfig) or settings.symmetries == 1:
            return
        if self._columns != 2:
            raise UsageError("search.symmetries turns points in the plane: codec.source.columns is no 2, leave it out")
        if not cast(PointsConfig, self._config.codec.source).scale:
            raise UsageError(
                "search.symmetries mirrors points at their mean in train, which a model of codec.source.scale=false "
                "does not know: leave it out, or train with scale=true"
            )

    def chooser(self, settings: DecodingConfig) -> Chooser | None:
        """The shortest round trip, where asked for."""
        if settings.shortest and self._config.answer == "tour":
            return Shortest(self._columns)
        chooser = super().chooser(settings)
        return chooser and OfLines(chooser, self._line)

    def search(self, batch: Batch, settings: SearchConfig) -> Hypotheses:
        """Search outputs, of every source seen from several sides where asked for."""
        sides = settings.symmetries if isinstance(settings, DecodingConfig) else 1
        if sides == 1:
            return super().search(batch, settings)
        items = [item for item in batch.items for _ in range(sides)]
        seen = from_sides(batch.source, self._points.measured, sides)
        return together(super().search(Batch({**batch.fields, "source": seen}, items), settings), sides)

    def rated(self, outputs: Padded, batch: Batch, metric: Metric) -> Tensor | None:
        """Of round trips by their lengths."""
        if self._config.answer != "tour" or not isinstance(metric, TourMetric) or metric.columns != self._columns:
            return None
        found, right = (trip_lengths(batch.source, self._points.measured, each) for each in (outputs, batch.target))
        if found is None or right is None:
            return None
        right = right.repeat_interleave(len(found) // len(right))
        valid = torch.ones_like(found)
        values = metric.sentence_values(torch.stack((found, right, valid, valid), 1).cpu().double().numpy())
        return torch.from_numpy(values).to(found)

    def search_limits(self, settings: SearchConfig) -> Sequence[Constraint]:
        """None: pointers know no unknown symbol."""
        return ()

    def encode_source(self, item: Item) -> EncodedSource:
        """The elements; nothing for an empty line."""
        raw = item.raw["source"]
        if isinstance(raw, str) and not source_of(raw).strip():
            return EncodedSource(self._points.encode([]), empty=True, cut=False)
        try:
            return super().encode_source(item)
        except DataError as fault:
            raise _at(item, str(fault)) from None

    def encode(self, item: Item, seed: int | None = None) -> Mapping[str, Tensor]:
        """Elements and pointers.

        Raises:
            DataError: a pointer points beyond the last element.
        """
        fields = super().encode(item, seed)
        elements, farthest = len(fields["source"]), int(fields["target"].max())
        if elements and farthest > elements:
            cut = f"; {self.source_limit} leaves so many: train with a larger one, or leave the line out"
            whole = len(elements_of(item.raw["source"], self._columns)) == elements
            message = f"element {farthest} is pointed at, and there are {elements}{'' if whole else cut}"
            raise _at(item, message)
        return fields

    def output(self, values: Tensor, item: Item) -> str:
        """The numbers of the elements; a whole line where the source was given so."""
        pointers, raw = super().output(values, item), item.raw["source"]
        return as_line(source_of(raw), pointers) if is_line(raw) else pointers

    def _line(self, item: Item, target: str) -> str:
        """A source and a target as one line."""
        if is_line(target):
            return target
        raw = item.raw["source"]
        return as_line(source_of(raw) if isinstance(raw, str) else as_numbers(raw), target)

    def reference(self, item: Item) -> str:
        """The whole line."""
        return self._line(item, str(item.raw["target"]))

    def judged(
        self, items: Sequence[Item], references: Sequence[Sequence[str]]
    ) -> tuple[Sequence[Item], Sequence[Sequence[str]]]:
        """Every item by itself, references as whole lines.

        Raises:
            DataError: one is no such answer as the model's are.
        """
        pairs = list(zip(items, references, strict=True))
        for item, given in pairs:
            for text in given:
                if fault := self._fault(item, text):
                    raise _at(item, f"{fault}; mend the answer, or leave the line out")
        return items, [[self._line(item, text) for text in given] for item, given in pairs]

    def examine(self, splits: Splits, test: Sequence[Item]) -> Iterator[Finding]:
        """Look for targets that no output of the model could be, and for sources with two; nothing in generated ones.
        """
        data = self._config.data
        given = {"train": data.train is not None, "dev": data.train is not None or data.dev is not None,
                 "test": data.test is not None}  # fmt: skip
        seen: set[Any] = set()
        for name, items in (("train", splits.train), ("dev", splits.dev), ("test", test)):
            if not given[name]:
                continue
            faults = [(item, fault) for item in items if (fault := self._fault(item, item.raw["target"]))]
            if faults:
                yield Finding(
                    "error",
                    f"{name}: {len(faults):,} of {len(items):,} targets are no {self._config.answer} (the first: "
                    f"{faults[0][1]}); mend them, or set answer=any",
                    tuple(item.place for item, _ in faults[:_NAMED]),
                )
            known = [item for item in items if content(item.raw["source"]) in seen]
            if name == "train":
                seen.update(content(item.raw["source"]) for item in items)
            elif known:
                message = f"{name}: {len(known):,} of {len(items):,} sources stand in train, too"
                yield Finding("warning", message, tuple(item.place for item in known[:_NAMED]))

    def _fault(self, item: Item, target: str) -> str:
        """Why a target is none; empty: it is one."""
        try:
            elements, pointers = len(elements_of(item.raw["source"], self._columns)), pointers_of(target)
        except DataError as fault:
            return str(fault)
        return wrong(pointers, elements, self._config.answer)

    @property
    def _columns(self) -> int:
        return cast(PointsConfig, self._config.codec.source).columns

    def trivial(self, train: Sequence[Item], items: Sequence[Item]) -> Trivial:
        """What needs no learning: always to the nearest city that is left; all points around their middle; a fan of
        triangles from the first; all elements as they stand.
        """
        named = {
            "tour": "always to the nearest city that is left", "outline": "all points, around their middle",
            "triangles": "a fan of triangles around the first point",
        }  # fmt: skip
        points = (elements_of(item.raw["source"], self._columns) for item in items)
        outputs = [as_pointers(easy(own, self._config.answer)) for own in points]
        return Trivial(named.get(self._config.answer, "all elements as they stand"), outputs)

    def plot(self, items: Sequence[Item], predictions: Sequence[Prediction], path: Any) -> None:
        """Draw the points, what is wanted and what was found."""
        pictures = []
        for item, prediction in zip(items, predictions, strict=True):
            points = elements_of(item.raw["source"], self._columns)
            source = item.raw["source"]
            wanted = item.raw.get("target", target_of(source) if is_line(source) else "")
            if len(points):
                pictures.append(
                    Picture(points, pointers_of(prediction.output), pointers_of(wanted) or None, item.place)
                )
        if not pictures:
            raise UsageError("there is no output to be drawn: leave out --plot")
        form: Literal["path", "triangles"] = "triangles" if self._config.answer == "triangles" else "path"
        draw(pictures[:_PICTURED], form, len(pictures), path)


def _at(item: Item, fault: str) -> DataError:
    """A fault of an item, with its place."""
    return DataError(f"{item.place}: {fault}") if item.file is None else DataError(fault, item.file, item.line)
