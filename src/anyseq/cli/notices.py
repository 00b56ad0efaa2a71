"""Warnings about single lines: of the first of a kind as it comes, and how many there were at the end."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from anyseq.core import Unknown

if TYPE_CHECKING:
    from anyseq.api import Prediction

_NAMED = 5


class Notices:
    """Counts the lines of which a person should know, and warns of them on stderr.

    Args:
        limit: The setting that bounds the length of a source, as `key=value`; None where there is none.
        who: Named before every warning (a model, where there are several).
        endless: Outputs go on until they are stopped.
        prompted: What is given is to stand in the output, so that each unknown part is worth a word.
    """

    def __init__(
        self, limit: str | None, who: str = "", *, endless: bool = False, prompted: bool = False
    ) -> None:
        self._endless, self._prompted = endless, prompted
        self._limit = f" ({limit})" if limit else ""
        self._who, self._counts = f"{who}: " if who else "", Counter[str]()

    def see(self, place: str, prediction: Prediction) -> None:
        """Take in a line that was worked on; `place` is how a person finds it."""
        if prediction.cut:
            self._first("lines were cut", f"{place} is longer than the model's limit{self._limit} and was cut")
        if prediction.full is not None:
            self._first(
                "prompts left no room",
                f"{place} has {prediction.full:,} symbols (of music: frames), which search.max_length counts, too, so "
                f"that nothing was added: raise it (--max-length {2 * prediction.full})",
            )
        elif prediction.stopped == "budget" and not self._endless:
            self._first(
                "outputs were stopped",
                f"the output for {place} was stopped at the longest that is allowed (search.max_length, "
                "search.max_length_ratio; --max-length N, --max-length-ratio R), before it had ended",
            )
        if self._prompted and prediction.unknown:
            self._first(
                "prompts hold what is unknown",
                f"{place} holds what the model has no symbol for, and the output cannot show: "
                f"{Unknown(prediction.unknown).named()}",
            )
        elif prediction.mostly_unknown:
            self._first(
                "lines were mostly unknown",
                f"{place} is mostly unknown to the model, which has no symbol for "
                f"{Unknown(prediction.unknown).named()}; is it text of another kind or language?",
            )

    def warn(self, text: str) -> None:
        """Warn of what is no single line's."""
        self._say(text)

    def unreadable(self, text: str) -> None:
        """Warn of a line whose file cannot be read: of each, for each is to be mended."""
        self._counts["files could not be read"] += 1
        self._say(text)

    def impossible(self, places: Sequence[str], count: int) -> None:
        """Warn of targets that the model can never give."""
        if places:
            named = ", ".join(places[:_NAMED]) + (", ..." if len(places) > _NAMED else "")
            self._say(
                f"{len(places):,} of {count:,} targets are none that this model could give, and have no probability: "
                f"mend them ({named}), or train with other settings of what an output is"
            )

    def tell(self, text: str) -> None:
        """Say what is no fault, and good to know."""
        print(f"anyseq: note: {text}", file=sys.stderr)

    def close(self) -> None:
        """Say how many there were, where there was more than one."""
        for what, count in self._counts.items():
            if count > 1:
                self._say(f"{count} {what} in all")

    def _first(self, what: str, text: str) -> None:
        self._counts[what] += 1
        if self._counts[what] == 1:
            self._say(text)

    def _say(self, text: str) -> None:
        print(f"anyseq: warning: {self._who}{text}", file=sys.stderr)
