"""Language models: texts from nothing, from prompts, and one text that is read on and on."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch

import anyseq
from anyseq import api
from anyseq.config import load_recipe
from anyseq.core import Batch, Item, Padded, Symbols
from anyseq.data.batching import ParallelBatches, Position
from anyseq.errors import ConfigError, DataError, UsageError
from anyseq.models.alone import Alone, AloneConfig
from anyseq.models.decoders.attention import AttentionDecoderConfig
from anyseq.models.decoders.rnn import RnnDecoderConfig
from anyseq.models.decoders.transformer import TransformerDecoderConfig
from anyseq.tasks.language_model.blending import SEAM_BONUS, cuts
from anyseq.tasks.language_model.task import _by_counts, _steps_of
from anyseq.training.loop import noise_of
from anyseq.training.objectives.carried import Carried
from tiny_runs import events, main, named, tensors, write

SMALL = ("model.decoder.embed_dim=8", "model.decoder.hidden_dim=32", "training.batch_tokens=600")
QUICK = ("training.max_steps=80", "training.validate_every=40", "training.warmup_steps=9", "training.learning_rate=.01")
CASES = [RnnDecoderConfig(cell="lstm", embed_dim=4, hidden_dim=6, num_layers=2), TransformerDecoderConfig(
    model_dim=8, ffn_dim=8, num_layers=1, num_heads=2)]  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> api.Trained:
    """Knows words in which a vowel follows each consonant."""
    folder = tmp_path_factory.mktemp("alone") / "model"
    words = [f"{a}{b}{c}{d}" for a in "bdgk" for b in "aiu" for c in "mnr" for d in "eo"] * 4
    overrides = [*SMALL, *QUICK]
    settings = dict(word.split("=") for word in overrides)
    data = {"data.train": words, "data.dev": words[:30]}
    return anyseq.train("language_model/names", folder, device="cpu", threads=1, overrides={
        **{key: float(value) if "." in value else int(value) for key, value in settings.items()}, **data})  # fmt: skip


def test_it_knows_what_follows_what(trained: api.Trained) -> None:
    """72 words are equally likely, which five symbols share; the best a bigram can do is what they allow one by one."""
    assert trained.trivial is not None
    assert math.log(72) / 5 - 1e-6 < trained.dev.metrics["loss"] < 1.1 * math.log(72) / 5
    assert trained.dev.metrics["loss"] < trained.trivial[1]["loss"]


def test_each_symbol_by_the_one_before_it() -> None:
    """By hand: 0 1 0 1 1 with the beginning in front; and of so many symbols that no table of their pairs could be."""
    seen, asked = (_steps_of(torch.tensor(text), 2) for text in ([0, 1, 0, 1, 1], [0, 0]))
    assert _by_counts(seen, asked, 2) == pytest.approx(-(math.log(2 / 3) + math.log(1 / 4)) / 2)
    many = 2_000_000
    text = _steps_of(torch.tensor([1_999_999, 5, 1_999_999, 5]), many)
    assert _by_counts(text, text, many) == pytest.approx((math.log((many + 1) / 2) + math.log((many + 2) / 3)) / 2)


def test_samples_and_prompts(trained: api.Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(trained.folder)
    assert main(["predict", model, "--samples", "9", "--seed", "3"]) == 0
    drawn = capsys.readouterr().out.splitlines()
    assert len(drawn) == 9 and len(set(drawn)) > 4 and all(len(word) == 4 for word in drawn[:3])
    prompts = write(tmp_path / "prompts.txt", "ba", "", "kuno", "gi")
    assert main(["predict", model, "--input", str(prompts)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[: 4 if place == 2 else 2] for place, line in enumerate(lines)][::2] == ["ba", "kuno"]
    assert len(lines) == 4 and len(lines[1]) == 4 and lines[3].startswith("gi")
    assert main(["predict", model, "--input", str(write(tmp_path / "unknown.txt", "bXa"))]) == 0
    assert "holds what the model has no symbol for" in capsys.readouterr().err
    # One row's prompt changes no other row's text.
    assert [each.output for each in trained.predictor.predict(["gi", "ba"])] == [lines[3], lines[0]]
    assert main(["predict", model, "--input", str(prompts), "--samples", "2", "--prefix", "d"]) == 0
    first, second = (line.split("\t") for line in capsys.readouterr().out.splitlines()[:2])
    assert first[0] == second[0] == "1" and first[2].startswith("dba") and second[2].startswith("dba")


def test_scores_and_losses_are_those_of_the_texts(
    trained: api.Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = write(tmp_path / "texts.txt", "bame", "kuro")
    assert main(["score", str(trained.folder), "--data", str(texts)]) == 0
    log_probs = [float(line.split("\t")[0]) for line in capsys.readouterr().out.splitlines()]
    best = trained.predictor.predict([""])[0]
    [again] = trained.predictor.score([Item({"target": best.output})])
    assert again.log_prob == pytest.approx(best.log_prob, abs=1e-4)
    assert main(["evaluate", str(trained.folder), "--data", str(texts), "--json", str(tmp_path / "f.json")]) == 0
    figures = json.loads((tmp_path / "f.json").read_text())
    assert figures["metrics"]["loss"] == pytest.approx(-sum(log_probs) / 10, abs=1e-5) and figures["count"] == 2


def test_what_speaks_of_a_source_is_refused(trained: api.Trained, tmp_path: Path) -> None:
    texts = str(write(tmp_path / "texts.txt", "bame"))
    model = str(trained.folder)
    assert main(["evaluate", model, "--source", texts, "--target", texts]) == 2
    assert main(["predict", model, "--max-length-ratio", "2"]) == 2
    assert main(["predict", model, "--prefix", "X"]) == 2
    assert main(["predict", model, "--alignments", "hard"]) == 2
    with pytest.raises(ConfigError, match="choose rnn or transformer"):
        AloneConfig(decoder=AttentionDecoderConfig()).build(Symbols(5))


def test_models_of_one_codec_are_an_ensemble(trained: api.Trained) -> None:
    both = anyseq.load([trained.folder, trained.folder])
    assert both.predict(["ba"])[0].output == trained.predictor.predict(["ba"])[0].output


def pieces(text: torch.Tensor, length: int) -> list[Batch]:
    """A text of several rows, cut into batches of items that follow each other."""
    cut = text.split(length, 1)
    rows, valid = range(len(text)), torch.ones(len(text), length, dtype=torch.bool)
    items = [[Item({}, key=100 * row + k) for row in rows] for k in range(len(cut))]
    return [Batch({"target": Padded(each, valid)}, own) for each, own in zip(cut, items, strict=True)]


def loss(objective: Carried, model: Alone, batch: Batch) -> float:
    return objective(model, batch, noise_of(batch, 1, 1)).parts["cross_entropy"].sum.item()


def test_piece_by_piece_is_the_whole() -> None:
    """The losses of pieces in their order are those of the whole text; out of order they are not."""
    torch.manual_seed(1)
    model = AloneConfig(decoder=CASES[0]).build(Symbols(7)).double().train()
    for module in model.modules():
        if hasattr(module, "threshold"):
            module.threshold = 0
    text = torch.randint(1, 7, (3, 12))
    (whole,) = pieces(text, 12)
    wanted = loss(Carried(0.0), model, whole)
    in_order, shuffled = Carried(0.0), Carried(0.0)
    found = [loss(in_order, model, batch) for batch in pieces(text, 4)]
    other = [loss(shuffled, model, batch) for batch in pieces(text, 4)[::-1]]
    assert sum(found) == pytest.approx(wanted, rel=1e-12)
    assert abs(sum(other) - wanted) > 1e-3
    # What is carried survives a checkpoint.
    halfway, resumed = Carried(0.0), Carried(0.0)
    first, second, third = pieces(text, 4)
    for batch in (first, second):
        loss(halfway, model, batch)
    resumed.carry_on({name: each.clone() for name, each in halfway.carried().items()})
    assert loss(resumed, model, third) == found[2]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_what_is_carried_comes_to_where_the_model_is() -> None:
    """A checkpoint is read onto the processor."""
    model = AloneConfig(decoder=CASES[0]).build(Symbols(7)).cuda()
    objective, there = Carried(0.0), torch.device("cuda")
    first, second = (each.to(there) for each in pieces(torch.ones(2, 8).long(), 4))
    loss(objective, model, first)
    kept = {name: tensor.cpu() for name, tensor in objective.carried().items()}
    wanted = loss(objective, model, second)
    objective.carry_on(kept)
    assert loss(objective, model, second) == pytest.approx(wanted)


def test_only_one_long_text_is_carried(tmp_path: Path) -> None:
    words = ["data.train=[aa, ab]", "objective=carried"]
    with pytest.raises(ConfigError, match="is for one long text"):
        anyseq.train("language_model/names", tmp_path / "m", overrides=words)
    with pytest.raises(ConfigError, match="grows with the text"):
        anyseq.train("language_model/text", tmp_path / "m", device="cpu", overrides=["model.decoder=transformer"])


def test_a_text_from_python(tmp_path: Path) -> None:
    text = "It was good. It was not.\n" * 60
    words = {word.split("=")[0]: json.loads(word.split("=")[1]) for word in WORDS} | {"training.max_steps": 2}
    for number, data in enumerate((text, text.splitlines())):
        settings = {**words, "data.train": data}
        folder = tmp_path / str(number)
        trained = anyseq.train("language_model/text", folder, device="cpu", threads=1, overrides=settings)
        assert sum(len(item.raw["target"]) for item in trained.predictor.task.read_texts(data)) == len(text)


@pytest.mark.parametrize("given", [{"path": "a.txt"}, [{"path": "a.txt", "weight": 2}]])
def test_one_long_text_has_no_weights(given: object) -> None:
    task = load_recipe("language_model/text", {"data.train": given}).build()
    with pytest.raises(DataError, match=r"one long text is FILE or \[FILE, ...\], not {'path'"):
        task.read()


def test_a_state_that_grows_is_not_carried() -> None:
    model = AloneConfig(decoder=CASES[1]).build(Symbols(7)).train()
    objective, (first, second) = Carried(0.0), pieces(torch.randint(1, 7, (2, 8)), 4)
    objective(model, first, noise_of(first, 1, 1))
    with pytest.raises(UsageError, match="grows with the text"):
        objective(model, second, noise_of(second, 1, 2))


@pytest.mark.parametrize(("count", "rows"), [(10, 3), (7, 7), (5, 9), (12, 4)])
def test_rows_read_on_and_every_piece_is_read(count: int, rows: int) -> None:
    batches = ParallelBatches(count, rows)
    for number in range(2):
        plan = batches.epoch(number)
        assert all(torch.equal(after, before + 1) for before, after in pairwise(plan))
    seen = torch.cat([*batches.epoch(0), *batches.epoch(1)]).unique()
    assert seen.tolist() == list(range(count))
    stream = batches.batches(Position(0, len(batches.epoch(0)) - 1))
    assert next(stream)[1] == Position(1, 0)


WORDS = ("data.piece_length=8", "data.judged_length=50", "training.batch_tokens=64", "training.max_minutes=null",
    "training.validate_every=5", "model.decoder.embed_dim=8", "model.decoder.hidden_dim=16")  # fmt: skip


def test_a_text_that_was_stopped_goes_on_as_if_it_had_not(tmp_path: Path) -> None:
    text = write(tmp_path / "text.txt", *(f"line {n} of {n * n}" for n in range(90)))
    words = [*WORDS, f"data.train={text}", "training.max_steps=10", "training.schedule=constant"]
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    anyseq.train("language_model/text", whole, device="cpu", threads=1, overrides=words)
    anyseq.train("language_model/text", halves, device="cpu", threads=1, overrides=[*words, "training.max_steps=5"])
    api.resume(halves, more_steps=5, device="cpu", threads=1)
    assert named(halves, "last") == 10
    for name, tensor in tensors(whole, 10).items():
        assert torch.equal(tensor, tensors(halves, 10)[name]), name
    assert events(whole)[-1]["loss"] == events(halves)[-1]["loss"]


def test_a_text_goes_on_over_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = write(tmp_path / "text.txt", *["ab", "cd"] * 300)
    folder = tmp_path / "model"
    words = [*WORDS, f"data.train={text}", "training.max_steps=60", "training.learning_rate=0.02"]
    trained = anyseq.train("language_model/text", folder, device="cpu", threads=1, overrides=words)
    assert trained.dev.metrics["loss"] < 0.2
    assert main(["predict", str(folder), "--prefix", "ab\n", "--max-length", "9"]) == 0
    said = capsys.readouterr()
    assert said.out == "ab\ncd\nab\n\n\n" and not said.err
    assert main(["train", "language_model/text", "--output", str(tmp_path / "x"), "codec=words", *words]) == 2
    assert "kind=characters squeeze=false" in capsys.readouterr().err
    short = write(tmp_path / "short.txt", "a few words")
    assert main(["train", "language_model/text", "--output", str(tmp_path / "x"), f"data.train={short}"]) == 2
    assert "too few to learn or judge by: give more" in capsys.readouterr().err


def test_blends_are_all_cuts_with_what_they_share() -> None:
    found = {word: (first, second, shared) for word, first, second, shared in cuts("brad", "angelina")}
    assert found["brangelina"] == ("bra", "ngelina", 1)
    assert found["brlina"] == ("br", "lina", 0) and "bangelina" not in found and "angelina" not in found
    assert dict.fromkeys(word for word, *_ in cuts("char", "lizard")).keys() >= {"charizard", "chard"}
    assert next(each for each in cuts("motor", "hotel") if each[0] == "motel")[1:] == ("mot", "el", 2)


def test_blends_are_ranked(trained: api.Trained, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["blend", str(trained.folder), "bame", "kuro", "--n-best", "3", "--format", "jsonl"]) == 0
    best, *others = map(json.loads, capsys.readouterr().out.splitlines())
    assert len(others) == 2 and best["score"] >= others[0]["score"] >= others[1]["score"]
    assert best["score"] == pytest.approx(best["log_prob"] / (len(best["word"]) + 1) + SEAM_BONUS * best["shared"])
    assert main(["blend", str(trained.folder), "bame", "Xuro"]) == 2
    assert "'X'" in capsys.readouterr().err
