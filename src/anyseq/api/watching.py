"""Who else hears of a run while it trains: the page with its curves, and TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anyseq.config import plain, read_about
from anyseq.errors import UsageError
from anyseq.tasks.base import Task
from anyseq.tasks.fitting import deciding_metric
from anyseq.tasks.settings import TaskConfig
from anyseq.training.checkpoint import read_mapping
from anyseq.training.curves import PAGE, About, write_page
from anyseq.training.events import TensorBoard
from anyseq.training.progress import Listener, Several, Silent


def watched(listener: Listener, config: TaskConfig, folder: Path, resumed_at: int | None = None) -> Listener:
    """A listener, and what else a run's settings want to hear of it.

    Args:
        listener: The user's; hears of everything first.
        config: The run's settings.
        folder: Its folder.
        resumed_at: The step it goes on from; None: from the beginning.

    Raises:
        MissingExtraError: a package that the settings want is not installed.
    """
    others: list[Listener] = [Curves(folder, config, listener)]
    if config.training.tensorboard:
        others.append(TensorBoard(folder, resumed_at))
    return Several(listener, *others)


def facts_to_watch(task: Task) -> dict[str, Any]:
    """What a model folder says of a run so that it can be compared with others without being loaded."""
    decides, higher_is_better = deciding_metric(task)
    parameters = sum(parameter.numel() for parameter in task.model.parameters())
    return {"parameters": parameters, "decides": decides, "higher_is_better": higher_is_better}


class Curves(Silent):
    """Keeps a run's `training.html` as new as its last validation.

    Args:
        folder: The run's.
        config: Its settings.
        listener: Is told where the page cannot be written.
    """

    def __init__(self, folder: Path, config: TaskConfig, listener: Listener) -> None:
        self.folder, self.config, self.listener = folder, config, listener

    def validated(self, step: int, metrics: Mapping[str, float], best: bool) -> None:
        """Draw it anew."""
        most = self.config.training.max_steps
        state = f"training, step {step:,}" + (f" of {most:,}" if most is not None else "")
        draw_curves(self.folder, self.config, state, self.listener)

    def ended(self, reason: str) -> None:
        """Draw it anew."""
        draw_curves(self.folder, self.config, f"training ended: {reason}", self.listener)


def draw_curves(folder: Path, config: TaskConfig, state: str, listener: Listener) -> None:
    """Write a run's `training.html`; where that fails, training goes on all the same, and the listener is told why.

    Args:
        folder: The run's, with its `config.yaml`.
        config: Its settings.
        state: How it stands, in a line. With `finished` in front its results are told, too.
        listener: Is told.
    """
    try:
        about = read_about(folder)
        results = read_mapping(folder / "results.json")[0] if state.startswith("finished") else {}
        figures = {str(name): results[name]["metrics"] for name in ("dev", "test") if name in results}
        title = f"{about.get('recipe') or 'a run'}: {folder.resolve().name}"
        write_page(folder, About(title, state, plain(config), figures, about.get("decides")))
    except (OSError, UsageError) as error:
        listener.noted(f"{folder / PAGE} could not be written ({error}); training goes on without it", "warning")
