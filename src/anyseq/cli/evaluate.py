"""`anyseq evaluate`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anyseq.cli.notices import Notices
from anyseq.cli.options import Everywhere, ModelFolders, find, load, refuse_homeless
from anyseq.cli.pairs import Pairs
from anyseq.cli.plotting import Plot, PlotFile
from anyseq.cli.reranking import Reranking
from anyseq.cli.several import in_ranks
from anyseq.errors import UsageError

if TYPE_CHECKING:
    from anyseq.core import Item
    from anyseq.tasks.evaluation import Evaluation

Figures = dict[str, Any]
_COMPARED = "  {difference:+.4f} [{low:+.4f}, {high:+.4f}], p = {p_value:.4f}"


@in_ranks
def evaluate(
    run: Everywhere,
    search: dict[str, Any],
    models: ModelFolders,
    pairs: Pairs,
    others: Reranking,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there; replaces it.")
    ] = None,
    paired: Annotated[
        bool,
        typer.Option("--paired", help="Models each alone, against the first by paired bootstrap; else an ensemble."),
    ] = False,
    plot: PlotFile = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing --plot.")] = False,
) -> None:
    """Compare a model's outputs with references by the recipe's metrics, with their signatures.

    With --plot they are drawn beside what was wanted, where the model's use has a picture of that: of labels and tags
    the confusion matrix.
    """
    if paired and len(models) < 2:
        raise UsageError("--paired compares models with the first: give two or more")
    if paired and plot is not None:
        raise UsageError("--plot draws one model's outputs, --paired compares several: leave one out")
    picture = Plot(plot, overwrite)
    if json_file is not None:
        refuse_homeless(json_file)
    find(models)
    pairs.find()
    from anyseq import api

    found: list[Evaluation] = []
    systems: list[Figures] = []
    items: Sequence[Item] = []
    references: Sequence[Sequence[str]] = []
    for system in [[model] for model in models] if paired else [models]:
        predictor = load(run, system, search, **others.loading)
        picture.refuse(predictor.task, judged=True)
        if not items:
            items, references = predictor.task.judged(*pairs.read(predictor.task))
        found.append(predictor.evaluate(items, references, **search))
        notices = Notices(predictor.task.source_limit, str(system[0]) if paired else "")
        for item, prediction in zip(items, found[-1].predictions, strict=False):  # without metrics there are none
            notices.see(item.place, prediction)
        notices.impossible([item.place for item in found[-1].impossible], len(items))
        notices.close()
        figures = _figures(found[-1])
        if paired:
            comparisons = api.compare(found[0], found[-1], predictor.task, run.seed or 0) if len(found) > 1 else []
            against = {each.name: vars(each) for each in comparisons}
            figures = {"model": str(system[0]), **figures, "against_first": against}
        systems.append(figures)
    picture.see(items, found[0].predictions)
    picture.draw(predictor.task)
    typer.echo("\n\n".join(map(_table, systems)))
    if json_file is not None:
        _write(json_file, {**_figures(found[0]), **({"systems": systems} if paired else {})})


def _figures(found: Evaluation) -> Figures:
    return {
        "metrics": found.metrics,
        "signature": found.signature,
        "count": found.count,
        "seconds": round(found.seconds, 3),
    }


def _table(figures: Figures) -> str:
    lines = [figures["model"]] if "model" in figures else []
    for name, value in figures["metrics"].items():
        against = figures.get("against_first", {}).get(name)
        note = "" if against is None else _COMPARED.format(**against)
        lines.append(f"{name:<28}{value:>10.4f}{note}")
    signature = [figures["signature"]] if figures["signature"] else []
    return "\n".join([*lines, f"{figures['count']} items, {figures['seconds']:.1f} s", *signature])


def _write(path: Path, figures: Figures) -> None:
    from anyseq.training.checkpoint import write_atomically

    write_atomically(path, json.dumps(figures, ensure_ascii=False, indent=2) + "\n")
