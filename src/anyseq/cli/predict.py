"""`anyseq predict`: a filter, line in, line out."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TextIO

import typer

from anyseq.cli.conversing import converse
from anyseq.cli.filing import Files, FilesFolder
from anyseq.cli.lines import waiting
from anyseq.cli.listening import listen
from anyseq.cli.notices import Notices
from anyseq.cli.options import Everywhere, ModelFolders, find, load, refuse_homeless, refuse_to_replace
from anyseq.cli.plotting import Plot, PlotFile
from anyseq.cli.reranking import Reranking
from anyseq.cli.several import in_ranks, refuse_in_ranks
from anyseq.cli.sources import is_folder, readable, source_windows, warn_of_table
from anyseq.cli.tables import predict_tables, refuse_for_tables
from anyseq.data.lines import STANDARD_INPUT, opened
from anyseq.errors import DataError, UsageError

if TYPE_CHECKING:
    from anyseq.api import Prediction, Predictor
    from anyseq.core import Item
    from anyseq.data.prefixes import Step
    from anyseq.tasks.base import Task
    from anyseq.tasks.choosing import Alternative


@in_ranks
def predict(
    run: Everywhere,
    search: dict[str, Any],
    models: ModelFolders,
    others: Reranking,
    input_file: Annotated[
        str | None,
        typer.Option(
            "--input", metavar="FILE|DIR|-", show_default="-",
            help="Sources, one a line (plain or .gz); - is stdin. Where sources are pictures, recordings or "
            "music, a file, names of files, one a line, or a folder. Of a language model prompts; without, no prompt. "
            "Of a model that listens - is the sound itself.",
        ),
    ] = None,
    output_file: Annotated[
        str, typer.Option("--output", metavar="FILE|-", help="Written as it comes; - is stdout.")
    ] = "-",
    form: Annotated[
        Literal["text", "jsonl"], typer.Option("--format", help="Lines of text, or of JSON with the scores.")
    ] = "text",
    alignments: Annotated[
        Literal["hard", "soft"] | None,
        typer.Option(help="Add which words of the source each word comes from: pairs, or weights (attention)."),
    ] = None,
    every_step: Annotated[
        Literal["words", "sentences", "frames"] | None,
        typer.Option(help="Show the output after each word, or each sentence, of the source; of music frames."),
    ] = None,
    interactive: Annotated[
        bool, typer.Option("--interactive", help="Talk: each line is answered at once, knowing the turns before it.")
    ] = False,
    plot: PlotFile = None,
    files: FilesFolder = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing output file.")] = False,
) -> None:
    """Predict line by line: one line out for each line in, in order; an empty line gives an empty line.

    Lines are read in windows and each window's results are written at once, so that a run that is stopped leaves
    what it has done; stdin is answered line by line on a terminal. With --n-best or --samples above 1 the text format
    has several lines for a line: its number, the score (or what else ranks it, with --mbr and --rerank-with), and the
    output, with tabs between.

    Where sources are pictures, recordings or music, of a folder each output stands behind its file's name; what cannot
    be read is warned of and gives an empty output; a beginning that cannot be read (of music) is refused.

    With --every-step each line is read again from its beginning to each word's (or sentence's) end: how a label turns
    as the text goes on; or as music does, frame by frame. A line of output is the number of the source, how many words,
    sentences or frames were read, the probability of the output, the output, and what was read.

    A language model has no source. Without --input it writes the likeliest text, or as many as --samples says, one a
    line; with --input the lines are prompts, and each output begins with its own.

    With --alignments a column follows, behind a tab: `hard` pairs source-output, counted from 0, for each word of the
    output the source word whose pieces it looked at most (`0-0 2-1`); `soft` the weights of all source words for each
    word of the output (`0.9,0.1 0.2,0.8`; what lacks to 1 looked at the source's end). Where a codec has characters,
    these are aligned. In jsonl it is a field.

    With --interactive the last turns, yours and the model's, are the source of the next reply, as many as the setting
    `turns` of a model of dialogues says; the output of a line is written before the next is read. An empty line begins
    a new conversation, and gives an empty line. A model of other uses answers each line by itself.

    Several processes share the lines, and the first writes what one would have written: torchrun --standalone
    --nproc-per-node 2 -m anyseq predict MODEL --input FILE.

    A model that listens writes a line for each detection, as soon as it is made: the recording, the time in seconds,
    and the score, with tabs between. With --input - it hears raw sound, 16-bit little-endian mono samples at the rate
    of its codec, and the line has no recording.

    A model of series reads a CSV with a header, as it was trained on, and writes one: a row for each date and variable
    to come, with the ends of an interval (--format jsonl: an object for each row).

    With --plot all predictions are drawn when the input has ended, where the model's use has a picture of them. With
    --files each is written into a folder as well, where it may be more than a text (music: as 1.mid, 2.mid, ..., by the
    number of the line, or of line and output: 1-1.mid, 1-2.mid).
    """
    source = STANDARD_INPUT if input_file is None else input_file
    _check_files(source, output_file, overwrite)
    _refuse_together(interactive, every_step is not None, plot is not None or files is not None)
    picture, written = Plot(plot, overwrite), Files(files, overwrite)
    find(models)
    from anyseq.core import ranks

    predictor = load(run, models, search, **others.loading)
    task, several = predictor.task, predictor.several(predictor.settings(**search))
    picture.refuse(task)
    written.refuse(task)
    if alignments is not None:
        predictor.refuse_without_attention()
    if task.hears and (interactive or every_step is not None):
        raise UsageError("a model that listens hears sound as it comes: leave out --interactive and --every-step")
    refuse_in_ranks({"--interactive": interactive, "a model that listens": task.hears})
    if every_step is not None:
        _refuse_steps(task, every_step, alignments is not None or several)
    if task.tables:
        refuse_for_tables({"--alignments": alignments, "--every-step": every_step, "--interactive": interactive})
        with _sink(output_file) as sink:
            predict_tables(predictor, source, sink.write, form, picture, search)
        return
    unprompted = task.prompted and input_file is None
    _tell_unread(unprompted and not interactive)
    if task.hears:
        with _sink(output_file) as sink:
            listen(predictor, source, form, lambda line: print(line, file=sink, flush=True), picture, **search)
        picture.draw(task)
        return
    sources = ranks.fed([[""]] if unprompted else source_windows(source, task))
    write = _writer(form, alignments, several, numbered=not unprompted, whole=not task.lines)
    number, named = 0, is_folder(source) and form == "text" and not several
    notices = Notices(task.source_limit, endless=task.endless, prompted=task.prompted)
    warn_of_table(source, task, notices)
    with _sink(output_file) as sink:

        def reply(number: int, prediction: Prediction) -> None:
            sink.write(write(number, prediction))
            sink.flush()

        if interactive:
            converse(predictor, source, reply, notices, alignments=alignments is not None, **search)
            return
        if every_step is not None:
            for lines in _steps(predictor, sources, every_step, form, search, notices):
                sink.write(lines)
                sink.flush()
            return
        for window in sources:
            items = readable(task, _items(window, number, None if task.reads_files else source), notices)
            found = predictor.predict_items(items, len(items), alignments=alignments is not None, **search)
            for prediction in picture.seen(items, found):
                number += 1
                notices.see(f"line {number}", prediction)
                written.write(task, number, prediction)
                sink.write(f"{window[number - 1 - items[0].key]}\t" * named + write(number, prediction))
            sink.flush()
    picture.draw(task)
    notices.close()


def _tell_unread(unprompted: bool) -> None:
    """Warn of prompts that are piped in and not asked for."""
    if unprompted and waiting():
        print("anyseq: warning: standard input is not read: prompts come with --input -", file=sys.stderr)


def _items(window: Sequence[str], number: int, source: str | None) -> list[Item]:
    """The lines of a window, which know where they stand in `source`; None: they are files themselves."""
    from anyseq.core import Item

    if source is None:
        return [Item({"source": text}, number + at) for at, text in enumerate(window)]
    name = "standard input" if source == STANDARD_INPUT else source
    return [Item({"source": text}, at, name, at + 1) for at, text in enumerate(window, number)]


def _writer(
    form: str, alignments: str | None, several: bool, *, numbered: bool, whole: bool
) -> Callable[[int, Prediction], str]:
    """Makes the lines of the n-th prediction.

    Args:
        form: `text` or `jsonl`.
        alignments: Which to add.
        several: Whether there are several outputs for a line.
        numbered: Whether these are numbered by the line, and ranked.
        whole: Whether an output keeps its line ends, and an empty line follows it.
    """

    def output(found: Prediction | Alternative) -> str:
        line = f"{found.output}\n" if whole else _line(found.output)
        if found.alignment is None:
            return line
        return f"{line}\t{found.alignment.hard() if alignments == 'hard' else found.alignment.soft()}"

    def text(number: int, prediction: Prediction) -> str:
        return output(prediction) + "\n"

    def ranked(number: int, prediction: Prediction) -> str:
        rows = ((each.score if each.value is None else each.value, output(each)) for each in prediction.n_best)
        return "".join(f"{number}\t{value:.4f}\t{line}\n" if numbered else f"{line}\n" for value, line in rows)

    def json_line(number: int, prediction: Prediction) -> str:
        fields = _finite(prediction.as_dict(weights=alignments == "soft"))
        return json.dumps(fields, ensure_ascii=False, allow_nan=False) + "\n"

    return json_line if form == "jsonl" else ranked if several else text


def _refuse_together(interactive: bool, steps: bool, drawn: bool) -> None:
    """Refuse flags that exclude each other, before anything is loaded."""
    if interactive and steps:
        raise UsageError("--interactive answers whole lines, --every-step parts of them: leave one out")
    if drawn and (interactive or steps):
        raise UsageError("--plot and --files are for whole inputs: leave out --interactive and --every-step")


def _refuse_steps(task: Task, by: Step, several: bool) -> None:
    """Refuse to read step by step where there are no such steps, or more than one thing to show."""
    if not task.steps:
        raise UsageError("--every-step reads a text word by word, and this model's source is none: leave it out")
    if by not in task.steps:
        raise UsageError(f"--every-step {by}: this model's sources are read by {' or '.join(task.steps)}")
    if several:
        raise UsageError("--every-step shows one output a step: leave out --alignments, --n-best and --samples")


def _steps(
    predictor: Predictor,
    sources: Iterable[list[str]],
    by: Step,
    form: str,
    search: Mapping[str, Any],
    notices: Notices,
) -> Iterator[str]:
    """The lines of every source's beginnings, a window of sources at a time."""
    number = 0
    for window in sources:
        read = []
        for at, whole in enumerate(window, number + 1):
            try:
                beginnings = predictor.task.beginnings(whole, by)
            except DataError as fault:
                raise DataError(f"line {at}: {fault}") from None
            read += [(at, count, text) for count, text in enumerate(beginnings, 1)]
        number += len(window)
        lines = []
        for (line, count, _), found in zip(read, predictor.predict([text for *_, text in read], **search), strict=True):
            notices.see(f"line {line}", found)
            if form == "jsonl":
                fields = {"line": line, by: count, **_finite(found.as_dict())}
                lines.append(json.dumps(fields, ensure_ascii=False, allow_nan=False))
            else:
                shown = f"{math.exp(found.log_prob):.4f}\t{_line(found.output)}\t{_line(found.input)}"
                lines.append(f"{line}\t{count}\t{shown}")
        yield "".join(f"{line}\n" for line in lines)
    notices.close()


def _finite(value: Any) -> Any:
    """JSON knows no infinity, which is the score of what cannot be."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(child) for key, child in value.items()}
    return [_finite(child) for child in value] if isinstance(value, (list, tuple)) else value


def _line(output: Any) -> str:
    """An output as exactly one line, whatever it holds."""
    return str(output).replace("\r", " ").replace("\n", " ")


def _check_files(source: str, output: str, overwrite: bool) -> None:
    """Refuse before the model is loaded what could not be read or must not be written over."""
    # Whoever writes into a fifo would take this for its end.
    if source != STANDARD_INPUT and not is_folder(source) and not Path(source).is_fifo():
        with opened(source):
            pass
    target = Path(output)
    if output == "-":
        return
    refuse_homeless(target)
    if not target.is_file():  # a pipe or a device has nothing to lose
        return
    if source != "-" and target.samefile(source):
        raise UsageError(f"{output} is the input, too: choose another output file")
    refuse_to_replace(target, overwrite)


@contextmanager
def _sink(output: str) -> Iterator[TextIO]:
    if output == "-":
        yield sys.stdout
    else:
        with Path(output).open("w", encoding="utf-8", newline="\n") as stream:
            yield stream
