"""A text as subwords: SentencePiece, trained on the data or brought along."""

from __future__ import annotations

import io
import math
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self, final

import sentencepiece
import torch
from jaxtyping import Int
from pydantic import Field, model_validator
from torch import Tensor

from anyseq.core import Item, Spelling, Symbols, Units
from anyseq.data.codecs.text import REPLACEMENT, UNKNOWN, TextCodec, TextCodecConfig, read_codec, words_of, write_codec
from anyseq.data.lines import read_bytes
from anyseq.data.text import Normalise
from anyseq.errors import DataError, ModelFolderError

ModelType = Literal["unigram", "bpe"]

_SPACE = "▁"  # U+2581, how SentencePiece writes a space
_MODEL = "subwords.model"
_CACHED_WORDS = 65_536
_TRAINING_THREADS = 2  # the trained model depends on their number, so it must not depend on the machine
_LONGEST_LINE = 65_536  # bytes; training leaves out longer lines


class _Choices(NamedTuple):
    """A word's best segmentations and their running weights."""

    segmentations: list[list[int]]
    weights: list[float]


@final
class Subwords(TextCodec):
    """One symbol a subword: 0 the end, 1 unknown, then the model's pieces in the model's order.

    decode(encode(x)) is x normalised where all characters are known (with byte fallback: always); a run of unknown
    ones is shown as one U+FFFD. SentencePiece writes a space as ▁ (U+2581), so a ▁ in the text is read as a space.
    A model brought along may normalise further by itself.

    Sampling (`augment`): words are segmented apart, for no piece crosses a space.

    Attributes:
        normalise: Makes the canonical form, before SentencePiece sees it.

    Source:
        Kudo 2018, arXiv:1804.10959: a segmentation is drawn from the n best with probability proportional to P^alpha;
        we draw for each word, they for each sentence, so that the same n gives more variety.
        Provilkov et al. 2020, arXiv:1910.13267, algorithm 1: BPE-dropout leaves out each merge with probability p.
    """

    def __init__(
        self,
        model: bytes,
        normalise: Normalise,
        model_type: ModelType = "unigram",
        nbest_size: int = 1,
        sampling_alpha: float = 0.2,
        bpe_dropout: float = 0.0,
    ) -> None:
        self.normalise, self.model_type = normalise, model_type
        self.nbest_size, self.sampling_alpha, self.bpe_dropout = nbest_size, sampling_alpha, bpe_dropout
        try:
            if not model:  # which SentencePiece takes for a promise
                raise RuntimeError
            self._processor = processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        except RuntimeError:
            raise DataError("this is no SentencePiece model; give the .model file spm_train wrote") from None
        unknown = processor.unk_id()
        pieces = [
            piece
            for piece in range(processor.get_piece_size())
            if piece != unknown and not processor.is_control(piece) and not processor.is_unused(piece)
        ]
        self.stream = Symbols(2 + len(pieces))
        self._symbols = {piece: symbol for symbol, piece in enumerate([unknown, *pieces], UNKNOWN)}
        self._pieces = ("", REPLACEMENT, *map(processor.id_to_piece, pieces))
        scores = [processor.get_score(piece) for piece in pieces]
        self._scores = (-math.inf, min(scores, default=0.0) - 10.0, *scores)  # the unknown as SentencePiece weighs it
        of_bytes = [self._symbols[piece] for piece in pieces if processor.is_byte(piece)]
        self._bytes = {self._pieces[symbol]: symbol for symbol in of_bytes}
        self._texts = {text: symbol for symbol, text in enumerate(self._pieces[2:], 2) if text not in self._bytes}
        self._choices: dict[str, _Choices] = {}
        if self.augments:
            self._check_sampling()

    def _check_sampling(self) -> None:
        """Refuse to sample where words cannot be segmented apart, or where the scores mean something else."""
        joined = "".join(self._processor.encode("a b", out_type=str))
        if not joined.startswith(_SPACE) or any(_SPACE in piece[1:] for piece in self._pieces):
            raise DataError(
                "this SentencePiece model cannot be sampled from: its pieces cross spaces or do not begin with them; "
                "set codec.nbest_size=1 and codec.bpe_dropout=0, or let anyseq train one"
            )
        try:
            self._processor.nbest_encode("a", nbest_size=2)
            found: ModelType = "unigram"
        except RuntimeError:  # SentencePiece tells its models apart in no other way
            found = "bpe"
        if found != self.model_type:
            raise DataError(f"codec.model_type={self.model_type}, but the model brought along is {found}; change one")

    def encode(self, raw: Any) -> Int[Tensor, " time"]:
        """Encode a text in its one best segmentation; the end comes last."""
        symbols = self._symbols
        return torch.tensor([symbols[piece] for piece in self._processor.encode(self.canonical(raw))] + [0])

    def canonical(self, raw: Any) -> str:
        """The canonical form of a text, before SentencePiece sees it: ▁ is a space."""
        text = self.normalise(raw)
        return self.normalise(text.replace(_SPACE, " ")) if _SPACE in text else text

    @property
    def augments(self) -> bool:
        """Whether sampling is on."""
        return self.nbest_size > 1 if self.model_type == "unigram" else self.bpe_dropout > 0

    def augment(self, raw: Any, seed: int) -> Int[Tensor, " time"]:
        """Encode a text in a segmentation drawn at random; the same seed gives the same."""
        if not self.augments:
            return self.encode(raw)
        draw = random.Random(seed)
        segment = self._sample if self.model_type == "unigram" else self._merge
        words = self._processor.normalize(self.canonical(raw)).split(_SPACE)[1:]
        return torch.tensor([symbol for word in words for symbol in segment(word, draw)] + [0])

    def _sample(self, word: str, draw: random.Random) -> list[int]:
        choices = self._choices.get(word)
        if choices is None:
            choices = self._n_best(word)
            if len(self._choices) < _CACHED_WORDS:
                self._choices[word] = choices
        if len(choices.segmentations) == 1:
            return choices.segmentations[0]
        return draw.choices(choices.segmentations, cum_weights=choices.weights)[0]

    def _n_best(self, word: str) -> _Choices:
        if not word:  # a second space in a row
            return _Choices([[self._texts.get(_SPACE, UNKNOWN)]], [1.0])
        best = self._processor.nbest_encode(word, nbest_size=self.nbest_size)
        segmentations = [[self._symbols[piece] for piece in pieces] for pieces in best]
        log_probs = [sum(self._scores[symbol] for symbol in symbols) for symbols in segmentations]
        largest = max(log_probs)
        weights = [math.exp(self.sampling_alpha * (log_prob - largest)) for log_prob in log_probs]
        return _Choices(segmentations, list(accumulate(weights)))

    def _merge(self, word: str, draw: random.Random) -> list[int]:
        """Merge the pair of the highest score (the leftmost of equals) until none is left that dropout spares."""
        parts = [_SPACE, *word]
        while True:
            merges = [
                (-self._scores[symbol], place)
                for place in range(len(parts) - 1)
                if (symbol := self._texts.get(parts[place] + parts[place + 1])) and draw.random() >= self.bpe_dropout
            ]
            if not merges:
                break
            place = min(merges)[1]
            parts[place : place + 2] = [parts[place] + parts[place + 1]]
        return [symbol for known, run in groupby(parts, self._texts.get) for symbol in self._name(known, run)]

    def _name(self, symbol: int | None, run: Iterator[str]) -> list[int]:
        """The symbols of a run of equal parts, or of parts that are no pieces."""
        parts = list(run)
        if symbol is not None:
            return [symbol] * len(parts)
        as_bytes = [f"<0x{byte:02X}>" for byte in "".join(parts).encode()]
        return [self._bytes[byte] for byte in as_bytes] if self._bytes else [UNKNOWN]

    def units_of(self, parts: Sequence[str], symbols: int) -> Units:
        """The words between white space, each with its punctuation."""
        surfaces = [
            bytes([int(part[3:5], 16)]) if part in self._bytes else part.replace(_SPACE, " ") for part in parts
        ]
        return words_of(surfaces, symbols)

    def decode(self, values: Int[Tensor, " time"], item: Item | None = None) -> str:
        """Return the text up to the end symbol."""
        symbols = values.tolist()
        end = symbols.index(0) if 0 in symbols else len(symbols)
        text = self._processor.decode([self._pieces[symbol] for symbol in symbols[:end]]) if end else ""
        return self.normalise(text)  # a model that puts spaces behind words leaves one at the end

    @property
    def spelling(self) -> Spelling:
        """Each symbol is its piece, ▁ being a space, or a byte."""
        surfaces = [
            bytes([int(piece[3:5], 16)]) if piece in self._bytes else self._fold(piece) for piece in self._pieces
        ]
        # A model shows the space that it writes before every text, or it does not.
        starts = next((piece for piece in self._texts if piece.startswith(_SPACE) and piece.strip(_SPACE)), _SPACE)
        first_space = self._processor.decode([starts]).startswith(" ")
        return Spelling(surfaces, self._fold, self.normalise.squeeze, first_space)

    def _fold(self, text: str) -> str:
        return self.normalise.fold(text.replace(_SPACE, " "))

    def spelt(self, part: str) -> Sequence[str]:
        """The characters of an unknown part, each by itself."""
        return part.replace(_SPACE, "")

    @property
    def shown(self) -> Sequence[str]:
        """What each symbol is shown as."""
        return self._pieces

    def parts(self, raw: Any) -> list[str]:
        """The subwords of a text, unknown ones as they are spelt."""
        return list(self._processor.encode(self.canonical(raw), out_type=str))

    def join(self, parts: Sequence[str]) -> str:
        """The text that some subwords make."""
        return self.normalise(self._processor.decode(list(parts))) if parts else ""

    def save(self, folder: Path) -> None:
        """Write `codec.json` and `subwords.model`, a plain SentencePiece model."""
        (folder / _MODEL).write_bytes(self._processor.serialized_model_proto())
        settings = {
            "model_type": self.model_type,
            "nbest_size": self.nbest_size,
            "sampling_alpha": self.sampling_alpha,
            "bpe_dropout": self.bpe_dropout,
        }
        write_codec(folder, self.normalise, {"sampling": settings})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        normalise, [settings] = read_codec(folder, "sampling")
        try:
            return cls((folder / _MODEL).read_bytes(), normalise, **settings)
        except FileNotFoundError:
            message = "there is no such file"
        except OSError as fault:
            message = f"cannot be read ({fault.strerror})"
        except (DataError, TypeError) as fault:
            message = str(fault)
        raise ModelFolderError(f"{folder / _MODEL}: {message}; copy the model folder again, whole")


