"""`anyseq demo`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anyseq.cli.options import Everywhere
from anyseq.cli.train import train_anew

if TYPE_CHECKING:
    from anyseq.api import Predictor
    from anyseq.core import Item

RECIPE = "transduce/dates"
SHOWN = 12


def demo(
    run: Everywhere,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help=f"Keys to change in {RECIPE}.")
    ] = None,
    output: Annotated[Path, typer.Option(metavar="DIR", help="Where the model and the picture go.")] = Path("demo"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in DIR.")] = False,
) -> None:
    """Train a model in about a minute, without any download: dates in 48 languages to ISO 8601.

    Says what it reaches on dates it has never seen, shows a dozen, draws what it looks at, and names what to try next.
    """
    from anyseq import api

    api.refuse_existing(output, overwrite, "use it (anyseq predict {folder})")
    typer.echo(f"Learning to read dates as people write them, in 48 languages ({RECIPE}).")
    trained = train_anew(run, RECIPE, words or [], output, overwrite=overwrite)
    predictor = trained.predictor
    if trained.test is not None:
        typer.echo(f"\nOn {trained.test.count} dates never seen: {_figures(trained.test.metrics)}")
    _try_unseen_patterns(predictor)
    items = _a_few(predictor.task.read_test() or [])
    typer.echo("\nA few of them:")
    wide = max(len(item.raw["source"]) for item in items)
    for item, found in zip(items, predictor.predict([item.raw["source"] for item in items]), strict=True):
        wrong = "" if found.output == item.raw["target"] else f"   wrong: {item.raw['target']}"
        typer.echo(f"  {item.raw['source']:<{wide}}  {found.output}{wrong}")
    command = "anyseq" if shutil.which("anyseq") else f"{sys.executable} -m anyseq"
    picture = output / "attention.png"
    _draw(predictor, next((item for item in items if item.raw["source"].isascii()), items[0]), picture)
    typer.echo(
        f"\nWhat it looks at while it writes: {picture}\n\nNow try:\n"
        f"  echo 'en March the 3rd, 2021' | {command} predict {output}\n"
        f"  {command} info {output}\n"
        f"  {command} recipes\n"
        f"  {command} train translate/transformer --output my-model data.train.source=FILE data.train.target=FILE"
    )


def _figures(metrics: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())


def _try_unseen_patterns(predictor: Predictor) -> None:
    """Harder than new days: ways to write them that this language has not shown in training."""
    from anyseq.data.synthetic.dates import DatesConfig

    generator: Any = dict(predictor.task.config)["data"].generator
    if isinstance(generator, DatesConfig) and generator.unseen:
        items = generator.generate("unseen")
        found = predictor.evaluate(items, [[item.raw["target"]] for item in items])
        typer.echo(f"On {found.count} dates in (language, pattern) pairs never seen: {_figures(found.metrics)}")


def _a_few(items: Any) -> list[Item]:
    """One item for each of a dozen languages."""
    by_language = {item.raw["source"].split()[0]: item for item in reversed(items)}
    return list(by_language.values())[:SHOWN]


def _draw(predictor: Predictor, item: Item, picture: Path) -> None:
    from anyseq.core import Item
    from anyseq.inspection.attention import attention, draw

    task = predictor.task
    [found] = predictor.predict([item.raw["source"]])
    item = Item({**item.raw, "target": found.output})
    fields = task.encode(item)
    labels = {
        side: [str(task.codecs[side].decode(symbol)) for symbol in fields[side][:-1].split(1)] + ["end"]
        for side in ("source", "target")
    }
    weights = attention(task.model, task.batch([item], [fields]))[0]
    draw(weights, labels["source"], labels["target"], picture)
