"""What a model folder holds, for people and programs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from anyseq.api.comparing import status
from anyseq.api.folders import home_and_about
from anyseq.api.use import load
from anyseq.catalogue import kind_of
from anyseq.config import plain
from anyseq.core import PartConfig, Symbols
from anyseq.errors import ModelFolderError
from anyseq.inspection.parts import ModelPart, parts_of
from anyseq.tasks.base import Task
from anyseq.tasks.fitting import deciding_metric
from anyseq.training.checkpoint import Checkpoints, read_mapping, weights_folder

Facts = dict[str, Any]


def info(folder: str | Path, *, trust: Collection[str] = ()) -> Facts:
    """What a model folder (or a checkpoint's folder in it) holds. What is not known is None.

    Args:
        folder: Where it is.
        trust: Modules that parts from outside anyseq may come from.

    Returns:
        `folder`, `task`, `description`, `recipe`;
        `data`: `fingerprint`, and for `train`, `dev` and `test` `{"files", "generator", "count"}`;
        `codecs`: by side `{"kind", "vocab_size", "shared"}`;
        `model`: `parameters`, and `parts`: `{"name", "kind", "sizes", "parameters", "share", "products",
        "tied_to"}` each;
        `weights`: `step`, `best_step`, `last_step`, `averaged_steps`;
        `status`: what `status` says of the run; None where no run was made in this folder;
        `training`: `steps`, `epochs`, `minutes`, `ended`, and `best`: `{"metric", "value", "step"}`;
        `results`: for `dev` and `test` what `evaluate --json` writes;
        `search`: all settings, and `changed`: the names of those that are not as by default;
        `versions`, `format`; `problems`: what could not be read, a line each.

    Raises:
        ModelFolderError: it cannot predict: it is no model folder, is of another format, or is incomplete.
    """
    folder = Path(folder)
    task = load(folder, device="cpu", trust=trust).task
    home, about = home_and_about(folder)
    problems: list[str] = []
    results = _results(home, problems)
    return {
        "folder": str(folder),
        "task": kind_of(type(task.config)),
        "description": task.config.description,
        "recipe": about.get("recipe"),
        "data": _data(plain(task.config).get("data") or {}, about),
        "codecs": {name: _codec(name, task) for name in task.codecs},
        "model": _model(task),
        "weights": _weights(folder, home, about, problems),
        "status": status(home).facts if (home / "metrics.jsonl").exists() else None,
        "training": _training(task, home, results, problems),
        "results": {name: results.get(name) for name in ("dev", "test")},
        "search": _search(task.config.search),
        "versions": {name: about.get(name) for name in ("anyseq", "torch")},
        "format": about.get("format"),
        "problems": problems,
    }


def _data(data: Mapping[str, Any], about: Mapping[str, Any]) -> Facts:
    counts = about.get("items")
    generator = data.get("generator")
    generated = generator.get("kind") if isinstance(generator, dict) and data.get("train") is None else None
    facts: Facts = {"fingerprint": about.get("data")}
    for name in ("train", "dev", "test"):
        count = counts.get(name) if isinstance(counts, dict) else None
        given = data.get(name)
        facts[name] = {"files": given, "generator": generated if given is None else None, "count": count}
    return facts


def _codec(name: str, task: Task) -> Facts:
    codec, settings = task.codecs[name], dict(dict(task.config).get("codec", ()))
    config = settings.get(name) or next(each for each in settings.values() if isinstance(each, PartConfig))
    return {
        "kind": kind_of(type(config)),
        "vocab_size": codec.stream.vocab_size if isinstance(codec.stream, Symbols) else None,
        "shared": sum(each is codec for each in task.codecs.values()) > 1,
    }


def _model(task: Task) -> Facts:
    found = parts_of(task.model)
    total = sum(part.parameters for part in found)
    configs = {name: value for name, value in dict(task.config).get("model", ()) if isinstance(value, PartConfig)}
    return {"parameters": total, "parts": [_part(part, configs.get(part.name), total) for part in found]}


def _part(part: ModelPart, config: PartConfig | None, total: int) -> Facts:
    kind, sizes = _layer(part.module)
    if config is not None:
        kind, sizes = kind_of(type(config)), _outline(config)
    return {
        "name": part.name,
        "kind": kind,
        "sizes": sizes,
        "parameters": part.parameters,
        "share": part.parameters / total if total else 0.0,
        "products": part.products,
        "tied_to": part.tied_to,
    }


def _outline(config: PartConfig) -> Facts:
    values = dict(config)
    whole = (name for name, value in values.items() if isinstance(value, int) and not isinstance(value, bool))
    return {name: values[name] for name in type(config).outline or whole}


def _layer(module: nn.Module) -> tuple[str, Facts]:
    """Kind and sizes of a part that no configuration describes."""
    if isinstance(module, nn.Embedding):
        return "table", {"symbols": module.num_embeddings, "dim": module.embedding_dim}
    if isinstance(module, nn.Linear):
        return "linear", {"from": module.in_features, "to": module.out_features}
    return type(module).__name__, {}


def _weights(folder: Path, home: Path, about: Mapping[str, Any], problems: list[str]) -> Facts:
    checkpoints, named = Checkpoints(home, keep=1), {}
    for name in ("best", "last"):
        try:
            named[name] = checkpoints.named(name)
        except ModelFolderError as error:
            problems.append(str(error))
    step = weights_folder(folder).name.removeprefix("step_")
    return {
        "step": int(step) if step.isdecimal() else None,
        "best_step": named.get("best"),
        "last_step": named.get("last"),
        "averaged_steps": about.get("averaged_steps"),
    }


def _training(task: Task, home: Path, results: Mapping[str, Any], problems: list[str]) -> Facts | None:
    checkpoints = Checkpoints(home, keep=1)
    try:
        last = checkpoints.named("last")
        state = None if last is None else checkpoints.read_state(last)
        metric, higher_is_better = deciding_metric(task)
        if state is None:
            return None
        value = None if state["best"] is None else float(state["best"][0])
        best = {"metric": metric, "value": value, "step": state["best_step"]}
        if value is not None and not higher_is_better:
            best["value"] = -value
        return {
            "steps": state["step"],
            "epochs": state["epoch"],
            "minutes": state["seconds"] / 60,
            "ended": results.get("ended"),
            "best": best if value is not None else None,
        }
    except ModelFolderError as error:
        if str(error) not in problems:
            problems.append(str(error))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        problems.append(f"{home}: the state of training cannot be read ({error!r}); the model can be used all the same")
    return None


def _results(home: Path, problems: list[str]) -> Facts:
    """What training wrote at its end; it is a record only."""
    file = home / "results.json"
    if not file.exists():
        return {}
    found, fault = read_mapping(file)
    if fault is not None:
        problems.append(f"{file}: damaged ({fault}); remove it, it is a record only")
    return found


def _search(search: PartConfig) -> Facts:
    defaults = type(search)()
    changed = [name for name, value in search if value != dict(defaults)[name]]
    return {**plain(search), "changed": changed}
