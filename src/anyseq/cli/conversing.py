"""`predict --interactive`: a line, a reply, and what was said before is known."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from anyseq.cli.lines import windows
from anyseq.cli.notices import Notices
from anyseq.data.lines import STANDARD_INPUT

if TYPE_CHECKING:
    from anyseq.api import Prediction, Predictor

_PROMPT = "> "


def converse(
    predictor: Predictor,
    path: str,
    reply: Callable[[int, Prediction], object],
    notices: Notices,
    *,
    alignments: bool,
    **search: Any,
) -> None:
    """Answer the lines of a file or of standard input, each before the next is read.

    Args:
        predictor: The model.
        path: The file; `-` is standard input. A person at a terminal is prompted.
        reply: Gives the n-th reply out, at once.
        notices: Takes the replies in.
        alignments: Whether to align each reply with its source.
        search: Search settings by name.
    """
    from anyseq.api import Conversation

    at_terminal = path == STANDARD_INPUT and sys.stdin.isatty()
    _say(_kind(predictor.task.turns) + (" Ctrl-D ends." if at_terminal else ""))
    talk = Conversation(predictor, alignments=alignments, **search)
    _prompt(at_terminal)
    for number, [line] in enumerate(windows(path, 1), 1):
        found = talk.say(line)
        notices.see(f"line {number}", found)
        reply(number, found)
        _prompt(at_terminal)
    notices.close()


def _kind(turns: int) -> str:
    if turns:
        return f"a reply knows the last {turns} turns; an empty line begins a new conversation."
    return "this is no model of dialogues: each line is answered by itself."


def _say(text: str) -> None:
    print(f"anyseq: {text}", file=sys.stderr)


def _prompt(at_terminal: bool) -> None:
    if at_terminal:
        print(_PROMPT, end="", file=sys.stderr, flush=True)
