"""The canonical form of a text: Unicode form, case, white space."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any, Literal

from anyseq.errors import DataError

UnicodeForm = Literal["nfc", "nfkc", "none"]
Case = Literal["keep", "lower"]

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Normalise:
    """Bring texts that mean the same into one form; doing it twice changes nothing.

    Attributes:
        unicode: `nfc` composes (é is one character), `nfkc` also folds look-alikes (ﬁ, ², full width), `none` leaves.
        case: `lower` loses the case for good.
        squeeze: Strip the text and make every run of white space (tabs, line ends, U+3000 ...) one space.

    Source:
        Unicode Standard Annex 15. Half a surrogate pair, which no UTF-8 file can hold, becomes U+FFFD.
    """

    unicode: UnicodeForm = "nfc"
    case: Case = "keep"
    squeeze: bool = True

    def __call__(self, raw: Any) -> str:
        """Return the canonical form of a text.

        Raises:
            DataError: `raw` is no text.
        """
        if not isinstance(raw, str):
            raise DataError(f"a text is expected, {raw!r:.80} is a {type(raw).__name__}; give a str")
        text = self.fold(raw)
        return " ".join(text.split()) if self.squeeze else text

    def fold(self, text: str) -> str:
        """The canonical form of a text but for its white space."""
        text = self._compose(_SURROGATE.sub("\ufffd", text))
        return self._compose(text.lower()) if self.case == "lower" else text  # ẖ is one character, H̱ is two

    def _compose(self, text: str) -> str:
        if self.unicode == "none" or text.isascii():
            return text
        return unicodedata.normalize("NFC" if self.unicode == "nfc" else "NFKC", text)
