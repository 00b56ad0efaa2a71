"""The frozen configuration that stands beside every exchangeable part and builds it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

LARGEST_SEED = 2**63 - 1
"""What random numbers may be keyed by (`Noise`)."""


class PartConfig(BaseModel):
    """A part's settings, as a recipe writes them; `build` (or `fit`, for a codec) makes the part from flat arguments.

    Strict: an unknown key or a wrong type is a fault. A field whose type is an abstract PartConfig (one that names a
    `section` of the catalogue and no `kind`) is chosen by the recipe's `kind:`.

    Class attributes:
        section: The catalogue's section this part belongs to ("" for a plain group of settings).
        named: Of a plain group: the parts that are meant where a bare name stands for the group. It is the kind of the
            first, and of each other that is given.
        outline: The fields that say in a line what it is and how large, for people; empty for all whole numbers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, protected_namespaces=())
    section: ClassVar[str] = ""
    named: ClassVar[tuple[str, ...]] = ()
    outline: ClassVar[tuple[str, ...]] = ()
