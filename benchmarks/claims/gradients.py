"""Gradients through a recurrence vanish or explode; gates keep them; clipping holds the explosions.

    OMP_NUM_THREADS=1 python benchmarks/claims/gradients.py [--quick]

1. h = w h + x over 1,000 steps: y = h_1000 and dy/dw, by autograd through the library's ElmanCell and in closed form.
2. The adding problem (Hochreiter and Schmidhuber 1997) at T = 50, 100, 200: Elman, LSTM, GRU; how the gradient of the
   loss by each input depends on its distance from the end.
3. An Elman network with and without clipping of the gradient.
"""

from __future__ import annotations

from statistics import fmean
from typing import Any

import torch
from matplotlib.figure import Figure
from report import COLOURS, options, publish
from torch import Tensor, nn

from anyseq.nn.cells import Cell, ElmanCell, GruCell, LstmCell

CELLS: dict[str, type[Cell]] = {"elman": ElmanCell, "lstm": LstmCell, "gru": GruCell}
STEPS = 1000
BASELINE = 1 / 6  # the mean squared error of always answering 1


# 1. One weight, a thousand steps


def by_autograd(w: float, x: Tensor) -> tuple[float, float, Tensor]:
    """y, dy/dw, and dy/dx_t: how much each input still counts at the end."""
    cell = ElmanCell(1, 1, "identity").double()
    nn.init.ones_(cell.weight_ih)
    nn.init.constant_(cell.weight_hh, w)
    inputs = x.double().view(1, -1, 1).requires_grad_()
    valid = torch.ones(1, len(x), dtype=torch.bool)
    outputs, _ = cell.fold(inputs, valid, cell.start(inputs[:, 0]))
    y = outputs[0, -1, 0]
    by_weight, by_input = torch.autograd.grad(y, [cell.weight_hh, inputs])
    return y.item(), by_weight.item(), by_input.flatten()


def in_closed_form(w: float, every: bool) -> tuple[float, float]:
    """Ones at every step: y = Σ w^k, k < T. A single one, at the first step: y = w^(T-1)."""
    if every:
        y = (w**STEPS - 1) / (w - 1)
        return y, (STEPS * w ** (STEPS - 1) * (w - 1) - (w**STEPS - 1)) / (w - 1) ** 2
    return w ** (STEPS - 1), (STEPS - 1) * w ** (STEPS - 2)


def one_weight() -> list[dict[str, Any]]:
    rows = []
    for every in (True, False):
        x = torch.ones(STEPS) if every else torch.eye(1, STEPS)[0]
        for w in (1.01, 0.99):
            y, slope, _ = by_autograd(w, x)
            exact_y, exact_slope = in_closed_form(w, every)
            error = max(abs(y / exact_y - 1), abs(slope / exact_slope - 1))
            assert error < 1e-6, f"autograd and the closed form differ by {error}"
            name = "ones at every step" if every else "a single one, at the first step"
            rows.append({"input": name, "w": w, "y": y, "dy/dw": slope, "relative_error": error})
    return rows


# 2. The adding problem: which two of T numbers are marked, and what is their sum?


