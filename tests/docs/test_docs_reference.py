from __future__ import annotations

from pathlib import Path

from anyseq.cli.reference import reference

PAGE = Path(__file__).parents[2] / "docs" / "reference.md"


def test_the_reference_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference() + "\n", "write it anew: make docs"


def test_keys_that_some_recipes_have_are_in_it() -> None:
    page = reference()
    for key in ("data.label_first", "data.factors", "scheme", "turns", "well_formed", "data.target_without"):
        assert f"\n- `{key}` (" in page
