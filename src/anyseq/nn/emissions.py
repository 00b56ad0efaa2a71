"""Emissions over symbols: a lazy softmax, an explicit table, and a mixture."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Self, cast

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from anyseq.core import Choice, Emission, Noise
from anyseq.core.precision import doubled
from anyseq.nn.losses import linear_cross_entropy, rows_at_once, weighted_linear_cross_entropy

Attention = Callable[[], Tensor]


class Discrete(Emission):
    """What every distribution over symbols can do, given its logits."""

    def __init__(self, valid: Bool[Tensor, "row time"] | None, attention: Attention | None) -> None:
        self.valid, self.attention = valid, attention

    @abstractmethod
    def logits(self) -> Float[Tensor, "row *time symbol"]:
        """Unnormalised log-probabilities; -inf where forbidden."""

    def log_probs(self) -> Float[Tensor, "row *time symbol"]:
        """The whole table, in nats. A row with no symbol left is all -inf."""
        return self.logits().log_softmax(-1)

    def log_prob(self, x: Int[Tensor, "row *time"]) -> Float[Tensor, "row *time"]:
        """Log-probability of given symbols, in nats; 0 where not valid."""
        chosen = _chosen(self.logits(), x)
        return chosen if self.valid is None else chosen.masked_fill(~self.valid, 0.0)

    def mode(self, allowed: Bool[Tensor, "row symbol"] | None = None) -> Choice:
        """The likeliest allowed symbol of each row, the lowest among equals."""
        symbols, log_prob = self.candidates(1, allowed)
        return Choice(symbols.squeeze(1), log_prob.squeeze(1))

    def candidates(self, k: int, allowed: Bool[Tensor, "row symbol"] | None = None) -> Choice:
        """The k likeliest allowed symbols of each row: best first, ties to the lowest symbol."""
        log_probs = self.log_probs()
        if allowed is not None:
            log_probs = torch.where(allowed, log_probs, -torch.inf)
        best, symbols = _largest(log_probs, min(k, log_probs.shape[-1]))
        missing = k - best.shape[-1]
        if missing > 0:
            best, symbols = F.pad(best, (0, missing), value=-torch.inf), F.pad(symbols, (0, missing))
        return Choice(symbols, best)

    def sample(self, noise: Noise, allowed: Bool[Tensor, "row symbol"] | None = None) -> Choice:
        """One symbol a row by the inverse of the cumulative distribution, in float64 so that no neighbour matters."""
        log_probs = self.log_probs()
        open_ = log_probs if allowed is None else torch.where(allowed, log_probs, -torch.inf)
        # Relative to the row's best: unlikely allowed symbols must not vanish.
        best = open_.amax(-1, keepdim=True)
        cumulative = doubled(open_ - best.masked_fill(best == -torch.inf, 0.0)).exp().cumsum(-1)
        level = noise.uniform().unsqueeze(1).to(cumulative.device) * cumulative[:, -1:]
        symbols = torch.searchsorted(cumulative, level, right=True).clamp_(max=log_probs.shape[-1] - 1).to(open_.device)
        return Choice(symbols.squeeze(1), open_.gather(1, symbols).squeeze(1))

    def restrict(self, allowed: Bool[Tensor, "row *time symbol"]) -> Discrete:
        """Forbid symbols as part of the model: the rest is renormalised."""
        return Table(self.logits().masked_fill(~allowed, -torch.inf), self.valid, self.attention)

    @classmethod
    def mix(cls, emissions: Sequence[Emission]) -> Mixture:
        """The mean of the probabilities; of the attentions too, where all have one."""
        return Mixture(cast(Sequence[Discrete], emissions))


class Categorical(Discrete):
    """A softmax over hidden weightᵀ + bias, built only as far as somebody reads it.

    Args:
        hidden: What the decoder says, one vector a row (after `step`) or a row and time (after `unroll`).
        weight: Output embedding, one vector a symbol.
        bias: One number a symbol, or None.
        valid: Where the places are real, after `unroll`.
        attention: Weights over the source, on demand.
        label_smoothing: Share of the target's probability that `loss` spreads over all symbols.
    """

    def __init__(
        self,
        hidden: Float[Tensor, "row *time dim"],
        weight: Float[Tensor, "symbol dim"],
        bias: Float[Tensor, " symbol"] | None = None,
        *,
        valid: Bool[Tensor, "row time"] | None = None,
        attention: Attention | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(valid, attention)
        self.hidden, self.weight, self.bias, self.label_smoothing = hidden, weight, bias, label_smoothing

    def logits(self) -> Float[Tensor, "row *time symbol"]:
        """Unnormalised log-probabilities."""
        return F.linear(self.hidden, self.weight, self.bias)

    def log_prob(self, x: Int[Tensor, "row *time"]) -> Float[Tensor, "row *time"]:
        """Log-probability of given symbols, in nats; 0 where not valid, of which nothing is computed.

        Table by table, so that without gradients no more than a chunk of places by symbols is there at a time.
        """
        hidden, symbols = self._real(x)
        rows = rows_at_once(self.weight.shape[0])
        pieces = zip(hidden.split(rows), symbols.split(rows), strict=True)
        chosen = torch.cat([_chosen(F.linear(part, self.weight, self.bias), own) for part, own in pieces])
        if self.valid is None:
            return chosen.view(x.shape)
        return chosen.new_zeros(x.shape).masked_scatter(self.valid, chosen)

    def loss(self, x: Int[Tensor, "row time"]) -> Float[Tensor, ""]:
        """The summed (smoothed) cross-entropy at the valid places, in nats; the rest is never computed."""
        hidden, target = self._real(x)
        return linear_cross_entropy(hidden, self.weight, self.bias, target, self.label_smoothing)

    def weighted_loss(self, x: Int[Tensor, "row *time"], weights: Float[Tensor, "row *time"]) -> Float[Tensor, ""]:
        """The sum of -weights * log_prob at the valid places, in nats; no table outlives its chunk."""
        hidden, target = self._real(x)
        worth = weights.reshape(-1) if self.valid is None else weights[self.valid]
        return weighted_linear_cross_entropy(hidden, self.weight, self.bias, target, worth)

    def _real(self, x: Int[Tensor, "row *time"]) -> tuple[Float[Tensor, "place dim"], Int[Tensor, " place"]]:
        """The hidden vectors and symbols of the valid places, one behind the other."""
        if self.valid is None:
            return self.hidden.reshape(-1, self.hidden.shape[-1]), x.reshape(-1)
        return self.hidden[self.valid], x[self.valid]

    def sharpen(self, temperature: float) -> Categorical:
        """Divide the logits by the temperature, on the vectors, before any table is built."""
        bias = None if self.bias is None else self.bias / temperature
        return Categorical(
            self.hidden / temperature, self.weight, bias, valid=self.valid, attention=self.attention,
            label_smoothing=self.label_smoothing,
        )  # fmt: skip

    def smooth(self, label_smoothing: float) -> Categorical:
        """Let `loss` spread this share of the target's probability over all symbols."""
        return Categorical(
            self.hidden, self.weight, self.bias, valid=self.valid, attention=self.attention,
            label_smoothing=label_smoothing,
        )  # fmt: skip

    def at(self, places: Bool[Tensor, "row time"]) -> Categorical:
        """The distributions at these places; of the others nothing is computed."""
        return Categorical(
            self.hidden[places], self.weight, self.bias, attention=_looks_at(self.attention, places),
            label_smoothing=self.label_smoothing,
        )  # fmt: skip

    @classmethod
    def stack(cls, emissions: Sequence[Self], valid: Bool[Tensor, "row time"]) -> Categorical:
        """Steps side by side; they share the projection."""
        first = emissions[0]
        hidden = torch.stack([emission.hidden for emission in emissions], 1)
        return Categorical(hidden, first.weight, first.bias, valid=valid, attention=_stacked(emissions))


