"""Words as they are typed: at every letter, which word is it going to be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pydantic import Field

from anyseq.core import Item
from anyseq.data.lines import read_numbered
from anyseq.data.synthetic.base import GeneratorConfig
from anyseq.data.synthetic.manual import ManualConfig
from anyseq.errors import DataError, UsageError

SPACE, OTHER = "_", "?"
"""What stands for the space before a word, and the tag of every letter of a word that is none of the frequent ones."""
_AROUND = ".,;:!?()[]\"'`“”‘’"  # punctuation that is typed with a word, and no part of it
_BOUNDS = {"train": (0.0, 0.8), "dev": (0.8, 0.9), "test": (0.9, 1.0)}


class TypingConfig(GeneratorConfig):
    """`_ t h e _ d o g` has the tags `the the the the dog dog dog dog`: for each letter the word it will have become.

    A word begins with the space before it, where nothing of it is known but what stands before. Lines of a text are cut
    between words; words that are not among the most frequent ones of train, or have more than letters, have the tag
    `?`. Of a text the first eight tenths of the lines are train, then come dev and test.

    Source:
        Madsen 2019, "Visualizing memorization in RNNs", Distill, doi:10.23915/distill.00016: the autocomplete problem.
    """

    text: str | None = Field(None, description="FILE of plain text (or .gz); null: Python's manual of its language")
    test_text: str | None = Field(None, description="FILE to test on, then text is for train and dev; null: a tenth")
    words: int = Field(1000, ge=2, description="how many of the most frequent words there are tags of")
    held_out: int = Field(1000, ge=1, description="most pieces of dev, and of test, taken evenly from what there is")
    length: int = Field(200, ge=20, description="longest piece in letters and spaces; a longer word alone is left out")

    def generate(self, split: str) -> list[Item]:
        """Cut the pieces of a split; all are distinct, and none stands in a split before.

        Raises:
            UsageError: there is no such split.
            DataError: a file cannot be read, or holds too little.
        """
        if split not in _BOUNDS:
            raise UsageError(f"there is no split {split!r}; the splits are {', '.join(_BOUNDS)}")
        parts = self._parts()
        counts = Counter(core for words in parts["train"] for word in words if (core := word.strip(_AROUND)).isalpha())
        known = {word for word, _ in counts.most_common(self.words)}
        seen: dict[str, str] = {}  # piece -> the split it is first seen in
        tags: dict[str, str] = {}
        for name in _BOUNDS:
            for piece in _pieces(parts[name], self.length):
                source = " ".join(SPACE + SPACE.join(piece))
                if seen.setdefault(source, name) == split == name:
                    tags[source] = " ".join(_tags(piece, known))
            if name == split:
                break
        if not tags:
            message = f"no line is left for the split {split!r}: give a text of a hundred lines or more"
            raise DataError(message, self.text)
        pairs = list(tags.items())
        pairs = pairs if split == "train" else pairs[:: -(-len(pairs) // self.held_out)]
        return [Item({"source": source, "target": target}, key) for key, (source, target) in enumerate(pairs)]

    def _parts(self) -> dict[str, list[list[str]]]:
        """The words of the lines of each split."""
        if self.text is None:
            texts = {split: ManualConfig().generate(split)[0].raw["source"].split("\n") for split in _BOUNDS}
        else:
            lines = _lines(self.text)
            ends = {split: [int(len(lines) * share) for share in shares] for split, shares in _BOUNDS.items()}
            if self.test_text is not None:
                ends["dev"][1] = len(lines)
                ends["train"][1] = ends["dev"][0] = len(lines) * 9 // 10
            texts = {split: lines[first:last] for split, (first, last) in ends.items()}
        if self.test_text is not None:
            texts["test"] = _lines(self.test_text)
        return {split: [line.lower().split() for line in lines] for split, lines in texts.items()}


def _lines(path: str) -> list[str]:
    return [line for _, line in read_numbered(path)]


def _pieces(lines: Sequence[Sequence[str]], length: int) -> Iterator[list[str]]:
    """The lines, cut between words where they are too long."""
    for words in lines:
        piece: list[str] = []
        size = 0
        for word in words:
            if 1 + len(word) > length:
                continue
            if piece and size + 1 + len(word) > length:
                yield piece
                piece, size = [], 0
            piece.append(word)
            size += 1 + len(word)
        if piece:
            yield piece


def _tags(words: Sequence[str], known: set[str]) -> Iterator[str]:
    for word in words:
        core = word.strip(_AROUND)
        tag = core if core in known else OTHER
        yield from [tag] * (1 + len(word))