def adding(rows: int, length: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Numbers in [0, 1] beside marks, one in each half of the sequence; and the sum of the two marked."""
    numbers = torch.rand(rows, length, generator=random)
    half = length // 2
    first = torch.randint(half, (rows,), generator=random)
    second = torch.randint(half, length, (rows,), generator=random)
    marks = torch.zeros(rows, length)
    marks[torch.arange(rows), first] = marks[torch.arange(rows), second] = 1
    return torch.stack([numbers, marks], 2), (numbers * marks).sum(1)


class Adder(nn.Module):
    """One recurrent layer, and a linear map of its last vector."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell, self.readout = cell, nn.Linear(cell.hidden_dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        valid = torch.ones(x.shape[:2], dtype=torch.bool)
        outputs, _ = self.cell.fold(x, valid, self.cell.start(x[:, 0]))
        return self.readout(outputs[:, -1])[:, 0]


def train_adder(cell: type[Cell], length: int, updates: int) -> tuple[Adder, dict[str, Any]]:
    """Until the mean error of the last 50 updates is below .002, or the updates are spent; then 1,000 new items."""
    torch.manual_seed(1)
    random = torch.Generator().manual_seed(length)
    model = Adder(cell(2, 64))
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    before, recent = influence(model, length), []
    for _ in range(updates):
        x, y = adding(32, length, random)
        loss = nn.functional.mse_loss(model(x), y)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        recent.append(loss.item())
        if len(recent) >= 50 and fmean(recent[-50:]) < 0.002:
            break
    with torch.no_grad():
        x, y = adding(1000, length, torch.Generator().manual_seed(0))
        error = nn.functional.mse_loss(model(x), y).item()
    return model, {"test_mse": error, "updates": len(recent), "before": before, "after": influence(model, length)}


def influence(model: Adder, length: int) -> list[float]:
    """Norm of the loss's gradient by each input, the last first, as a share of the last's; mean of 200 items."""
    x, y = adding(200, length, torch.Generator().manual_seed(0))
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(nn.functional.mse_loss(model(x), y), x)
    norms = gradient.norm(dim=2).mean(0).flip(0)
    return (norms / norms[0]).tolist()


# 3. Clipping


def clipping(clip: float | None, updates: int) -> dict[str, Any]:
    """Plain gradient descent on the adding problem at T = 100; the Elman network's U starts as 1.5 times orthogonal.

    It ends where the loss is no number any more.
    """
    torch.manual_seed(1)
    random = torch.Generator().manual_seed(1)
    model = Adder(ElmanCell(2, 64))
    model.cell.weight_hh.data *= 1.5
    optimiser = torch.optim.SGD(model.parameters(), lr=0.05)
    losses, norms = [], []
    for _ in range(updates):
        x, y = adding(32, 100, random)
        loss = nn.functional.mse_loss(model(x), y)
        optimiser.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), clip if clip is not None else float("inf"))
        if not (loss.isfinite() and norm.isfinite()):
            break
        optimiser.step()
        losses.append(loss.item())
        norms.append(norm.item())
    return {
        "updates_before_infinity": len(losses) if len(losses) < updates else None,
        "largest_gradient": max(norms),
        "largest_loss": max(losses),
        "mean_loss_of_the_last_50": fmean(losses[-50:]),
    }


def main(argv: list[str] | None = None) -> None:
    given = options(__doc__ or "", argv)
    lengths, updates = ((10,), 60) if given.quick else ((50, 100, 200), 2500)
    linear = one_weight()
    solved = {name: {t: train_adder(cell, t, updates)[1] for t in lengths} for name, cell in CELLS.items()}
    clipped = {str(clip): clipping(clip, 60 if given.quick else 600) for clip in (None, 1.0)}
    longest = lengths[-1]

    def draw(figure: Figure) -> None:
        left, middle, right = figure.subplots(1, 3)
        for w, style in ((1.01, "-"), (0.99, "--")):
            _, _, each = by_autograd(w, torch.ones(STEPS))
            left.semilogy(each.flip(0), f"k{style}", label=f"w = {w}")
        left.set(title="h = w h + x: dy/dx", xlabel="steps from the end")
        left.legend()
        for name, found in solved.items():
            middle.semilogy(found[longest]["before"], ":", color=COLOURS[name])
            middle.semilogy(found[longest]["after"], color=COLOURS[name], label=name)
            right.plot(lengths, [found[t]["test_mse"] for t in lengths], "o-", color=COLOURS[name], label=name)
        middle.set(title=f"adding, T = {longest}: dL/dx (dotted: untrained)", xlabel="steps from the end")
        middle.title.set_fontsize(9)
        right.axhline(BASELINE, color="grey", linestyle=":", label="always 1")
        right.set(title="adding: squared error on test", xlabel="T")
        right.legend()

    brief = {
        name: {
            t: {"test_mse": f["test_mse"], "updates": f["updates"], "first_input_untrained": f["before"][-1],
                "first_input_trained": f["after"][-1]}
            for t, f in found.items()
        }
        for name, found in solved.items()
    }  # fmt: skip
    publish("gradients", given, {"one_weight": linear, "adding": brief, "baseline_mse": BASELINE,
                                 "elman_clipping": clipped}, draw)  # fmt: skip


if __name__ == "__main__":
    main()
