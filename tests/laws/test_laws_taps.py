"""Taps: silent while nobody listens; what is heard is what the model computes, and changes nothing of it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from anyseq.nn.attention import SelfAttention
from anyseq.nn.cells import GruCell, LstmCell
from anyseq.nn.recurrent import Bidirectional, Causal, RecurrentStack
from anyseq.nn.taps import Listener, tap
from anyseq.nn.transformer import EncoderLayer, FeedForward, PreNorm
from anyseq.training.loop import noise_of
from anyseq.training.objectives.cross_entropy import CrossEntropy
from laws.whole_models import BOUND, EVERY, Pair, batch_of, make, named, target_of

torch.set_num_threads(1)
pytestmark = pytest.mark.usefixtures("unchecked")
KEYS = [4, 0, 7, 13]
BATCH = batch_of(KEYS, [target_of(key) for key in KEYS])
KINDS = ("weights", "pointers", "gates", "state", "turned", "embedded")


def operators(work: Callable[[], object]) -> list[str]:
    with profile(activities=[ProfilerActivity.CPU]) as trace:
        work()
    return [event.name for event in trace.events()]


def tapped_modules() -> list[object]:
    return [
        module
        for name, module in sorted(sys.modules.items())
        if name.startswith("anyseq.") and name != "anyseq.nn.taps" and getattr(module, "tap", None) is tap
    ]


@pytest.mark.parametrize("pair", EVERY, ids=named)
def test_silent_taps_add_no_operator(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make(pair)

    def work() -> None:
        model.decoder.unroll(model.decoder.prepare(model.encode(BATCH)), BATCH.target)

    work()
    with_taps = operators(work)
    modules = tapped_modules()
    assert len(modules) >= 8
    for module in modules:
        monkeypatch.setattr(module, "tap", lambda *_: None)
        if hasattr(module, "wanted"):
            monkeypatch.setattr(module, "wanted", lambda _: False)
    assert operators(work) == with_taps


@pytest.mark.parametrize("pair", EVERY, ids=named)
def test_11_who_is_listened_to_computes_the_same(pair: Pair) -> None:
    def loss_and_gradients() -> tuple[Tensor, list[Tensor]]:
        (part,) = CrossEntropy(0.0)(model, BATCH, noise_of(BATCH, 1, 0)).parts.values()
        return part.sum, list(torch.autograd.grad(part.sum, list(model.parameters())))

    model = make(pair)
    loss, gradients = loss_and_gradients()
    with Listener(model, KINDS) as listener:
        heard_loss, heard_gradients = loss_and_gradients()
    torch.testing.assert_close(heard_loss, loss, **BOUND)
    for one, two in zip(heard_gradients, gradients, strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-9)
    for path, values in listener.heard.items():
        if path.endswith(("weights", "pointers")):
            for weights in values:
                torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights.sum(-1)), msg=path)


@pytest.mark.parametrize("pair", EVERY, ids=named)
def test_the_emission_looks_where_the_taps_say(pair: Pair) -> None:
    model = make(pair)
    with Listener(model, ("weights",)) as listener, torch.inference_mode():
        emission, _ = model.decoder.unroll(model.decoder.prepare(model.encode(BATCH)), BATCH.target)
    if emission.attention is None or "ensemble" in named(pair):
        return
    looks = [
        torch.cat(values, 2) if len(values) > 1 else values[0]  # input feeding looks once at every step
        for path, values in listener.heard.items()
        if path.startswith("decoder.") and "self_attention" not in path
    ]
    many = all("attention" not in path and ".layers." in path for path in listener.heard if path.startswith("decoder."))
    # Of convolutions it is the mean over layers, of others the top layer's.
    shown = torch.stack(looks).mean((0, 2)) if many else looks[-1].mean(1)
    torch.testing.assert_close(shown, emission.attention())


def test_only_this_thread_and_this_model_are_heard() -> None:
    cells = [GruCell(2, 3), GruCell(2, 3)]
    x, valid = torch.ones(1, 4, 2), torch.ones(1, 4, dtype=torch.bool)

    def fold(cell: GruCell) -> None:
        cell.fold(x, valid, cell.start(x))

    with Listener(cells[0], ("gates",)) as outer, Listener(cells[0], ("state",)) as inner:
        fold(cells[1])
        other = threading.Thread(target=fold, args=(cells[0],))
        other.start()
        other.join()
        assert not outer.heard and not inner.heard
        fold(cells[0])
    assert set(outer.heard) == {"gates.reset", "gates.update"} and set(inner.heard) == {"state.h"}
    fold(cells[0])
    assert len(outer.heard["gates.reset"]) == 4


def test_gates_of_an_lstm_by_hand() -> None:
    cell = LstmCell(1, 1)
    for parameter in cell.parameters():
        nn.init.zeros_(parameter)
    cell.weight_ih.data[:] = torch.tensor([[1.0], [2.0], [3.0], [-1.0]])  # i, f, g, o of x
    x = torch.tensor([[[0.5], [-1.0]]])
    with Listener(cell, ("gates", "state")) as listener:
        cell.fold(x, torch.ones(1, 2, dtype=torch.bool), cell.start(x))

    def sigmoid(value: float) -> float:
        return 1 / (1 + torch.tensor(-value).exp().item())

    c, h = 0.0, 0.0
    for time, value in enumerate((0.5, -1.0)):
        gates = {"input": sigmoid(value), "forget": sigmoid(2 * value), "output": sigmoid(-value)}
        c = gates["forget"] * c + gates["input"] * torch.tensor(3 * value).tanh().item()
        h = gates["output"] * torch.tensor(c).tanh().item()
        for name, wanted in {**{f"gates.{k}": v for k, v in gates.items()}, "state.c": c, "state.h": h}.items():
            assert listener.sequence(name)[0, time].item() == pytest.approx(wanted, abs=1e-6), name


def test_paths_are_those_of_the_modules() -> None:
    stack = RecurrentStack([Bidirectional(LstmCell(2, 3), LstmCell(2, 3)), Causal(GruCell(6, 4))])
    x, valid = torch.ones(2, 3, 2), torch.tensor([[True] * 3, [True, False, False]])
    with Listener(stack, ("gates", "turned")) as listener:
        stack(x, valid)
    assert set(listener.heard) == {
        "layers.0.turned.backward_cell",
        *(f"layers.0.forward_cell.gates.{gate}" for gate in ("input", "forget", "output")),
        *(f"layers.0.backward_cell.gates.{gate}" for gate in ("input", "forget", "output")),
        "layers.1.cell.gates.reset", "layers.1.cell.gates.update",
    }  # fmt: skip


def test_taps_do_not_break_the_graph_of_compiled_code() -> None:
    layer = EncoderLayer(SelfAttention(8, 2, 0.0), FeedForward(8, 8, "relu", 0.0), lambda: PreNorm(8, 0.0)).eval()
    x, places = torch.randn(2, 5, 8), torch.arange(5)[None]
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    bias = torch.zeros(1, 1, 5)
    torch.testing.assert_close(compiled(x, places, bias), layer(x, places, bias))
