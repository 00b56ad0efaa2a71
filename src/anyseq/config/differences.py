"""Where two configurations differ, in words a person can act on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anyseq.config.writer import flow

MOST = 8


@dataclass(frozen=True)
class Difference:
    """A key that holds different values.

    Attributes:
        key: Dotted, as an override writes it.
        there: Its value in the one configuration; a part's kind.
        here: Its value in the other.
    """

    key: str
    there: Any
    here: Any

    def __str__(self) -> str:
        return f"{self.key} is {flow(self.there)} there, {flow(self.here)} here"

    @property
    def override(self) -> str:
        """The word that makes `here` as `there`."""
        return f"{self.key.removesuffix('.kind')}={flow(self.there)}"


def differences(there: Mapping[str, Any], here: Mapping[str, Any], path: str = "") -> Iterator[Difference]:
    """Compare two configurations as `writer.plain` gives them; of two kinds of part, the kinds alone.

    A key that only one of them has (another version wrote it) is left out.
    """
    if there.get("kind") != here.get("kind"):
        yield Difference(f"{path}kind", there.get("kind"), here.get("kind"))
        return
    for name in (name for name in here if name in there):
        one, other, key = there[name], here[name], path + name
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from differences(one, other, f"{key}.")
        elif one != other:
            yield Difference(key, _brief(one), _brief(other))


def _brief(value: Any) -> Any:
    """A part by its kind."""
    return value.get("kind", "{...}") if isinstance(value, Mapping) else value


def told(found: Sequence[Difference]) -> str:
    """The first differences, and how many more there are."""
    more = f" and {len(found) - MOST} more" if len(found) > MOST else ""
    return "; ".join(map(str, found[:MOST])) + more
