"""`anyseq predict`: a filter, line in, line out."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TextIO

import typer

from anyseq.cli.lines import windows
from anyseq.cli.options import Everywhere, Models
from anyseq.errors import OutputExistsError, UsageError

if TYPE_CHECKING:
    from anyseq.api import Prediction

_NOTHING = {"output": "", "score": None, "log_prob": None, "stopped": None, "n_best": []}


def predict(
    run: Everywhere,
    search: dict[str, Any],
    models: Models,
    input_file: Annotated[
        str, typer.Option("--input", metavar="FILE|-", help="Sources, one a line (plain or .gz); - is stdin.")
    ] = "-",
    output_file: Annotated[
        str, typer.Option("--output", metavar="FILE|-", help="Written as it comes; - is stdout.")
    ] = "-",
    form: Annotated[
        Literal["text", "jsonl"], typer.Option("--format", help="Lines of text, or of JSON with the scores.")
    ] = "text",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing output file.")] = False,
) -> None:
    """Predict line by line: one line out for each line in, in order; an empty line gives an empty line.

    Lines are read in windows and each window's results are written at once, so that a run that is stopped leaves
    what it has done; stdin is answered line by line on a terminal. With --n-best or --samples above 1 the text format
    has several lines for a line: its number, the score, and the output, with tabs between.
    """
    _check_files(input_file, output_file, overwrite)
    from anyseq import api

    predictor = api.load(*models, **run.loading)
    several = search.get("n_best", 1) > 1 or (search.get("samples") or 1) > 1
    number = cut = 0
    with _sink(output_file) as sink:
        for window in windows(input_file):
            lines = [(number + at, text) for at, text in enumerate(window) if text.strip()]
            found: dict[int, Prediction] = {}
            if lines:
                keys = [key for key, _ in lines]
                predictions = predictor.predict([text for _, text in lines], keys=keys, **search)
                found = dict(zip(keys, predictions, strict=True))
            for text in window:
                prediction = found.get(number)
                number += 1
                if prediction is not None and prediction.cut:
                    cut += 1
                    _warn_once(cut, f"line {number} is longer than the model's limit and was cut")
                write = _json if form == "jsonl" else _ranked if several else _text
                sink.write(write(number, text, prediction))
            sink.flush()
    _warn_once(cut - 1, f"{cut} lines were cut in all")


def _text(number: int, text: str, prediction: Prediction | None) -> str:
    return "\n" if prediction is None else _line(prediction.output) + "\n"


def _ranked(number: int, text: str, prediction: Prediction | None) -> str:
    if prediction is None:
        return f"{number}\t\t\n"
    return "".join(f"{number}\t{each.score:.4f}\t{_line(each.output)}\n" for each in prediction.n_best)


def _json(number: int, text: str, prediction: Prediction | None) -> str:
    found = {"input": text, **_NOTHING} if prediction is None else prediction.as_dict()
    return json.dumps(_finite(found), ensure_ascii=False, allow_nan=False, default=str) + "\n"


def _finite(value: Any) -> Any:
    """JSON knows no infinity, which is the score of what cannot be."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(child) for key, child in value.items()}
    return [_finite(child) for child in value] if isinstance(value, (list, tuple)) else value


def _line(output: Any) -> str:
    """An output as exactly one line, whatever it holds."""
    return str(output).replace("\r", " ").replace("\n", " ")


def _warn_once(count: int, text: str) -> None:
    if count == 1:
        print(f"anyseq: warning: {text}", file=sys.stderr)


def _check_files(source: str, output: str, overwrite: bool) -> None:
    """Refuse before the model is loaded what could not be read or must not be written over."""
    if source != "-":
        if Path(source).is_dir():
            raise UsageError(f"{source} is a folder; this model reads lines: give a file, or - for stdin")
        Path(source).open("rb").close()
    target = Path(output)
    if output == "-" or not target.is_file():  # a pipe or a device has nothing to lose
        return
    if source != "-" and os.path.samefile(source, output):
        raise UsageError(f"{output} is the input, too: choose another output file")
    if not overwrite and target.stat().st_size:
        raise OutputExistsError(f"{output} exists and was left as it is: choose another name, or add --overwrite")


@contextmanager
def _sink(output: str) -> Iterator[TextIO]:
    if output == "-":
        yield sys.stdout
    else:
        with Path(output).open("w", encoding="utf-8", newline="\n") as stream:
            yield stream