class SubwordsConfig(TextCodecConfig):
    """A text as subwords of SentencePiece, trained by `train` or brought along."""

    model_file: str | None = Field(None, description="a SentencePiece .model to use instead of training one")
    model_type: ModelType = Field("unigram", description="unigram or bpe; of `model_file` too, where one is given")
    vocab_size: int = Field(8000, ge=3, description="symbols, end and unknown included; less where the data give less")
    character_coverage: float = Field(
        1.0, gt=0, le=1, description="share of the data's characters that are known; 0.9995 for Chinese, noisy text ..."
    )
    byte_fallback: bool = Field(False, description="spell unknown characters as bytes (256 more symbols)")
    nbest_size: int = Field(1, ge=1, description="unigram: draw each word among so many segmentations; 1: no sampling")
    sampling_alpha: float = Field(0.2, ge=0, description="unigram: draw in proportion to P^alpha; 0: evenly")
    bpe_dropout: float = Field(0.0, ge=0, lt=1, description="bpe: leave out each merge with this probability")

    @model_validator(mode="after")
    def _sampled_as_its_type(self) -> Self:
        if self.model_type == "unigram" and self.bpe_dropout > 0:
            raise ValueError(f"bpe_dropout {self.bpe_dropout} is for model_type bpe; of unigram set nbest_size")
        if self.model_type == "bpe" and self.nbest_size > 1:
            raise ValueError(f"nbest_size {self.nbest_size} is for model_type unigram; of bpe set bpe_dropout")
        return self

    def fit(self, raws: Iterable[Any]) -> Subwords:
        """Train the model (or read the one brought along).

        Raises:
            DataError: all texts are empty, vocab_size is too small for the data's characters, or `model_file` is none.
        """
        model = self._train(raws) if self.model_file is None else read_bytes(Path(self.model_file))
        try:
            return Subwords(
                model, self.normalise, self.model_type, self.nbest_size, self.sampling_alpha, self.bpe_dropout
            )
        except DataError as fault:
            raise fault if self.model_file is None else DataError(str(fault), self.model_file) from None

    def load(self, folder: Path) -> Subwords:
        """Read a codec of this kind that `Subwords.save` wrote."""
        return Subwords.load(folder)

    def _train(self, raws: Iterable[Any]) -> bytes:
        normalise = self.normalise
        texts = [text for raw in raws if (text := normalise(raw))]
        if not texts:
            raise DataError("there are no subwords to learn: every text is empty; look at data.train")
        model = io.BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(texts),
                model_writer=model,
                model_type=self.model_type,
                vocab_size=self.vocab_size,
                hard_vocab_limit=False,
                character_coverage=self.character_coverage,
                byte_fallback=self.byte_fallback,
                eos_id=0,
                unk_id=UNKNOWN,
                bos_id=-1,
                pad_id=-1,
                normalization_rule_name="identity",
                remove_extra_whitespaces=False,
                max_sentence_length=_LONGEST_LINE,
                num_threads=_TRAINING_THREADS,
                minloglevel=3,
            )
        except RuntimeError as fault:
            raise DataError(self._explain(str(fault))) from None
        return model.getvalue()

    def _explain(self, fault: str) -> str:
        if sizes := re.search(r"smaller than required_chars\. \d+ vs (\d+)", fault):
            return (
                f"codec.vocab_size={self.vocab_size} is too small: the characters of the data need {sizes[1]} or more; "
                "raise it, or lower codec.character_coverage"
            )
        return f"SentencePiece could not learn from these texts ({fault}); look at data.train, or use characters"
