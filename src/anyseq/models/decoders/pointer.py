"""A recurrent decoder whose outputs are elements of the source: a Pointer Network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from anyseq.core import Decoder, Memory, Padded, Pointers, State, Stream
from anyseq.errors import ConfigError
from anyseq.models.decoders.base import DecoderConfig, MemoryShape
from anyseq.models.decoders.rnn import FirstSettings, FirstState
from anyseq.nn.attention import bias_of
from anyseq.nn.attention_scores import AdditiveScores
from anyseq.nn.dropout import Dropout
from anyseq.nn.embeddings import FedBack
from anyseq.nn.emissions import Table
from anyseq.nn.recurrent import RecurrentStack
from anyseq.nn.taps import tap


class Pointed(nn.Module):
    """What is pointed at, as a vector."""

    def forward(
        self, symbols: Int[Tensor, "row *time"], vectors: Float[Tensor, "source symbol dim"]
    ) -> Float[Tensor, "row *time dim"]:
        """The vectors of some symbols: row r points into source r // (row / source)."""
        sources, count, dim = vectors.shape
        own = torch.arange(sources, device=symbols.device).repeat_interleave(symbols.shape[0] // sources)
        return F.embedding(symbols + count * own.view(-1, *(1,) * (symbols.dim() - 1)), vectors.reshape(-1, dim))


class Glimpse(nn.Module):
    """A look at the source before it is pointed: q' = Σ_j softmax_j(score(q, e_j)) W e_j.

    Args:
        dim: Width of q and q'.
        vectors_dim: Width of the memory's vectors.
        attention_dim: Inner width of the scores.

    Source:
        Bello et al. 2016, arXiv:1611.09940, section A.1.
    """

    def __init__(self, dim: int, vectors_dim: int, attention_dim: int) -> None:
        super().__init__()
        self.scores = AdditiveScores(dim, vectors_dim, attention_dim)
        self.value = nn.Linear(vectors_dim, dim)
        nn.init.xavier_uniform_(self.value.weight)
        nn.init.zeros_(self.value.bias)

    def prepare(self, elements: Float[Tensor, "source symbol vectors_dim"]) -> tuple[Tensor, Tensor]:
        """Keys and values, once per source."""
        return self.scores.keys(elements), self.value(elements)

    def forward(
        self, query: Float[Tensor, "source query dim"], keys: Tensor, values: Tensor, readable: Tensor
    ) -> Float[Tensor, "source query dim"]:
        """Look."""
        weights = self.scores(query, keys, readable).softmax(-1)
        tap(self, "pointers", lambda: weights[:, None])
        return weights @ values


class PointerDecoder(Decoder):
    """It says which element of the source comes next, of any number: a softmax over them and the end.

    h_t = stack(W' e_{y_{t-1}}, h_{t-1}),  u_t(j) = vᵀ tanh(W h_t + U e_j + b),  p(y_t) = softmax(u_t)

    where e_0 is a learned vector, the end's, and e_{1+i} the memory's vector of element i; what is fed back is what was
    pointed at (the papers feed back its coordinates). That no element is pointed at twice is a constraint of the model
    (`EachOnce`), not of this decoder; so its glimpses see all of the source.

    Args:
        pointed: W'.
        fed_back: What was pointed at, as input.
        stack: The recurrence, from left to right.
        first: Makes its first state.
        glimpses: Looks at the source, one after the other, before it is pointed.
        scores: u.
        clip: C, where the scores are C tanh(u) instead; None: as they are.
        dropout: Share of the recurrence's output dropped in training.

    Source:
        Vinyals et al. 2015, arXiv:1506.03134, equation 3; C: Bello et al. 2016, arXiv:1611.09940, equation 16.
    """

    def __init__(
        self, pointed: nn.Linear, fed_back: FedBack, stack: RecurrentStack, first: FirstState,
        glimpses: Sequence[Glimpse], scores: AdditiveScores, clip: float | None, dropout: float,
    ) -> None:  # fmt: skip
        super().__init__()
        self.pointed, self.fed_back, self.stack, self.first = pointed, fed_back, stack, first
        self.glimpses, self.scores, self.clip, self.dropout = nn.ModuleList(glimpses), scores, clip, Dropout(dropout)
        dim = scores.vectors_dim
        self.end = nn.Parameter(torch.randn(dim) * dim**-0.5)

    def prepare(self, memory: Memory) -> Memory:
        """Add what can be pointed at: as input, as keys, and where it is real; and what the glimpses read."""
        end = self.end.expand(memory.rows, 1, -1)
        elements = torch.cat([end.to(memory.vectors), memory.vectors], 1)
        real = F.pad(memory.valid, (1, 0), value=True)
        looks = [glimpse.prepare(elements) for glimpse in cast(Iterable[Glimpse], self.glimpses)]
        return memory.replace(
            pointed=self.pointed(elements),
            pointer_keys=self.scores.keys(elements),
            readable=bias_of(real, memory.vectors)[:, None],
            **{f"glimpse{number}_{name}": field for number, look in enumerate(looks)
               for name, field in zip(("keys", "values"), look, strict=True)},
        )  # fmt: skip

    def start(self, memory: Memory) -> State:
        """The stack's first state."""
        return State(steps=torch.zeros_like(memory.item), cells=self.first(memory, self.stack))

    def step(self, memory: Memory, state: State, previous: Int[Tensor, " row"]) -> tuple[Table, State]:
        """One time step of the stack."""
        h, cells = self.stack.step(self.fed_back(previous, state.steps, memory.pointed), state.cells)
        return Table(self._scored(h[:, None], memory).squeeze(1)), State(steps=state.steps + 1, cells=cells)

    def unroll(
        self, memory: Memory, target: Padded, state: State | None = None, previous: Tensor | None = None
    ) -> tuple[Table, State]:
        """The whole target through the fused recurrence."""
        state, previous = self.begin(memory, target, state, previous)
        x = self.fed_back.shifted(target, previous, state.steps, memory.pointed)
        h, cells = self.stack(x, target.valid, state.cells)
        return Table(self._scored(h, memory), target.valid), State(steps=state.steps + target.lengths, cells=cells)

    def _scored(self, h: Float[Tensor, "row time dim"], memory: Memory) -> Float[Tensor, "row time symbol"]:
        """u, -inf at padding. The rows of a source are folded into the query axis, so nothing of it is copied."""
        rows, time, dim = h.shape
        query = self.dropout(h).reshape(memory.rows, rows // memory.rows * time, dim)
        for number, glimpse in enumerate(self.glimpses):
            look = (memory.get(f"glimpse{number}_{name}") for name in ("keys", "values"))
            query = glimpse(query, *look, memory.readable)
        if self.clip is None:
            u = self.scores(query, memory.pointer_keys, memory.readable)
        else:
            u = self.scores(query, memory.pointer_keys, torch.zeros_like(memory.readable))
            u = self.clip * u.tanh() + memory.readable
        u = u.view(rows, time, u.shape[-1])
        tap(self, "pointers", lambda: u.softmax(-1)[:, None])
        return u


class PointerDecoderConfig(FirstSettings, DecoderConfig):
    """A recurrent decoder whose outputs are elements of the source (Ptr-Net)."""

    outline: ClassVar[tuple[str, ...]] = (*FirstSettings.outline, "glimpses")

    attention_dim: int = Field(128, ge=1, description="inner width of the scores")
    glimpses: int = Field(0, ge=0, description="looks at the source before each output (Bello 2016: 1)")
    clip: float | None = Field(None, gt=0, description="C: scores are C tanh(u) (Bello 2016: 10); null: as they are")

    def build(self, memory: MemoryShape, target: Stream, embed: nn.Module | None = None) -> PointerDecoder:
        """Make a decoder that points into such a memory.

        Raises:
            ConfigError: the target's values are no pointers, or there is nothing to point into.
        """
        if not isinstance(target, Pointers):
            raise ConfigError(
                "model.decoder.kind=pointer points at elements of the source: codec.target.kind=pointers (for symbols "
                "of a vocabulary choose another decoder)"
            )
        if not memory.vectors_dim:
            raise ConfigError("model.decoder.kind=pointer points at elements of a source: give an encoder")
        if embed is not None:
            raise ConfigError("a pointer decoder has no embedding to share: set model.share_embeddings=false")
        stack, dim = RecurrentStack(self.make_layers(self.embed_dim)), memory.vectors_dim
        pointed = nn.Linear(dim, self.embed_dim)
        nn.init.xavier_uniform_(pointed.weight)
        nn.init.zeros_(pointed.bias)
        return PointerDecoder(
            pointed=pointed,
            fed_back=FedBack(Pointed(), self.embed_dim),
            stack=stack,
            first=self.make_first(memory, stack),
            glimpses=[Glimpse(self.hidden_dim, dim, self.attention_dim) for _ in range(self.glimpses)],
            scores=AdditiveScores(self.hidden_dim, dim, self.attention_dim),
            clip=self.clip,
            dropout=self.dropout,
        )
