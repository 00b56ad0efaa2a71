"""Python's manual of its own language, as every Python has it: half a million characters of English prose."""

from __future__ import annotations

from anyseq.core import Item
from anyseq.data.synthetic.base import GeneratorConfig
from anyseq.errors import UsageError

_BOUNDS = {"train": (0.0, 0.8), "dev": (0.8, 0.9), "test": (0.9, 1.0)}


class ManualConfig(GeneratorConfig):
    """The texts that `help("topics")` lists, one behind the other, as one item: four fifths, a tenth, a tenth.

    The text is that of the Python that runs, so figures of two versions are not quite the same.
    """

    def generate(self, split: str) -> list[Item]:
        """Make the one item of a split.

        Raises:
            UsageError: there is no such split.
        """
        if split not in _BOUNDS:
            raise UsageError(f"there is no split {split!r}; the splits are {', '.join(_BOUNDS)}")
        from pydoc_data.topics import topics  # here: half a megabyte

        text = "\n".join(topics[name] for name in sorted(topics))
        first, last = (int(len(text) * share) for share in _BOUNDS[split])
        return [Item({"source": text[first:last], "target": text[first:last]})]
