"""`anyseq blend`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Literal

import typer

from anyseq.cli.options import Everywhere, ModelFolder, find, load
from anyseq.errors import UsageError


def blend(
    run: Everywhere,
    model: ModelFolder,
    first: Annotated[str, typer.Argument(metavar="FIRST", help="Its beginning is kept.", show_default=False)],
    second: Annotated[str, typer.Argument(metavar="SECOND", help="Its end is kept.", show_default=False)],
    shown: Annotated[int, typer.Option("--n-best", min=1, metavar="N", help="How many to show.")] = 10,
    form: Annotated[
        Literal["text", "jsonl"], typer.Option("--format", help="Rank, score, word and its two parts; or JSON.")
    ] = "text",
) -> None:
    """Join two words into one (brad angelina: brangelina), ranked by a language model of words.

    All cuts are ranked in which each word keeps two letters or more, by the log-probability per symbol (nats, the end
    is a symbol) plus 0.25 for each letter at the seam that belongs to both words.
    """
    find([model])
    predictor = load(run, [model], {})
    from anyseq.tasks.language_model.blending import blend as join
    from anyseq.tasks.language_model.task import LanguageModel

    if not isinstance(predictor.task, LanguageModel) or not predictor.task.lines:
        raise UsageError(f"{model} is no language model of words: train one, anyseq train language_model/names")
    for rank, each in enumerate(join(predictor.task, first, second)[:shown], 1):
        if form == "jsonl":
            typer.echo(json.dumps({"rank": rank, **asdict(each)}, ensure_ascii=False))
        else:
            typer.echo(f"{rank}\t{each.score:.4f}\t{each.word}\t{each.first}+{each.second}")
