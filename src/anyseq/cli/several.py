"""Verbs under torchrun: several processes give one command, and the first of them speaks and writes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import wraps
from pathlib import Path
from typing import Any

import typer

from anyseq.core.launch import launch
from anyseq.errors import Interrupted, UsageError

# What a verb would write to, by the name of its parameter, and what stands for nowhere.
_NOWHERE: Mapping[str, Any] = {"plot": None, "files": None, "json_file": None, "output_file": os.devnull}


def in_ranks(verb: Callable[..., None]) -> Callable[..., None]:
    """A verb that several processes may work on together; all but the first do so in silence."""

    @wraps(verb)
    def call(**values: Any) -> None:
        if not launch().several:
            verb(**values)
            return
        from anyseq.core import ranks

        with ranks.together():
            if launch().first:
                verb(**values)
                return
            values |= {name: nowhere for name, nowhere in _NOWHERE.items() if name in values}
            with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
                try:
                    verb(**values)
                except Interrupted as stopped:  # of which the first tells
                    raise typer.Exit(stopped.exit_code) from None

    vars(call)["in_ranks"] = True
    return call


def refuse_alone(verbs: Sequence[Callable[..., None]], words: Sequence[str]) -> None:
    """Refuse under torchrun what each process would do by itself, all of it, over the others.

    Raises:
        UsageError: so it is.
    """
    able = [each.__name__ for each in verbs if vars(each).get("in_ranks")]
    other = [each.__name__ for each in verbs if each.__name__ in words[:1] and each.__name__ not in able]
    if launch().several and other:
        raise UsageError(
            f"{other[0]} is done by one process: leave out torchrun (what several do together: {', '.join(able)})"
        )


def refuse_in_ranks(why: Mapping[str, object]) -> None:
    """Refuse under torchrun what has one input that comes bit by bit.

    Args:
        why: What it is, and whether it was asked for.

    Raises:
        UsageError: so it is.
    """
    asked = [what for what, wanted in why.items() if wanted]
    if launch().several and asked:
        raise UsageError(f"{' and '.join(asked)}: for one process; leave out torchrun")
