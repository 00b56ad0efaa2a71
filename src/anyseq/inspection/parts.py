"""What a model is made of, and how large each part is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import nn

from anyseq.core import Decoder, Encoder, Model
from anyseq.nn.embeddings import OutputEmbedding, SymbolEmbedding


@dataclass(frozen=True)
class ModelPart:
    """A part of a model; every parameter belongs to one part.

    Attributes:
        name: For people: `source embedding`, `encoder`, ...
        path: Where it is in the model, as `named_modules` says.
        module: The part itself; its embedding, or output, is a part of its own.
        parameters: How many are its own.
        products: Multiplications with weights at each place it reads or writes; a look into a table is none.
        tied_to: The part whose weights are its weights, too; None for none.
    """

    name: str
    path: str
    module: nn.Module
    parameters: int
    products: int = 0
    tied_to: str | None = None


def parts_of(model: Model) -> list[ModelPart]:
    """The embeddings, encoders, decoders and outputs of a model, and the rest, in this order.

    Parameters that several parts share count for the first.
    """
    found: list[ModelPart] = []
    owners: dict[int, str] = {}
    for name, path, module in _named(model):
        own, tied_to = [], None
        for parameter in module.parameters():
            if id(parameter) not in owners:
                own.append(parameter)
            elif isinstance(module, OutputEmbedding):
                tied_to = owners[id(parameter)]
        owners |= {id(parameter): name for parameter in own}
        if own or tied_to is not None:
            count = sum(parameter.numel() for parameter in own)
            found.append(ModelPart(name, path, module, count, _products(module, own), tied_to))
    return sorted(found, key=lambda part: 2 if part.module is model else int(isinstance(part.module, OutputEmbedding)))


def _products(module: nn.Module, own: Sequence[nn.Parameter]) -> int:
    """One for each weight of its own matrices; an output's count, whosever they are."""
    counted = {id(parameter) for parameter in own}
    return sum(
        parameter.numel()
        for each in module.modules()
        if not isinstance(each, nn.Embedding)
        for parameter in each.parameters(recurse=False)
        if parameter.dim() >= 2 and (id(parameter) in counted or isinstance(module, OutputEmbedding))
    )


def _named(model: Model) -> Iterator[tuple[str, str, nn.Module]]:
    """Parts with their names and paths: those inside others first, and each once."""
    roles = {path: module for path, module in model.named_modules() if isinstance(module, Encoder | Decoder)}
    outer = {path: module for path, module in roles.items() if not any(path.startswith(f"{each}.") for each in roles)}
    inputs: dict[nn.Module, list[tuple[str, str]]] = {}
    outputs: list[tuple[str, str, nn.Module]] = []
    for path, role in outer.items():
        side = "source" if isinstance(role, Encoder) else "target"
        of = f" of {_shown(path)}" if len(outer) > 2 else ""
        for below, module in role.named_modules(prefix=path):
            if isinstance(module, SymbolEmbedding) or (isinstance(role, Encoder) and module is role.embed):
                inputs.setdefault(module, []).append((f"embedding{of}" if of else f"{side} embedding", below))
            elif isinstance(module, OutputEmbedding):
                outputs.append((f"output{of}", below, module))
    for module, places in inputs.items():
        name, path = places[0]
        yield "embedding" if len(places) > 1 else name, path, module
    yield from outputs
    for path, role in outer.items():
        yield _shown(path), path, role
    yield "other", "", model


def _shown(path: str) -> str:
    return path.lstrip("_")
