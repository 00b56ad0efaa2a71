"""Starting from another model: of the same task all of it, of another task what reads the source."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anyseq.api.extending import Growth, grow_codecs, notes_on, with_fresh_rows
from anyseq.api.folders import home_and_about
from anyseq.catalogue import kind_of
from anyseq.config import load_resolved, plain, read_section, read_tree
from anyseq.config.differences import MOST, differences, told
from anyseq.core import Codec, Item, PartConfig
from anyseq.data.codecs.base import CodecConfig
from anyseq.errors import ConfigError, ModelFolderError, UsageError
from anyseq.models.alone import AloneConfig
from anyseq.models.encoders.base import EncoderConfig
from anyseq.models.framewise import FramewiseConfig
from anyseq.models.seq2seq import Seq2SeqConfig
from anyseq.tasks.base import Task
from anyseq.tasks.settings import TaskConfig
from anyseq.tasks.text_to_text import TextToTextConfig
from anyseq.training.checkpoint import WEIGHTS, load_into, named_weights, read_weights, weights_folder

CODEC = "codec"
"""The section of every task that says what its codecs are."""


@dataclass(frozen=True)
class Start:
    """What a training begins with.

    Attributes:
        config: The recipe, with what is taken over in place of its own.
        folder: The model that it begins with; None: with fresh codecs and weights.
        notes: What a person should know about what was taken over.
        reading: Where that model is of another task: the codec of the source; else None, and all is taken over.
        names: Then: what weights' names begin with there, and here.
        extend: Whether codecs that are taken over grow by what training items have besides.
        growth: How they grew, by side, once they were made.
    """

    config: TaskConfig
    folder: Path | None = None
    notes: Sequence[str] = ()
    reading: Codec | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    extend: bool = False
    growth: dict[str, Growth] = field(default_factory=dict)

    def make_codecs(self, task: Task, items: Sequence[Item]) -> None:
        """Give a task its codecs: taken over, or learnt from training items."""
        if self.folder is None or self.reading is not None:
            task.fit_codecs(items, self.reading)
        else:
            task.load_codecs(home_and_about(self.folder)[0] / "codecs")
            if self.extend:
                self.growth.update(grow_codecs(task, items, self.folder))

    def make_model(self, task: Task) -> Sequence[str]:
        """Give a task, which has codecs, its model; notes for the person who trains it.

        Raises:
            DataError, ModelFolderError: a file cannot be read.
            UsageError: the weights that begin it are of another shape.
        """
        if self.folder is None:
            task.build_model()
            return task.initialise()
        if self.reading is not None:
            return _build_reading(self, task)
        return [*notes_on(self.growth), *_build_from(self.folder, task, self.growth)]


def start_from(folder: Path, config: TaskConfig, trust: Collection[str] = (), *, extend: bool = False) -> Start:
    """Begin with another model: of the same task with its codecs and weights, of another one with what reads.

    Args:
        folder: The model.
        config: The recipe.
        trust: Modules that the model's parts may come from; those the recipe names itself are trusted.
        extend: Let the vocabulary grow by what the training data have besides.

    Raises:
        ConfigError: the model's codecs are not for this task, or come from a module that is not trusted.
        UsageError: nothing of the model can read for this task, or the vocabulary of one of another task is to grow.
    """
    home, _ = home_and_about(folder)
    trust = [*trust, *_modules(plain(config))]
    if read_tree(home).get("task") == kind_of(type(config)) or CODEC not in type(config).model_fields:
        return _all_of(folder, home, config, trust, extend)
    if extend:
        raise UsageError(
            f"--extend-vocab: {folder} is of another task, of which only what reads a source is taken over, with its "
            "vocabulary; leave it out, or begin with a model of this task"
        )
    return _reading_of(folder, load_resolved(home, trust=trust), config)


def _all_of(folder: Path, home: Path, config: TaskConfig, trust: Collection[str], extend: bool) -> Start:
    if CODEC not in type(config).model_fields:
        return Start(config, folder, extend=extend)
    here = plain(config)
    taken = _varying_as(read_section(home, type(config), CODEC, trust=trust), getattr(config, CODEC))
    taken = _counting_as(taken, getattr(config, CODEC)) if extend else taken
    config = config.model_copy(update={CODEC: taken})
    found = list(differences({CODEC: plain(config)[CODEC]}, {CODEC: here[CODEC]}))
    notes = [f"the codecs of {folder} are taken over, not those of the recipe: {told(found)}"] if found else []
    return Start(config, folder, notes, extend=extend)


def _counting_as(codecs: PartConfig, here: PartConfig) -> PartConfig:
    """Codecs that are taken over and grow, with what the recipe says of how often something new must be seen."""
    count, own = "min_count", {name: getattr(here, name) for name in type(codecs).model_fields}
    return codecs.model_copy(
        update={
            name: there.model_copy(update={count: getattr(own[name], count)})
            for name, there in codecs
            if type(there) is type(own[name]) and count in getattr(type(there), "model_fields", ())
        }
    )


def _varying_as(codecs: PartConfig, here: PartConfig) -> PartConfig:
    """Codecs that are taken over, with what the recipe says of how training varies what they read."""
    own = {name: getattr(here, name) for name in type(codecs).model_fields}
    return codecs.model_copy(
        update={
            name: there.varying_as(own[name])
            for name, there in codecs
            if isinstance(there, CodecConfig) and isinstance(own[name], CodecConfig)
        }
    )


def _reading_of(folder: Path, there: TaskConfig, config: TaskConfig) -> Start:
    """A fold, or a language model, as the fold of another task."""
    another = f"{folder} is of another task ({kind_of(type(there))})"
    if not isinstance(config, TextToTextConfig):
        raise UsageError(
            f"{another}: of such a model what reads the source can be taken over by recipes that make texts or labels "
            f"of a source, and this one (task {kind_of(type(config))}) has none of its own: begin with a model of its "
            "task, or leave out --from"
        )
    if config.codec.joint or config.model.share_embeddings:
        raise UsageError(
            f"{another}: of such a model a source's codec and encoder can be taken over, and this recipe has none of "
            "its own (codec.joint and model.share_embeddings must be false)"
        )
    codecs, model = getattr(there, CODEC), getattr(there, "model", None)
    side = "source" if hasattr(codecs, "source") else "target"
    found: tuple[EncoderConfig, Mapping[str, str]] | None = None
    if isinstance(model, Seq2SeqConfig | FramewiseConfig):
        found = (model.encoder, {"encoder.": "encoder."})
    elif isinstance(model, AloneConfig):
        found = model.decoder.as_encoder()
    if found is None:
        raise UsageError(
            f"{another}, and nothing in it can read a source: begin with a "
            "model that has an encoder, or with a recurrent language model (model.decoder.kind=rnn)"
        )
    encoder = _dropping(found[0], _dropout(config.model.encoder))
    names = {f"_decoder.{name}" if side == "target" else name: own for name, own in found[1].items()}
    of_source: Any = getattr(codecs, side).varying_as(config.codec.source)
    home, _ = home_and_about(folder)
    config = config.model_copy(
        update={
            CODEC: config.codec.model_copy(update={"source": of_source}),
            "model": config.model.model_copy(update={"encoder": encoder}),
        }
    )
    note = (
        f"the source is read as {folder} reads (a model of the task {kind_of(type(there))}): its codec "
        f"({kind_of(type(of_source))}), its {'encoder' if side == 'source' else 'layers'} and their weights are taken "
        "over; the rest is new"
    )
    return Start(config, folder, [note], of_source.load(home / "codecs" / side), names)


def _dropout(config: PartConfig) -> float | None:
    """What a recipe drops in its encoder, or in the one inside that."""
    inner = getattr(config, "encoder", None)
    return getattr(config, "dropout", None if inner is None else _dropout(inner))


def _dropping(config: EncoderConfig, share: float | None) -> EncoderConfig:
    """An encoder's configuration with a recipe's own dropout: that is no matter of weights."""
    fields, inner = type(config).model_fields, getattr(config, "encoder", None)
    if share is not None and "dropout" in fields:
        return config.model_copy(update={"dropout": share})
    return config if inner is None else config.model_copy(update={"encoder": _dropping(inner, share)})


def _build_reading(start: Start, task: Task) -> list[str]:
    """Make the task's model, whose encoder begins with the weights of another."""
    assert start.folder is not None
    origin = weights_folder(start.folder)
    weights = read_weights(origin / WEIGHTS)
    task.build_model()
    fresh = named_weights(task.model)
    taken = {
        own + name.removeprefix(there): tensor
        for there, own in start.names.items()
        for name, tensor in weights.items()
        if name.startswith(there)
    }
    load_into(task.model, {**{name: weight.detach() for name, weight in fresh.items()}, **taken}, origin)
    return []


