"""Gated convolutions along a sequence: over the places around each one, or over those up to it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from anyseq.core import Tree
from anyseq.nn.attention import projection
from anyseq.nn.dropout import Dropout
from anyseq.nn.taps import tap


def windows(x: Float[Tensor, "row place dim"], width: int) -> Float[Tensor, "row time window"]:
    """Every `width` places in a row side by side, the first of them first: time = place - width + 1.

    A linear layer over them is the convolution. The copies cost less than what a convolution's own kernel loses: see
    `benchmarks/notes.md`. Where there is but one window nothing is copied.
    """
    time = x.shape[1] - width + 1
    if time == 1:
        return x.flatten(1)[:, None]
    return torch.cat([x[:, first : first + time] for first in range(width)], 2)


class GatedConvolution(nn.Module):
    """A * sigmoid(B), where A and B are two convolutions of the same places.

    Args:
        dim: Width of what goes in and of what comes out.
        kernel_width: Places that each output sees.
        dropout: Share of the input dropped in training, for the scale of the first weights.

    Source:
        Dauphin et al. 2017, arXiv:1612.08083 (the gate); Gehring et al. 2017, arXiv:1705.03122, sections 3.2 and 3.5
        (first weights N(0, 4 (1 - dropout) / (kernel_width dim)), so that variances stay).
    """

    def __init__(self, dim: int, kernel_width: int, dropout: float = 0.0) -> None:
        super().__init__()
        if kernel_width < 1:
            raise ValueError(f"a convolution sees at least one place, not kernel_width={kernel_width}")
        self.dim, self.kernel_width = dim, kernel_width
        self.linear = nn.Linear(kernel_width * dim, 2 * dim)
        nn.init.normal_(self.linear.weight, std=(4 * (1 - dropout) / (kernel_width * dim)) ** 0.5)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Float[Tensor, "row place dim"]) -> Float[Tensor, "row time dim"]:
        """One output for each window of places, so kernel_width - 1 fewer than places."""
        return F.glu(self.linear(windows(x, self.kernel_width)), -1)


class _Block(nn.Module):
    """What both forms share: norm, dropout, gated convolution."""

    def __init__(self, dim: int, kernel_width: int, dropout: float) -> None:
        super().__init__()
        # Without a bias it leaves zeros zero, and the convolution has one.
        self.norm, self.dropout = nn.LayerNorm(dim, bias=False), Dropout(dropout)
        self.convolution = GatedConvolution(dim, kernel_width, dropout)

    def enter(self, x: Float[Tensor, "row time dim"]) -> Float[Tensor, "row time dim"]:
        """What the convolution reads."""
        return self.dropout(self.norm(x))


class CentredBlock(_Block):
    """x + GLU(convolution(norm(x))) over the places around each one, for sequences that are known whole.

    Padding is zero in x and in the output, as beyond the ends: a place near an end cannot tell whether others follow
    in the batch. An even kernel reaches one place further to the right.

    Args:
        dim: Width of the vectors.
        kernel_width: Places seen, the own one among them.
        dropout: Share of what the convolution reads dropped in training.

    Source:
        Gehring et al. 2017, arXiv:1705.03122, section 3.2. Theirs has no layer norm but weight normalisation, and
        scales the sum by sqrt(1/2); a norm before the convolution and a plain sum learn faster (benchmarks/notes.md).
    """

    def forward(
        self, x: Float[Tensor, "row time dim"], real: Float[Tensor, "row time 1"]
    ) -> Float[Tensor, "row time dim"]:
        """Transform sequences; `real` is 1 at their places and 0 at padding."""
        reach = self.convolution.kernel_width - 1
        around = F.pad(self.enter(x), (0, 0, reach // 2, reach - reach // 2))
        return torch.addcmul(x, self.convolution(around), real)


class CausalBlock(_Block):
    """GLU(convolution(norm(x))) over the kernel_width places up to each one; the sum with x is left to whoever calls.

    Args:
        dim: Width of the vectors.
        kernel_width: Places seen, the own one the last of them.
        dropout: Share of what the convolution reads dropped in training.

    Source:
        As `CentredBlock`.
    """

    @property
    def reach(self) -> int:
        """Places before its own that it sees."""
        return self.convolution.kernel_width - 1

    def forward(
        self, x: Float[Tensor, "row time dim"], past: Float[Tensor, "row reach dim"]
    ) -> tuple[Float[Tensor, "row time dim"], Float[Tensor, "row places dim"]]:
        """Transform new places.

        Args:
            x: The new places.
            past: What the convolution read at the last `reach` places before them; zeros where there were none.

        Returns:
            The output, and what the convolution read, past and new: a later `past` is a part of it.
        """
        places = torch.cat([past, self.enter(x)], 1)
        return self.convolution(places), places


class AttendingBlock(nn.Module):
    """x + h + c: a causal block's output h, and what is found by it in the source, c = Σ_j a_j V v_j.

    a = softmax_j(h · K k_j / sqrt(dim) + own_j). K and V act on the source, once, instead of on every h and c: the same
    by linearity, and nothing is left of them at a step.

    Args:
        block: Gives h.
        memory_dim: Width of what is looked at.

    Source:
        Gehring et al. 2017, arXiv:1705.03122, section 3.3, equations 1 and 2. Theirs has no 1 / sqrt(dim) but a bias
        b_d, scales c by the square root of the source's length, and both sums by sqrt(1/2) (see `CentredBlock`).
    """

    def __init__(self, block: CausalBlock, memory_dim: int) -> None:
        super().__init__()
        self.block, self.dim = block, block.convolution.dim
        self.key = nn.Linear(memory_dim, self.dim, bias=False)
        nn.init.xavier_uniform_(self.key.weight)
        self.value = projection(memory_dim, self.dim)

    def prepare(
        self, keys: Float[Tensor, "source time memory_dim"], values: Float[Tensor, "source time memory_dim"]
    ) -> Tree:
        """K k and V v, once per source."""
        return Tree(key=self.key(keys), value=self.value(values))

    def forward(
        self,
        x: Float[Tensor, "row time dim"],
        past: Float[Tensor, "row reach dim"],
        prepared: Tree,
        own: Float[Tensor, "source query key"],
    ) -> tuple[Float[Tensor, "row time dim"], Float[Tensor, "row places dim"], Float[Tensor, "source query key"]]:
        """Transform new places. The rows of a source are folded into the query axis: nothing of the memory is copied.

        Args:
            x: The new places.
            past: As `CausalBlock`.
            prepared: What `prepare` made.
            own: What each new place adds to the scores; -inf where nothing may be read. Queries are row and time.

        Returns:
            The output, what the convolution read (as `CausalBlock`), and the weights over the source.
        """
        h, places = self.block(x, past)
        h = h.reshape(own.shape[0], own.shape[1], self.dim)
        weights = torch.baddbmm(own, h, prepared.key.transpose(1, 2), alpha=self.dim**-0.5).softmax(-1)
        tap(self, "weights", lambda: weights.view(x.shape[0], 1, x.shape[1], -1))
        return x + torch.baddbmm(h, weights, prepared.value).view_as(x), places, weights
