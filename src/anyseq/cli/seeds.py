"""`anyseq train --seeds`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from anyseq.cli.columns import columns
from anyseq.cli.options import Everywhere, find
from anyseq.errors import RunError, UsageError

if TYPE_CHECKING:
    from anyseq.api import SeedRuns, Spread


def train_seeds(
    run: Everywhere,
    words: Sequence[str],
    seeds: str,
    output: Path | None,
    *,
    overwrite: bool,
    start_from: Path | None,
    extend_vocab: bool,
) -> SeedRuns:
    """Call `anyseq.train_seeds`; what needs no torch to be seen wrong is refused first."""
    if run.seed is not None:
        raise UsageError("--seed and --seeds contradict each other: leave --seed out")
    numbers = _numbers(seeds)
    from anyseq import api
    from anyseq.config import recipe_tree

    recipe, overrides = words[0], run.overrides(words[1:])
    recipe_tree(recipe)
    api.refuse_existing(api.default_folder(recipe) if output is None else output, overwrite)
    if start_from is not None:
        find([start_from])
    return api.train_seeds(
        recipe,
        output,
        seeds=numbers,
        overwrite=overwrite,
        start_from=start_from,
        extend_vocab=extend_vocab,
        overrides=overrides,
        **_how(run),
    )


def resume_seeds(run: Everywhere, folder: Path, words: Sequence[str]) -> SeedRuns:
    """Call `anyseq.resume_seeds`."""
    overrides = run.overrides(words)
    from anyseq import api

    return api.resume_seeds(folder, overrides=overrides, **_how(run))


def show(found: SeedRuns) -> None:
    """Print what the seeds have come to.

    Raises:
        RunError: one of them failed.
    """
    typer.echo("\n".join(table(found)))
    if found.failed:
        named = "; ".join(f"seed {seed}: {why}" for seed, why in found.failed.items())
        count = f"{len(found.failed)} of {len(found.seeds)} seeds failed"
        raise RunError(f"{count}, the figures are of the others: {named}")


def table(found: SeedRuns) -> Iterator[str]:
    """A line for each figure: of each seed, then mean and deviation."""
    rows = [["", "", *(f"seed {seed}" for seed in found.runs), "mean ± deviation"]]
    for split, spreads in (("dev", found.dev), ("test", found.test)):
        for name, spread in spreads.items():
            each = (f"{run[split][name]:.4g}" for run in found.runs.values())
            rows.append([split, name, *each, told(spread)])
    yield from columns(rows, left=(0, 1))
    folders = ", ".join(str(found.folder / f"seed_{seed}") for seed in found.runs)
    yield f"the models are in {folders}; the figures in {found.folder / 'seeds.json'}"


def told(spread: Spread) -> str:
    """Mean ± sample standard deviation, this with two digits and the mean with as many decimals."""
    if spread.deviation is None or not math.isfinite(spread.deviation):
        return f"{spread.mean:.4g}"
    if spread.deviation == 0:
        return f"{spread.mean:.4g} ± 0"
    decimals = max(0, 1 - math.floor(math.log10(spread.deviation)))
    return f"{spread.mean:.{decimals}f} ± {spread.deviation:.{decimals}f}"


def _numbers(words: str) -> list[int]:
    try:
        return [int(word) for word in words.split(",")]
    except ValueError:
        raise UsageError(f"--seeds takes whole numbers with commas between, as in 1,2,3, not {words!r}") from None


def _how(run: Everywhere) -> Mapping[str, Any]:
    from anyseq.training.progress import listener

    return {**run.loading, "listener": listener()}
