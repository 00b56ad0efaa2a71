"""Strict YAML and `key=value` overrides in, a typed and frozen task configuration out, and back.

Torch comes with the parts a recipe names, not before: what no part is needed for is refused at once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from anyseq import recipes
from anyseq.config.nodes import Node, override, parse, scalar, typed
from anyseq.config.reader import Reader
from anyseq.config.slots import read_leaf, slot
from anyseq.config.writer import Row, describe, dump, given_from_python, plain, type_name
from anyseq.core import PartConfig
from anyseq.data.lines import nearest
from anyseq.errors import ConfigError, Fault, ModelFolderError

if TYPE_CHECKING:
    from anyseq.tasks.settings import TaskConfig

__all__ = [
    "Row",
    "change",
    "describe",
    "dump",
    "given_from_python",
    "load_recipe",
    "load_resolved",
    "plain",
    "read_about",
    "read_flags",
    "read_section",
    "read_tree",
    "recipe_tree",
    "refuse_misshapen",
    "show",
    "slot",
    "type_name",
]

CONFIG_FILE = "config.yaml"
Config = TypeVar("Config", bound=PartConfig)


def load_recipe(
    name_or_path: str | Path,
    overrides: Sequence[str] | Mapping[str, Any] = (),
    *,
    trust: Collection[str] | None = None,
) -> TaskConfig:
    """Read a recipe.

    Args:
        name_or_path: A name of `anyseq recipes`, or a YAML file.
        overrides: `key=value` words; or a mapping from Python, dotted or nested, with any values.
        trust: Modules that parts from outside may come from; None allows all, as it is the user's own recipe.

    Raises:
        ConfigError: with every fault of the file and of the overrides.
    """
    return _read(recipe_tree(name_or_path), overrides, trust)


def recipe_tree(name_or_path: str | Path) -> Node:
    """Read a recipe's YAML as it stands; which keys there are, only the parts know.

    Raises:
        ConfigError: no recipe has this name, or the file cannot be read or is no YAML mapping.
    """
    name = str(name_or_path)
    return _tree(Path(name) if name.endswith((".yaml", ".yml")) else recipes.recipe(name).path)


def refuse_misshapen(words: Sequence[str]) -> None:
    """Refuse words that are no `key=value`, whatever the key.

    Raises:
        ConfigError: with every such word.
    """
    if faults := override(Node({}, "command line"), words):
        raise ConfigError(faults)


def load_resolved(
    folder: str | Path,
    overrides: Sequence[str] | Mapping[str, Any] = (),
    *,
    trust: Collection[str] = (),
    to_train: bool = True,
) -> TaskConfig:
    """Read the configuration of a model folder; code from outside anyseq is imported only from modules in `trust`.

    Args:
        folder: The model folder.
        overrides: As of `load_recipe`.
        trust: Modules that parts from outside anyseq may come from.
        to_train: False: an objective whose reward is code that is not trusted is left out for plain cross-entropy, for
            a model is used without its reward.

    Raises:
        ModelFolderError: the folder holds no configuration.
        ConfigError: it cannot be read, or names code that is not trusted.
    """
    path = Path(folder) / CONFIG_FILE
    if path.is_file():
        tree = _kept(path)
        if not to_train and _rewards_by_strangers(tree.value.get("objective"), trust):
            tree.value["objective"] = Node({"kind": Node("cross_entropy", str(path))}, str(path))
        return _read(tree, overrides, trust)
    if path.parent.is_dir():
        raise ModelFolderError(f"{folder} is no model folder: it holds no {CONFIG_FILE}; give the folder of a run")
    if path.parent.is_file():
        raise ModelFolderError(f"{folder} is a file; a model is the folder that holds {CONFIG_FILE}")
    raise ModelFolderError(f"{folder} does not exist; a model folder holds a {CONFIG_FILE}; {nearest(path.parent)}")


def _rewards_by_strangers(objective: Node | None, trust: Collection[str]) -> bool:
    """Whether an objective's reward is from a module outside anyseq that is not trusted."""
    settings = None if objective is None else objective.plain()
    reward = settings.get("reward") if isinstance(settings, dict) else None
    kind = reward.get("kind") if isinstance(reward, dict) else reward
    module = kind.rpartition(":")[0] if isinstance(kind, str) else ""
    return bool(module) and not any(f"{module}.".startswith(f"{each}.") for each in trust)


def read_tree(folder: str | Path) -> dict[str, Any]:
    """The configuration of a model folder as it stands, not checked, in the form of `plain`."""
    tree: dict[str, Any] = _kept(Path(folder) / CONFIG_FILE).plain()
    return tree


