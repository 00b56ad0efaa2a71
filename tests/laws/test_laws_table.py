"""Every part of the catalogue stands in the table of the laws."""

from __future__ import annotations

import pytest

from anyseq.catalogue import PARTS as CATALOGUE
from anyseq.catalogue import kind_of
from laws import cases

# Constraints are the search's own classes so far, tasks are tested end to end.
SECTIONS = [section for section in CATALOGUE if section not in ("constraints", "tasks")]


@pytest.mark.parametrize("section", SECTIONS)
def test_every_part_is_in_the_table(section: str) -> None:
    listed = cases.PARTS[section]
    assert set(listed) == set(CATALOGUE[section]), f"add a line to {cases.__name__}.PARTS[{section!r}]"
    for kind, variants in listed.items():
        assert variants and {kind_of(type(variant.config)) for variant in variants} == {kind}


def test_names_are_told_apart() -> None:
    for section in SECTIONS:
        assert len(cases.named(section)) == sum(map(len, cases.PARTS[section].values()))
