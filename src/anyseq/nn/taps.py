"""Taps: named places of a model at which what it computes can be seen.

A module taps a value (`tap(self, "weights", lambda: ...)`); whoever wants to see it listens to a model:

    with Listener(model, ("weights",)) as listener:
        model.decoder.unroll(...)
    listener.heard["decoder.layers.0.cross_attention.weights"]

While nobody listens a tap computes nothing and adds no operator: what it would show is a function that is not called.
What has a fused kernel that cannot show its inside (a gate) takes the explicit path while somebody listens for it.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import torch
from torch import Tensor, nn

_lock = threading.Lock()
_in_thread = threading.local()
# How many listen, in all threads: so that silence is one look at a number, which compiled code can rely on.
_listeners = 0


def wanted(kind: str) -> bool:
    """Whether somebody in this thread listens for values of a kind (the first part of their names)."""
    return _listeners > 0 and any(kind in listener.kinds for listener in _present())


def tap(module: nn.Module, name: str, value: Callable[[], Any]) -> None:
    """Show a value to those who listen for its kind to a model that this module is part of.

    Args:
        module: Whose value it is.
        name: What it is: its kind, and what follows behind a point (`gates.forget`).
        value: Gives it; called only where somebody wants it.
    """
    if _listeners > 0:
        kind = name.partition(".")[0]
        for listener in _present():
            if kind in listener.kinds:
                listener.hear(module, name, value)


def _present() -> list[Listener]:
    return getattr(_in_thread, "listeners", [])


class Listener:
    """Keeps what a model's taps show, in this thread, while the context lasts.

    Args:
        model: Whose modules are listened to; those of others are not heard.
        kinds: Kinds of values: `weights`, `pointers`, `gates`, `state`, `embedded`, `search`, ...

    Attributes:
        heard: What was shown, by the module's path in the model and the value's name (`decoder.reader.weights`), in
            the order it was shown: a recurrent cell shows its gates once at every step.
    """

    def __init__(self, model: nn.Module, kinds: Sequence[str]) -> None:
        self.kinds = frozenset(kinds)
        self.heard: dict[str, list[Any]] = defaultdict(list)
        self._paths = {module: _path(path) for path, module in model.named_modules()}

    def hear(self, module: nn.Module, name: str, value: Callable[[], Any]) -> None:
        """Keep a value, if the module is one of the model's."""
        path = self._paths.get(module)
        if path is not None:
            self.heard[f"{path}.{name}" if path else name].append(value())

    def sequence(self, path: str) -> Tensor:
        """What was shown step by step, [row, ...] each, as one: [row, step, ...]."""
        return torch.stack(self.heard[path], 1)

    def __enter__(self) -> Self:
        global _listeners
        _in_thread.listeners = [*_present(), self]
        with _lock:
            _listeners += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        global _listeners
        _in_thread.listeners = [each for each in _present() if each is not self]
        with _lock:
            _listeners -= 1


def _path(path: str) -> str:
    """As people read it: `_decoder.reader` is `decoder.reader`."""
    return ".".join(part.lstrip("_") for part in path.split("."))