def _modules(tree: Any) -> Iterator[str]:
    """The modules of parts from outside that a plain configuration names."""
    if isinstance(tree, Mapping):
        kind = tree.get("kind")
        if isinstance(kind, str) and ":" in kind:
            yield kind.partition(":")[0]
        tree = list(tree.values())
    if isinstance(tree, list):
        for each in tree:
            yield from _modules(each)


def _build_from(folder: Path, task: Task, growth: Mapping[str, Growth]) -> list[str]:
    """Make the task's model with the weights of another; the task has the codecs of that already, perhaps grown.

    Returns:
        A note on settings of the model that differ, though the weights fit.

    Raises:
        ModelFolderError: the other's weights cannot be read.
        UsageError: they are of another shape.
    """
    home, _ = home_and_about(folder)
    origin = weights_folder(folder)
    weights = read_weights(origin / WEIGHTS)
    found = list(differences({"model": read_tree(home).get("model")}, {"model": plain(task.config).get("model")}))
    try:
        task.build_model()
        load_into(task.model, with_fresh_rows(weights, named_weights(task.model), growth), origin)
    except (ConfigError, ModelFolderError) as error:
        if not found:
            raise
        as_there = f"set as there {' '.join(each.override for each in found)}, " if len(found) <= MOST else ""
        raise UsageError(
            f"the weights of {folder} do not fit this recipe: {told(found)}. To start from them, {as_there}"
            f"or take that model's own recipe (anyseq train {home / 'config.yaml'} --from {folder} ...); "
            "to train such a model anew, leave out --from"
        ) from error
    return [f"the weights of {folder} fit, though {told(found)}; the recipe's settings are used"] if found else []
