"""Model folders: which are some, and what of them is a run's own. Without torch, so that a slip is told at once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from anyseq.config import load_resolved, read_about
from anyseq.core.launch import launch
from anyseq.errors import ModelFolderError, OutputExistsError

FORMAT = 1
"""Version of the model folder; what a reader does not know it refuses."""
PLAN, FIGURES = "seeds.yaml", "seeds.json"
"""Of several runs in one folder, each for a seed: the resolved recipe and the seeds, and what came of them."""
OF_A_RUN = (
    *("config.yaml", "codecs", "left_out.tsv", "data_files.tsv", "metrics.jsonl", "incidents.jsonl", "checkpoints"),
    *("best", "last", "results.json", "training.html", "tensorboard", PLAN, FIGURES),
)


def home_and_about(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The model folder that a folder is, or is a step of, and what it says about itself."""
    home = folder
    if not (folder / "config.yaml").exists() and folder.resolve().parent.name == "checkpoints":
        home = folder.resolve().parent.parent
    if not (home / "config.yaml").is_file():
        if runs := sorted(map(str, home.glob("seed_*"))) if holds_seeds(home) else []:
            raise ModelFolderError(f"{folder} holds a model for each of several seeds; give one: {', '.join(runs)}")
        if any((home / name).exists() for name in ("codecs", "checkpoints", ".lock")):
            raise ModelFolderError(
                f"{home} holds no config.yaml: its run was stopped before it had begun, or only a part was copied: "
                "start it again (anyseq train RECIPE --output DIR --overwrite), or copy the model folder again, whole"
            )
        load_resolved(home)  # says that it is no model folder
    about = read_about(home)
    if about.get("format") != FORMAT:
        by = f" (written by anyseq {about['anyseq']})" if "anyseq" in about else ""
        found = "says no format" if "format" not in about else f"is of format {about['format']}{by}"
        remedy = "copy the model folder again, whole" if "format" not in about else "use the version that wrote it"
        raise ModelFolderError(
            f"{home / 'config.yaml'} {found}; this version of anyseq reads format {FORMAT}: {remedy}"
        )
    return home, about


def default_folder(recipe: str | Path) -> Path:
    """Where a recipe's run goes unless told otherwise: `runs/` and the recipe's name."""
    name = str(recipe)
    return Path("runs") / (Path(name).stem if name.endswith((".yaml", ".yml")) else name)


def refuse_existing(folder: Path, overwrite: bool, go_on: str = "go on with it (--resume {folder})") -> None:
    """Refuse an output that is taken.

    Args:
        folder: The output.
        overwrite: Whether a run in it may go.
        go_on: What else can be done with the run that is there.

    Raises:
        OutputExistsError: it is a file, or holds a run and `overwrite` is off.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputExistsError(f"{folder} is a file; choose another --output")
    if not overwrite and any((folder / name).exists() for name in OF_A_RUN):
        raise OutputExistsError(
            f"{folder} already holds a run: {go_on.format(folder=folder)}, choose another --output, or --overwrite"
        )


def holds_seeds(folder: Path) -> bool:
    """Whether a folder holds runs of one recipe with several seeds, as `train_seeds` makes them."""
    return (folder / PLAN).is_file()


def begun_before(folder: Path) -> bool:
    """Whether torchrun has started its processes anew, and those before had begun the run in this folder."""
    launched = launch()
    if not launched.restarts or launched.identity is None or not (folder / "config.yaml").is_file():
        return False
    return read_about(folder).get("launch") == launched.identity


def about_launch() -> dict[str, str]:
    """What a model folder says of who began it, for `begun_before`."""
    identity = launch().identity
    return {} if identity is None else {"launch": identity}


def clear(folder: Path) -> None:
    """Remove a run, and nothing else that may be in the folder; of what is elsewhere (a link), the link.

    Of several runs in one folder, each for a seed, every one.
    """
    if holds_seeds(folder):
        for run in (each for each in folder.glob("seed_*") if each.is_dir() and not each.is_symlink()):
            clear(run)
            if not any(run.iterdir()):
                run.rmdir()
    for name in OF_A_RUN:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
