"""What `info` says of a model folder, to people and to programs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from anyseq import api
from anyseq.training.checkpoint import read_weights
from tiny_runs import named, train, write

Run = Callable[..., tuple[int, str, str]]
PART = {"name", "kind", "sizes", "parameters", "share", "products", "tied_to"}
NAMES: dict[str, Any] = {
    "folder": None, "task": None, "description": None, "recipe": None, "format": None, "problems": None,
    "data": {"fingerprint", "train", "dev", "test"},
    "codecs": {"source", "target"},
    "model": {"parameters", "parts"},
    "weights": {"step", "best_step", "last_step", "averaged_steps"},
    "training": {"steps", "epochs", "minutes", "ended", "best"},
    "status": None,
    "results": {"dev", "test"},
    "search": None,
    "versions": {"anyseq", "torch"},
}  # fmt: skip


def facts(run: Run, folder: Path) -> dict[str, Any]:
    code, out, err = run("info", folder, "--json")
    assert (code, err) == (0, "")
    found: dict[str, Any] = json.loads(out)
    assert found.keys() == NAMES.keys()
    assert all(found[name] is None or found[name].keys() == keys for name, keys in NAMES.items() if keys)
    return found


def page(run: Run, folder: Path) -> str:
    code, out, err = run("info", folder)
    assert (code, err) == (0, "")
    return " ".join(out.split())


def test_a_run(run: Run, model: Path) -> None:
    found, text = facts(run, model), page(run, model)
    weights = read_weights(model / "checkpoints" / "step_12" / "weights.safetensors")
    assert found["model"]["parameters"] == sum(weight.numel() for weight in weights.values())
    parts = {part["name"]: part for part in found["model"]["parts"]}
    assert [part.keys() == PART for part in parts.values()] == [True] * 5
    assert sum(part["share"] for part in parts.values()) == pytest.approx(1)
    assert parts["encoder"]["kind"] == "rnn" and parts["encoder"]["sizes"] == {
        "cell": "gru", "num_layers": 1, "hidden_dim": 8, "bidirectional": True,
    }  # fmt: skip
    assert parts["decoder"]["kind"] == "attention" and parts["output"]["tied_to"] == "target embedding"
    vocab_size = found["codecs"]["source"]["vocab_size"]
    assert found["codecs"]["source"] == {"kind": "characters", "vocab_size": vocab_size, "shared": False}
    assert f"source embedding table symbols {vocab_size} dim 8 {vocab_size * 8}" in text
    assert "encoder rnn cell gru num_layers 1 hidden_dim 8 bidirectional yes" in text
    assert (found["task"], found["recipe"]) == ("transduce", "transduce/copy")
    assert found["data"]["train"] == {"files": None, "generator": "copy", "count": 200}
    assert "train 200 items generated (copy)" in text
    best = named(model, "best")
    assert found["weights"] == {"step": best, "best_step": best, "last_step": 12, "averaged_steps": None}
    results = json.loads((model / "results.json").read_text())
    assert found["results"] == {name: results[name] for name in ("dev", "test")}
    assert found["training"]["best"]["metric"] == "exact_match" and found["training"]["steps"] == 12
    assert f"ended: {results['ended']}" in text and "of step" in text
    assert found["search"]["max_length"] == 20 and found["search"]["changed"] == ["beam_size", "max_length"]
    assert "search beam_size 1 max_length 20 (the rest by default)" in text
    assert found["versions"]["torch"] == torch.__version__ and "format 1" in text and "problems" not in text


def test_best_is_said_as_the_metric_says_it(run: Run, tmp_path: Path) -> None:
    train(tmp_path / "run", "training.metric=loss", "codec.joint=true", "model.share_embeddings=true")
    found, text = facts(run, tmp_path / "run"), page(run, tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    best = min(line["loss"] for line in lines if line["kind"] == "validation")
    assert found["training"]["best"]["value"] == pytest.approx(best)
    assert "source and target, one for both characters" in text and "(weights: those of the embedding)" in text
    assert [part["name"] for part in found["model"]["parts"]] == ["embedding", "encoder", "decoder", "output"]


def test_data_from_files(run: Run, tmp_path: Path) -> None:
    data = write(tmp_path / "pairs.tsv", *(f"{n}\t{n}" for n in range(100)))
    recipe = write(tmp_path / "own.yaml", api_recipe())
    api.train(recipe, tmp_path / "run", overrides=[f"data.train={data}", "training.max_steps=1"])
    found, text = facts(run, tmp_path / "run"), page(run, tmp_path / "run")
    assert found["recipe"] == "own.yaml", "its own name, without where it lay"
    assert f"train 90 items from {data} dev 10 items held out of train fingerprint" in text
    assert found["data"]["test"] == {"files": None, "generator": None, "count": None}


def api_recipe() -> str:
    from anyseq.config import show

    return show("transduce/copy")


def test_a_step_a_mean_and_an_exported_model(run: Run, model: Path, tmp_path: Path) -> None:
    step = facts(run, model / "checkpoints" / "step_8")
    assert step["weights"]["step"] == 8 and step["training"]["steps"] == 12
    run("average", model, "--output", tmp_path / "mean", "--last", "2")
    mean = facts(run, tmp_path / "mean")
    assert mean["weights"] == {"step": None, "best_step": None, "last_step": None, "averaged_steps": [8, 12]}
    assert mean["training"] is None and "the mean of the checkpoints of steps 8, 12" in page(run, tmp_path / "mean")
    flat = Path(shutil.copytree(model / "checkpoints" / "step_8", tmp_path / "flat"))
    shutil.copytree(model / "codecs", flat / "codecs")
    config = (model / "config.yaml").read_text()
    cut = [line for line in config.splitlines() if not line.startswith(("  recipe", "  items", "    train: 2"))]
    (flat / "config.yaml").write_text("\n".join(line for line in cut if line not in ("    dev: 10", "    test: 10")))
    assert facts(run, flat)["recipe"] is None
    assert "recipe not recorded data train generated (copy)" in page(run, flat)
    assert "weights one set, of an exported model" in page(run, flat)


def test_what_is_only_a_record_may_be_damaged(run: Run, model: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(model, tmp_path / "own"))
    (own / "results.json").write_text("{")
    (own / "checkpoints" / "step_12" / "training" / "state.json").write_text("[]")
    found = facts(run, own)
    assert len(found["problems"]) == 2 and found["training"] is None and found["results"] == {"dev": None, "test": None}
    text = page(run, own)
    assert "results.json: damaged" in text and "remove it" in text and "state.json: cannot go on from it" in text
    (own / "checkpoints" / "step_12" / "training" / "state.json").write_text("{}")
    (own / "results.json").unlink()
    assert ["the state of training cannot be read" in line for line in facts(run, own)["problems"]] == [True]
    (own / "last").write_text("?")
    [problem] = facts(run, own)["problems"]
    assert "write the name of a checkpoint into" in problem
