"""Parts of a model that are not trained."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn

from anyseq.errors import ConfigError


class Frozen:
    """Takes parameters out of training: they get no gradient, no decay, and stay bit for bit.

    A part all of whose parameters are frozen is at rest: without dropout, and with the running statistics it has, so
    that it gives what it gives when predicting. (Only dropout inside of torch's own recurrent layers goes on: they
    cannot pass a gradient on to what they read from when they are at rest on a GPU.)

    Args:
        model: Whose.
        patterns: Names of parameters, or of parts (what names begin with, up to a dot); `*` stands for anything.

    Raises:
        ConfigError: a pattern names nothing, or nothing is left to train.
    """

    def __init__(self, model: nn.Module, patterns: Sequence[str]) -> None:
        named = {_plain(name): each for name, each in model.named_parameters(remove_duplicate=False)}
        for pattern in patterns:
            found = [name for name in named if _names(_plain(pattern), name)]
            if not found:
                raise ConfigError(_unknown(pattern, list(named)))
            for name in found:
                named[name].requires_grad_(False)
        each = list(model.parameters())
        self.total = sum(parameter.numel() for parameter in each)
        self.trained = sum(parameter.numel() for parameter in each if parameter.requires_grad)
        if patterns and not self.trained:
            raise ConfigError("training.freeze: nothing of the model is left to train; freeze less")
        frozen = [module for module in model.modules() if patterns and _all_frozen(module)]
        parts = {id(part): part for module in frozen for part in module.modules()}
        self.resting = [part for part in parts.values() if not isinstance(part, nn.RNNBase)]

    def rest(self) -> None:
        """Put frozen parts at rest again, after the whole model was told to train."""
        for module in self.resting:
            module.training = False

    @property
    def note(self) -> str:
        """How much is trained."""
        return f"{self.trained:,} of {self.total:,} parameters are trained, the others are frozen (training.freeze)"


def _plain(name: str) -> str:
    """A name as a person writes it: `decoder.stack`, whatever is private in the code."""
    return ".".join(part.lstrip("_") for part in name.split("."))


def _names(pattern: str, name: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def _all_frozen(module: nn.Module) -> bool:
    parameters = list(module.parameters())
    return bool(parameters) and not any(parameter.requires_grad for parameter in parameters)


def _unknown(pattern: str, names: Sequence[str]) -> str:
    """What is wrong with a pattern: the nearest names, and the parts there are."""
    pieces = [name.split(".") for name in names]
    known = {".".join(each[:depth]): None for each in pieces for depth in range(1, len(each) + 1)}
    near = difflib.get_close_matches(pattern, known, n=3)
    meant = f"is this meant: {', '.join(near)}? " if near else ""
    parts = dict.fromkeys(each[0] for each in pieces)
    inner = dict.fromkeys(".".join(each[:2]) for each in pieces)
    return (
        f"training.freeze: no parameter is named {pattern!r}; {meant}The parts are {', '.join(parts)}; in them "
        f"{', '.join(list(inner)[:12])}"
    )
