"""`anyseq info`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from anyseq.cli.options import Everywhere, find
from anyseq.cli.seeds import table
from anyseq.cli.standings import comparison, standing
from anyseq.errors import ModelFolderError

Facts = Mapping[str, Any]
_WIDE = 9


def info(
    run: Everywhere,
    models: Annotated[
        list[Path], typer.Argument(metavar="MODEL", help="Model folder; several are compared.", show_default=False)
    ],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON: the same, by stable names.")] = False,
) -> None:
    """Say what a model folder holds: task and recipe, data, codecs, the model's parts, training, results, search.

    Also while it trains. Several runs are compared: where each stands, its figures by the metric that decides (the best
    first), and the settings in which they differ; a folder that train --seeds made stands for the runs in it, whose
    means and deviations follow. What cannot be read is named, the others are shown all the same.
    """
    from anyseq import api

    if len(models) > 1 or api.holds_seeds(models[0]):
        _several(models, as_json)
        return
    find(models)
    found = api.info(models[0], trust=tuple(run.trust or ()))
    typer.echo(_json(found) if as_json else "\n".join(_page(found)))


def _several(folders: Sequence[Path], as_json: bool) -> None:
    """Compare runs.

    Raises:
        ModelFolderError: with what cannot be read, after all else was shown.
    """
    from anyseq import api

    series = [api.read_seeds(folder) for folder in folders if api.holds_seeds(folder)]
    of_seeds = {str(each.folder): [each.folder / f"seed_{seed}" for seed in each.seeds] for each in series}
    runs = dict.fromkeys(run for folder in folders for run in of_seeds.get(str(folder), [folder]))
    found = api.compare_runs([run for run in runs if run.exists() or run in folders])  # seeds to come have no folder
    spreads = {str(each.folder): {"dev": each.dev, "test": each.test, "failed": each.failed} for each in series}
    if as_json:
        typer.echo(_json({**found, "seeds": spreads}))
    else:
        typer.echo("\n".join(comparison(found)))
        for each in series:
            typer.echo("\n" + "\n".join(table(each)))
    if found["problems"]:
        raise ModelFolderError("; ".join(found["problems"]))


def _json(found: Facts) -> str:
    return json.dumps(found, ensure_ascii=False, indent=2, default=_plain)


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)


def _page(found: Facts) -> Iterator[str]:
    """Titled paragraphs: the title stands before the first line."""
    for title, lines in _paragraphs(found):
        for at, line in enumerate(lines):
            yield f"{'' if at else title:<{_WIDE}}  {line}"


def _paragraphs(found: Facts) -> Iterator[tuple[str, Iterable[str]]]:
    about = f" ({found['description']})" if found["description"] else ""
    yield "model", [f"{found['folder']}: {found['task']}{about}"]
    yield "recipe", [found["recipe"] or "not recorded"]
    yield "data", _data(found["data"])
    yield "codecs", _codecs(found["codecs"])
    yield "parts", _parts(found["model"])
    yield "weights", [_weights(found["weights"])]
    yield "training", [*(standing(found["status"]) if found["status"] else ()), *_training(found["training"])]
    yield "results", _results(found["results"], found["weights"]["best_step"])
    yield "search", [_search(found["search"])]
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items() if version)
    yield "versions", [f"trained by {versions}; format {found['format']} of the model folder"]
    yield "problems", found["problems"]


def _data(data: Facts) -> Iterator[str]:
    for name in ("train", "dev", "test"):
        files, generator, count = (data[name][key] for key in ("files", "generator", "count"))
        items = "" if count is None else f"{count:,} items "
        if files is not None:
            yield f"{name:<5}  {items}from {', '.join(map(str, files.values())) if isinstance(files, dict) else files}"
        elif generator is not None and count != 0:
            yield f"{name:<5}  {items}generated ({generator})"
        elif items:
            yield f"{name:<5}  {items}held out of train"
    if data["fingerprint"]:
        yield f"fingerprint of train and dev: {data['fingerprint']}"


def _codecs(codecs: Facts) -> Iterator[str]:
    if all(codec["shared"] for codec in codecs.values()):
        codecs = {f"{' and '.join(codecs)}, one for both": next(iter(codecs.values()))}
    wide = max(map(len, codecs))
    for name, codec in codecs.items():
        symbols = "" if codec["vocab_size"] is None else f", {codec['vocab_size']:,} symbols"
        yield f"{name:<{wide}}  {codec['kind']}{symbols}"


def _parts(model: Facts) -> Iterator[str]:
    rows = [("part", "kind", "size", "parameters", "share", "products a place")]
    for part in model["parts"]:
        size = "  ".join(f"{name} {_value(value)}" for name, value in part["sizes"].items())
        tied = f"  (weights: those of the {part['tied_to']})" if part["tied_to"] else ""
        figures = (f"{part['parameters']:,}", f"{part['share']:.1%}", f"{part['products']:,}")
        rows.append((part["name"], part["kind"], size + tied, *figures))
    products = sum(part["products"] for part in model["parts"])
    rows.append(("together", "", "", f"{model['parameters']:,}", "", f"{products:,}"))
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, kind, size, parameters, share, products_each in rows:
        left = f"{name:<{wide[0]}}  {kind:<{wide[1]}}  {size:<{wide[2]}}"
        yield f"{left}  {parameters:>{wide[3]}}  {share:>{wide[4]}}  {products_each:>{wide[5]}}".rstrip()


def _value(value: Any) -> str:
    return ("no", "yes")[value] if isinstance(value, bool) else f"{value:,}" if isinstance(value, int) else str(value)


def _weights(weights: Facts) -> str:
    step, averaged = weights["step"], weights["averaged_steps"]
    if averaged and step is None:
        return f"the mean of the checkpoints of steps {', '.join(map(str, averaged))}"
    if step is None:
        return "one set, of an exported model"
    names = [name for name in ("best", "last") if weights[f"{name}_step"] == step]
    return f"of step {step:,}" + (f" (the {' and '.join(names)})" if names else "")


def _training(training: Facts | None) -> Iterator[str]:
    if training is None:
        yield "its state is not in this folder"
        return
    epochs = f", in epoch {training['epochs'] + 1}"
    ended = f"; ended: {training['ended']}" if training["ended"] else "; no end yet"
    yield f"{training['steps']:,} steps{epochs}, {training['minutes']:.1f} minutes{ended}"
    if training["best"] is not None:
        best = training["best"]
        value, step = f"{best['value']:.4g}", f"{best['step']:,}"
        yield f"best {best['metric']} while training: {value}, at step {step} (greedy, on a part of dev)"


def _results(results: Facts, step: int | None) -> Iterator[str]:
    if step is not None and any(results.values()):
        yield f"of step {step:,}, by the full search:"
    for name, found in results.items():
        if found is not None:
            figures = "  ".join(f"{metric} {value:.4g}" for metric, value in found["metrics"].items())
            yield f"{name:<4}  {figures}  ({found['count']:,} items)"


def _search(search: Facts) -> str:
    shown = dict.fromkeys(["beam_size", "max_length", *search["changed"]])
    return "  ".join(f"{name} {search[name]}" for name in shown) + "  (the rest by default)"
