"""One recipe trained with several seeds: how much of a figure is chance."""

from __future__ import annotations

import json
import math
import signal
import statistics
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from anyseq.api.folders import FIGURES, PLAN, clear, default_folder, holds_seeds, refuse_existing
from anyseq.api.runs import read_recipe, recipe_name, resume, train_as
from anyseq.config import dump, given_from_python, load_recipe, recipe_tree
from anyseq.core.launch import launch
from anyseq.core.parts import LARGEST_SEED
from anyseq.errors import ConfigError, Interrupted, ModelFolderError, RunError, UsageError
from anyseq.tasks.devices import Precision
from anyseq.training.checkpoint import Checkpoints, read_mapping, write_atomically
from anyseq.training.disk import claimed
from anyseq.training.progress import Listener, Silent

_SPLITS = ("dev", "test")
Metrics = Mapping[str, float]


@dataclass(frozen=True)
class Spread:
    """A figure over several seeds.

    Attributes:
        mean: Over the seeds.
        deviation: The sample standard deviation (n - 1); None of one seed.
        count: How many seeds.
    """

    mean: float
    deviation: float | None
    count: int


@dataclass(frozen=True)
class SeedRuns:
    """Runs that differ in nothing but their seed.

    Attributes:
        folder: Holds a model folder for each: `seed_1` and so on.
        seeds: Of all that were to be trained.
        runs: By seed the metrics of its best checkpoint by the full search, on `dev` and, where there is one, `test`.
        failed: By seed why it came to nothing; the others were trained all the same.
    """

    folder: Path
    seeds: Sequence[int]
    runs: Mapping[int, Mapping[str, Metrics]]
    failed: Mapping[int, str]

    @property
    def dev(self) -> dict[str, Spread]:
        """Each metric on dev, over the seeds."""
        return self._spread("dev")

    @property
    def test(self) -> dict[str, Spread]:
        """Each metric on test, over the seeds; empty where the recipe has none."""
        return self._spread("test")

    def _spread(self, split: str) -> dict[str, Spread]:
        found = [run[split] for run in self.runs.values() if split in run]
        names = [name for name in (found[0] if found else ()) if all(name in metrics for metrics in found)]
        return {name: spread([metrics[name] for metrics in found]) for name in names}


def spread(values: Sequence[float]) -> Spread:
    """Mean and sample standard deviation of at least one value; not a number where one of them is none."""
    finite = all(map(math.isfinite, values))
    deviation = (statistics.stdev(values) if finite else math.nan) if len(values) > 1 else None
    return Spread(statistics.fmean(values), deviation, len(values))


def train_seeds(
    recipe: str | Path,
    output: str | Path | None = None,
    *,
    seeds: Sequence[int],
    overwrite: bool = False,
    start_from: str | Path | None = None,
    extend_vocab: bool = False,
    device: str = "auto",
    threads: int | None = None,
    precision: Precision = "float32",
    listener: Listener | None = None,
    trust: Collection[str] = (),
    overrides: Sequence[str] | Mapping[str, Any] = (),
    **sections: Any,
) -> SeedRuns:
    """Train a recipe once for each of several seeds, one after the other.

    Each run reads its data anew, so that it is the run that `train` with this seed alone would be. One that fails (its
    loss is no number, say) is named, and the others are trained all the same.

    Args:
        recipe: A name of `anyseq recipes`, or a YAML file.
        output: The folder to make, with a model folder for each seed; by default `runs/` and the recipe's name.
        seeds: Values of `training.seed`.
        overwrite: Remove the run or runs that are already there.
        start_from, extend_vocab, device, threads, precision, listener, trust, overrides, sections: As for `train`.

    Raises:
        UsageError: the seeds are no different whole numbers; and whatever `train` raises before its first step.
        Interrupted: a signal stopped it; `resume_seeds` goes on.
        RunError: every seed failed.
    """
    folder = default_folder(recipe) if output is None else Path(output)
    _refuse_ranks()
    _refuse_seeds(seeds, [*_keys(overrides), *_keys(sections)])
    for each in (folder, *(_run(folder, seed) for seed in seeds)):
        refuse_existing(each, overwrite)
    sections = _lasting(sections)
    if isinstance(overrides, Mapping) or not overrides:
        overrides = _lasting(overrides if isinstance(overrides, Mapping) else {})
    configs = {seed: read_recipe(recipe, _with_seed(overrides, seed), sections) for seed in seeds}
    name, listener = recipe_name(recipe), listener or Silent()
    how: dict[str, Any] = {"device": device, "threads": threads, "precision": precision, "listener": listener}
    origin = None if start_from is None else str(start_from)
    begins: dict[str, Any] = {"start_from": origin, "extend_vocab": extend_vocab}
    about = {"seeds": list(seeds), "recipe": name, **begins}

    def begin(run: Path) -> None:
        """The first run can begin: what was there goes."""
        clear(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / PLAN, dump(configs[seeds[0]], about))
        clear(run)

    def start(seed: int, run: Path) -> None:
        claim = begin if seed == seeds[0] else clear
        train_as(configs[seed], name, run, claim=claim, trust=trust, **begins, **how)

    with claimed(folder, listener.noted):
        return _each(folder, seeds, seeds, start, listener)


