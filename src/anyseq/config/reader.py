"""From nodes to typed configurations: every fault is collected, none hides another."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from anyseq import catalogue
from anyseq.config.nodes import Node, argument
from anyseq.config.slots import complaint, is_open, read_leaf, slot
from anyseq.core import PartConfig
from anyseq.errors import ConfigError, Fault


@dataclass
class _Settings:
    """What was said about one part: its kind, and its keys."""

    kind: Node | None = None
    keys: dict[str, Node] = field(default_factory=dict)
    former: tuple[Node, ...] = ()
    inherited: set[str] = field(default_factory=set)


@dataclass
class Reader:
    """Reads parts and remembers what is wrong with them.

    Attributes:
        trust: See `catalogue.resolve`.
        faults: What was found so far; a part that has one is read as None.
    """

    trust: Collection[str] | None
    faults: list[Fault] = field(default_factory=list)

    def part(self, base: type[PartConfig], node: Node, path: str, default: Any = None, key: str = "kind") -> Any:
        """Read one part.

        Args:
            base: Its class, or the abstract class of those the recipe may choose among.
            node: What was given.
            path: Its dotted key ("" at the top).
            default: What the field holds where nothing is given: keys not given are taken from it.
            key: The key that names the kind.
        """
        if isinstance(node.value, base):
            return node.value
        if not isinstance(node.value, dict) and not (isinstance(node.value, str) and (is_open(base) or base.named)):
            self.faults.append(node.fault(path, f"{_wanted(base, path)}, not {_brief(node)}"))
            return None
        said = _settings(node, key) if is_open(base) else _Settings(keys=_group(node, base.named))
        config = self._class(base, said, node, path, default, key)
        if config is None:
            return None
        known = len(self.faults)
        values = dict(default) if type(default) is config else {}
        former = [name for each in said.former for name in self._fields(base, each)]
        for name, child in said.keys.items():
            where = f"{path}.{name}" if path else name
            if name in config.model_fields:
                values[name] = self._field(config, name, child, where, values.get(name))
            elif not (name in said.inherited and name in former):
                near = catalogue.nearest(name, config.model_fields)
                allowed = ", ".join(config.model_fields) or "none"
                self.faults.append(child.fault(where, f"unknown key {name!r}{near} (allowed here: {allowed})"))
        for name, info in config.model_fields.items():
            if info.is_required() and name not in values:
                where = f"{path}.{name}" if path else name
                missing = f"missing: {info.description or 'needed'}"
                self.faults.append(replace(node, override=None).fault(where, missing))
        return self._build(config, values, said, node, path) if len(self.faults) == known else None

    def _class(
        self, base: type[PartConfig], said: _Settings, node: Node, path: str, default: Any, key: str
    ) -> type[PartConfig] | None:
        if not is_open(base):
            return base
        where = f"{path}.{key}" if path else key
        if said.kind is None:
            if isinstance(default, PartConfig):
                return type(default)
            allowed = ", ".join(catalogue.PARTS[base.section])
            self.faults.append(node.fault(where, f"missing: which {base.section[:-1]}? (allowed: {allowed})"))
            return None
        if not isinstance(said.kind.value, str):
            self.faults.append(said.kind.fault(where, f"a name is wanted here, not {_brief(said.kind)}"))
            return None
        try:
            config = catalogue.resolve(base.section, said.kind.value, self.trust)
        except ConfigError as error:
            self.faults += [said.kind.fault(where, fault.message) for fault in error.faults]
            return None
        if not issubclass(config, base):
            self.faults.append(said.kind.fault(where, f"{said.kind.value!r} does not fit here: no {base.__name__}"))
            return None
        return config

    def _fields(self, base: type[PartConfig], former: Node) -> Collection[str]:
        """What a kind that an override replaced may have been told."""
        if not isinstance(former.value, str):
            return ()
        try:
            return catalogue.resolve(base.section, former.value, self.trust).model_fields
        except ConfigError:
            return ()

    def _field(self, config: type[PartConfig], name: str, node: Node, path: str, default: Any) -> Any:
        kind = slot(config, name)
        if default is None:
            default = config.model_fields[name].get_default(call_default_factory=True)
        value = node.value
        if kind.part is not None:
            if kind.form == "part" and (isinstance(value, dict) or not kind.leaf_too):
                return self.part(kind.part, node, path, default)
            if kind.form == "part" and isinstance(value, str) and is_open(kind.part) and not _takes_text(config, name):
                return self.part(kind.part, node, path, default)
            if kind.form == "parts" and isinstance(value, (list, tuple)):
                each = (x if isinstance(x, Node) else argument(f"{path}.{at}", x) for at, x in enumerate(value))
                return tuple(self.part(kind.part, x, f"{path}.{at}") for at, x in enumerate(each))
            if kind.form == "named" and isinstance(value, dict):
                old = default if isinstance(default, Mapping) else {}
                new = {x: self.part(kind.part, child, f"{path}.{x}", old.get(x)) for x, child in value.items()}
                return {**old, **new}
            if kind.form == "parts" and not (value is None and kind.leaf_too):
                self.faults.append(node.fault(path, f"a list is wanted here, as in [{_brief(node)}]"))
                return None
        try:
            return read_leaf(config, name, node.plain(), node.text)
        except ValueError as error:
            self.faults.append(node.fault(path, str(error)))
            return None

    def _build(
        self, config: type[PartConfig], values: dict[str, Any], said: _Settings, node: Node, path: str
    ) -> PartConfig | None:
        try:
            return config.model_validate(values)
        except ValidationError as error:
            for fault in error.errors():
                name = str(fault["loc"][0]) if fault["loc"] else ""
                place = said.keys.get(name, node)
                where = ".".join(filter(None, (path, name)))
                message = fault["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
                if fault["type"] not in ("value_error", "assertion_error"):
                    message = complaint([fault["msg"]], place.plain())
                self.faults.append(place.fault(where, message))
            return None


def _settings(node: Node, key: str) -> _Settings:
    """Gather a part's kind and keys from a node and from what overrides replaced in it."""
    old = _Settings() if node.replaced is None else _settings(node.replaced, key)
    if isinstance(node.value, str):
        former = old.former if old.kind is None else (*old.former, old.kind)
        return _Settings(node, old.keys, former, set(old.keys))
    if not isinstance(node.value, dict):
        return _Settings()
    keys = {name: _over(child, old.keys.get(name)) for name, child in node.value.items() if name != key}
    kind = node.value.get(key, old.kind)
    return _Settings(kind, {**old.keys, **keys}, old.former, old.inherited - set(keys))


