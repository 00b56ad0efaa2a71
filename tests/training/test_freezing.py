"""Parts that are not trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from anyseq import api
from anyseq.errors import ConfigError
from anyseq.training.freezing import Frozen
from tiny_runs import RECIPE, TINY, tensors, train


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(4))
        self._decoder = torch.nn.Linear(4, 2)


def test_what_is_named_is_frozen_and_at_rest() -> None:
    net = Net()
    frozen = Frozen(net, ["encoder", "decoder.b*"])
    assert [name for name, each in net.named_parameters() if each.requires_grad] == ["_decoder.weight"]
    assert (frozen.trained, frozen.total) == (8, 3 * 4 + 4 + 8 + 8 + 2)
    assert frozen.note.startswith("8 of 34 parameters are trained")
    net.train()
    frozen.rest()
    assert not any(part.training for part in net.encoder.modules()) and net._decoder.training
    before = {name: buffer.clone() for name, buffer in net.named_buffers()}
    x = net.encoder(torch.randn(5, 3))
    assert x.grad_fn is None  # no backward pass into it
    assert all(torch.equal(buffer, before[name]) for name, buffer in net.named_buffers())


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("encodr", r"no parameter is named 'encodr'; is this meant: encoder, .*The parts are encoder, decoder"),
        ("decoder.wieght", r"is this meant: decoder.weight"),
        ("*", "nothing of the model is left to train"),
    ],
)
def test_what_cannot_be_frozen_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Frozen(Net(), [pattern])


def test_frozen_parts_stay_bit_for_bit_through_decay_averaging_and_going_on(tmp_path: Path) -> None:
    first = tmp_path / "first"
    train(first, "training.max_steps=4")
    words = ["training.freeze=[encoder]", "training.average=0.9", "training.weight_decay=0.1"]
    words += ["training.max_steps=60", "training.validate_every=30", "training.learning_rate=0.01"]
    train(tmp_path / "whole", *words, start_from=first)
    there, here = tensors(first, 4), tensors(tmp_path / "whole", 60)
    encoder = {name for name in there if name.startswith("weights.safetensors:encoder.")}
    assert encoder and all(torch.equal(there[name], here[name]) for name in encoder)
    assert all(torch.equal(here[name.replace("weights", "training/unaveraged")], there[name]) for name in encoder)
    others = {name for name in there if name.startswith("weights.safetensors:")} - encoder
    assert any(not torch.equal(there[name], here[name]) for name in others)
    train(tmp_path / "run", *words[:-3], "training.learning_rate=0.01", "training.max_steps=30",
          "training.schedule=constant", "training.validate_every=30", start_from=first)  # fmt: skip
    api.resume(tmp_path / "run", device="cpu", threads=1, more_steps=30)
    again = tensors(tmp_path / "run", 60)
    assert all(torch.equal(there[name], again[name]) for name in encoder)


def test_a_wrong_name_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"training.freeze: no parameter is named 'decoder.embd'"):
        train(tmp_path / "run", "training.freeze=[decoder.embd]")
    assert not (tmp_path / "run").exists()


def test_frozen_parts_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from anyseq.cli.main import main

    code = main(["train", RECIPE, "--output", str(tmp_path / "run"), *TINY, "training.freeze=[encoder]"])
    assert code == 0 and " parameters are trained, the others are frozen (training.freeze)" in capsys.readouterr().err