def read_section(folder: str | Path, task: type[TaskConfig], name: str, *, trust: Collection[str] = ()) -> PartConfig:
    """Read one section of a model folder's configuration, whatever its others hold.

    Args:
        folder: The model folder.
        task: Whose section it is to be.
        name: Its key.
        trust: Modules that parts from outside anyseq may come from.

    Raises:
        ConfigError: it is missing, does not fit this task, or names code that is not trusted.
    """
    tree, part = _kept(Path(folder) / CONFIG_FILE), slot(task, name).part
    if part is None or name not in tree.value:
        fault = "there is no such section: copy the model folder again, whole"
        raise ConfigError([Fault(name, fault, str(Path(folder) / CONFIG_FILE))])
    reader = Reader(trust)
    section: PartConfig = reader.part(part, tree.value[name], name)
    if reader.faults:
        raise ConfigError(reader.faults)
    return section


def read_flags(config: type[PartConfig], flags: Mapping[str, str | bool | Sequence[str]]) -> dict[str, Any]:
    """Check and convert flags of the command line that stand for the fields of a configuration class.

    Raises:
        ConfigError: with every fault.
    """
    values, reader = {}, Reader(None)
    faults = reader.faults
    for name, given in flags.items():
        node = Node(given, "command line", override=f"--{name.replace('_', '-')} {given}")
        part = slot(config, name).part
        if part is not None and isinstance(given, str) and given != "null":
            try:
                values[name] = reader.part(part, typed(str(node.override), given), name)
            except ConfigError as error:
                faults += [node.fault(name, fault.message) for fault in error.faults]
            continue
        if isinstance(given, str):
            word = parse(given, "command line").plain() if given[:1] == "[" else scalar(given)
            node = Node(word, node.file, override=node.override, text=given)
        elif not isinstance(given, bool):
            node.value = list(given)
        try:
            values[name] = read_leaf(config, name, node.plain(), node.text)
        except ValueError as error:
            faults.append(node.fault(name, str(error)))
    if faults:
        raise ConfigError(faults)
    return values


def change(config: Config, path: str, changes: Mapping[str, Any]) -> Config:
    """A configuration with some keys exchanged, as overrides from Python are: parts by name or mapping, all checked.

    Args:
        config: What to start from.
        path: What to call it in faults.
        changes: New values by key.

    Raises:
        ConfigError: with every fault.
    """
    root = Node({path: Node({}, "")}, "")
    override(root, {f"{path}.{name}": value for name, value in changes.items()})
    reader = Reader(None)
    changed: Config = reader.part(type(config), root.value[path], path, default=config)
    if reader.faults:
        raise ConfigError(reader.faults)
    return changed


def read_about(folder: str | Path) -> dict[str, Any]:
    """What a model folder says about itself besides its configuration (see `dump`); empty where it says nothing."""
    path = Path(folder) / CONFIG_FILE
    about = _kept(path).plain().get("about")
    return about if isinstance(about, dict) else {}


def show(name: str) -> str:
    """The commented YAML of a recipe of `anyseq recipes`."""
    return recipes.recipe(name).path.read_text(encoding="utf-8")


def _kept(path: Path) -> Node:
    """What a model folder keeps: a fault of it is no slip of the user's, but damage."""
    try:
        return _tree(path)
    except ConfigError as error:
        raise ModelFolderError(f"{error}; copy the model folder again, whole") from error


def _tree(path: Path) -> Node:
    root = parse(_text(path), str(path))
    if not isinstance(root.value, dict):
        raise ConfigError([Fault("", "a recipe is lines of `key: value`, the first of them `task: NAME`", str(path))])
    return root


def _read(root: Node, overrides: Sequence[str] | Mapping[str, Any], trust: Collection[str] | None) -> TaskConfig:
    from anyseq.tasks.settings import TaskConfig

    root.value.pop("about", None)
    reader = Reader(trust, override(root, overrides))
    config = reader.part(TaskConfig, root, "", key="task")
    if reader.faults:
        faults = dict.fromkeys(reader.faults)  # one word may be the same fault in two places
        raise ConfigError(sorted(faults, key=lambda fault: (fault.line is None, fault.line or 0)))
    task: TaskConfig = config
    return task


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ConfigError([Fault("", "this is no UTF-8 text: save the file as UTF-8", str(path), line)]) from error
    except OSError as error:
        raise ConfigError(f"the recipe {path} cannot be read: {error.strerror}; {nearest(path)}") from error
