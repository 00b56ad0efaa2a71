"""Maximum likelihood on pieces of one long text: the state goes on from piece to piece, the gradient does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field
from torch import Tensor

from anyseq.core import Batch, Loss, LossPart, Model, Noise, Objective, State, Tree
from anyseq.errors import UsageError
from anyseq.training.objectives.base import ObjectiveConfig
from anyseq.training.rollouts import Rollouts


class Carried(Objective):
    """Cross-entropy per symbol, in nats, truncated back-propagation through time.

    A row whose item follows the one that stood in the same row before (its key is one higher) begins with the state
    that one ended in, and with its last symbol; others begin anew. In evaluation mode all do.

    Args:
        label_smoothing: Share of the target's probability spread over all symbols while training.

    Source:
        Williams and Peng 1990, "An efficient gradient-based algorithm"; in batches as char-rnn has it.
    """

    def __init__(self, label_smoothing: float) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self._keys: Tensor | None = None
        self._previous: Tensor | None = None
        self._state: State | None = None

    def forward(self, model: Model, batch: Batch, noise: Noise) -> Loss:
        """Score the next pieces."""
        decoder, target = model.decoder, batch.target
        memory = decoder.prepare(model.encode(batch))
        state, previous = None, None
        if model.training and self._state is not None and (rows := self._going_on(batch.keys)) is not None:
            fresh, _ = decoder.begin(memory, target, None, None)
            device = target.values.device  # what a checkpoint gave is not there yet
            state = self._state.to(device).where(rows.to(device), fresh)
            previous = None if self._previous is None else self._previous.to(device)
        emission, after = decoder.unroll(memory, target, state, previous)
        if model.training:
            last = target.lengths.clamp(min=1)[:, None] - 1
            self._keys, self._previous = batch.keys, target.values.gather(1, last).squeeze(1)
            self._state = State(**_cut_off(after))
            emission = emission.smooth(self.label_smoothing) if self.label_smoothing else emission
        return Loss({"cross_entropy": LossPart(emission.loss(target.values), target.valid.sum())})

    def _going_on(self, keys: Tensor) -> Tensor | None:
        """Which rows follow what stood in them; None where none does.

        Raises:
            UsageError: some do, and the decoder's state cannot be handed on.
        """
        if self._keys is None or self._keys.shape != keys.shape:
            return None
        found = keys == self._keys + 1
        if not bool(found.any()):
            return None
        if self._state is not None and _leaves(self._state) is None:
            raise UsageError(
                "objective=carried hands a decoder's state on from piece to piece, and this decoder's grows with the "
                "text: choose a recurrent one (model.decoder=rnn), or objective=cross_entropy"
            )
        return found

    def carried(self) -> Mapping[str, Tensor]:
        """Keys, last symbols and states of the rows."""
        leaves = None if self._state is None else _leaves(self._state)
        if self._keys is None or self._previous is None or leaves is None:
            return {}
        state = {f"state.{name}": leaf for name, leaf in leaves.items()}
        return {"keys": self._keys, "previous": self._previous, **state}

    def carry_on(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `carried` gave."""
        self._keys, self._previous = tensors.get("keys"), tensors.get("previous")
        leaves = {name.removeprefix("state."): leaf for name, leaf in tensors.items() if name.startswith("state.")}
        self._state = State(**_grown(leaves)) if leaves else None


def _cut_off(tree: Tree) -> dict[str, Any]:
    """The fields of a state, cut off from the gradient."""
    fields: dict[str, Any] = {}
    for name, leaf in tree:
        is_tree, is_tensor = isinstance(leaf, Tree), isinstance(leaf, Tensor)
        fields[name] = Tree(**_cut_off(leaf)) if is_tree else leaf.detach() if is_tensor else leaf
    return fields


def _leaves(tree: Tree) -> dict[str, Tensor] | None:
    """The tensors of a state by their dotted names; None where it holds something else (a cache)."""
    found: dict[str, Tensor] = {}
    for name, leaf in tree:
        if isinstance(leaf, Tensor):
            found[name] = leaf
        elif isinstance(leaf, Tree) and (inner := _leaves(leaf)) is not None:
            found |= {f"{name}.{path}": each for path, each in inner.items()}
        else:
            return None
    return found


def _grown(leaves: Mapping[str, Tensor]) -> dict[str, Any]:
    """The fields of the state with these leaves."""
    branches: dict[str, dict[str, Tensor]] = {}
    fields: dict[str, Any] = {}
    for path, leaf in leaves.items():
        name, dot, rest = path.partition(".")
        if dot:
            branches.setdefault(name, {})[rest] = leaf
        else:
            fields[name] = leaf
    return fields | {name: Tree(**_grown(inner)) for name, inner in branches.items()}


class CarriedConfig(ObjectiveConfig):
    """Maximum likelihood on pieces of one text, the state going on from each to the next (language_model/text)."""

    carries: ClassVar[bool] = True

    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of probability spread over all symbols")

    def build(self, rollouts: Rollouts | None = None) -> Carried:
        """Make the objective."""
        return Carried(self.label_smoothing)
