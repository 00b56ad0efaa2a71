"""Introductions: names that no other split has, and German as it is written."""

from __future__ import annotations

import re

from anyseq.data.synthetic.introductions import IntroductionsConfig

ITEMS = IntroductionsConfig(train=600, dev=50, test=50)


def names(split: str) -> set[str]:
    """Capitalised words that stand on both sides."""
    found: set[str] = set()
    for item in ITEMS.generate(split):
        source, target = (set(re.findall(r"[A-Z]\w+", item.raw[side])) for side in ("source", "target"))
        found |= source & target
    return found


def test_no_name_is_in_two_splits() -> None:
    train, test = names("train"), names("test")
    assert len(train) > 500 and len(test) > 50 and not train & test


def test_things_stand_in_the_case_their_sentence_wants() -> None:
    found = [item.raw["source"] for item in ITEMS.generate("train")]
    doing = [text for text in found if text.startswith("Wo ist ") or " für " in text]
    suffering = [text for text in found if " verloren." in text or " gab " in text]
    assert any(" der Hut" in text for text in doing) and any(" den Hut" in text for text in suffering)
    assert not [text for text in doing if "den " in text.lower()]
    assert not [text for text in suffering if " der " in text]