def resume_seeds(
    folder: str | Path,
    *,
    device: str = "auto",
    threads: int | None = None,
    precision: Precision = "float32",
    listener: Listener | None = None,
    overrides: Sequence[str] | Mapping[str, Any] = (),
    trust: Collection[str] = (),
) -> SeedRuns:
    """Go on with what `train_seeds` was stopped in: the run it was at, and those after it. What is finished stays.

    Args:
        folder: That `train_seeds` made.
        device, threads, precision, listener: As for `train`.
        overrides: Where the (same) data are now: keys of `data` alone, for all seeds are to learn by the same settings.
        trust: Modules that parts from outside anyseq may come from.

    Raises:
        ModelFolderError: it is no such folder, or is damaged.
        UsageError: something else is to change.
    """
    folder = Path(folder)
    _refuse_ranks()
    name, seeds, begins = _plan(folder)
    if other := [key for key in _keys(overrides) if not key.startswith("data.")]:
        raise UsageError(
            f"{', '.join(other)} cannot change: all seeds are to learn by the same settings; what may: data.*"
        )
    listener = listener or Silent()
    how: dict[str, Any] = {"device": device, "threads": threads, "precision": precision, "listener": listener}

    def start(seed: int, run: Path) -> None:
        if Checkpoints(run, keep=1).named("last") is not None:
            resume(run, overrides=overrides, trust=trust, **how)
            return
        config = load_recipe(folder / PLAN, _with_seed(overrides, seed))
        if lost := given_from_python(config):
            raise ModelFolderError(
                f"{', '.join(lost)} of {folder} came from Python objects, which no file holds; go on from Python, "
                "giving the same again: anyseq.resume_seeds(folder, overrides={'data.train': ...})"
            )
        train_as(config, name, run, trust=trust, **begins, **how)

    left = [seed for seed in seeds if _figures(_run(folder, seed)) is None]
    if not left:
        listener.noted(f"nothing is left to train: every seed of {folder} is finished")
    with claimed(folder, listener.noted):
        return _each(folder, seeds, left, start, listener)


def read_seeds(folder: Path) -> SeedRuns:
    """What the runs of a folder have come to so far.

    Raises:
        ModelFolderError: it is none that `train_seeds` made, or is damaged.
    """
    _, seeds, _ = _plan(folder)
    failed, _ = read_mapping(folder / FIGURES)
    return _found(folder, seeds, {int(seed): why for seed, why in failed.get("failed", {}).items()})


def _refuse_ranks() -> None:
    if launch().several:
        raise UsageError("--seeds trains in one process: start it without torchrun, or each seed by itself with it")


def _each(
    folder: Path, seeds: Sequence[int], left: Sequence[int], start: Callable[[int, Path], None], listener: Listener
) -> SeedRuns:
    """Make the runs that are left, one after the other, and keep what they come to."""
    failed: dict[int, str] = {}
    for seed in left:
        run = _run(folder, seed)
        listener.noted(f"seed {seed} ({seeds.index(seed) + 1} of {len(seeds)}): {run}")
        try:
            start(seed, run)
        except Interrupted as error:
            number = error.exit_code - 128
            raise Interrupted(f"seed {seed}: {str(error).replace(str(run), str(folder))}", number) from None
        except KeyboardInterrupt:
            how = f"go on with: anyseq train --resume {folder}" if holds_seeds(folder) else "nothing was written yet"
            raise Interrupted(f"seed {seed}: stopped by SIGINT between its updates; {how}", signal.SIGINT) from None
        except RunError as error:
            failed[seed] = str(error)
            listener.noted(f"seed {seed} failed, the others go on: {error}", "error")
        found = _found(folder, seeds, failed)
        _write(found)
    found = _found(folder, seeds, failed)
    if len(failed) == len(seeds):
        raise RunError(f"every seed failed; the first: {failed[seeds[0]]}")
    return found


