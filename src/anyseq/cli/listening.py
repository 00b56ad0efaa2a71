"""Models that listen: to standard input as it comes, and to recordings."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from anyseq.cli.notices import Notices
from anyseq.cli.plotting import Plot
from anyseq.cli.sources import source_windows
from anyseq.data.lines import STANDARD_INPUT
from anyseq.errors import DataError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from anyseq.api import Predictor
    from anyseq.tasks.spot.listener import Detection

    Write = Callable[[str, Iterable[Detection]], None]

_AT_ONCE = 1 << 16  # bytes of standard input, where so many are there
_WIDTH = 2  # bytes of a sample


def listen(
    predictor: Predictor, source: str, form: str, give: Callable[[str], None], picture: Plot, **search: Any
) -> None:
    """Write a line for each detection, as soon as it is made.

    Args:
        predictor: Of a model that listens.
        source: `-`: raw sound; a WAV file; a folder of such, or a file with a name a line.
        form: `text` or `jsonl`.
        give: Writes a line at once.
        picture: Is shown what was heard.
        search: Search settings by name.

    Raises:
        DataError: standard input is no raw sound.
    """

    keyword = dict(predictor.task.config)["data"].keyword

    def write(name: str, detections: Iterable[Detection]) -> None:
        for each in detections:
            if form == "jsonl":
                fields = {"input": name, "output": keyword, "time_s": round(each.time_s, 3), "score": each.score}
                give(json.dumps(fields, ensure_ascii=False))
            else:
                give(f"{name}\t" * (name != STANDARD_INPUT) + f"{each.time_s:.2f}\t{each.score:.4f}")

    if source == STANDARD_INPUT:
        _live(predictor, write, picture, **search)
        return
    from anyseq.core import Item

    notices = Notices(None)
    number = 0
    for window in source_windows(source, predictor.task):
        for name in filter(None, map(str.strip, window)):
            number += 1
            try:
                _recording(predictor, name, write, notices, **search)
            except DataError as fault:
                if len(window) == 1 and name == source:
                    raise
                notices.unreadable(str(fault))
                continue
            if picture.wanted:
                item = Item({"source": name}, number - 1, name)
                list(picture.seen([item], predictor.predict_items([item], 1, **search)))
    notices.close()


def _recording(predictor: Predictor, name: str, write: Write, notices: Notices, **search: Any) -> None:
    for remark in dict(predictor.task.config)["codec"].source.remarks([name]):
        notices.tell(f"{name}: {remark}")
    for found in predictor.listener(**search).whole(name):
        write(name, found)


def _live(predictor: Predictor, write: Write, picture: Plot, **search: Any) -> None:
    """Hear standard input, whatever comes at a time."""
    import numpy as np

    from anyseq.core import Item

    listener, heard = predictor.listener(**search), list[np.ndarray]()
    for samples in _samples():
        if picture.wanted:
            heard.append(samples)
        write(STANDARD_INPUT, listener.feed(samples))
    write(STANDARD_INPUT, listener.end())
    if heard:
        item = Item({"source": np.concatenate(heard)}, 0, "standard input")
        list(picture.seen([item], predictor.predict_items([item], 1, **search)))


def _samples() -> Iterator[np.ndarray]:
    """Samples from standard input, read from the descriptor itself, so that no buffer keeps them back.

    Raises:
        UsageError: it is a terminal.
        DataError: it is a WAV file.
    """
    import numpy as np

    if sys.stdin.isatty():
        raise UsageError(
            "standard input is a terminal, and this model hears sound: give --input FILE.wav, or pipe raw 16-bit mono "
            "samples in (arecord -q -t raw -f S16_LE -r RATE | anyseq predict MODEL --input -)"
        )
    rest, first = b"", True
    while chunk := os.read(sys.stdin.fileno(), _AT_ONCE):
        rest += chunk
        if first and len(rest) >= len(b"RIFF"):
            first = False
            if rest.startswith(b"RIFF"):
                raise DataError("this is a WAV file, not raw sound; give its name: --input FILE.wav", "standard input")
        whole = len(rest) // _WIDTH * _WIDTH
        if whole:
            yield np.frombuffer(rest[:whole], dtype="<i2").astype(np.int16)
        rest = rest[whole:]
    if rest:
        print("anyseq: warning: standard input ended within a sample; is it raw 16-bit sound?", file=sys.stderr)