def _group(node: Node, named: Sequence[str]) -> dict[str, Node]:
    """Gather the keys of a plain group, as `_settings` does those of a part; a bare name is handed to its parts."""
    keys = {} if node.replaced is None else _group(node.replaced, named)
    new = node.value
    if isinstance(new, str):
        given = [name for at, name in enumerate(named) if not at or (name in keys and keys[name].value is not None)]
        new = {name: replace(node, replaced=None) for name in given}
    elif not isinstance(new, dict):
        return {}
    return {**keys, **{name: _over(child, keys.get(name)) for name, child in new.items()}}


def _over(node: Node, old: Node | None) -> Node:
    """The node as an override of what stood there before."""
    return replace(node, replaced=old if node.replaced is None else _over(node.replaced, old))


def _wanted(base: type[PartConfig], path: str) -> str:
    if is_open(base):
        return f"one of {', '.join(catalogue.PARTS[base.section])} wanted here"
    keys = ", ".join(f"{path}.{name}" for name in base.model_fields)
    part = slot(base, base.named[0]).part if base.named else None
    kinds = "" if part is None else f"one of {', '.join(catalogue.PARTS[part.section])}, or "
    return f"{kinds}settings wanted here ({keys})"


def _takes_text(config: type[PartConfig], name: str) -> bool:
    try:
        read_leaf(config, name, "")
    except ValueError:
        return False
    return True


def _brief(node: Node) -> str:
    plain = node.plain()
    text = "nothing" if plain is None else repr(plain) if not isinstance(plain, dict) else "a mapping"
    return text if len(text) <= 60 else text[:57] + "..."
