"""What the codecs of texts share: their settings, and the file they keep themselves in."""

from __future__ import annotations

import codecs
import json
from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any, Self

from jaxtyping import Int
from pydantic import Field
from torch import Tensor

from anyseq.core import Codec, Symbols, Units, Unknown
from anyseq.data.codecs.base import CodecConfig
from anyseq.data.text import Case, Normalise, UnicodeForm
from anyseq.errors import ModelFolderError

UNKNOWN = 1
REPLACEMENT = "\ufffd"
"""What an unknown character or word is shown as."""

_FILE = "codec.json"


class TextCodec(Codec):
    """A codec that cuts a text into parts, each of which is a symbol: 0 the end, 1 unknown, then the known ones.

    Attributes:
        normalise: Makes the canonical form.
    """

    stream: Symbols
    normalise: Normalise

    @property
    @abstractmethod
    def shown(self) -> Sequence[str]:
        """What each symbol is shown as; of a known one, the part itself."""

    @abstractmethod
    def parts(self, raw: Any) -> list[str]:
        """The parts that `encode` makes symbols of, one each, without the end; unknown ones as they are spelt."""

    @abstractmethod
    def join(self, parts: Sequence[str]) -> str:
        """The text that some parts make, one behind the other."""

    def with_more(self, parts: Sequence[str]) -> Self | None:
        """This with some parts more, behind those it knows; None: what it knows was settled together, as subwords are.
        """
        return None

    def grown(self, other: Codec) -> tuple[Self, Sequence[str]] | None:
        """This with the parts that another of its kind knows besides, and which they are."""
        if not isinstance(other, type(self)):
            return None
        known = set(self.shown)
        added = [part for part in other.shown[UNKNOWN + 1 :] if part not in known]
        longer = self.with_more(added)
        return None if longer is None else (longer, added)

    def canonical(self, raw: Any) -> str:
        """The canonical form of a text."""
        return self.normalise(raw)

    def unknown(self, raw: Any, also: Collection[str] = ()) -> Unknown:
        """The characters or words that are no symbols, nor among some other parts (a source's own)."""
        known = self.encode(raw)[:-1] != self.stream.unknown
        parts: list[str] = []
        if not bool(known.all()):
            pairs = zip(self.parts(raw), known.tolist(), strict=True)
            parts = [part for part, is_known in pairs if not is_known and part not in also]
        return Unknown.of(self.canonical(raw), chain.from_iterable(map(self.spelt, parts)))

    def spelt(self, part: str) -> Sequence[str]:
        """What a person reads in a part that is unknown: without the space before it."""
        return [part.removeprefix(" ") or part]

    @abstractmethod
    def units_of(self, parts: Sequence[str], symbols: int) -> Units:
        """What a person sees as one thing, of the parts up to the end; `symbols` counts the end and what follows."""

    def units(self, values: Int[Tensor, " time"]) -> Units:
        """What a person sees as one thing: words or characters."""
        symbols = values.tolist()
        end = symbols.index(self.stream.end) if self.stream.end in symbols else len(symbols)
        return self.units_of([self.shown[symbol] for symbol in symbols[:end]], len(symbols))


class TextCodecConfig(CodecConfig):
    """The normalisation every codec of texts begins with."""

    unicode: UnicodeForm = Field(
        "nfc", description="Unicode form: nfc composes, nfkc also folds look-alikes (ﬁ, ², full width), none leaves"
    )
    case: Case = Field("keep", description="keep, or lower (loses the case for good)")
    squeeze: bool = Field(True, description="strip the text and make every run of white space one space")

    @property
    def normalise(self) -> Normalise:
        """The function these settings name."""
        return Normalise(self.unicode, self.case, self.squeeze)


def words_of(surfaces: Sequence[str | bytes], symbols: int) -> Units:
    """The words between white space, from what each symbol up to the end adds to the text.

    A symbol that shows nothing yet (a space alone, the first bytes of a character) is part of the word that follows.

    Args:
        surfaces: Characters, or bytes of characters written in UTF-8.
        symbols: How many symbols there are, the end and what stands behind it included; those are part of no word.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    words: list[str] = []
    of: list[range] = []
    inside, waiting = False, 0
    for surface in (*surfaces, ""):
        text = decoder.decode(surface) if isinstance(surface, bytes) else decoder.decode(b"", True) + surface
        touched = []
        for character in text:
            if character.isspace():
                inside = False
                continue
            if not inside:
                words.append("")
            inside = True
            words[-1] += character
            touched.append(len(words) - 1)
        if touched:
            of += [range(touched[0], touched[0] + 1)] * waiting + [range(touched[0], touched[-1] + 1)]
        waiting = 0 if touched else waiting + 1
    return Units(words, [*of[: len(surfaces)], *[range(0)] * (symbols - min(len(of), len(surfaces)))])


def write_codec(folder: Path, normalise: Normalise, content: Mapping[str, Any]) -> None:
    """Write a codec's normalisation and its own content (JSON values) into its folder."""
    text = json.dumps({"normalise": asdict(normalise), **content}, ensure_ascii=False, indent=0)
    (folder / _FILE).write_text(text + "\n", encoding="utf-8")


def read_codec(folder: Path, *names: str) -> tuple[Normalise, list[Any]]:
    """Read what `write_codec` wrote: the normalisation, and the content of these names.

    Raises:
        ModelFolderError: the file is missing or is none of ours.
    """
    path = folder / _FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Normalise(**content["normalise"]), [content[name] for name in names]
    except FileNotFoundError:
        fault = "there is no such file"
    except KeyError as error:
        fault = f"it lacks {error}"
    except (OSError, ValueError, TypeError) as error:
        fault = str(error)
    raise ModelFolderError(f"{path} is no codec of this kind ({fault}); copy the model folder again, whole")
