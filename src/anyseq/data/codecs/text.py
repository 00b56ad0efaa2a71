"""What the codecs of texts share: their settings, and the file they keep themselves in."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import Field

from anyseq.core import Codec, Symbols
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
    except (OSError, ValueError, TypeError, KeyError) as fault:
        message = f"{path} is no codec of this kind ({fault!r}); copy the model folder again, whole"
        raise ModelFolderError(message) from None
