"""How a row proposes what comes next, and whether the rows of a source compete."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Bool
from torch import Tensor

from anyseq.core import Choice, Emission, Memory, Noise, State
from anyseq.core.precision import doubled
from anyseq.errors import UsageError

LEAST_TEMPERATURE = 1e-6
"""Logits divided by less may become infinite, of which a softmax makes no numbers."""


class Strategy(ABC):
    """What makes a search greedy, beam or sampling.

    Attributes:
        width: Rows of each source.
        competes: Whether the rows of a source compete for its `width` places (a beam), or each goes its own way.
        needs_symbols: Whether only a discrete decoder will do.
    """

    width: int
    competes: ClassVar[bool] = False
    needs_symbols: bool = True

    @abstractmethod
    def propose(
        self, emission: Emission, allowed: Bool[Tensor, "row symbol"] | None, memory: Memory, state: State
    ) -> Choice:
        """Each row's children: values [row, k, ...] and the model's own log_prob [row, k], -inf where there is none.

        Best first. A row that does not compete has one child.
        """


class Greedy(Strategy):
    """One row a source, which takes the likeliest symbol or vector."""

    width = 1
    needs_symbols = False

    def propose(
        self, emission: Emission, allowed: Bool[Tensor, "row symbol"] | None, memory: Memory, state: State
    ) -> Choice:
        """The mode; of symbols the lowest among equals."""
        values, log_prob = emission.mode(allowed)
        return Choice(values.unsqueeze(1), log_prob.unsqueeze(1))


class Beam(Strategy):
    """`beam_size` rows a source, of whose children the best live on.

    Args:
        beam_size: Rows of each source, at least 1; 1 gives what `Greedy` gives.
    """

    competes = True

    def __init__(self, beam_size: int) -> None:
        if beam_size < 1:
            raise UsageError(f"beam_size is {beam_size}; it must be 1 (greedy) or more")
        self.width = beam_size

    def propose(
        self, emission: Emission, allowed: Bool[Tensor, "row symbol"] | None, memory: Memory, state: State
    ) -> Choice:
        """Twice the beam's size: enough for a full beam even when as many children end."""
        return emission.candidates(2 * self.width, allowed)


class Sampling(Strategy):
    """Independent draws from the model, keyed by (seed, item, sample, step): no neighbour changes them.

    Args:
        samples: Draws for each source, at least 1.
        temperature: Divides the logits before the draw, at least 1e-6: below 1 sharper, above 1 flatter.
        top_k: Draw among the k likeliest symbols only; 0: among all.
        top_p: Draw among the fewest likeliest symbols that hold this share of the probability, in (0, 1]; 1: all.
            After temperature and top_k.
        seed: Another one gives other draws.
        spread: The first symbols of a source's samples are not drawn: they are its likeliest, a different one each, and
            again from the likeliest on where there are fewer. As many samples as elements that can be pointed at begin
            with each of them once. Behind a prefix nothing is spread.

    The reported log_prob is the model's own: neither temperature nor top_k nor top_p changes it.

    Raises:
        UsageError: a number is outside its range.

    Source:
        top_k: Fan et al. 2018, arXiv:1805.04833. top_p: Holtzman et al. 2020, arXiv:1904.09751. spread: Kwon et al.
        2020, arXiv:2010.16011, section 4 (POMO).
    """

    def __init__(
        self, samples: int = 1, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0, seed: int = 0,
        spread: bool = False,
    ) -> None:  # fmt: skip
        if samples < 1 or top_k < 0:
            raise UsageError(f"samples is {samples} (1 or more is needed), top_k is {top_k} (0 or more is needed)")
        if not temperature >= LEAST_TEMPERATURE or not 0 < top_p <= 1:
            raise UsageError(
                f"temperature is {temperature} ({LEAST_TEMPERATURE} or more is needed), "
                f"top_p is {top_p} (0 < top_p <= 1)"
            )
        self.width, self.temperature, self.top_k, self.top_p, self.seed = samples, temperature, top_k, top_p, seed
        self.spread, self.needs_symbols = spread, top_k > 0 or top_p < 1 or spread

    def propose(
        self, emission: Emission, allowed: Bool[Tensor, "row symbol"] | None, memory: Memory, state: State
    ) -> Choice:
        """One draw a row."""
        if self.spread and bool((state.steps == 1).all()):
            return self._spread(emission, allowed)
        sharp = emission if self.temperature == 1 else emission.sharpen(self.temperature)
        if self.top_k:
            allowed = _top_k(sharp, self.top_k, allowed)
        if self.top_p < 1:
            allowed = _top_p(sharp, self.top_p, allowed)
        item = memory.item.repeat_interleave(self.width)
        sample = torch.arange(self.width, device=item.device).repeat(memory.rows)
        drawn, log_prob = sharp.sample(Noise(self.seed, item, sample, state.steps), allowed)
        if sharp is not emission:
            log_prob = emission.log_prob(drawn).masked_fill(log_prob == -torch.inf, -torch.inf)
        return Choice(drawn.unsqueeze(1), log_prob.unsqueeze(1))

    def _spread(self, emission: Emission, allowed: Bool[Tensor, "row symbol"] | None) -> Choice:
        """The k-th sample of a source takes its k-th likeliest symbol."""
        symbols, log_prob = emission.candidates(self.width, allowed)
        possible = (log_prob > -torch.inf).sum(1, keepdim=True).clamp(min=1)
        place = torch.arange(len(symbols), device=symbols.device)[:, None] % self.width % possible
        return Choice(symbols.gather(1, place), log_prob.gather(1, place))


def _top_k(emission: Emission, k: int, allowed: Tensor | None) -> Tensor:
    table = torch.zeros_like(emission.log_probs(), dtype=torch.bool)
    symbols, log_prob = emission.candidates(min(k, table.shape[1]), allowed)
    return table.scatter(1, symbols, log_prob > -torch.inf)


def _top_p(emission: Emission, p: float, allowed: Tensor | None) -> Tensor:
    log_probs = emission.log_probs()
    if allowed is not None:
        log_probs = log_probs.masked_fill(~allowed, -torch.inf)
    ordered = doubled(log_probs).softmax(-1).sort(dim=-1, descending=True, stable=True)
    before = ordered.values.cumsum(-1) - ordered.values  # probability of all that are likelier
    # A row with nothing allowed is nan after the softmax and stays without a symbol.
    nucleus = (before < p) & (ordered.values > 0)
    return torch.zeros_like(nucleus).scatter(1, ordered.indices, nucleus).to(log_probs.device)
