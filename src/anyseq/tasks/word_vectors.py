"""Embeddings that start from word vectors."""

from __future__ import annotations

import torch

from anyseq.core import Codec
from anyseq.data.codecs.text import TextCodec
from anyseq.data.vectors import read_vectors
from anyseq.errors import ConfigError
from anyseq.models.seq2seq import Seq2Seq, Side

_NAMED = 5


def start_from(path: str, side: Side, model: Seq2Seq, codec: Codec) -> str:
    """Put the vectors of a file into a side's embedding, for the symbols whose text they have.

    A word is looked up without the space before it, in the canonical form of the codec (with case=lower in small
    letters); both its symbols, behind a space and not, get its vector.

    Returns:
        A note: how many symbols start from the file, and how many as usual.

    Raises:
        DataError: the file cannot be used; see `read_vectors`.
        ConfigError: the codec's symbols have no texts.
    """
    if not isinstance(codec, TextCodec):
        raise ConfigError(f"model.vectors.{side}: the symbols of codec.{side} are no texts; leave it out")
    embedding = model.embedding(side)
    wanted: dict[str, list[int]] = {}
    for symbol, part in enumerate(codec.shown[2:], 2):
        wanted.setdefault(part.removeprefix(" ") or part, []).append(symbol)
    part = "encoder" if side == "source" else "decoder"
    advice = f"set the width of model.{part} (embed_dim, of a Transformer model_dim) to that, or give other vectors"
    found = read_vectors(path, wanted, embedding.embedding_dim, advice)
    with torch.no_grad():
        for symbol, vector in found.vectors.items():
            embedding.weight[symbol] = vector
    lacking = len(found.missing)
    named = f" ({', '.join(map(repr, found.missing[:_NAMED]))}{' ...' if lacking > _NAMED else ''})" if lacking else ""
    return (
        f"model.vectors.{side}: {len(wanted) - lacking:,} of {len(wanted):,} entries of the vocabulary start from "
        f"{path}, {lacking:,} as usual{named}"
    )
