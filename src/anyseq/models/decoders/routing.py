"""A decoder without a recurrence that says which element comes next: the attention model of routing problems."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn

from anyseq.core import Decoder, Memory, Padded, Pointers, State, Stream
from anyseq.errors import ConfigError
from anyseq.models.decoders.base import DecoderConfig, MemoryShape
from anyseq.models.decoders.pointer import Pointed
from anyseq.nn.attention import CrossAttention, bias_of, projection
from anyseq.nn.embeddings import FedBack
from anyseq.nn.emissions import Table


class RoutingDecoder(Decoder):
    """Which element of the source comes next, seen from the first, the last, and what is left.

    x_t = W_g mean(e) + W_f e_first + W_l e_last, before the first output W_g mean(e) + a learned vector;
    g_t = heads(x_t) over the elements that were not pointed at yet and the end;
    p(y_t) = softmax(C tanh(g_t · W_k e_j / sqrt(dim)))

    It remembers nothing else of its outputs, so a known target is scored at all places at once, and a step costs one
    look. That no element comes twice is a constraint of the model (`EachOnce`), not of this decoder.

    Args:
        context: W_g.
        first: W_f, without bias.
        last: W_l, without bias.
        look: The heads.
        keys: W_k, without bias.
        clip: C; None: scores are as they are.

    Source:
        Kool et al. 2019, arXiv:1803.08475, section 3.2. Their x_t holds the three side by side, which is the same
        under one more matrix; their starting vectors are two, of the first and the last.
    """

    def __init__(
        self, context: nn.Linear, first: nn.Linear, last: nn.Linear, look: CrossAttention, keys: nn.Linear,
        clip: float | None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.context, self.first, self.last, self.look, self.keys = context, first, last, look, keys
        self.clip, self.pointed, self.fed_back = clip, Pointed(), FedBack(Pointed(), context.out_features)
        vectors_dim = context.in_features
        self.end = nn.Parameter(torch.randn(vectors_dim) * vectors_dim**-0.5)

    def prepare(self, memory: Memory) -> Memory:
        """Add what each element says as the first and as the last, what is looked at and pointed at, and their mean."""
        end = self.end.expand(memory.rows, 1, -1)
        elements = torch.cat([end.to(memory.vectors), memory.vectors], 1)
        total = memory.vectors.masked_fill(~memory.valid[..., None], 0.0).sum(1)
        return memory.replace(
            real=F.pad(memory.valid, (1, 0), value=True),
            context=self.context(total / memory.valid.sum(1, keepdim=True)),
            as_first=self.first(elements),
            as_last=self.last(elements),
            look=self.look.prepare(elements),
            keys=self.keys(elements),
        )

    def start(self, memory: Memory) -> State:
        """Nothing was pointed at yet."""
        nothing = torch.zeros_like(memory.item)
        return State(steps=nothing, first=nothing, left=memory.real)

    def step(self, memory: Memory, state: State, previous: Int[Tensor, " row"]) -> tuple[Table, State]:
        """One look."""
        first, left = self._taken_in(state, previous[:, None])
        last = self.fed_back(previous, state.steps, memory.as_last)[:, None]
        table = self._scored(memory, state.steps[:, None], first, last, left)
        return Table(table.squeeze(1)), State(steps=state.steps + 1, first=first[:, 0], left=left[:, 0])

    def unroll(
        self, memory: Memory, target: Padded, state: State | None = None, previous: Tensor | None = None
    ) -> tuple[Table, State]:
        """All places at once."""
        state, previous = self.begin(memory, target, state, previous)
        time = target.values.shape[1]
        if not time:
            return Table(memory.keys.new_zeros(target.rows, 0, memory.keys.shape[1]), target.valid), state
        taken = torch.cat([previous[:, None], target.values[:, :-1]], 1)
        first, left = self._taken_in(state, taken)
        last = self.fed_back.shifted(target, previous, state.steps, memory.as_last)
        steps = state.steps[:, None] + torch.arange(time, device=taken.device)
        table = self._scored(memory, steps, first, last, left)
        end, some = (target.lengths - 1).clamp(min=0)[:, None], target.lengths > 0
        after = State(
            steps=state.steps + target.lengths,
            first=torch.where(some, first.gather(1, end).squeeze(1), state.first),
            left=torch.where(some[:, None], left[torch.arange(len(left), device=left.device), end[:, 0]], state.left),
        )
        return Table(table, target.valid), after

    @staticmethod
    def _taken_in(
        state: State, taken: Int[Tensor, "row time"]
    ) -> tuple[Int[Tensor, "row time"], Bool[Tensor, "row time symbol"]]:
        """The first element, and what is left, behind each of some inputs; the input of a row without steps is none."""
        steps = state.steps[:, None] + torch.arange(taken.shape[1], device=taken.device)
        own_first = torch.where(steps == 1, taken, 0).sum(1, keepdim=True)  # where it is among these inputs
        first = torch.where(state.steps[:, None] > 1, state.first[:, None], own_first) * (steps > 0)
        # Where each is first taken: no table of numbers by row, place and symbol is made.
        places = torch.arange(taken.shape[1], device=taken.device)
        never = torch.full_like(state.left, taken.shape[1], dtype=torch.int64)
        when = never.scatter_reduce(1, torch.where(steps > 0, taken, 0), places.expand_as(taken), "amin")
        when[:, 0] = taken.shape[1]  # the end is always there to be looked at
        return first, state.left[:, None] & (when[:, None] > places[:, None])

    def _scored(
        self, memory: Memory, steps: Int[Tensor, "row time"], first: Int[Tensor, "row time"],
        last: Float[Tensor, "row time dim"], left: Bool[Tensor, "row time symbol"],
    ) -> Float[Tensor, "row time symbol"]:  # fmt: skip
        """The logits, -inf at padding. The rows of a source are folded into the query axis: nothing of it is copied."""
        rows, time, symbols = left.shape
        sources = memory.rows
        x = last + self.pointed(first, memory.as_first).masked_fill(steps[..., None] == 0, 0.0)
        x = (x.view(sources, -1, x.shape[-1]) + memory.context[:, None]).view(rows, time, -1)
        bias = bias_of(left, x).view(sources, 1, rows // sources * time, symbols)
        seen, _ = self.look(x, memory.look, bias.expand(-1, self.look.num_heads, -1, -1))
        query = seen.view(sources, -1, seen.shape[-1])
        u = torch.bmm(query, memory.keys.transpose(1, 2)) * seen.shape[-1] ** -0.5
        u = u if self.clip is None else self.clip * u.tanh()
        return u.masked_fill(~memory.real[:, None], -torch.inf).view(rows, time, symbols)


class RoutingDecoderConfig(DecoderConfig):
    """A pointer without a recurrence: it sees the first, the last, and what is left (attention model of routing)."""

    model_dim: int = Field(128, ge=1, description="width of the looks and the keys")
    num_heads: int = Field(8, ge=1, description="heads of the look at what is left")
    clip: float | None = Field(10.0, gt=0, description="C: scores are C tanh(u); null: as they are")

    def build(self, memory: MemoryShape, target: Stream, embed: nn.Module | None = None) -> RoutingDecoder:
        """Make a decoder that points into such a memory.

        Raises:
            ConfigError: the target's values are no pointers, or there is nothing to point into.
        """
        if not isinstance(target, Pointers) or not memory.vectors_dim:
            raise ConfigError(
                "model.decoder.kind=routing points at elements of a source: codec.target.kind=pointers and an encoder"
            )
        if embed is not None:
            raise ConfigError("a routing decoder has no embedding to share: set model.share_embeddings=false")
        dim, vectors_dim = self.model_dim, memory.vectors_dim
        if dim % self.num_heads:
            raise ConfigError(f"model.decoder.model_dim {dim} is no multiple of num_heads {self.num_heads}")
        return RoutingDecoder(
            context=projection(vectors_dim, dim),
            first=_without_bias(vectors_dim, dim),
            last=_without_bias(vectors_dim, dim),
            look=CrossAttention(dim, vectors_dim, self.num_heads, 0.0),
            keys=_without_bias(vectors_dim, dim),
            clip=self.clip,
        )


def _without_bias(from_dim: int, to_dim: int) -> nn.Linear:
    layer = nn.Linear(from_dim, to_dim, bias=False)
    nn.init.xavier_uniform_(layer.weight)
    return layer
