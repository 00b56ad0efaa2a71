"""A tree in brackets as symbols: its brackets, and one for each word; the words themselves are the source's."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self, final

import torch
from jaxtyping import Int
from pydantic import Field
from torch import Tensor

from anyseq.core import Codec, Item, TreeSymbols, Units
from anyseq.core.bracketed import NO_TAG, TOP, Move, read_tree, words, write_tree
from anyseq.data.codecs.base import CodecConfig
from anyseq.data.codecs.characters import frequent
from anyseq.errors import DataError, ModelFolderError

_FILE = "codec.json"
_ANY = "X"  # the label of a bracket whose label is unknown
_WORD, _OPEN = 1, 2  # of unknown tag, of unknown label; 3 closes the latter
_FIRST = 4


@final
class Trees(Codec):
    """Depth first: a symbol where a bracket opens, one where it closes, each with the label; one for each word.

    0 is the end, 1 a word of unknown tag, 2 and 3 a bracket of unknown label; then an opening and a closing symbol for
    each label; then the tags (without them there is one, XX, for every word).

    Attributes:
        labels: Of brackets; the i-th opens with 4 + 2 i and closes with 5 + 2 i.
        tags: Of words, behind the labels; a single `XX` where words are words and nothing else.

    Source:
        Vinyals et al. 2015, arXiv:1412.7449, section 2.2: closing brackets have labels, tags are replaced by XX.
    """

    stream: TreeSymbols

    def __init__(self, labels: Sequence[str], tags: Sequence[str]) -> None:
        self.labels, self.tags = tuple(labels), tuple(tags)
        opens = {label: _FIRST + 2 * place for place, label in enumerate(self.labels)}
        self._tags = {tag: _FIRST + 2 * len(labels) + place for place, tag in enumerate(self.tags)}
        self._moves = {_WORD: Move("word", NO_TAG), _OPEN: Move("open", _ANY), _OPEN + 1: Move("close", _ANY)}
        self._opens = opens
        for label, symbol in opens.items():
            self._moves |= {symbol: Move("open", label), symbol + 1: Move("close", label)}
        self._moves |= {symbol: Move("word", tag) for tag, symbol in self._tags.items()}
        kinds = ["end", *(self._moves[symbol].kind for symbol in range(1, 1 + len(self._moves)))]
        self.stream = TreeSymbols(
            len(kinds),
            closed_by=tuple(symbol + 1 if kind == "open" else 0 for symbol, kind in enumerate(kinds)),
            takes=tuple(kind == "word" for kind in kinds),
        )

    @property
    def unknown_symbols(self) -> Sequence[int]:
        """What stands for tags and labels that were never seen."""
        return range(1, _FIRST)

    def encode(self, raw: Any) -> Int[Tensor, " time"]:
        """Encode a tree, cleaned as `read_tree` does; the end comes last. Of no tree it is all.

        Raises:
            DataError: it is no tree.
        """
        return torch.tensor([*self._symbols(_read(raw)), 0])

    def _symbols(self, moves: Iterable[Move]) -> list[int]:
        return [self._symbol(move) for move in moves]

    def _symbol(self, move: Move) -> int:
        if move.kind == "word":
            return self._tags.get(move.label if len(self.tags) > 1 else self.tags[0], _WORD)
        return self._opens.get(move.label, _OPEN) + (move.kind == "close")

    def decode(self, values: Int[Tensor, " time"], item: Item | None = None) -> str:
        """Return the tree over the words of the item's source (without an item, over as many as there are symbols).

        What is no tree over these words is made one: brackets that lack are added, those that close nothing or hold
        nothing left out; so are words, which go into the root at the end.
        """
        given, _ = self._given(values)
        return write_tree(repaired(given, self._leaves(given, item)))

    def is_tree(self, values: Int[Tensor, " time"], item: Item | None = None) -> bool:
        """Whether these symbols, the end included, are a tree over exactly the words of the item's source."""
        given, ended = self._given(values)
        return ended and [move._replace(word="") for move in repaired(given, self._leaves(given, item))] == given

    def _given(self, values: Tensor) -> tuple[list[Move], bool]:
        """What symbols say up to the end, and whether there is one."""
        symbols = values.tolist()
        end = symbols.index(0) if 0 in symbols else len(symbols)
        return [self._moves[symbol] for symbol in symbols[:end]], end < len(symbols)

    def _leaves(self, given: Sequence[Move], item: Item | None) -> list[str]:
        written = sum(move.kind == "word" for move in given)
        return [NO_TAG] * written if item is None else str(item.raw["source"]).split()

    def canonical(self, raw: Any) -> str:
        """The canonical form of a tree: cleaned, in one line, with the tags that the codec knows."""
        moves = _read(raw)
        return self.decode(self.encode(raw), Item({"source": " ".join(words(moves))}))

    def units(self, values: Int[Tensor, " time"]) -> Units:
        """Each symbol up to the end: `(NP`, `XX`, `)NP`."""
        moves, _ = self._given(values)
        signs = {"open": "(", "close": ")", "word": ""}
        of = [range(place, place + (place < len(moves))) for place in range(len(values))]
        return Units([signs[move.kind] + move.label for move in moves], of)

    def save(self, folder: Path) -> None:
        """Write `codec.json`."""
        text = json.dumps({"labels": self.labels, "tags": self.tags}, ensure_ascii=False, indent=0)
        (folder / _FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ModelFolderError: the file is missing or is none of ours.
        """
        try:
            content = json.loads((folder / _FILE).read_text(encoding="utf-8"))
            return cls(content["labels"], content["tags"])
        except (OSError, ValueError, KeyError, TypeError) as fault:
            raise ModelFolderError(
                f"{folder / _FILE} is no codec of this kind ({fault}); copy the model folder again, whole"
            ) from None


def repaired(given: Iterable[Move], leaves: Sequence[str]) -> list[Move]:
    """The tree over these words that is nearest to some moves; those that are one stay what they are."""
    moves: list[Move] = []
    opened: list[str] = []
    waiting = list(reversed(leaves))

    def close() -> None:
        label = opened.pop()
        if moves[-1] == Move("open", label):
            moves.pop()
        else:
            moves.append(Move("close", label))

    def take(tag: str) -> None:
        if not opened:
            opened.append(TOP)
            moves.append(Move("open", TOP))
        moves.append(Move("word", tag, waiting.pop()))

    for move in given:
        if move.kind == "open" and (opened or not moves) and waiting:
            opened.append(move.label)
            moves.append(move)
        elif move.kind == "word" and waiting:
            take(move.label)
        elif move.kind == "close" and move.label in opened:
            place = len(opened) - 1 - opened[::-1].index(move.label)
            while len(opened) > max(place, 1 if waiting else 0):  # the root stays open while words are waiting
                close()
    while waiting:
        while len(opened) > 1:
            close()
        take(NO_TAG)
    while opened:
        close()
    return moves


class TreesConfig(CodecConfig):
    """A tree in brackets: its brackets with their labels, and a symbol for each word; for targets."""

    tags: bool = Field(False, description="the words' tags are part of the tree, and predicted; else all are one")

    def fit(self, raws: Iterable[Any]) -> Trees:
        """Learn labels and tags, the most frequent first.

        Raises:
            DataError: there is no tree, or something is none.
        """
        moves = [move for raw in raws for move in _read(raw)]
        if not moves:
            raise DataError("there are no trees to learn from: every target is empty; look at data.train")
        labels = Counter(move.label for move in moves if move.kind == "open")
        tags = Counter(move.label for move in moves if move.kind == "word")
        return Trees(frequent(labels, 1), frequent(tags, 1) if self.tags else [NO_TAG])

    def load(self, folder: Path) -> Trees:
        """Read a codec of this kind that `Trees.save` wrote."""
        return Trees.load(folder)


def _read(raw: Any) -> list[Move]:
    try:
        return read_tree(raw)
    except ValueError as fault:
        raise DataError(f"{raw!r:.60} is no tree: {fault}; mend it") from None
