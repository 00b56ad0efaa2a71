"""The entry point `anyseq`."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anyseq.cli.average import average
from anyseq.cli.blend import blend
from anyseq.cli.check import check
from anyseq.cli.demo import demo
from anyseq.cli.embed import embed
from anyseq.cli.evaluate import evaluate
from anyseq.cli.failures import CLOSED_PIPE, INTERRUPTED, explain
from anyseq.cli.info import info
from anyseq.cli.inspect import inspect
from anyseq.cli.options import verb
from anyseq.cli.predict import predict
from anyseq.cli.prepare import prepare
from anyseq.cli.recipes import recipes
from anyseq.cli.score import score
from anyseq.cli.several import refuse_alone
from anyseq.cli.train import train
from anyseq.core.launch import launch

if TYPE_CHECKING:
    from anyseq.core import PartConfig

VERBS = (recipes, prepare, train, predict, evaluate, score, check, inspect, embed, blend, average, info, demo)
_SEARCHING = {"predict", "evaluate", "score", "inspect"}


def build(search: type[PartConfig] | None = None) -> typer.Typer:
    """Make the command line.

    Args:
        search: The search settings whose fields become flags; None leaves the flags out.
    """
    app = typer.Typer(
        help="Any sequence in, any sequence out: fold a sequence into memory, unfold it into another.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_about)
    for function in VERBS:
        app.command(function.__name__, short_help=(function.__doc__ or "").splitlines()[0])(verb(function, search))
    return app


def main(words: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code.

    Args:
        words: The arguments; None takes those of the process.
    """
    words = sys.argv[1:] if words is None else list(words)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # parts from outside: my_module.py beside the recipe
    try:
        refuse_alone(VERBS, words)
        code = build(_search_settings(words))(words, standalone_mode=False, prog_name="anyseq") or 0
        sys.stdout.flush()
        if code == INTERRUPTED:  # of which typer makes a code and no word
            _say("interrupted")
    except BrokenPipeError:
        return _closed_pipe()
    except SystemExit as error:  # typer's own way to end on a closed pipe
        return _closed_pipe() if error.code == 1 else int(error.code or 0)
    except typer.TyperException as error:  # a misused option; its own text names the nearest
        text = error.format_message().replace("Value error, ", "")
        if text:  # none where there were no words at all, which shows the help
            first = words[0].startswith("-")
            _say(text + ("; options stand behind the verb: anyseq predict MODEL --threads 1" if first else ""))
        return error.exit_code
    except BaseException as error:
        if "--debug" in words:
            traceback.print_exc()
        text, code = explain(error)
        _say(text)
    return int(code)


def _search_settings(words: Sequence[str]) -> type[PartConfig] | None:
    """The search settings, where the verb has search flags: they cost the import of torch."""
    if not words or words[0] not in _SEARCHING:
        return None
    from anyseq.tasks.choosing import DecodingConfig

    return DecodingConfig


def _show_version(wanted: bool) -> bool:
    if wanted:
        typer.echo(f"anyseq {version('anyseq')}")
        raise typer.Exit
    return wanted


def _about(
    version_: Annotated[
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    pass


def _say(text: str) -> None:
    who = f"rank {launch().rank}: " if launch().several else ""
    print(f"anyseq: {who}{text}", file=sys.stderr)


def _closed_pipe() -> int:
    """Whoever read our output has gone: end quietly (what is still buffered goes nowhere)."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return CLOSED_PIPE
