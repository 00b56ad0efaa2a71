from __future__ import annotations

from pathlib import Path

from anyseq.cli.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "reference.md"


def test_the_reference_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference() + "\n", "write it anew: make docs"
