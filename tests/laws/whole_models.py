"""Models of every encoder and decoder in the table, and batches whose content depends on the items' keys alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise, product
from typing import Any

import pytest
import torch
from torch import Tensor

from anyseq.core import Batch, Hypotheses, Item, Memory, Model, Padded, Symbols
from anyseq.models.decoders.base import MemoryShape
from anyseq.models.seq2seq import Seq2Seq
from anyseq.nn.dropout import Dropout
from laws.cases import DECODERS, ENCODERS, rotated, unlike_new

SOURCE_SYMBOLS = 9
SYMBOLS = 5
BOUND = {"rtol": 0.0, "atol": 1e-9}
Pair = tuple[str, str]


def one_of_each(table: Mapping[str, Any]) -> list[str]:
    """The first variant of each kind, and what is built by hand."""
    return [name for name in table if name.endswith("0[]") or "[" not in name]


# Every variant once; every kind of the catalogue with every kind; these, and what is built by hand.
EVERY: list[Pair] = rotated(list(ENCODERS), list(DECODERS))
PLAIN: list[Pair] = list(product(one_of_each(ENCODERS), [name for name in one_of_each(DECODERS) if "[" in name]))
KINDS: list[Pair] = PLAIN + rotated(one_of_each(ENCODERS), [name for name in DECODERS if "[" not in name])
FEW = {*rotated(one_of_each(ENCODERS), one_of_each(DECODERS)), *EVERY}


def named(pair: Pair) -> str:
    return " × ".join(pair)


def each_of(pairs: Sequence[Pair]) -> list[Any]:
    """Cases: every kind with some other at any time, every kind with every kind in `make full`."""
    return [pytest.param(pair, id=named(pair), marks=often(pair)) for pair in pairs]


def often(pair: Pair) -> list[pytest.MarkDecorator]:
    """The mark of a pair of kinds that stands in other company, too."""
    return [] if pair in FEW else [pytest.mark.full]


def make(pair: Pair, symbols: int = SYMBOLS, dtype: torch.dtype = torch.float64, sharpness: float = 1.0) -> Seq2Seq:
    """A model with random weights, the decoder's times `sharpness`; it remembers how many symbols it emits."""
    torch.manual_seed(1)
    encoder = ENCODERS[pair[0]].config.build(Symbols(SOURCE_SYMBOLS))
    decoder = DECODERS[pair[1]](MemoryShape.of(encoder), Symbols(symbols))
    for parameter in decoder.parameters():
        parameter.data.mul_(sharpness)
    model = Seq2Seq(encoder, decoder)
    vars(model)["symbols"] = symbols
    return unlike_new(model, dtype)


def with_dropout(model: Seq2Seq, share: float) -> Seq2Seq:
    """The model in training mode, with one dropout for all its layers."""
    for module in model.modules():
        if isinstance(module, Dropout):
            module.threshold = round(256 * share)
    return model.train()


def source_of(key: int) -> Tensor:
    """One to five symbols."""
    generator = torch.Generator().manual_seed(1000 + key)
    return torch.randint(1, SOURCE_SYMBOLS, (1 + key % 5,), generator=generator)


def batch_of(
    keys: Sequence[int], targets: Sequence[Tensor] | None = None, padding: int = 0, symbols: int = SYMBOLS
) -> Batch:
    """The items with these keys; at padding, of which there may be more than needed, stands a symbol like any other.

    What may be copied: the last symbol at each first place, others elsewhere.
    """
    lengths = [len(source_of(key)) for key in keys]
    padded = Padded.stack([*map(source_of, keys), torch.zeros(max(lengths) + padding, dtype=torch.int64)])
    values, valid = padded.values[:-1], padded.valid[:-1]
    copied = values % symbols
    copied[:, 0] = symbols - 1
    fields = {"source": Padded(values.masked_fill(~valid, 3), valid), "copied": Padded(copied, valid)}
    if targets is not None:
        fields["target"] = Padded.stack(list(targets))
    return Batch(fields, [Item({}, key=key) for key in keys])


def target_of(key: int, symbols: int = SYMBOLS) -> Tensor:
    """One to four symbols and the end; a model's constraint of the table allows them."""
    generator = torch.Generator().manual_seed(2000 + key)
    body: list[int] = []
    while len(body) < 1 + key % 4:
        last = body[-1:]
        refused = {*last, *(after for before, after in pairwise(body) if [before] == last)}
        following = [symbol for symbol in range(1, symbols) if symbol not in refused and [*last, symbol] != [3, 2]]
        body.append(following[int(torch.randint(len(following), (), generator=generator))])
    return torch.tensor([*body, 0])


@torch.no_grad()
def memory_of(model: Model, keys: Sequence[int], padding: int = 0) -> Memory:
    return model.encode(batch_of(keys, padding=padding, symbols=vars(model).get("symbols", SYMBOLS)))


def outputs(found: Hypotheses, source: int) -> list[list[int]]:
    """All hypotheses of a source, best first."""
    return [found.values[source, n, : found.lengths[source, n]].tolist() for n in range(int(found.count[source]))]
