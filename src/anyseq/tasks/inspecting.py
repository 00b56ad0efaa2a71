"""A model at work on items, looked at: what its task makes of them, handed to the views of `inspection`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anyseq.core import Batch, Hypotheses, Item, Symbols, Vectors
from anyseq.data.annotations import Links
from anyseq.data.batching import pack, padding_share
from anyseq.errors import UsageError
from anyseq.inspection.about import About, side, sizes
from anyseq.inspection.alignments import Linked, against
from anyseq.inspection.attention import Attention, attention_over, over_source
from anyseq.inspection.errors import Answers, Errors, Judged, errors, repeated, surplus
from anyseq.inspection.gates import Gates, gates
from anyseq.inspection.gradients import Gradients, gradients
from anyseq.inspection.reading import Reading, numpy_of, read
from anyseq.inspection.result import Inspection
from anyseq.inspection.search import SearchTree, choices, parted, record, trees
from anyseq.inspection.shown import Shown, places_of
from anyseq.nn.emissions import Discrete
from anyseq.tasks.base import Task
from anyseq.tasks.choosing import DecodingConfig
from anyseq.tasks.decoding import alternatives_of, batches
from anyseq.tasks.known import Properties, linked_of, readable, told_of

BEAM = 4
"""Of a recipe that searches greedily: the beam it is compared with."""
MOST_PLACES = 256
"""Of a text that is read: what lies beyond is not looked at place by place."""
MOST_GRADIENTS = 24
"""Items of which gradients are shown."""
_MOST_CHARACTERS = 1000  # of a text that is told


@dataclass(frozen=True)
class Said:
    """What a model makes of an item.

    Attributes:
        item, number: The item, and its place in the input from 1.
        fields: Its source as the model reads it.
        values: What was said, as symbols or vectors.
        output: The same as a text.
        log_prob: In nats; None: it was not said but read.
        wanted: The right answers; none where they are not known.
    """

    item: Item
    number: int
    fields: Mapping[str, Tensor]
    values: Tensor
    output: str
    log_prob: float | None
    wanted: Sequence[str] = ()


class Inspector:
    """Looks at a task's model while it works on some items.

    Args:
        task: With codecs and weights.
        items: What it works on; of a model without a source, what it reads.
        references: The right answers of each item; None: nobody knows.
        settings: How it searches.
        shown: How many items are shown place by place, from the first on.
        properties: Of each item, by name, labels of its symbols or words that cells may follow.
        alignments: Of each item what of its right answer comes from what of its source; None: nobody knows.

    Raises:
        UsageError: the model listens to streams, there is nothing to look at, or no answer that is aligned.
    """

    def __init__(
        self,
        task: Task,
        items: Sequence[Item],
        references: Sequence[Sequence[str]] | None,
        settings: DecodingConfig,
        shown: int,
        properties: Properties | None = None,
        alignments: Sequence[Links] | None = None,
    ) -> None:
        if task.hears:
            raise UsageError("a model that listens is looked at while it hears: anyseq predict MODEL --plot FILE")
        if settings.samples:
            raise UsageError("what is inspected is a search, and samples are drawn: leave search.samples out")
        if alignments is not None and (references is None or task.prompted):
            raise UsageError("alignments are of inputs and right answers: give the answers, too (--target, --data)")
        self.task, self.settings = task, settings
        self._properties, self._alignments, self._count = properties or {}, alignments, len(items)
        wanted = [()] * len(items) if references is None else references
        task.model.eval()
        self.said = list(self._read(items, wanted) if task.prompted else self._found(items, wanted))
        if not self.said:
            raise UsageError("there is nothing to inspect: the input holds no line that the model could read")
        self.judged = references is not None or task.prompted
        self.kept = self.said[:shown]

    def _read(self, items: Sequence[Item], wanted: Sequence[Sequence[str]]) -> Iterator[Said]:
        """Of a model without a source: what it reads stands for what it says."""
        for number, (item, right) in enumerate(zip(items, wanted, strict=True), 1):
            text = item.raw.get("target", item.raw.get("source", ""))
            item = dataclasses.replace(item, raw={"target": text})
            values = self.task.encode(item)["target"] if not isinstance(text, str) or text else torch.zeros(0)
            if len(values):
                values = values[:MOST_PLACES]
                yield Said(item, number, {}, values, self.task.output(values, item), None, right)

    def _found(self, items: Sequence[Item], wanted: Sequence[Sequence[str]]) -> Iterator[Said]:
        """What the search finds, as `predict` does."""
        sources = [self.task.encode_source(item) for item in items]
        asked = [place for place, source in enumerate(sources) if not source.empty]
        found: dict[int, Said] = {}
        chooser = self.settings.chooser()
        settings = self.settings if chooser is None else self.settings.all_found()
        for rows in batches([sources[place].fields for place in asked], settings.batch_tokens):
            chosen = [asked[row] for row in rows.tolist()]
            batch = self.task.batch([items[place] for place in chosen], [sources[place].fields for place in chosen])
            with torch.inference_mode():
                hypotheses = self.task.search(batch, settings)
            several = alternatives_of(self.task, batch.items, hypotheses)
            ranked = None if chooser is None else chooser.rank(batch.items, several, self.settings)
            for row, place in enumerate(chosen):
                best = 0 if ranked is None else ranked[row][0].place
                values = hypotheses.values[row, best, : int(hypotheses.lengths[row, best])].cpu().clone()
                one = several[row][best]
                found[place] = Said(
                    items[place], place + 1, sources[place].fields, values, one.output, one.log_prob, wanted[place]
                )
        return (found[place] for place in sorted(found) if len(found[place].values))

    def batch(self, several: Sequence[Said]) -> Batch:
        """Items below each other, with what was said as their target."""
        return self.task.batch(
            [one.item for one in several], [{**one.fields, "target": self._readable(one.values)} for one in several]
        )

    def _readable(self, values: Tensor) -> Tensor:
        """What the decoder can read: no symbols of a source's own, unless it copies them; of vectors no interval."""
        stream = self.task.codecs["target"].stream
        if isinstance(stream, Vectors) and values.dim() == 2:
            return values[:, : stream.dim]
        if isinstance(stream, Symbols) and self.task.copied_length is None:
            return values.masked_fill(values >= stream.vocab_size, stream.unknown)
        return values

    def shown(self, one: Said) -> Shown:
        """An item for people."""
        source, codecs = one.fields.get("source"), self.task.codecs
        vectors = source is not None and source.is_floating_point() and source.dim() == 2 and source.shape[1] <= 3
        return Shown(
            _text(one.item.raw.get("source", one.item.raw.get("target", ""))),
            one.output,
            () if source is None else places_of(codecs.get("source", codecs["target"]), source),
            self.places(one.values, one.item),
            tuple(map(_text, one.wanted)),
            one.log_prob,
            numpy_of(source) if vectors and source is not None else None,
        )

    def places(self, values: Tensor, item: Item) -> tuple[str, ...]:
        """What stands at each place of an output."""
        codec = self.task.codecs["target"]
        units = None if isinstance(codec.stream, Vectors) else self.task.units(values, item)
        return places_of(codec, values, units)

    def name_of(self, item: Item) -> Callable[[int], str]:
        """Shows a symbol of an item's output."""
        names: dict[int, str] = {}

        def name(symbol: int) -> str:
            if symbol not in names:
                (names[symbol],) = self.places(torch.tensor([symbol]), item)
            return names[symbol]

        return name

    @cached_property
    def items(self) -> tuple[Shown, ...]:
        """Those that are shown place by place."""
        return tuple(self.shown(one) for one in self.kept)

    def readings(self, several: Sequence[Said], *kinds: str) -> Iterator[Reading]:
        """Passes over items in their order, a few at a time."""
        for at in range(0, len(several), 16):
            part = several[at : at + 16]
            yield read(self.task.model, self.batch(part), [self.shown(one) for one in part], kinds)

    @cached_property
    def whole(self) -> Reading:
        """One pass over the items that are shown."""
        return read(self.task.model, self.batch(self.kept), self.items, ("weights", "pointers"))

    def attention(self) -> Attention | None:
        """Where each layer looked; against what is known while it was given the right answers."""
        answers = [self._answered(one) for one in self.said]
        linked = linked_of(self.task, answers, self._alignments, self._count)
        pairs = list(zip(self.kept, answers, linked, strict=False))
        framed = [own if torch.equal(one.values, right.values) else None for one, right, own in pairs]
        found = attention_over([self.whole], framed if any(linked) else ())
        if found is None or not any(linked):
            return found
        known = [(one, own) for one, own in zip(answers, linked, strict=True) if own is not None]
        return dataclasses.replace(found, known=against(self._looks(known)), known_from="given")

    def _answered(self, one: Said) -> Said:
        """The same with what is right said, where that is known."""
        values = readable(self.task, one.item)
        return one if values is None else dataclasses.replace(one, values=values)

    def _looks(self, known: Sequence[tuple[Said, Linked]]) -> Iterator[tuple[Any, Linked]]:
        """Of each item where each layer looked."""
        readings = self.readings([one for one, _ in known], "weights")
        layers = (each for reading in readings for each in over_source(reading))
        return zip(layers, (own for _, own in known), strict=True)

    def gates(self) -> Gates | None:
        """What recurrent layers did."""
        told = told_of(self.task, self.said, self._properties, self._count)
        return gates(self.readings(self.said, "gates", "state", "turned"), len(self.kept), told)

    def gradients(self) -> Gradients | None:
        """How far back the model looks; a pass back for each place of the longest output, so of some items alone."""
        return gradients(self.task.model, self.batch(self.kept[:MOST_GRADIENTS]), self.items[:MOST_GRADIENTS])

    def search(self) -> tuple[SearchTree, ...] | None:
        """How each output was found, item by item; None where there is no search step by step over symbols."""
        decoder = self.task.model.decoder
        if decoder.whole or not decoder.discrete or not isinstance(self.whole.emission, Discrete):
            return None
        names = [self.name_of(one.item) for one in self.kept]
        with torch.inference_mode():
            tables = self.whole.emission.log_probs()
        held = [
            choices(table, one.values.tolist(), name) for table, one, name in zip(tables, self.kept, names, strict=True)
        ]
        if self.task.prompted:  # nothing was searched: what the model held likeliest of what it read
            return tuple(SearchTree(0, (), each, (), 0.0, (), 0.0, None) for each in held)
        found: dict[int, SearchTree] = {}
        for rows in batches([one.fields for one in self.kept], self.settings.batch_tokens):
            chosen = rows.tolist()
            some = self._trees([self.kept[row] for row in chosen], [names[row] for row in chosen])
            found |= {row: dataclasses.replace(one, choices=held[row]) for row, one in zip(chosen, some, strict=True)}
        return tuple(found[row] for row in range(len(self.kept)))

    def _trees(self, several: Sequence[Said], names: Sequence[Callable[[int], str]]) -> list[SearchTree]:
        """The beam of some items, and where their greedy output parts from it."""
        beam_size = self.settings.beam_size if self.settings.beam_size > 1 else BEAM
        found, steps = self._searched(several, beam_size)
        greedy, _ = self._searched(several, 1)
        said, other = _best(found), _best(greedy)
        return [
            SearchTree(
                beam_size, nodes, (), tuple(map(name, other[row])), float(greedy.log_prob[row, 0]),
                tuple(map(name, said[row])), float(found.log_prob[row, 0]), parted(other[row], said[row]),
            )
            for row, (nodes, name) in enumerate(zip(trees(steps, said, names), names, strict=True))
        ]  # fmt: skip

    def _searched(self, several: Sequence[Said], beam_size: int) -> tuple[Hypotheses, list[Any]]:
        """The search of some items with another beam, listened to."""
        settings = self.settings.model_copy(update={"beam_size": beam_size, "n_best": 1, "mbr": None})
        batch = self.task.batch([one.item for one in several], [one.fields for one in several])
        with torch.inference_mode():
            return record(self.task.model, lambda: self.task.search(batch, settings))

    def errors(self) -> Errors | None:
        """What is wrong, where right answers are known."""
        if not self.judged:
            return None
        metric = self.task.metrics[0] if self.task.metrics and not self.task.prompted else None
        scores: list[float | None] = [None] * len(self.said)
        if metric is not None:
            outputs, wanted = [one.output for one in self.said], [list(one.wanted) for one in self.said]
            scores = list(metric.sentences(outputs, wanted))
        answers = self._answers()
        judged = [self._judged(one, score, found) for one, score, found in zip(self.said, scores, answers, strict=True)]
        symbols = [each for each in answers if len(each.wanted)]
        name, higher = ("", True) if metric is None else (metric.name, metric.higher_is_better)
        return errors(judged, symbols, name, higher)

    def _judged(self, one: Said, score: float | None, answers: Answers) -> Judged:
        wanted = _text(one.wanted[0] if one.wanted else "")
        said_words, wanted_words = self._words(one.values, one.item), self._wanted_words(one)
        source = one.fields.get("source", one.values)
        return Judged(
            one.number, _text(one.item.raw.get("source", one.item.raw.get("target", ""))), one.output, wanted,
            score, one.log_prob, float(answers.loss.mean()) if len(answers.loss) else None, len(source),
            repeated(said_words, wanted_words), surplus(wanted_words, said_words),
        )  # fmt: skip

    def _words(self, values: Tensor, item: Item) -> Sequence[str]:
        stream = self.task.codecs["target"].stream
        return () if isinstance(stream, Vectors) else self.task.units(values, item).shown

    def _wanted_words(self, one: Said) -> Sequence[str]:
        if self.task.prompted or "target" not in one.item.raw:  # what is read is what is wanted
            return self._words(one.values, one.item)
        return self._words(self.task.encode(one.item)["target"], one.item)

    @torch.inference_mode()
    def _answers(self) -> list[Answers]:
        """What the model thought of the right answers, with what came before given."""
        nothing = Answers((), (), np.zeros(0), np.zeros(0))
        fields = [self.task.encode(one.item) if "target" in one.item.raw else {} for one in self.said]
        known = [place for place, each in enumerate(fields) if each]
        found = [nothing] * len(self.said)
        for rows in batches([fields[place] for place in known], self.settings.batch_tokens) if known else ():
            chosen = [known[row] for row in rows.tolist()]
            batch = self.task.batch([self.said[place].item for place in chosen], [fields[place] for place in chosen])
            emission = read(self.task.model, batch, (), ()).emission
            loss = numpy_of(-emission.log_prob(batch.target.values))
            best = emission.log_probs().max(-1) if isinstance(emission, Discrete) else None
            for row, place in enumerate(chosen):
                targets = fields[place]["target"]
                own = loss[row, : len(targets)] if loss.shape[1] > 1 or len(targets) == 1 else loss[row]
                if best is None:
                    found[place] = dataclasses.replace(nothing, loss=own)
                    continue
                item, length = self.said[place].item, len(targets)
                likeliest = best.indices[row, :length].cpu()
                confidence = numpy_of(best.values[row, :length].exp())
                found[place] = Answers(self._symbols(targets, item), self._symbols(likeliest, item), confidence, own)
        return found

    def _symbols(self, values: Tensor, item: Item) -> tuple[str, ...]:
        name = self.name_of(item)
        return tuple(map(name, values.tolist()))

    def about(self) -> About:
        """The data and the model."""
        fields = [dict(one.fields) or {"target": one.values} for one in self.said]
        for one, each in zip(self.said, fields, strict=True):
            if self.judged and "target" in one.item.raw:
                each["target"] = self.task.encode(one.item)["target"]
        packed = pack([{name: each[name] for name in ("source", "target") if name in each} for each in fields])
        sides = []
        for name, column in packed.items():
            codec, raws = self.task.codecs.get(name), [one.item.raw.get(name) for one in self.said]
            texts = codec is not None and all(isinstance(raw, str) for raw in raws)
            unknown = [codec.unknown(raw).parts for raw in raws] if texts and codec is not None else None
            sides.append(side(name, column.lengths.tolist(), unknown))
        plan = batches([{name: each[name] for name in packed} for each in fields], self.settings.batch_tokens)
        return About(len(self.said), tuple(sides), padding_share(packed, plan), sizes(self.task.model))


def inspect(inspector: Inspector, views: Collection[str], model: str, use: str) -> Inspection:
    """Look at a model from several sides.

    Args:
        inspector: Has the model and the items.
        views: Names of `Inspection`'s fields.
        model, use: What the model is called, and its use.
    """
    found = {view: getattr(inspector, view)() for view in views}
    return Inspection(model, use, len(inspector.said), inspector.items, **found)


def _best(found: Hypotheses) -> list[list[int]]:
    """The symbols of the best hypothesis of each source."""
    rows = zip(found.values[:, 0].tolist(), found.lengths[:, 0].tolist(), strict=True)
    return [values[:length] for values, length in rows]


def _text(raw: Any) -> str:
    """What was given, in a line: an array by its shape."""
    if isinstance(raw, str):
        return raw if len(raw) <= _MOST_CHARACTERS else raw[:_MOST_CHARACTERS] + " …"
    return f"{type(raw).__name__} {list(getattr(raw, 'shape', ()))}"