class Table(Discrete):
    """An explicit table of logits: what remains after a restriction, a mixture or a rule.

    Args:
        table: Unnormalised log-probabilities, -inf where forbidden.
        valid: Where the places are real, after `unroll`.
        attention: Weights over the source, on demand.
        label_smoothing: Share of the target's probability that `loss` spreads over the symbols not forbidden.
    """

    def __init__(
        self,
        table: Float[Tensor, "row *time symbol"],
        valid: Bool[Tensor, "row time"] | None = None,
        attention: Attention | None = None,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(valid, attention)
        self.table, self.label_smoothing = table, label_smoothing

    def logits(self) -> Float[Tensor, "row *time symbol"]:
        """Unnormalised log-probabilities."""
        return self.table

    def log_probs(self) -> Float[Tensor, "row *time symbol"]:
        """The whole table, in nats. A row with no symbol left is all -inf (of which a softmax would make nan)."""
        return self.table - _norm(self.table)

    def loss(self, x: Int[Tensor, "row time"]) -> Float[Tensor, ""]:
        """The summed (smoothed) cross-entropy at the valid places, in nats."""
        plain = -self.log_prob(x).sum()
        if not self.label_smoothing:
            return plain
        log_probs = self.log_probs()
        finite = log_probs.isfinite()
        mean = log_probs.masked_fill(~finite, 0.0).sum(-1) / finite.sum(-1).clamp(min=1)
        spread = -(mean if self.valid is None else mean.masked_fill(~self.valid, 0.0)).sum()
        return (1 - self.label_smoothing) * plain + self.label_smoothing * spread

    def sharpen(self, temperature: float) -> Table:
        """Divide the logits by the temperature."""
        return Table(self.table / temperature, self.valid, self.attention, self.label_smoothing)

    def smooth(self, label_smoothing: float) -> Table:
        """Let `loss` spread this share of the target's probability over the symbols not forbidden."""
        return Table(self.table, self.valid, self.attention, label_smoothing)

    def at(self, places: Bool[Tensor, "row time"]) -> Table:
        """The distributions at these places."""
        attention = _looks_at(self.attention, places)
        return Table(self.table[places], attention=attention, label_smoothing=self.label_smoothing)

    @classmethod
    def stack(cls, emissions: Sequence[Self], valid: Bool[Tensor, "row time"]) -> Table:
        """Steps side by side."""
        return Table(torch.stack([emission.table for emission in emissions], 1), valid, _stacked(emissions))


class Mixture(Discrete):
    """The mean of several distributions' probabilities; its table is built only if somebody reads it.

    Args:
        parts: At least one, over the same symbols and places. Where all attend, so does their mixture, with the mean.
    """

    def __init__(self, parts: Sequence[Discrete]) -> None:
        looks = [part.attention for part in parts if part.attention is not None]
        attention = (lambda: torch.stack([look() for look in looks]).mean(0)) if len(looks) == len(parts) else None
        super().__init__(parts[0].valid, attention)
        self.parts = list(parts)

    def logits(self) -> Float[Tensor, "row *time symbol"]:
        """Log of the mean probabilities."""
        return _log_mean([part.log_probs() for part in self.parts])

    def log_probs(self) -> Float[Tensor, "row *time symbol"]:
        """The same: a mean of distributions is one, and a row that has no symbol left in any part has none."""
        return self.logits()

    def log_prob(self, x: Int[Tensor, "row *time"]) -> Float[Tensor, "row *time"]:
        """Log-probability of given symbols, in nats; 0 where not valid."""
        chosen = _log_mean([part.log_prob(x) for part in self.parts])
        return chosen if self.valid is None else chosen.masked_fill(~self.valid, 0.0)

    def sharpen(self, temperature: float) -> Table:
        """Divide the mixture's own log-probabilities by the temperature."""
        return self._table().sharpen(temperature)

    def smooth(self, label_smoothing: float) -> Table:
        """Let `loss` spread this share of the target's probability over the symbols not forbidden."""
        return self._table().smooth(label_smoothing)

    def at(self, places: Bool[Tensor, "row time"]) -> Mixture:
        """The mean of the parts' distributions at these places."""
        return Mixture([part.at(places) for part in self.parts])

    @classmethod
    def stack(cls, emissions: Sequence[Self], valid: Bool[Tensor, "row time"]) -> Mixture:
        """Steps side by side, part by part."""
        columns = zip(*(emission.parts for emission in emissions), strict=True)
        stacked = Mixture([type(column[0]).stack(column, valid) for column in columns])
        stacked.attention = _stacked(emissions)
        return stacked

    def _table(self) -> Table:
        return Table(self.logits(), self.valid, self.attention)


def _log_mean(log_probs: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(log_probs)).logsumexp(0) - math.log(len(log_probs))


def _chosen(logits: Tensor, x: Tensor) -> Tensor:
    """The log-probabilities of the symbols x."""
    return (logits.gather(-1, x.unsqueeze(-1)) - _norm(logits)).squeeze(-1)


def _norm(logits: Tensor) -> Tensor:
    """Log of the sum, 0 where nothing is left: -inf stays -inf instead of becoming nan."""
    norm = logits.logsumexp(-1, keepdim=True)
    return norm.masked_fill(norm == -torch.inf, 0.0)


def _largest(table: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of each row, best first, equal ones by index: `topk` alone promises no order among equals."""
    if k == 1:
        best = table.max(-1, keepdim=True)  # documented: the first of equals
        return best.values, best.indices
    if k == table.shape[-1]:
        return _sorted(table)
    values, indices = table.topk(k + 1, -1)
    if bool(((values[:, -2] == values[:, -1]) & values[:, -1].isfinite()).any()):  # equals on both sides of the cut
        values, indices = _sorted(table)
        return values[:, :k], indices[:, :k]
    indices, order = indices[:, :k].sort(-1)
    values, order = _sorted(values[:, :k].gather(1, order))
    return values, indices.gather(1, order)


def _sorted(table: Tensor) -> tuple[Tensor, Tensor]:
    ordered = table.sort(dim=-1, descending=True, stable=True)
    return ordered.values, ordered.indices


def _looks_at(attention: Attention | None, places: Bool[Tensor, "row time"]) -> Attention | None:
    return None if attention is None else lambda: attention()[places]


def _stacked(emissions: Sequence[Emission]) -> Attention | None:
    looks = [emission.attention for emission in emissions if emission.attention is not None]
    if len(looks) < len(emissions):
        return None
    return lambda: torch.stack([look() for look in looks], 1)
