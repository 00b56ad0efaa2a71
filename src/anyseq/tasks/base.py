"""What a task is: everything a user does goes through one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from anyseq.core import Batch, Codec, Hypotheses, Item, Memory, Model, Padded, Units, Unknown
from anyseq.data.batching import Batches, TokenBatches
from anyseq.data.check import Finding
from anyseq.data.files import read_items
from anyseq.data.pairs import pairs
from anyseq.data.permutation import Mixture
from anyseq.data.prefixes import Step, prefixes
from anyseq.data.synthetic.base import Epochs
from anyseq.errors import UsageError
from anyseq.metrics.base import Metric
from anyseq.search.settings import SearchConfig
from anyseq.tasks.choosing import Chooser, DecodingConfig
from anyseq.tasks.settings import AtFaults, TaskConfig
from anyseq.tasks.splits import EncodedSource, Splits
from anyseq.tasks.trivial import Trivial

if TYPE_CHECKING:
    from anyseq.tasks.decoding import Prediction
    from anyseq.tasks.spot.listener import Listener

class Task(ABC):
    """Binds codecs, a model and metrics; says how a person gives input and sees output.

    Class attributes:
        prompted: There is no source: outputs come from nothing, or go on from a prompt, which stands in its place.
        lines: An output is a line and ends by itself; else it is a text of many, and goes on until it is stopped.
        plots: What there is a picture of (`plot`): predictions, and of those such as can be compared with targets.
        writes: The ending of the files its outputs may be written as (`write`); empty: of none.
        hears: Its source is sound, which may be a stream; outputs are detections (`listener`).
        tables: A source is a table, all of a file, and an output rows of one with this header; none: it is not so.
        figures: Names of what `measure` finds, by which a checkpoint may be chosen, and whether higher is better.

    Attributes:
        codecs: By name, once `fit` or `load_codecs` was called.
        model: Once `build_model` was called.
        metrics: As configured.
    """

    prompted: ClassVar[bool] = False
    lines: ClassVar[bool] = True
    plots: ClassVar[tuple[Literal["predictions", "judged"], ...]] = ()
    writes: ClassVar[str] = ""
    hears: ClassVar[bool] = False
    tables: ClassVar[tuple[str, ...]] = ()
    figures: ClassVar[Mapping[str, bool]] = {}

    codecs: dict[str, Codec]
    model: Model
    metrics: list[Metric]

    @property
    @abstractmethod
    def config(self) -> TaskConfig:
        """The recipe."""

    def judged(
        self, items: Sequence[Item], references: Sequence[Sequence[str]]
    ) -> tuple[Sequence[Item], Sequence[Sequence[str]]]:
        """What a model is judged by, from items and the right answers of each: here every item by itself."""
        return items, references

    @abstractmethod
    def read(self) -> Splits:
        """Read the data the recipe names, or make its embedded default.

        Raises:
            DataError: a file, or a line of it, cannot be used.
        """

    def read_pairs(self, data: Any) -> list[Item]:
        """Read what one of the data keys, or `evaluate --data`, holds.

        Raises:
            DataError: a file, or a line of it, cannot be used.
        """
        return read_items(data)

    def sources(self, raws: Any) -> list[Item]:
        """What is to be predicted of, from Python: of texts, arrays, names of files an item each; where sources are
        tables, of each what it holds.

        Raises:
            DataError: it cannot be used.
        """
        raws = [raws] if isinstance(raws, str) else raws
        return [Item({"source": raw}, key) for key, raw in enumerate(raws)]

    def epochs(self) -> Epochs | None:
        """Gives other items to train on for each epoch, where the data are drawn anew; None: they are what was read."""
        return None

    @abstractmethod
    def read_test(self) -> Sequence[Item] | None:
        """Read the test items, None where the recipe has none."""

    def read_judged(
        self, source: Path | None, targets: Sequence[Path], data: Path | None
    ) -> tuple[list[Item], list[list[str]]]:
        """Items to be judged, each with its first reference as target, and all the references of each.

        Args:
            source, targets: Files of the two sides, several targets being several references.
            data: Instead of both: one file.

        Raises:
            DataError: a file cannot be used.
            UsageError: too much or too little is given.
        """
        if data is None and (source is None or not targets):
            raise UsageError("pairs are needed: --source FILE and --target FILE, or --data FILE alone")
        return pairs(source, targets, data=data, read=self.read_pairs)

    @property
    def reads_files(self) -> bool:
        """Whether a source is the name of a file: a picture, a recording."""
        return False

    @property
    def endless(self) -> bool:
        """Whether outputs have no end of their own: they go on until they are stopped."""
        return not self.lines

    @property
    def endings(self) -> tuple[str, ...]:
        """Of files that are a source each."""
        return ()

    @property
    def steps(self) -> tuple[Step, ...]:
        """What a source may be read by, from its beginning on."""
        return () if self.prompted else ("words", "sentences")

    def beginnings(self, source: str, by: Step) -> list[str]:
        """Every beginning of a source that ends with such a step."""
        return prefixes(source, by)

    def examine(self, splits: Splits, test: Sequence[Item]) -> Iterator[Finding]:
        """What is wrong, or odd, with the data as they were read; nothing where a task cannot tell."""
        yield from ()

    @property
    def at_faults(self) -> AtFaults:
        """What to do about errors in the data."""
        return "stop"

    @property
    def source_limit(self) -> str | None:
        """The setting that bounds the length of a source, as `key=value`; None where there is none."""
        return None

    @abstractmethod
    def fit_codecs(self, items: Sequence[Item], reading: Codec | None = None) -> None:
        """Learn the codecs from training items, where not `reading`, the source's, is taken over from another model."""

    @abstractmethod
    def save_codecs(self, folder: Path) -> None:
        """Write the codecs into a folder."""

    @abstractmethod
    def load_codecs(self, folder: Path) -> None:
        """Read what `save_codecs` wrote."""

    @abstractmethod
    def build_model(self) -> None:
        """Make the model for the codecs, with fresh weights from torch's random generator."""

    def initialise(self) -> Sequence[str]:
        """Put into the fresh weights what they start from besides chance; notes for the person who trains them.

        Raises:
            DataError: a file cannot be used.
        """
        return []

    @abstractmethod
    def select(self, splits: Splits) -> Splits:
        """Leave out what cannot be trained on, and say so in the notes; keep what the rest is encoded as.

        Raises:
            DataError: too much, or all, would be left out.
        """

    @abstractmethod
    def encode_source(self, item: Item) -> EncodedSource:
        """The item's source as the model reads it."""

    @abstractmethod
    def encode(self, item: Item, seed: int | None = None) -> Mapping[str, Tensor]:
        """All fields of an item that has a target; with a seed as training sees them, where codecs vary."""

    def settle(self, items: Sequence[Item], folder: Path) -> Sequence[str]:
        """Choose what is no weight (a threshold, the width of intervals) by what the trained model makes of dev.

        Args:
            items: Dev.
            folder: Where the codecs are, from which `load_settled` will read it.

        Returns:
            Notes for a person.
        """
        return []

    def load_settled(self, folder: Path) -> None:  # noqa: B027  most settle nothing
        """Read what `settle` wrote, for use; training does not, for its model is another one."""

    def listener(self, settings: SearchConfig | None = None) -> Listener:
        """What hears a stream piece by piece, where `hears` says that there is something to be heard.

        Raises:
            UsageError: there is not.
        """
        raise UsageError("this model does not listen: its source is no sound that goes on")

    def refuse(self, settings: SearchConfig) -> None:
        """Refuse search settings that the codecs cannot follow, before any work is done.

        Raises:
            UsageError: a prefix with characters the model does not know; here, where there is no text, any.
        """
        if settings.prefix is not None or settings.forbid:
            raise UsageError("search.prefix and search.forbid are texts, and this task writes none: leave them out")

    def refuse_search(self, settings: DecodingConfig) -> None:
        """Refuse what this task cannot search for or choose by, before any work is done.

        Raises:
            UsageError: as `refuse` and `chooser` do.
        """
        self.refuse(settings)
        self.chooser(settings)

    def chooser(self, settings: DecodingConfig) -> Chooser | None:
        """What ranks an item's hypotheses anew (settings of another use are refused); None: the order of the search."""
        if settings.shortest:
            raise UsageError("search.shortest and search.symmetries are for round trips (point/tsp): leave them out")
        return settings.chooser()

    @property
    def turns(self) -> int:
        """Turns of a dialogue that are the source of a reply, the last included; 0: each source stands alone."""
        return 0

    def source_of(self, turns: Sequence[str]) -> str:
        """The source of the reply to the last of some turns, which came one behind the other."""
        return turns[-1]

    def unknown(self, item: Item) -> Unknown:
        """What of an item's source the model has no symbol for."""
        return Unknown()

    @property
    def copied_length(self) -> int | None:
        """How much of a source may be copied, in symbols, where the model copies; None where it does not."""
        return None

    @abstractmethod
    def search(self, batch: Batch, settings: SearchConfig) -> Hypotheses:
        """Search outputs for a batch, which has no target."""

    def search_from(
        self, memory: Memory, batch: Batch, settings: SearchConfig, prefix: Padded | None = None
    ) -> Hypotheses:
        """The same from what the batch's sources were folded into, behind what outputs begin with.

        Raises:
            UsageError: this use cannot.
        """
        raise UsageError("objective: this use has no source that outputs could be drawn for and rewarded")

    def rated(self, outputs: Padded, batch: Batch, metric: Metric) -> Tensor | None:
        """The metric's value of each output, several of each source of a batch with targets, worked out on the device;
        None: by texts, as of any metric."""
        return None

    @abstractmethod
    def output(self, values: Tensor, item: Item) -> str:
        """What a person sees of one hypothesis."""

    def refuse_to_write(self) -> None:
        """Refuse to write outputs as files, before anything is predicted.

        Raises:
            UsageError: here, where they are texts alone.
            MissingExtraError: a library is not installed.
        """
        raise UsageError("this model's outputs are texts and no files: leave out --files")

    def write(self, output: str, path: Path) -> None:
        """Write an output as a file, where `writes` says of what kind.

        Raises:
            UsageError: there is none.
        """
        raise UsageError("this model's outputs are texts and no files: leave out --files")

    def plot(self, items: Sequence[Item], predictions: Sequence[Prediction], path: Path) -> None:
        """Draw predictions, where `plots` says that there is a picture of them.

        Args:
            items: What was given, at least one.
            predictions: What the model made of each.
            path: The file to write; its ending says what kind.

        Raises:
            UsageError: there is none.
        """
        raise UsageError("this model's use has no picture of its predictions: leave out --plot")

    def repaired(self, values: Tensor, item: Item) -> bool | None:
        """Whether what a person sees of a hypothesis had to be made what it should be; None: nothing is ever repaired.
        """
        return None

    def units(self, values: Tensor, item: Item) -> Units:
        """The same as units to be aligned with the source's."""
        return self.codecs["target"].units(values)

    def batches(self, lengths: Tensor, batch_tokens: int, mixture: Mixture | None = None) -> Batches:
        """Which training items meet, of these lengths (and corpora): shuffled, those of like length together."""
        return TokenBatches(lengths, batch_tokens, self.config.training.seed, mixture)

    def trivial(self, train: Sequence[Item], items: Sequence[Item]) -> Trivial | None:
        """What whoever has learnt next to nothing would answer, to be printed beside the model's figures.

        Args:
            train: What may be learnt from.
            items: What is to be answered; at least one.
        """
        return None

    def measure(self, items: Sequence[Item], settings: SearchConfig) -> Mapping[str, float]:
        """Figures of a model whose outputs are numbers, which no metric of texts can judge; none where there are texts.

        They stand beside (and of one name, instead of) what every evaluation finds.

        Args:
            items: With targets; at least one.
            settings: How to search.
        """
        return {}

    def undefined(self, items: Sequence[Item]) -> Mapping[str, str]:
        """Those of `figures` that `measure` cannot find of these items, each with the reason."""
        return {}

    @property
    @abstractmethod
    def augments(self) -> bool:
        """Whether training sees an item encoded in another way each time."""

    def batch(self, items: Sequence[Item], fields: Sequence[Mapping[str, Tensor]]) -> Batch:
        """Put encoded items below each other, on the model's device."""
        return Batch.of(fields, items).to(self.device)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(iter(nn.Module.parameters(self.model))).device

    def reference(self, item: Item) -> str:
        """The target of an item, as outputs are compared with it."""
        target: Any = item.raw["target"]
        return str(target)

    def judged_by_targets(self, items: Sequence[Item]) -> tuple[Sequence[Item], Sequence[Sequence[str]]]:
        """What a model is judged by, from items with one target each."""
        return self.judged(items, [[self.reference(item)] for item in items])
