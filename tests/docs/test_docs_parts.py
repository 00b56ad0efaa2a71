"""Every part of the catalogue and every recipe is there, described, and fits the other."""

from __future__ import annotations

from typing import Any

import pytest

from anyseq.catalogue import PARTS, kind_of, resolve
from anyseq.config import describe, load_recipe, show
from anyseq.recipes import RECIPES


def configs() -> list[Any]:
    return [pytest.param(section, kind, id=f"{section}/{kind}") for section in PARTS for kind in PARTS[section]]


@pytest.mark.parametrize(("section", "kind"), configs())
def test_every_field_of_every_part_says_what_it_is(section: str, kind: str) -> None:
    part = resolve(section, kind)
    assert kind_of(part) == kind and part.section == section
    for row in describe(part):
        assert len(row.description.split()) >= 2, f"{row.key} of {section}/{kind} has no description"
        assert row.type


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_reads_and_is_commented(name: str) -> None:
    config = load_recipe(name)
    assert config.description
    assert "#" in show(name)


def test_a_bare_codec_is_that_of_both_sides() -> None:
    """Each side keeps what it was told besides its kind."""
    codec: Any = dict(load_recipe("transduce/dates", ["codec=subwords", "codec.source.vocab_size=77"]))["codec"]
    assert (codec.source.vocab_size, codec.source.case, codec.target.case) == (77, "lower", "keep")
    codec = dict(load_recipe("translate/transformer", {"codec": "characters"}))["codec"]
    assert (type(codec.source).__name__, codec.target, codec.joint) == ("CharactersConfig", None, True)
