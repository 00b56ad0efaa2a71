"""From typed configurations back to YAML, and to rows for help and documentation."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from anyseq import catalogue
from anyseq.config.nodes import scalar
from anyseq.config.slots import is_open, slot
from anyseq.core import PartConfig

_LONGEST_LIST = 100
_REMARK = ", given from Python>"


class _Dumper(yaml.SafeDumper):
    """Writes what `nodes.parse` reads back: quotes whatever would be no text by the rules of YAML 1.2."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = '"' if not value.isprintable() else None if scalar(value) == value else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def dump(config: PartConfig, about: Mapping[str, Any] | None = None) -> str:
    """Write a configuration out in full, defaults and kinds included; `load_recipe` reads an equal one back.

    Data given as Python objects cannot be written: a remark stands in their place.

    Args:
        config: A task's configuration.
        about: What else a model folder says about itself (format, versions, fingerprint); readers skip it.
    """
    tree: dict[str, Any] = {"about": dict(about)} if about is not None else {}
    tree |= {"task": catalogue.kind_of(type(config)), **plain(config)}
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def plain(config: PartConfig) -> dict[str, Any]:
    """A configuration as plain mappings, lists and scalars, with the kinds of the parts it chose."""
    tree = {}
    for name, value in config:
        part = slot(type(config), name).part
        if part is None:
            tree[name] = _leaf(value)
        elif isinstance(value, (tuple, list)):
            tree[name] = [_chosen(part, each) for each in value]
        elif isinstance(value, dict):
            tree[name] = {key: _chosen(part, each) for key, each in value.items()}
        else:
            tree[name] = _chosen(part, value)
    return tree


def _chosen(part: type[PartConfig], value: Any) -> Any:
    if not isinstance(value, PartConfig):
        return _leaf(value)
    return ({"kind": catalogue.kind_of(type(value))} if is_open(part) else {}) | plain(value)


def _leaf(value: Any) -> Any:
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _leaf(child) for key, child in value.items()}
    if isinstance(value, (list, tuple, frozenset)) and len(value) <= _LONGEST_LIST:
        each = [_leaf(child) for child in value]
        return sorted(each) if isinstance(value, frozenset) else each
    if value is None or isinstance(value, (str, int, float, Path, Enum)):
        return to_jsonable_python(value, inf_nan_mode="constants")
    size = f" of {len(value)}" if isinstance(value, typing.Sized) else ""
    return f"<{type(value).__name__}{size}{_REMARK}"


def given_from_python(config: PartConfig) -> list[str]:
    """Dotted keys of what a configuration that was read back had as Python objects, which no file holds."""
    return list(_remarks(config, ""))


def _remarks(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, (PartConfig, dict)):
        for name, child in dict(value).items():
            yield from _remarks(child, f"{path}.{name}" if path else name)
    elif isinstance(value, str) and value.endswith(_REMARK):
        yield path


@dataclass(frozen=True)
class Row:
    """One key of a configuration, for people.

    Attributes:
        key: Dotted, as an override writes it.
        type: What it may be.
        default: As YAML; None where a value must be given.
        description: One line.
    """

    key: str
    type: str
    default: str | None
    description: str


def describe(config: type[PartConfig], default: PartConfig | None = None, path: str = "") -> Iterator[Row]:
    """List every key of a configuration class, those of its plain groups included.

    Args:
        config: The class.
        default: Values to show as defaults, instead of those of the class.
        path: What to put before each key.
    """
    for name, info in config.model_fields.items():
        kind = slot(config, name)
        value = dict(default)[name] if default is not None else info.get_default(call_default_factory=True)
        required = default is None and info.is_required()
        if kind.form == "part" and kind.part is not None and not is_open(kind.part):
            group = value if isinstance(value, PartConfig) else None
            yield from describe(kind.part, group, f"{path}{name}.")
            continue
        yield Row(
            path + name,
            type_name(info) if kind.part is None else _part_name(kind.part, kind.form),
            None if required else _default(value),
            info.description or "",
        )


def type_name(info: FieldInfo) -> str:
    """The type of a leaf, with its bounds, as help prints it: `int ≥ 1`, `a | b`, `float | null`."""
    bounds = []
    for item in info.metadata:
        match item:
            case Ge():
                bounds.append(f"≥ {item.ge}")
            case Gt():
                bounds.append(f"> {item.gt}")
            case Le():
                bounds.append(f"≤ {item.le}")
            case Lt():
                bounds.append(f"< {item.lt}")
    return " ".join([_type(info.annotation), *bounds])


def _type(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is type(None):
        return "null"
    if origin is Literal:
        return " | ".join(map(str, arguments))
    if origin in (typing.Union, types.UnionType):
        return " | ".join(map(_type, arguments))
    if origin is Annotated:
        return _type(arguments[0])
    if origin in (tuple, list, frozenset):
        return f"list of {_type(arguments[0])}"
    return "any" if annotation is Any else typing.cast(type, origin or annotation).__name__.lower()


def _part_name(part: type[PartConfig], form: str) -> str:
    each = " | ".join(catalogue.PARTS[part.section]) if is_open(part) else part.__name__
    return each if form == "part" else f"list of {each}" if form == "parts" else f"names of {each}"


def _default(value: Any) -> str:
    if isinstance(value, PartConfig):
        return catalogue.kind_of(type(value)) if value.section else type(value).__name__
    if isinstance(value, tuple) and value and isinstance(value[0], PartConfig):
        return f"[{', '.join(catalogue.kind_of(type(each)) for each in value)}]"
    return flow(_leaf(value))


def flow(value: Any) -> str:
    """A plain value as YAML in one line, as an override writes it."""
    text = yaml.dump(value, Dumper=_Dumper, default_flow_style=True, width=1000)
    return text.removesuffix("\n").removesuffix("\n...")
