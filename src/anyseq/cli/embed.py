"""`anyseq embed`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anyseq.cli.notices import Notices
from anyseq.cli.options import Everywhere, ModelFolder, find, load, refuse_homeless
from anyseq.cli.sources import readable, source_windows, warn_of_table
from anyseq.errors import OutputExistsError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from anyseq.api import Predictor


def embed(
    run: Everywhere,
    model: ModelFolder,
    input_file: Annotated[
        str, typer.Option("--input", metavar="FILE|DIR|-", help="Sources, as `predict` takes them.")
    ] = "-",
    output_file: Annotated[
        Path | None, typer.Option("--output", metavar="FILE.npy", help="Write the vectors there, one row a source.")
    ] = None,
    near: Annotated[
        int, typer.Option("--nearest", min=0, metavar="N", help="Show the N sources most like each one.")
    ] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing output file.")] = False,
) -> None:
    """Give one vector for each source: what the fold leaves of it (numpy's npy: float32, a row a source).

    With --nearest a line for each of those most like a source: the source's line, the other's line, the cosine of
    their vectors, and the other source, with tabs between.
    """
    if output_file is None and not near:
        raise UsageError("say where the vectors go (--output FILE.npy), or how many neighbours to show (--nearest N)")
    if output_file is not None:
        if output_file.suffix != ".npy":
            raise UsageError(f"{output_file}: vectors are written as numpy's .npy, and a name ends so")
        refuse_homeless(output_file)
        if output_file.exists() and not overwrite:
            left = f"{output_file} exists and was left as it is"
            raise OutputExistsError(f"{left}: choose another name, or add --overwrite")
    find([model])
    predictor = load(run, [model], {})
    if predictor.task.tables:
        vectors, sources = _of_table(predictor, input_file)
        _refuse_alone(near, sources)
        _write(vectors, sources, output_file, near)
        return
    sources = [line for window in source_windows(input_file, predictor.task) for line in window]
    if not sources:
        raise UsageError(f"{input_file} holds no source")
    _refuse_alone(near, sources)
    from anyseq.core import Item

    notices = Notices(predictor.task.source_limit)
    warn_of_table(input_file, predictor.task, notices)
    items = readable(predictor.task, [Item({"source": text}, key) for key, text in enumerate(sources)], notices)
    notices.close()
    _write(predictor.embed(item.raw["source"] for item in items), sources, output_file, near)


def _refuse_alone(near: int, sources: Sequence[str]) -> None:
    if near and len(sources) < 2:
        raise UsageError("--nearest compares sources with each other, and there is one: give more")


def _of_table(predictor: Predictor, path: str) -> tuple[np.ndarray, list[str]]:
    """The vectors of a file's windows, and their first and last dates."""
    stretches = [item.raw["source"] for item in predictor.task.sources(path)]
    shown = [f"{each.series.show(each.first)} to {each.series.show(each.last - 1)}" for each in stretches]
    return predictor.embed(stretches), shown


def _write(vectors: np.ndarray, sources: Sequence[str], output_file: Path | None, near: int) -> None:
    if output_file is not None:
        import numpy as np

        with output_file.open("wb") as stream:
            np.save(stream, vectors)
    if near:
        from anyseq.tasks.embedding import nearest

        for number, (places, cosines) in enumerate(zip(*nearest(vectors, near), strict=True), 1):
            for place, cosine in zip(places.tolist(), cosines.tolist(), strict=True):
                typer.echo(f"{number}\t{place + 1}\t{cosine:.4f}\t{sources[place]}")
