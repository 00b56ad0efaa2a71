"""What a recipe's YAML and the overrides say, with the place where each thing was said. Knows nothing of parts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from anyseq.errors import ConfigError, Fault

_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]{1,400}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(inf|Inf|INF|nan|NaN|NAN)")
_DEEPEST = 50


@dataclass
class Node:
    """One value and where it was given.

    Attributes:
        value: `dict[str, Node]`, `list[Node]`, or a plain value.
        file: The recipe file, or "command line", or "argument".
        line: Line in the file, from 1.
        override: The whole `key=value` where it was no file.
        text: A scalar as the command line gave it, before it was read as YAML.
        replaced: What stood here before an override took its place.
    """

    value: Any
    file: str
    line: int | None = None
    override: str | None = None
    text: str | None = None
    replaced: Node | None = None

    def fault(self, path: str, message: str) -> Fault:
        """Make the fault that names this place."""
        return Fault(path if self.override is None else self.override, message, self.file, self.line)

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list) and self.value and isinstance(self.value[0], Node):
            return [node.plain() for node in self.value]
        return self.value


def scalar(text: str) -> Any:
    """Read an unquoted YAML scalar by the rules of YAML 1.2.

    Version 1.1, which PyYAML follows, takes `no` (Norwegian) for False, `1e-3` for a string and `12:30` for a number.
    """
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    special = _SPECIAL.fullmatch(text)
    return float(special[1] + special[2]) if special else text


def parse(text: str, file: str) -> Node:
    """Read YAML.

    Raises:
        ConfigError: it is no YAML, or uses what a recipe has no need of (tags, anchors, keys that are no names).
    """
    try:
        tree = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        line = None if error.problem_mark is None else error.problem_mark.line + 1
        raise ConfigError([Fault("", f"this is no YAML: {error.problem}", file, line)]) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError([Fault("", f"this is no YAML: {str(error).splitlines()[0]}", file)]) from error
    faults: list[Fault] = []
    node = Node(None, file, 1) if tree is None else _convert(tree, file, set(), faults, 0)
    if faults:
        raise ConfigError(faults)
    return node


def _convert(tree: yaml.Node, file: str, seen: set[int], faults: list[Fault], depth: int) -> Node:
    node = Node(None, file, tree.start_mark.line + 1)
    if id(tree) in seen or depth > _DEEPEST:
        faults.append(node.fault("", "anchors and nesting without end are not for recipes: write the value out"))
        return node
    seen.add(id(tree))
    if not tree.tag.startswith("tag:yaml.org,2002:") or tree.tag.rpartition(":")[2] not in ("str", "seq", "map"):
        faults.append(node.fault("", f"YAML tags are not for recipes: remove {tree.tag!r}"))
    elif isinstance(tree, yaml.ScalarNode):
        node.value = scalar(tree.value) if tree.style is None else tree.value
    elif isinstance(tree, yaml.SequenceNode):
        node.value = [_convert(child, file, seen, faults, depth + 1) for child in tree.value]
    elif isinstance(tree, yaml.MappingNode):
        node.value = {}
        for key, child in tree.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in node.value:
                text = key.value if isinstance(key, yaml.ScalarNode) else "?"
                faults.append(
                    Fault(str(text), "a key must be one name, given once", file, key.start_mark.line + 1)
                )
                continue
            node.value[key.value] = _convert(child, file, seen, faults, depth + 1)
            node.value[key.value].line = key.start_mark.line + 1
    return node


def override(root: Node, overrides: Sequence[str] | Mapping[str, Any]) -> list[Fault]:
    """Change a tree by `key=value` words of the command line, or by a mapping given from Python.

    Args:
        root: A mapping; changed in place.
        overrides: `a.b=value` with the value as YAML; or `{"a.b": value}`, `{"a": {"b": value}}` with any values.

    Returns:
        What is wrong with the words themselves.
    """
    if isinstance(overrides, Mapping):
        for key, value in overrides.items():
            _set(root, key.split("."), argument(key, value))
        return []
    faults = []
    for word in overrides:
        key, equals, text = word.partition("=")
        if not equals or not all(key.split(".")):
            faults.append(Fault(word, "an override is written key=value, as in model.dropout=0.1", "command line"))
            continue
        try:
            _set(root, key.split("."), typed(word, text))
        except ConfigError as error:
            faults += [Fault(word, fault.message, "command line") for fault in error.faults]
    return faults


def typed(word: str, text: str) -> Node:
    """The node of the value of one word of the command line; every node in it names the whole word.

    Raises:
        ConfigError: it begins as YAML does, and is none.
    """
    node = parse(text, "command line") if text[:1] in ("[", "{", '"', "'") else Node(scalar(text), "", text=text)
    pending = [node]
    while pending:
        here = pending.pop()
        here.file, here.line, here.override = "command line", None, word
        pending += here.value.values() if isinstance(here.value, dict) else ()
        pending += here.value if isinstance(here.value, list) else ()
    return node


def argument(key: str, value: Any) -> Node:
    """A value given from Python, and what mappings in it hold."""
    brief = repr(value) if isinstance(value, (str, int, float, bool, type(None))) else f"<{type(value).__name__}>"
    node = Node(value, "argument", override=f"{key}={brief}")
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        node.value = {name: argument(f"{key}.{name}", child) for name, child in value.items()}
    return node


def _set(root: Node, path: list[str], node: Node) -> None:
    """Put a node in its place; a mapping is short for its keys, `part.kind=NAME` for `part=NAME`."""
    if isinstance(node.value, dict) and node.value:
        for name, child in node.value.items():
            _set(root, [*path, name], child)
        return
    if len(path) > 1 and path[-1] == "kind":
        path = path[:-1]
    here = root
    for name in path[:-1]:
        if name not in here.value or not isinstance(here.value[name].value, dict):
            old = here.value.get(name)
            here.value[name] = Node({}, node.file, override=node.override, replaced=old)
        here = here.value[name]
    node.replaced = here.value.get(path[-1])
    here.value[path[-1]] = node
