"""Options that several verbs share: those of every verb, and the search flags, made from the search settings."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeGuard

import typer

from anyseq.errors import OutputExistsError, UsageError

if TYPE_CHECKING:
    from anyseq.api import Predictor
    from anyseq.core import PartConfig

_EVERYWHERE = "Everywhere"
_SEARCH = "Search (what is not given comes from the model's recipe)"
NOT_FLAGS = {"seed"}
"""Search settings that are no flags: a verb's --seed is that of the search, too."""

ModelFolder = Annotated[Path, typer.Argument(metavar="MODEL", help="Model folder.", show_default=False)]
ModelFolders = Annotated[
    list[Path],
    typer.Argument(metavar="MODEL", help="Model folder; several are an ensemble.", show_default=False),
]


@dataclass(frozen=True)
class Everywhere:
    """What every verb can be told. The fields are the options."""

    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where to compute.", rich_help_panel=_EVERYWHERE)
    ] = "auto"
    threads: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="CPU threads (all, unless given).", rich_help_panel=_EVERYWHERE),
    ] = None
    precision: Annotated[
        Literal["float32", "bf16", "int8"],
        typer.Option(
            help="Of the computation; refused where the device has it not. int8: a trained model's weights.",
            rich_help_panel=_EVERYWHERE,
        ),
    ] = "float32"
    seed: Annotated[
        int | None,
        typer.Option(min=0, metavar="S", help="Of whatever is drawn at random.", rich_help_panel=_EVERYWHERE),
    ] = None
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.", rich_help_panel=_EVERYWHERE)] = False
    trust: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE", help="Import this module when a model folder asks for it.", rich_help_panel=_EVERYWHERE
        ),
    ] = None

    @property
    def loading(self) -> dict[str, Any]:
        """The arguments of `anyseq.load`."""
        return {
            "device": self.device,
            "threads": self.threads,
            "precision": self.precision,
            "trust": tuple(self.trust or ()),
        }

    def overrides(self, words: Sequence[str]) -> list[str]:
        """The overrides of a recipe, --seed among them.

        Raises:
            ConfigError: some are no `key=value`: a slip of the command line, told before anything is read.
        """
        from anyseq.config import refuse_misshapen

        refuse_misshapen(words)
        return [*words, *([] if self.seed is None else [f"training.seed={self.seed}"])]


def verb(function: Callable[..., None], search: type[PartConfig] | None) -> Callable[..., None]:
    """Spell out the options of a verb: its own, those of each group, and where it searches the search flags.

    A group is a dataclass whose fields are options (`Everywhere`, `Pairs`). What its __post_init__ refuses, is refused
    before the verb runs.

    Args:
        function: A parameter annotated with a dataclass takes such a group, `search: dict[str, Any]` the search flags.
        search: Whose fields are the flags; None leaves them out (they cost the import of torch).
    """
    takes = _parameters(function)
    searches = takes.pop("search", None) is not None
    groups = {name: _parameters(each.annotation) for name, each in takes.items() if _is_group(each.annotation)}
    flags = _flags(search) if searches and search is not None else {}

    def call(**values: Any) -> None:
        arguments = {
            name: each.annotation(**{member: values[member] for member in groups[name]})
            if name in groups
            else values[name]
            for name, each in takes.items()
        }
        if searches:
            given = {name: values[name] for name in flags if values[name] not in (None, [])}
            arguments["search"] = _checked(search, given) if search is not None else {}
            if values["seed"] is not None:
                arguments["search"]["seed"] = values["seed"]
        function(**arguments)

    listed = {name: groups.get(name, {name: each}) for name, each in takes.items()}
    listed = {**listed, "search": flags, "run": listed.pop("run")}
    vars(call)["__signature__"] = inspect.Signature([each for group in listed.values() for each in group.values()])
    call.__doc__ = function.__doc__
    call.__name__ = function.__name__
    call.__annotations__ = {}
    return call


def _is_group(annotation: Any) -> TypeGuard[type]:
    return isinstance(annotation, type) and is_dataclass(annotation)


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    return {
        name: parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(function, eval_str=True).parameters.items()
    }


def _flags(config: type[PartConfig]) -> dict[str, inspect.Parameter]:
    """One option a field: `beam_size` is --beam-size. Their values are text, checked as a recipe's values are."""
    from anyseq.catalogue import PARTS
    from anyseq.config import slot, type_name

    flags = {}
    for name, info in config.model_fields.items():
        if name in NOT_FLAGS:
            continue
        several = typing.get_origin(info.annotation) is tuple
        kind: Any = bool | None if info.annotation is bool else list[str] | None if several else str | None
        dashed, part = "--" + name.replace("_", "-"), slot(config, name).part
        value = type_name(info).split(" ")[0] if part is None else part.section[:-1]
        if typing.get_origin(info.annotation) is typing.Literal:
            value = "|".join(map(str, typing.get_args(info.annotation)))
        choices = "" if part is None else f" ({', '.join(PARTS[part.section])})"
        more = " (may be given several times)" if several else choices
        option = typer.Option(
            f"{dashed}/--no-{dashed[2:]}" if info.annotation is bool else dashed,
            metavar=None if info.annotation is bool else value.upper(),
            help=f"{info.description}{more}",
            rich_help_panel=_SEARCH,
            show_default=False,
        )
        flags[name] = inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, option]
        )
    return flags


def _checked(config: type[PartConfig], given: Mapping[str, Any]) -> dict[str, Any]:
    from anyseq.config import read_flags

    return read_flags(config, given)


def find(models: Sequence[Path]) -> None:
    """Refuse what is no model folder, before torch is imported.

    Raises:
        ModelFolderError: the first that is none.
    """
    from anyseq import api

    for model in models:
        api.home_and_about(model)


def refuse_homeless(output: Path) -> None:
    """Refuse an output file for which there is no folder, or that is one, before any work is done for it.

    Raises:
        UsageError: so it is.
    """
    if not output.parent.is_dir():
        raise UsageError(f"{output} cannot be written: there is no folder {output.parent}; make it, or choose another")
    if output.is_dir():
        raise UsageError(f"{output} is a folder; give the name of a file")


def refuse_to_replace(output: Path, overwrite: bool) -> None:
    """Refuse to write over a file that holds something, unless that is wanted.

    Raises:
        OutputExistsError: so it is.
    """
    if not overwrite and output.is_file() and output.stat().st_size:
        raise OutputExistsError(f"{output} exists and was left as it is: choose another name, or add --overwrite")


def load(run: Everywhere, models: Sequence[Path], search: Mapping[str, Any], **others: Any) -> Predictor:
    """Load a model for use (several as an ensemble), and refuse search settings that do not go together.

    Raises:
        ConfigError: with what is wrong with the settings.
        ModelFolderError: it is no model.
        UsageError: the models do not go together.
    """
    from anyseq import api

    predictor = api.load(models[0] if len(models) == 1 else models, **run.loading, **others)
    predictor.settings(**search)
    return predictor