def _found(folder: Path, seeds: Sequence[int], failed: Mapping[int, str]) -> SeedRuns:
    figures = {seed: _figures(_run(folder, seed)) for seed in seeds}
    return SeedRuns(folder, seeds, {seed: each for seed, each in figures.items() if each is not None}, dict(failed))


def _run(folder: Path, seed: int) -> Path:
    return folder / f"seed_{seed}"


def _figures(run: Path) -> Mapping[str, Metrics] | None:
    """What a finished run came to; None: it is not finished."""
    results, _ = read_mapping(run / "results.json")
    if not results or results.get("step") != Checkpoints(run, keep=1).named("last"):
        return None
    metrics = {split: results[split]["metrics"] for split in _SPLITS if split in results}
    return {split: {name: float(value) for name, value in found.items()} for split, found in metrics.items()}


def _write(found: SeedRuns) -> None:
    splits = {"dev": found.dev, "test": found.test}
    summary = {split: {name: asdict(each) for name, each in metrics.items()} for split, metrics in splits.items()}
    about: dict[str, Any] = {"seeds": list(found.seeds), **summary, "runs": found.runs, "failed": found.failed}
    write_atomically(found.folder / FIGURES, json.dumps(about, ensure_ascii=False, indent=1) + "\n")


def _plan(folder: Path) -> tuple[str, list[int], dict[str, Any]]:
    """Name of the recipe, seeds, and what `train_as` is to start from.

    Raises:
        ModelFolderError: nobody says so here.
    """
    file = folder / PLAN
    if not file.is_file():
        raise ModelFolderError(f"{folder} holds no {PLAN}: it is none that `train --seeds` made")
    try:
        about = recipe_tree(file).plain()["about"]
        begins = {"start_from": about["start_from"], "extend_vocab": about.get("extend_vocab", False)}
        return str(about["recipe"]), [int(seed) for seed in about["seeds"]], begins
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        raise ModelFolderError(f"{file}: damaged ({error}); each run in it can be gone on with by itself") from error


def _refuse_seeds(seeds: Sequence[int], keys: Sequence[str]) -> None:
    faults = [
        *(f"{seed!r} is none" for seed in seeds if type(seed) is not int or not 0 <= seed <= LARGEST_SEED),
        *(f"{seed} stands there twice" for seed, count in Counter(seeds).items() if count > 1),
        *(() if seeds else ("none is given",)),
    ]
    if faults:
        what = "seeds are different whole numbers from 0 to"
        raise UsageError(f"{what} {LARGEST_SEED}, as in 1,2,3: {', '.join(faults)}")
    if "training.seed" in keys:
        raise UsageError("training.seed and several seeds contradict each other: leave training.seed out")


def _keys(overrides: Sequence[str] | Mapping[str, Any]) -> Iterator[str]:
    """Dotted names of what overrides set: words, or a nested mapping."""
    if not isinstance(overrides, Mapping):
        yield from (word.partition("=")[0] for word in overrides)
        return
    for name, value in overrides.items():
        yield from (f"{name}.{key}" for key in _keys(value)) if isinstance(value, Mapping) else (name,)


def _with_seed(overrides: Sequence[str] | Mapping[str, Any], seed: int) -> Sequence[str] | Mapping[str, Any]:
    if isinstance(overrides, Mapping):
        return {**overrides, "training.seed": seed}
    return [*overrides, f"training.seed={seed}"]


def _lasting(given: Mapping[str, Any]) -> dict[str, Any]:
    """The same, with what can be read but once as lists: every seed reads it."""
    return {
        key: _lasting(value) if isinstance(value, Mapping) else list(value) if isinstance(value, Iterator) else value
        for key, value in given.items()
    }
