"""Tasks whose items stand in files, one after the other: how they are read, in memory or prepared on disk."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor

from anyseq.core import Item, PartConfig
from anyseq.data.batching import Packed
from anyseq.data.corpora import corpora, read_corpora
from anyseq.data.files import SIDES
from anyseq.data.selection import Selection, Skipped, refuse_too_many
from anyseq.data.store.store import Store, StoredField
from anyseq.data.synthetic.base import GeneratorConfig
from anyseq.errors import DataError
from anyseq.tasks.base import Task
from anyseq.tasks.settings import AtFaults, TaskConfig
from anyseq.tasks.splits import Splits, hold_out


class LinesData(PartConfig):
    """Items in files. Without `train`, the generator's."""

    train: Any = Field(None, description="what to learn from")
    dev: Any = Field(None, description="what to choose and stop by; null: held out of train")
    test: Any = Field(None, description="what the final figure is of; null: no final figure")
    generator: GeneratorConfig | None = Field(None, description="the embedded default, where no files are given")
    held_out: int = Field(500, ge=1, description="items held out of train where no dev is given, at most a tenth")
    max_length: int = Field(256, ge=2, description="longest item in symbols, end included; longer ones are left out")
    max_skipped: float = Field(0.01, ge=0, le=1, description="largest share of items that may be left out")
    prepare: Literal["auto", "always", "never"] = Field(
        "auto", description="encode train once into a cache on disk and map it: auto: where its files have over 200 MB"
    )
    learn_from: int = Field(200_000, ge=1, description="items codecs are learnt from where data are prepared on disk")
    check: AtFaults = Field(
        "stop", description="errors found in the data: stop (train nothing), tell (and train), off (look for none)"
    )


class LinesConfig(TaskConfig):
    """Items in files.

    Class attributes:
        preparable: Keys of `data` that encoded items depend on, where these may be kept on disk; none: they may not.
    """

    preparable: ClassVar[tuple[str, ...]] = ()

    data: LinesData = Field(default_factory=LinesData, description="what to learn from")

    @abstractmethod
    def build(self) -> OfLines:
        """Make the task."""


class OfLines(Task):
    """A task whose items stand in files, one after the other.

    Class attributes:
        apart: The field of which nothing may stand both in train and in what is held out of it.
    """

    apart: ClassVar[str] = SIDES[0]

    @property
    @abstractmethod
    def config(self) -> LinesConfig:
        """The recipe."""

    @abstractmethod
    def sift(self, items: Sequence[Item]) -> Selection:
        """Those of some items that can be trained on, and all that a model reads of them."""

    def remarks(self, lengths: Mapping[str, Tensor]) -> Iterator[str]:
        """What a person should know about the lengths of the items to train on, by field."""
        return iter(())

    def columns_of(self, data: Any) -> Sequence[str]:
        """The fields of what `read_pairs` takes."""
        return SIDES

    def in_sentences(self, path: str) -> bool:
        """Whether an item of a file is all that stands between two empty lines, not one line."""
        return False

    @property
    def preparable(self) -> bool:
        """Whether encoded items may be kept on disk."""
        return bool(self.config.preparable) and not self.reads_files

    @property
    def also_encoded(self) -> Mapping[str, Any]:
        """What else of a recipe it says what is encoded, besides codecs and `preparable`."""
        return {}

    def generated(self, split: str) -> list[Item]:
        """The generator's items.

        Raises:
            DataError: there is none.
        """
        generator = self.config.data.generator
        if generator is None:
            raise DataError(f"nothing to learn from: give data.train{self._or_sides}")
        return generator.generate(split)

    @property
    def _or_sides(self) -> str:
        columns = self.columns_of(self.config.data.train)
        return f", or {' and '.join(f'data.train.{each}' for each in columns)}" if len(columns) > 1 else ""

    def read(self) -> Splits:
        """Read the items of train and dev, or generate them."""
        data = self.config.data
        if data.train is None:
            dev = self.generated("dev") if data.dev is None else self.read_pairs(data.dev)
            return Splits(self.generated("train"), dev)
        train, begins = read_corpora(data.train, self.read_pairs)
        if len(train) == 1 and self.in_sentences(train[0].file or ""):
            raise DataError("all of it is one sentence: put an empty line between sentences", train[0].file)
        if data.dev is not None:
            return Splits(train, self.read_pairs(data.dev), corpora=begins)
        return replace(hold_out(train, data.held_out, by=self.apart), corpora=begins)

    def read_stored(self, store: Store) -> Splits:
        """Read dev, train having been prepared on disk.

        Raises:
            DataError: there is none.
        """
        data, index = self.config.data, store.about
        dev = store.held_out() if data.dev is None else self.read_pairs(data.dev)
        if not dev:
            raise DataError("no items were held out when it was prepared: give data.dev", str(store.folder))
        notes = []
        if data.dev is None:
            held = f"{len(dev)} of {index.total} training items are held out to choose and stop by"
            notes.append(f"no data.dev given: {held}")
        left_out = store.left_out()
        if left_out:
            places, reasons = zip(*left_out, strict=True)
            notes.append(str(Skipped(places, reasons, index.total - index.held_out)))
        several = corpora(data.train)
        begins = [(0, corpus.weight) for corpus in several] if len(several) > 1 else ()
        held_out = data.dev is None
        return Splits(store, dev, notes, left_out, held_out, encoded=store.fields, corpora=begins, stored=store)

    def read_test(self) -> list[Item] | None:
        """Read the test items, None where there are none."""
        data = self.config.data
        if data.test is not None:
            return self.read_pairs(data.test)
        return self.generated("test") if data.train is None and data.generator is not None else None

    def select(self, splits: Splits) -> Splits:
        """Leave out what is empty or too long; from what was prepared it has been."""
        if splits.stored is not None:
            return replace(splits, notes=[*splits.notes, *self._remarks(splits.encoded)])
        data, found = self.config.data, self.sift(splits.train)
        skipped = found.skipped
        refuse_too_many(skipped, found.longest, data.max_length, data.max_skipped)
        notes = [*splits.notes, *([str(skipped)] if skipped.count else []), *self._remarks(found.fields)]
        left_out = list(zip(skipped.places, skipped.reasons, strict=True))
        return replace(splits, train=found.items, notes=notes, left_out=left_out, encoded=found.fields)

    def _remarks(self, fields: Mapping[str, Packed | StoredField]) -> Iterator[str]:
        return self.remarks({name: field.lengths for name, field in fields.items()})

    @property
    def at_faults(self) -> AtFaults:
        """As `data.check` says."""
        return self.config.data.check
