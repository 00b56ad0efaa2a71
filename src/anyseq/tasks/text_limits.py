"""What a person says of outputs as text, a prefix and what is forbidden, in the symbols of the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from anyseq.core import Codec, Hypotheses, Item, Symbols
from anyseq.data.codecs.copying import CopyCodec, key
from anyseq.errors import UsageError
from anyseq.search.forbidden import ForbiddenTexts
from anyseq.search.settings import SearchConfig


class TextLimits:
    """Limits of the outputs of one task.

    Args:
        target: Codec of the target.
        copying: Where the model copies: what a target may name besides.
    """

    def __init__(self, target: Codec, copying: CopyCodec | None = None) -> None:
        self._target, self._copying = target, copying
        self._forbidden: tuple[tuple[str, ...], ForbiddenTexts] | None = None

    def refuse(self, settings: SearchConfig) -> None:
        """Refuse a prefix with unknown characters or words, or one that holds what is forbidden; before any work.

        Where the model copies, the sources decide what is unknown: `prefix` refuses it then.

        Raises:
            UsageError: so it is; or outputs are vectors.
        """
        if not isinstance(self._target.stream, Symbols) and (settings.prefix is not None or settings.forbid):
            raise UsageError(
                "search.prefix and search.forbid are of outputs that are written symbol by symbol, and this model "
                "gives vectors: leave them out"
            )
        forbidden = self.forbidden(settings.forbid)
        if settings.prefix is None or (self._copying is not None and self._target.unknown(settings.prefix).parts):
            return
        symbols = self.prefix(settings.prefix, Item({"source": ""}))
        if forbidden is not None and forbidden.rules_out(symbols.tolist()):
            raise UsageError(
                f"search.prefix={settings.prefix!r} holds a text that search.forbid forbids "
                f"({', '.join(map(repr, settings.forbid))}), so no output is left: change one of them"
            )

    def prefix(self, text: str, item: Item) -> Tensor:
        """A prefix as symbols, for one source.

        Raises:
            UsageError: it holds what neither the codec nor, where the model copies, the source has.
        """
        if self._copying is None:
            symbols, unknown = self._target.encode(text), self._target.unknown(text)
            lacking = "the model has no symbol for"
        else:
            copied = self._copying.read(item.raw["source"])
            symbols, unknown = self._copying.encode(text, copied), self._copying.unknown(text, copied)
            lacking = f"neither the model nor the source ({item.place}) has"
        if unknown.parts:
            raise UsageError(
                f"search.prefix={text!r} holds what {lacking}: {unknown.named()}; a prefix is made of what stood in "
                "the training targets"
            )
        return symbols[:-1]

    def forbidden(self, texts: tuple[str, ...]) -> ForbiddenTexts | None:
        """What may not occur in an output; kept from batch to batch, for it learns as it is used."""
        if not texts:
            return None
        if self._forbidden is None or self._forbidden[0] != texts:
            if (spelling := self._target.spelling) is None:
                raise UsageError(f"search.forbid: the symbols of {type(self._target).__name__} spell no text")
            self._forbidden = texts, ForbiddenTexts(texts, spelling)
        return self._forbidden[1]

    def forbidden_among(
        self, texts: tuple[str, ...], items: Sequence[Item], keys: Sequence[int]
    ) -> ForbiddenTexts | None:
        """The same where a batch's sources have symbols of their own: those with these keys, in this order."""
        forbidden = self.forbidden(texts)
        if forbidden is None or self._copying is None:
            return forbidden
        parts = {key(part): part for item in items for part in self._copying.read(item.raw["source"]).own}
        return forbidden.beside([parts.get(each, "") for each in keys])  # the padding has a key, too, and no part

    def spare(
        self, texts: tuple[str, ...], found: Hypotheses, replaced: Hypotheses, own: Sequence[Sequence[str]]
    ) -> Hypotheses:
        """Take back what was written for unknown symbols wherever a forbidden text came of it.

        Args:
            texts: Forbidden.
            found: With the unknown symbols.
            replaced: With what was written for them.
            own: Each source's own symbols.
        """
        forbidden = self.forbidden(texts)
        if forbidden is None:
            return replaced
        values = replaced.values.clone()
        for source, n in (found.values != replaced.values).any(2).nonzero().tolist():
            symbols = values[source, n, : int(found.lengths[source, n])].tolist()
            if forbidden.beside(own[source]).holds(symbols):
                values[source, n] = found.values[source, n]
        return replace(replaced, values=values)
