"""A task's outputs drawn from its model, and their rewards by a metric."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from anyseq.core import Batch, Hypotheses, Memory, Padded
from anyseq.errors import UsageError
from anyseq.metrics.base import Metric
from anyseq.search.settings import SearchConfig
from anyseq.tasks.base import Task
from anyseq.training.rollouts import Drawn, Rollouts


class TaskRollouts(Rollouts):
    """Outputs as the task's search finds them, each judged by itself, in the metric's percent by 100.

    Of a metric that is the better the lower it is, 1 less that.

    Args:
        task: With codecs and model.
        metric: The reward.

    Raises:
        UsageError: this use's outputs are no texts.
    """

    def __init__(self, task: Task, metric: Metric) -> None:
        encoder, decoder = getattr(task.model, "encoder", None), task.model.decoder
        searches = type(task).search_from is not Task.search_from
        if encoder is None or not searches or decoder.whole or not decoder.discrete:
            raise UsageError(
                "objective: rewards are of what a source is turned into, symbol by symbol, which this model does not: "
                "set objective=cross_entropy, or choose another recipe or decoder"
            )
        self.task, self.metric, self.memory_dim = task, metric, encoder.output_dim
        search = task.config.search
        limits = ("max_length", "max_length_ratio", "max_length_extra")
        self._limits = {name: getattr(search, name) for name in limits}

    def draw(
        self, memory: Memory, batch: Batch, samples: int, seed: int, prefix: Padded | None = None, spread: bool = False
    ) -> Drawn:
        """Draw outputs from the model."""
        settings = SearchConfig(samples=samples, seed=seed, spread=spread, **self._limits)
        found = self.task.search_from(memory, batch, settings, prefix)
        return Drawn(_padded(found), found.log_prob.flatten().clone())

    def greedy(self, memory: Memory, batch: Batch, prefix: Padded | None = None) -> Padded:
        """The greedy output of each source."""
        return _padded(self.task.search_from(memory, batch, SearchConfig(beam_size=1, **self._limits), prefix))

    def reward(self, outputs: Padded, batch: Batch) -> Float[Tensor, " row"]:
        """Each output against its source's target."""
        values = self.task.rated(outputs, batch, self.metric)
        values = self.by_texts(outputs, batch) if values is None else values
        return values / 100 if self.metric.higher_is_better else 1 - values / 100

    def by_texts(self, outputs: Padded, batch: Batch) -> Float[Tensor, " row"]:
        """The metric's value of each output as a text."""
        each = outputs.rows // len(batch.items)
        rows = zip(outputs.values.cpu(), outputs.lengths.tolist(), strict=True)
        items = [item for item in batch.items for _ in range(each)]
        texts = [self.task.output(row[:length], item) for (row, length), item in zip(rows, items, strict=True)]
        wanted = [[self.task.reference(item)] for item in items]
        return torch.tensor(self.metric.sentences(texts, wanted)).to(outputs.values.device)


def _padded(found: Hypotheses) -> Padded:
    """All hypotheses, one below the other; what a search found may not be differentiated, a copy may."""
    values, lengths = found.values.flatten(0, 1).clone(), found.lengths.flatten().clone()
    return Padded(values, torch.arange(values.shape[1], device=values.device) < lengths[:, None])


def signs_of_collapse(outputs: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """How long outputs are against the first references, and which share of their pairs of neighbours is a new one.

    Neighbours are words; characters where hardly a reference has two words.
    """
    apart = sum(len(given[0].split()) > 1 for given in references) * 2 > len(references)

    def parts(text: str) -> list[str]:
        return text.split() if apart else list(text)

    own, wanted = [parts(output) for output in outputs], [parts(given[0]) for given in references]
    pairs = Counter(pair for each in own for pair in pairwise(each))
    return {
        "length_ratio": sum(map(len, own)) / max(1, sum(map(len, wanted))),
        "distinct_bigrams": len(pairs) / max(1, pairs.total()),
    }
