"""Deep stacks need a way past their layers.

    OMP_NUM_THREADS=1 python benchmarks/claims/depth.py [--quick]

1. scikit-learn's digits through 8, 19, 50 and 101 layers, plain, residual (x + layer(x)) and dense ([x; layer(x)]):
   the error on the training set, and the gradient of each layer's weights before training. An image is a sequence of
   one input, so that a recurrent layer is tanh(W x + b): the stacks are the library's own.
2. One layer deleted from a trained stack of 19 (Veit et al. 2016, arXiv:1605.06431).
3. 2, 4 and 8 recurrent layers, plain and residual, on dates.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from matplotlib.figure import Figure
from report import options, publish
from torch import Tensor, nn

import anyseq
from anyseq.models.encoders.rnn import RnnEncoderConfig
from anyseq.nn import recurrent
from anyseq.nn.cells import ElmanCell
from anyseq.nn.recurrent import Causal, Layer, RecurrentStack, Residual

KINDS = {"plain": "tab:red", "residual": "tab:blue"} | ({"dense": "tab:green"} if hasattr(recurrent, "Dense") else {})
PIXELS, DIGITS, GROWTH = 64, 10, 8


class Stack(nn.Module):
    """Layers from pixels to digits."""

    def __init__(self, kind: str, depth: int) -> None:
        super().__init__()
        layers: list[Layer] = []
        width = PIXELS
        for _ in range(depth):
            layer: Layer = Causal(ElmanCell(width, GROWTH if kind == "dense" else PIXELS))
            if kind != "plain":
                layer = Residual(layer) if kind == "residual" else recurrent.Dense(layer)
            layers.append(layer)
            width = layer.output_dim
        self.stack, self.readout = RecurrentStack(layers), nn.Linear(width, DIGITS)

    def forward(self, images: Tensor) -> Tensor:
        valid = torch.ones(len(images), 1, dtype=torch.bool)
        return self.readout(self.stack(images[:, None], valid)[0][:, 0])

    def without(self, number: int) -> Stack:
        """The same weights, one layer fewer."""
        other = Stack("plain", 1)
        kept = [layer for i, layer in enumerate(self.stack.layers) if i != number]
        other.stack, other.readout = RecurrentStack(kept), self.readout
        return other

    def gradients(self, images: Tensor, truth: Tensor) -> list[float]:
        """Norm of the gradient of each layer's W, the bottom first."""
        weights = [w for name, w in self.stack.named_parameters() if name.endswith("weight_ih")]
        found = torch.autograd.grad(nn.functional.cross_entropy(self(images), truth), weights)
        return [gradient.norm().item() for gradient in found]


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images and digits to train on, and the last 450 to test on."""
    from sklearn.datasets import load_digits

    found = load_digits()
    images = torch.tensor(found.data, dtype=torch.float32) / 8 - 1
    truth = torch.tensor(found.target)
    return images[:-450], truth[:-450], images[-450:], truth[-450:]


@torch.no_grad()
def error(model: Stack, images: Tensor, truth: Tensor) -> float:
    return (model(images).argmax(1) != truth).float().mean().item()


def train_digits(kind: str, depth: int, updates: int) -> tuple[Stack, dict[str, Any]]:
    images, truth, test_images, test_truth = digits()
    torch.manual_seed(1)
    model = Stack(kind, depth)
    gradients = model.gradients(images[:200], truth[:200])
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(updates):
        rows = torch.randint(len(images), (64,))
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(images[rows]), truth[rows]).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    return model, {
        "train_error": error(model, images, truth),
        "test_error": error(model, test_images, test_truth),
        "gradient_by_layer": gradients,
    }


def deletions(model: Stack) -> list[float]:
    """Test error without each of the layers in turn."""
    _, _, images, truth = digits()
    return [error(model.without(number), images, truth) for number in range(len(model.stack.layers))]


def dates(layers: int, kind: str, quick: bool) -> dict[str, float]:
    """Exact match and loss on dates of the test."""
    past = {"connections": kind} if "connections" in RnnEncoderConfig.model_fields else {"residual": kind == "residual"}
    sides = {f"model.{side}.{key}": value for side in ("encoder", "decoder")
             for key, value in {"num_layers": layers, "hidden_dim": 48, "embed_dim": 48, **past}.items()}  # fmt: skip
    own = {
        "data.generator.train": 200 if quick else 20000,
        "data.generator.test": 20 if quick else 300,
        "data.generator.dev": 20 if quick else 200,
        "model.encoder.bidirectional": False,
        "training.max_steps": 2 if quick else 250,
        "training.validate_every": 2 if quick else 250,
        "training.batch_tokens": 1000,
        "training.average": 0.0,
    }
    with TemporaryDirectory() as folder:
        trained = anyseq.train("transduce/dates", Path(folder), threads=1, overrides={**sides, **own})
    assert trained.test is not None
    return dict(trained.test.metrics)


def main(argv: list[str] | None = None) -> None:
    given = options(__doc__ or "", argv)
    depths, updates, cut = ((3, 5), 5, 5) if given.quick else ((8, 19, 50, 101), 200, 19)
    found: dict[str, dict[int, dict[str, Any]]] = {}
    deleted: dict[str, list[float]] = {}
    for kind in KINDS:
        found[kind] = {}
        for depth in depths:
            model, found[kind][depth] = train_digits(kind, depth, updates)
            if depth == cut and kind != "dense":  # without one of its layers a dense stack's widths do not fit
                deleted[kind] = deletions(model)
    layers = (2,) if given.quick else (2, 4, 8)
    on_dates = {kind: {n: dates(n, kind, given.quick) for n in layers} for kind in ("plain", "residual")}

    def draw(figure: Figure) -> None:
        left, middle, right = figure.subplots(1, 3)
        for kind, colour in KINDS.items():
            left.plot(depths, [each["train_error"] for each in found[kind].values()], "o-", color=colour, label=kind)
            middle.semilogy(found[kind][depths[-1]]["gradient_by_layer"], color=colour, label=kind)
        left.set(title="digits: error in training", xlabel="layers")
        left.legend()
        middle.set(title=f"{depths[-1]} layers: gradient of W", xlabel="layer")
        for kind, errors in deleted.items():
            right.plot(errors, "o-", color=KINDS[kind], label=kind)
        right.set(title=f"test error, one of {cut} left out", xlabel="layer left out", ylim=(0, 1))
        right.legend()

    brief = {
        kind: {
            n: {"train_error": each["train_error"], "test_error": each["test_error"],
                "gradient_bottom": each["gradient_by_layer"][0], "gradient_top": each["gradient_by_layer"][-1]}
            for n, each in by_depth.items()
        }
        for kind, by_depth in found.items()
    }  # fmt: skip
    figures = {"digits": brief, "test_error_without_a_layer": deleted, "dates": on_dates}
    if "dense" not in KINDS:
        figures["dense"] = {"skipped": "this version has no dense connections"}
    publish("depth", given, figures, draw)


if __name__ == "__main__":
    main()
