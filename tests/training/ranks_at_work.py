"""What each of several ranks does for `test_ranks`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence

import torch

from anyseq.cli.main import main
from anyseq.core import ranks
from anyseq.errors import RunError, UsageError


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
