"""What a field of a configuration class may hold: a leaf, a part, several parts."""

from __future__ import annotations

import functools
import inspect
import json
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from anyseq.catalogue import nearest
from anyseq.core import PartConfig


@dataclass(frozen=True)
class Slot:
    """How a field is read.

    Attributes:
        form: `leaf` (pydantic reads it), `part`, `parts` (a tuple of them), `named` (a dict of them).
        part: The class of the part, None for a leaf.
        leaf_too: A part's field that may also hold something else than a mapping (None, a file name).
    """

    form: Literal["leaf", "part", "parts", "named"]
    part: type[PartConfig] | None = None
    leaf_too: bool = False


def is_open(part: type[PartConfig]) -> bool:
    """Whether the recipe chooses the class by `kind` (it names a section itself, or is abstract within one)."""
    return bool(part.section) and ("section" in vars(part) or inspect.isabstract(part))


@functools.cache
def slot(config: type[PartConfig], name: str) -> Slot:
    """Return how the field `name` of a configuration class is read."""
    annotation = config.model_fields[name].annotation
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    members = typing.get_args(annotation) if union else (annotation,)
    for member in members:
        arguments = typing.get_args(member)
        if _is_part(member):
            return Slot("part", member, len(members) > 1)
        if typing.get_origin(member) is tuple and arguments and _is_part(arguments[0]):
            return Slot("parts", arguments[0], len(members) > 1)
        if typing.get_origin(member) in (dict, Mapping) and _is_part(arguments[1]):
            return Slot("named", arguments[1], len(members) > 1)
    return Slot("leaf")


def _is_part(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, PartConfig)


@functools.cache
def _adapter(config: type[PartConfig], name: str) -> Any:
    field = config.model_fields[name]
    annotation: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    return TypeAdapter(annotation, config=ConfigDict(strict=True))


def read_leaf(config: type[PartConfig], name: str, value: Any, text: str | None = None) -> Any:
    """Check and convert the value of a leaf.

    Strict as Python objects are (a caller's list stays the caller's list), else as JSON is (a list for a tuple, text
    for a path), else, where it came from the command line, as the text that was typed (a file called 2016).

    Raises:
        ValueError: it does not fit; the text says what was given and what is allowed.
    """
    adapter = _adapter(config, name)
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        fault = error
    try:
        return adapter.validate_json(json.dumps(value))
    except ValidationError as error:
        fault = error
    except (TypeError, ValueError, RecursionError):  # no JSON: the first fault stands
        pass
    if text is not None and not isinstance(value, str):
        try:
            return adapter.validate_python(text)
        except ValidationError:
            pass
    near = [choice for choice in typing.get_args(config.model_fields[name].annotation) if isinstance(choice, str)]
    hint = nearest(value, near) if isinstance(value, str) else ""
    if isinstance(value, str | int | float) and {found["type"] for found in fault.errors()} & _OF_LISTS:
        hint = f"; as in [{value}]"
    messages = [_counted(found) or found["msg"] for found in fault.errors()]
    raise ValueError(complaint(messages[-1:] if _counted(fault.errors()[-1]) else messages, value) + hint)


def _counted(found: Mapping[str, Any]) -> str | None:
    """What pydantic says of lists that are too short or too long; None: something else."""
    if found["type"] == "missing" and found["loc"] and isinstance(found["loc"][-1], int):
        return f"should have {found['loc'][-1] + 1} values"
    return f"should have at most {found['ctx']['max_length']} values" if found["type"] == "too_long" else None


_OF_LISTS = {"list_type", "tuple_type"}  # pydantic's names of the fault


def complaint(messages: Sequence[str], value: Any) -> str:
    """One line for what pydantic says of a value."""
    if isinstance(value, list):  # pydantic's word for an item that is not there
        messages = ["should hold more values" if message == "Field required" else message for message in messages]
    plain = (message.removeprefix("Input ").replace("a valid array", "a list") for message in messages)
    wanted = " or ".join(dict.fromkeys(plain))
    given = json.dumps(value, ensure_ascii=False, default=lambda thing: f"<{type(thing).__name__}>", skipkeys=True)
    return f"{wanted}, not {given if len(given) <= 60 else given[:57] + '...'}"
