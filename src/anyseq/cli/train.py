"""`anyseq train`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anyseq.cli.options import Everywhere, find
from anyseq.cli.seeds import resume_seeds, show, train_seeds
from anyseq.cli.several import in_ranks
from anyseq.errors import UsageError

if TYPE_CHECKING:
    from anyseq.api import Trained


@in_ranks
def train(
    run: Everywhere,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="RECIPE|FILE.yaml [KEY=VALUE]...", help="What to train, and keys to change in it."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The model folder to make.", show_default="runs/RECIPE")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in DIR.")] = False,
    start_from: Annotated[
        Path | None,
        typer.Option("--from", metavar="MODEL", help="Start from this model; of another task's, with what reads."),
    ] = None,
    extend_vocab: Annotated[
        bool, typer.Option("--extend-vocab", help="With --from: add what train has and its vocabulary lacks.")
    ] = False,
    resume: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Go on with the run in DIR, stopped or killed.")
    ] = None,
    more_steps: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="With --resume: N steps more than were planned.")
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(metavar="N,N,...", help="Train once with each of these seeds, and give mean ± deviation."),
    ] = None,
) -> None:
    """Train a recipe, on data of your own or on its embedded default.

    All settings are keys: data.train.source=FILE data.train.target=FILE, training.max_minutes=30, codec.joint=false;
    model.encoder=rnn is short for model.encoder.kind=rnn, codec=words for words on both sides. All keys and their
    meaning: docs/reference.md; those a recipe sets: anyseq recipes show RECIPE.

    While it trains, DIR/metrics.jsonl and DIR/training.html (curves, for any browser) keep up with it, and
    `anyseq info DIR` says where it stands; training.tensorboard=true writes events for TensorBoard besides.

    With --seeds 1,2,3 it is trained into DIR/seed_1 and so on, one after the other; DIR/seeds.json has the mean and the
    sample standard deviation of every figure. --resume DIR goes on with what is left. A seed that fails (the loss is no
    number, say) is named at the end, with exit code 1, and the others are trained all the same.

    Several processes make the same updates faster: torchrun --standalone --nproc-per-node 2 -m anyseq train RECIPE;
    with --max-restarts N they go on from the last checkpoint when one has died.
    """
    if resume is not None:
        elsewhere = {"--output": output, "--overwrite": overwrite, "--from": start_from, "--seeds": seeds}
        _refuse({**elsewhere, "--extend-vocab": extend_vocab}, "--resume goes on in its folder")
        if words and "=" not in words[0] and ("/" in words[0] or words[0].endswith((".yaml", ".yml"))):
            raise UsageError(f"--resume goes on with the run's own recipe: leave out {words[0]}")
        from anyseq import api

        if api.holds_seeds(resume):
            _refuse({"--more-steps": more_steps}, f"give one run of it: --resume {resume}/seed_N")
            show(resume_seeds(run, resume, words or []))
            return
        trained = _resume(run, resume, more_steps, words or [])
    else:
        _refuse({"--more-steps": more_steps}, "it belongs to --resume DIR")
        if not words or "=" in words[0]:
            raise UsageError("train needs a recipe first: anyseq train RECIPE --output DIR (all names: anyseq recipes)")
        _refuse_files(words[1:])
        start: dict[str, Any] = {"overwrite": overwrite, "start_from": start_from, "extend_vocab": extend_vocab}
        if seeds is not None:
            show(train_seeds(run, words, seeds, output, **start))
            return
        trained = train_anew(run, words[0], words[1:], output, **start)
    typer.echo(_summary(trained))


def train_anew(
    run: Everywhere,
    recipe: str,
    words: Sequence[str],
    output: Path | None,
    *,
    overwrite: bool,
    start_from: Path | None = None,
    extend_vocab: bool = False,
) -> Trained:
    """Call `anyseq.train` with the options of the command line; what needs no torch to be seen wrong is refused first.
    """
    from anyseq import api
    from anyseq.config import recipe_tree

    overrides = run.overrides(words)
    recipe_tree(recipe)
    folder = api.default_folder(recipe) if output is None else output
    api.refuse_existing(folder, overwrite or api.begun_before(folder))
    if start_from is not None:
        find([start_from])
    from anyseq.training.progress import listener

    return api.train(
        recipe,
        output,
        overwrite=overwrite,
        start_from=start_from,
        extend_vocab=extend_vocab,
        device=run.device,
        threads=run.threads,
        precision=run.precision,
        listener=listener(),
        trust=tuple(run.trust or ()),
        overrides=overrides,
    )


def _resume(run: Everywhere, folder: Path, more_steps: int | None, words: Sequence[str]) -> Trained:
    overrides = run.overrides(words)
    find([folder])
    from anyseq import api
    from anyseq.training.progress import listener

    return api.resume(
        folder,
        more_steps=more_steps,
        device=run.device,
        threads=run.threads,
        precision=run.precision,
        listener=listener(),
        overrides=overrides,
        trust=tuple(run.trust or ()),
    )


def _summary(trained: Trained) -> str:
    lines = []
    for split, found in (("dev", trained.dev), ("test", trained.test)):
        if found is not None:
            figures = "  ".join(f"{name} {value:.4g}" for name, value in found.metrics.items())
            lines.append(f"{split}: {figures}  ({found.count} items)")
    if trained.trivial is not None:
        name, metrics = trained.trivial
        figures = "  ".join(f"{key} {value:.4g}" for key, value in metrics.items())
        lines.append(f"the trivial answer ({name}): {figures}")
    task = trained.predictor.task
    how = "--input FOLDER" if task.reads_files else "--interactive" if task.turns else "--input FILE"
    how = "--samples 10" if task.prompted else how
    lines.append(f"the model is in {trained.folder}; to use it: anyseq predict {trained.folder} {how}")
    return "\n".join(lines)


def _refuse_files(words: Sequence[str]) -> None:
    """Refuse files that stand there without a key, saying which keys they may be meant for."""
    files = [word for word in words if "=" not in word and Path(word).is_file()]
    if files:
        keys = ("data.train",) if len(files) == 1 else ("data.train.source", "data.train.target")
        meant = " ".join(f"{key}={file}" for key, file in zip(keys, files, strict=False))
        raise UsageError(f"{' and '.join(files)} stand there without a key; is this meant: {meant}")


def _refuse(options: Mapping[str, object], why: str) -> None:
    given = [name for name, value in options.items() if value]
    if given:
        raise UsageError(f"{' and '.join(given)} cannot be used here: {why}")
