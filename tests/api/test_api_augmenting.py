"""Codecs that vary what training sees."""

from __future__ import annotations

from typing import Any

import pytest

from anyseq.config import load_recipe
from anyseq.core import Item

COPYING = {"kind": "copying", "decoder": {"kind": "attention", "embed_dim": 8, "hidden_dim": 16}}
ATTENTION = {"kind": "attention", "embed_dim": 8, "hidden_dim": 16}


@pytest.mark.parametrize("decoder", [ATTENTION, COPYING], ids=["attention", "copying"])
def test_the_sides_are_drawn_apart_also_where_they_hold_the_same_text(decoder: dict[str, Any]) -> None:
    codec = {"source": {"kind": "subwords", "vocab_size": 60, "model_type": "bpe", "bpe_dropout": 0.5}, "joint": True}
    overrides = {"codec": codec, "model.decoder": decoder}
    task = load_recipe("transduce/copy", overrides).build()
    texts = [f"{a}{b}na{b} ba{a}{a}na" for a in ("ba", "no", "ka", "ri") for b in ("ban", "ana", "kar")]
    items = [Item({"source": text, "target": text}, key) for key, text in enumerate(texts)]
    task.fit_codecs(items)
    drawn = [task.encode(item, seed=item.key) for item in items]
    alike = sum(each["source"].tolist() == each["target"].tolist() for each in drawn)
    assert alike < len(items) / 2
    again = [task.encode(item, seed=item.key) for item in items]
    assert all(one[side].equal(other[side]) for one, other in zip(drawn, again, strict=True) for side in one)
