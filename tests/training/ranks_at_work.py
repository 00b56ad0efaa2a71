"""What each of several ranks does for `test_ranks`."""

from __future__ import annotations

import itertools
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence

import torch

from anyseq.cli.main import main
from anyseq.core import Batch, Loss, LossPart, Model, Noise, ranks
from anyseq.errors import RunError, UsageError
from anyseq.training.objectives.cross_entropy import CrossEntropy


def anyseq(*words: str) -> None:
    """A command line."""
    sys.exit(main(words))


def exchanges() -> None:
    """Print what the words of `core.ranks` give."""
    rank = int(os.environ["RANK"])
    before = [ranks.world(), *ranks.shared([1, 2], list), *ranks.everyones(rank)]
    with ranks.together():
        found = {
            "outside": before,
            "world": ranks.world(),
            "shared": [ranks.shared(list(range(count)), doubled) for count in range(6)],
            "everyones": ranks.everyones(f"rank {rank}"),
            "first": ranks.of_first(f"rank {rank}"),
            "largest": ranks.largest(rank, -rank, 3),
            "rows": [ranks.undealt(ranks.dealt(torch.arange(count))).tolist() for count in range(2, 7)],
            "fed": [*ranks.fed(letters(rank)), *ranks.fed([])],
            "different": said(lambda: ranks.refuse_others("the number", rank)),
            "share failed": said(lambda: ranks.shared([0, 1, 2, 3], lambda own: [1 // (each - 3) for each in own])),
            "reading failed": said(lambda: list(ranks.fed(broken()))),
        }
        print(json.dumps(found), flush=True)
        if rank == 0:
            print(said(ranks.wait))
        else:
            os._exit(0)


def doubled(own: Sequence[int]) -> list[int]:
    """Inside its share a rank is alone."""
    assert ranks.world() == 1 and ranks.shared(own, list) == list(own)
    return [2 * each for each in own]


def letters(rank: int) -> Iterator[str]:
    assert rank == 0, "another rank reads"
    yield from "abc"


def broken() -> Iterator[str]:
    yield "a"
    raise UsageError("line 2 cannot be read")


def said(work: Callable[[], object]) -> str:
    try:
        work()
    except (RunError, UsageError, ZeroDivisionError) as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def spoilt(*words: str) -> None:
    """A command line; the share of the last rank has no finite loss at the 6th to the 8th update."""
    _at_the_last(lambda call, loss: _times(loss, math.nan) if 6 <= call <= 8 else loss)
    anyseq(*words)


def too_large(*words: str) -> None:
    """A command line; the share of the last rank does not fit into its memory at the third update."""

    def change(call: int, loss: Loss) -> Loss:
        if call == 3:
            raise torch.OutOfMemoryError("planted")
        return loss

    _at_the_last(change)
    anyseq(*words)


def _at_the_last(change: Callable[[int, Loss], Loss]) -> None:
    """Change what the last rank makes of each update, numbered from 1."""
    if int(os.environ.get("RANK", 0)) + 1 < int(os.environ.get("WORLD_SIZE", 1)):
        return
    forward, calls = CrossEntropy.forward, itertools.count(1)

    def changed(self: CrossEntropy, model: Model, batch: Batch, noise: Noise) -> Loss:
        loss = forward(self, model, batch, noise)
        return change(next(calls), loss) if model.training else loss

    CrossEntropy.forward = changed  # type: ignore[method-assign]


def _times(loss: Loss, factor: float) -> Loss:
    return Loss({name: LossPart(part.sum * factor, part.count, part.weight) for name, part in loss.parts.items()})
