"""Two words joined into one: the beginning of the first, the end of the second, and a language model to judge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from anyseq.core import Item
from anyseq.errors import UsageError
from anyseq.tasks.decoding import score_pairs
from anyseq.tasks.language_model.task import LanguageModel

SEAM_BONUS = 0.25
"""Nats for each letter at the seam that belongs to both words."""
SHORTEST = 2
"""Letters that each word keeps at least."""


@dataclass(frozen=True)
class Blend:
    """One way to join two words.

    Attributes:
        word: What comes out.
        first: What stays of the first word, the shared letters included.
        second: What stays of the second, without them.
        shared: How many letters at the seam belong to both.
        log_prob: Of the word, its end included, in nats.
        score: log_prob a symbol, and the bonus for shared letters.
    """

    word: str
    first: str
    second: str
    shared: int
    log_prob: float
    score: float


def cuts(first: str, second: str, shortest: int = SHORTEST) -> Iterator[tuple[str, str, str, int]]:
    """Every word that begins like the first and ends like the second, each once, but for the two themselves.

    A letter is shared where the word could be cut before it as well as behind it: `bra` + `angelina` makes
    `brangelina` with its `a` from both.

    Args:
        first, second: The words.
        shortest: Letters that each keeps at least.

    Yields:
        The word, what it has of the first, what it has of the second, and how many letters are shared.
    """
    found: dict[str, list[int]] = {}
    for kept in range(1, len(first) + 1):
        for start in range(len(second)):
            found.setdefault(first[:kept] + second[start:], []).append(kept)
    for word, places in found.items():
        longest, shared = max(places), max(places) - min(places)
        from_second = len(word) - longest + shared
        if word not in (first, second) and longest >= shortest and from_second >= shortest:
            yield word, word[:longest], word[longest:], shared


def blend(task: LanguageModel, first: str, second: str, bonus: float = SEAM_BONUS) -> list[Blend]:
    """All ways to join two words, best first.

    score = log p(word) / symbols + bonus * shared letters, the end being a symbol.

    Args:
        task: A language model of words, with weights.
        first: Its beginning is kept.
        second: Its end is kept.
        bonus: Nats for a shared letter.

    Raises:
        UsageError: a word has letters the model does not know, or is too short.
    """
    for word in (first, second):
        if lacking := task.codecs["target"].unknown(word).parts:
            raise UsageError(f"{word!r} holds what the model has no symbol for ({', '.join(map(repr, lacking))})")
    joined = list(cuts(first, second))
    if not joined:
        raise UsageError(f"{first!r} and {second!r} cannot be joined: each must keep {SHORTEST} letters or more")
    items = [Item({"target": word}, key) for key, (word, *_) in enumerate(joined)]
    scored = score_pairs(task, items, task.config.search)
    blends = [
        Blend(*cut, each.log_prob, each.log_prob / each.length + bonus * cut[3])
        for cut, each in zip(joined, scored, strict=True)
    ]
    return sorted(blends, key=lambda each: (-each.score, each.word))
