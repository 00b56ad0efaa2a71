"""Laws 1 to 4 over every decoder of the table."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import torch
from torch import nn

from anyseq.core import Decoder, Symbols
from anyseq.models.decoders.base import MemoryShape
from anyseq.models.decoders.copying import CopyingDecoder
from anyseq.models.ensemble import EnsembleDecoder
from anyseq.search import Constrained
from laws import decoder_laws as laws
from laws.cases import ALONE, DECODERS, FREE_OF, PointingAtSymbols, unlike_new

torch.set_num_threads(1)
VOCAB = 7
SHAPE = MemoryShape(vectors_dim=8, summary_dim=5, state_dims=[{"h": 8, "c": 8}] * 2)
Mode = Callable[[], AbstractContextManager[None]]
without_gradients = pytest.mark.parametrize(
    ("mode", "width"), [(torch.no_grad, 1), (torch.inference_mode, 2)], ids=["no_grad", "inference_mode"]
)
unchecked = pytest.mark.usefixtures("unchecked")
BUILT = {**DECODERS, **ALONE}
every_decoder = pytest.mark.parametrize("name", BUILT)
every_one_that_reads_itself = pytest.mark.parametrize(
    "name", [name for name in BUILT if "fed_back" not in FREE_OF.get(name, {})]
)


def make(name: str, dtype: torch.dtype = torch.float64) -> laws.Case:
    torch.manual_seed(1)
    decoder = unlike_new(BUILT[name](SHAPE, Symbols(VOCAB)), dtype)
    return laws.Case(decoder, laws.make_memory(SHAPE, dtype), VOCAB)


def embedding(decoder: Decoder) -> nn.Module:
    if isinstance(decoder, EnsembleDecoder):
        return embedding(decoder.members[0])
    inside = isinstance(decoder, (Constrained, CopyingDecoder, PointingAtSymbols))
    return embedding(decoder.decoder) if inside else decoder.fed_back.embed


@unchecked
@pytest.mark.parametrize(
    ("mode", "width"),
    [(torch.enable_grad, 1), (torch.enable_grad, 2), (torch.no_grad, 1), (torch.inference_mode, 2)],
    ids=["gradients1", "gradients2", "no_grad", "inference_mode"],
)
@every_decoder
def test_unroll_is_a_chain_of_steps(name: str, width: int, mode: Mode) -> None:
    case = make(name)
    with mode():
        laws.check_unroll_is_a_chain_of_steps(case, width)


@unchecked
@every_decoder
def test_unroll_is_a_chain_of_steps_in_float32(name: str) -> None:
    case = make(name, torch.float32)
    with torch.inference_mode():
        laws.check_unroll_is_a_chain_of_steps(case, width=2)


@unchecked
@without_gradients
@every_decoder
def test_unroll_in_pieces(name: str, width: int, mode: Mode) -> None:
    case = make(name)
    with mode():
        laws.check_unroll_in_pieces(case, width)


@unchecked
@without_gradients
@every_decoder
def test_select_commutes_with_step(name: str, mode: Mode, width: int) -> None:
    case = make(name)
    with mode():
        laws.check_select_commutes_with_step(case)


@unchecked
@every_decoder
def test_padding_and_neighbours(name: str) -> None:
    laws.check_padding_and_neighbours(make(name))


@unchecked
@every_decoder
def test_padding_and_neighbours_in_float32(name: str) -> None:
    laws.check_padding_and_neighbours(make(name, torch.float32))


@every_one_that_reads_itself
def test_causal(name: str) -> None:
    exceptions = FREE_OF.get(name, {})
    laws.check_causal(make(name), embedding, everywhere="reach" not in exceptions, far="far" not in exceptions)


@every_decoder
def test_every_parameter_learns(name: str) -> None:
    laws.check_every_parameter_learns(make(name))


@every_one_that_reads_itself
def test_start_vector(name: str) -> None:
    laws.check_start_vector(make(name))


@every_decoder
def test_attention_is_a_distribution(name: str) -> None:
    laws.check_attention_is_a_distribution(make(name))


@unchecked
@every_decoder
def test_output_dim(name: str) -> None:
    laws.check_output_dim(make(name))
