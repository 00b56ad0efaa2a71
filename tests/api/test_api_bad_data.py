"""Bad input is told apart before the first step: file, line and remedy, exit 2, nothing made and nothing lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from anyseq.api.folders import clear
from anyseq.config import load_recipe
from tiny_runs import RECIPE, TINY, listing, write

Run = Callable[..., tuple[int, str, str]]
LETTERS = "abcdefghijklmnop"
GOOD = [f"{one}{other}" for one in LETTERS for other in LETTERS]


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    return write(tmp_path / "source.txt", *GOOD), write(tmp_path / "target.txt", *GOOD)


def words(source: Path, target: Path, *more: str) -> list[str]:
    return [RECIPE, *TINY, f"data.train.source={source}", f"data.train.target={target}", *more]


def refuse(run: Run, folder: Path, *command: str | Path) -> str:
    """Train, which is refused; gives the message. What was noted before may stand before it."""
    code, out, err = run("train", *command, "--output", folder)
    assert (code, out) == (2, ""), err
    noted, _, message = err.rpartition("anyseq: ")
    assert all(line.startswith(("note: ", "warning: ")) for line in noted.splitlines()), err
    assert message and "Traceback" not in err
    assert not folder.exists()
    return "anyseq: " + message


def test_sides_of_unequal_length(run: Run, sides: tuple[Path, Path], tmp_path: Path) -> None:
    write(sides[1], *GOOD[:-1])
    message = refuse(run, tmp_path / "run", *words(*sides))
    assert f"{sides[0]} has 256, {sides[1]} has 255 lines" in message and "mend" in message
    assert run("check", *words(*sides))[::2] == (2, message)


def test_an_empty_file(run: Run, sides: tuple[Path, Path], tmp_path: Path) -> None:
    write(sides[0])
    message = refuse(run, tmp_path / "run", *words(*sides))
    assert f"{sides[0]}: the file is empty; give one" in message
    assert run("check", *words(*sides))[::2] == (2, message)


def test_bytes_that_are_no_utf_8(run: Run, sides: tuple[Path, Path], tmp_path: Path) -> None:
    sides[0].write_bytes(sides[0].read_bytes().replace(b"ac\n", b"a\xe9\n"))
    message = refuse(run, tmp_path / "run", *words(*sides))
    assert f"{sides[0]}:3: byte 2 of the line is no UTF-8; convert the file" in message and "iconv" in message


def test_a_missing_file(run: Run, sides: tuple[Path, Path], tmp_path: Path) -> None:
    message = refuse(run, tmp_path / "run", *words(tmp_path / "sorce.txt", sides[1]))
    assert f"sorce.txt: there is no such file; did you mean {sides[0]}?" in message
    # what is needed only at the end is missed at the beginning, too
    message = refuse(run, tmp_path / "run", *words(*sides, "data.test=gone.tsv"))
    assert "gone.tsv: there is no such file" in message


def test_all_faults_of_a_recipe_at_once(run: Run, tmp_path: Path) -> None:
    recipe = write(
        tmp_path / "mine.yaml",
        *("task: transduce", "codec: {source: {kind: characters}}", "model:"),
        *("  encoder: {kind: rnn, hiden_dim: 8}", "  decoder: {kind: atention}"),
        *("objective: {kind: cross-entropy}", "training: {max_steps: many}"),
    )
    command = [str(recipe), "training.learning_rat=1", "search.beam_size=0", "serach.beam_size=1"]
    message = refuse(run, tmp_path / "run", *command)
    for fault in (
        f"{recipe}:4: model.encoder.hiden_dim: unknown key 'hiden_dim'; did you mean 'hidden_dim'?",
        f"{recipe}:5: model.decoder.kind: no part of section 'decoders' is called 'atention'; did you mean 'attention'",
        "did you mean 'cross_entropy'?",
        f"{recipe}:7: training.max_steps: ",
        "training.learning_rat=1: unknown key 'learning_rat'; did you mean 'learning_rate'?",
        "search.beam_size=0: should be greater than or equal to 1",
        "unknown key 'serach'; did you mean 'search'?",
    ):
        assert fault in message, message
    assert "7 faults" in message
    assert run("check", *command)[::2] == (2, message)


def test_words_that_are_no_key_value_are_told_before_anything_is_read(run: Run, tmp_path: Path) -> None:
    command = ["gone.yaml", "training.seed", "training.max_steps=3", "training.max_steps", "7"]
    message = refuse(run, tmp_path / "run", *command)
    assert message.count("an override is written key=value, as in model.dropout=0.1") == 3 and "3 faults" in message
    assert run("check", *command)[::2] == (2, message)
    assert run("train", "--resume", tmp_path, *command[1:])[2] == message


@pytest.mark.parametrize(
    ("words_", "hint"),
    [
        (["training.metric=blue"], "there is no metric 'blue' in this recipe; it has exact_match, cer, loss"),
        (["training.max_steps=null"], "set max_steps, max_minutes or patience"),
        (["search.n_best=9"], "n_best 9 needs a beam_size of 9"),
        (["model.decoder.scores=dot", "model.encoder.hidden_dim=9"], "scores=dot compares vectors of one width"),
        (["data.generator=null"], "nothing to learn from: give data.train"),
        (["--device", "cuda"], "--device cuda: there is none on this machine; use auto or cpu"),
        (["--precision", "bf16"], "use float32"),
    ],
)
def test_what_does_not_go_together(
    run: Run, tmp_path: Path, words_: list[str], hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert hint in refuse(run, tmp_path / "run", RECIPE, *TINY, *words_)
    code, _, err = run("check", RECIPE, *TINY, *words_)
    assert code == 2 and hint in err


def test_pairs_that_cannot_be_trained_on(run: Run, sides: tuple[Path, Path], tmp_path: Path) -> None:
    bad = [*GOOD[:3], " ", *GOOD[4:], "x" * 40]
    write(sides[0], *bad), write(sides[1], *GOOD, "short")
    dev = write(tmp_path / "dev.tsv", *(f"{text}\t{text}" for text in GOOD[:20]))
    command = words(*sides, "data.max_length=20", f"data.dev={dev}", "data.max_skipped=0.005")
    message = refuse(run, tmp_path / "run", *command)
    assert f"{sides[0]}:4 (source is empty)" in message and "at most 0.50% may be: mend the data" in message
    assert "raise data.max_length=20 (the longest has 41 symbols), or allow it with data.max_skipped=0.01" in message
    assert "2 of 257 items (0.78%) are left out" in message
    assert f"{sides[0]}:257 (41 symbols long, data.max_length=20)" in message
    code, out, _ = run("check", *command)
    assert code == 2 and "data.max_skipped=" in out and "expect:" not in out and "(source is empty)" in out
    code, _, err = run("train", *command, "data.max_skipped=0.01", "--output", tmp_path / "run")
    assert code == 0 and "note: " in err and f"{sides[0]}:4 (source is empty)" in err
    assert err.index("are left out") < err.index("step "), "it must be said before training"
    code, out, _ = run("check", *command, "data.max_skipped=0.01")
    assert code == 0 and f"{sides[0]}:4 (source is empty)" in out


def test_a_folder_that_holds_a_run(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = ["train", RECIPE, *TINY, "training.max_steps=2", "--output", folder]
    assert run(*command)[0] == 0
    write(folder / "notes.txt", "mine")
    (folder / "plots").mkdir()
    write(folder / "plots" / "one.txt", "mine, too")
    before = listing(folder)
    code, _, err = run(*command)
    assert code == 2 and f"--resume {folder}" in err and "--overwrite" in err
    code, _, err = run("demo", "--output", folder)
    assert code == 2 and f"anyseq predict {folder}" in err and "--resume" not in err
    (tmp_path / "own.yaml").touch()
    assert f"did you mean {tmp_path / 'own.yaml'}?" in run("train", tmp_path / "own.yml")[2]
    # a new run that is refused takes nothing from the old one
    for fault in ("training.max_stps=3", "training.metric=blue", "data.train=gone.tsv", "data.test=gone.tsv"):
        assert run(*command, "--overwrite", fault)[0] == 2
        assert listing(folder) == before
    assert run(*command, "--overwrite", "training.max_steps=3")[0] == 0
    after = listing(folder)
    assert after["notes.txt"] == before["notes.txt"] and after["plots/one.txt"] == before["plots/one.txt"]
    assert "checkpoints/step_3/weights.safetensors" in after
    assert "checkpoints/step_2/weights.safetensors" not in after


def test_a_metric_that_is_none_is_told_before_data_are_read(run: Run, tmp_path: Path) -> None:
    for verb in ("check", "train"):
        code, _, err = run(verb, RECIPE, "training.metric=blue", "data.train=gone.tsv")
        assert code == 2 and "there is no metric 'blue'" in err and "gone.tsv" not in err


def test_targets_that_search_could_never_give_are_told(run: Run, tmp_path: Path) -> None:
    for verb, options in (("check", []), ("train", ["--output", tmp_path / "run"])):
        code, out, err = run(verb, RECIPE, *options, *TINY, "search.max_length=3", "training.max_steps=1")
        assert code == 0 and "are longer than search.max_length=3 and can never be given in full" in out + err
        assert "set search.max_length=7" in out + err


def test_a_linked_part_of_a_run_is_unlinked(tmp_path: Path) -> None:
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    (elsewhere / "step_1").mkdir(parents=True)
    run.mkdir()
    write(run / "config.yaml", "task: transduce")
    (run / "checkpoints").symlink_to(elsewhere)
    clear(run)
    assert list(run.iterdir()) == [] and (elsewhere / "step_1").is_dir()


def test_dev_that_is_given_is_used_beside_generated_training_data(tmp_path: Path) -> None:
    dev = write(tmp_path / "dev.tsv", "ab\tcd")
    splits = load_recipe(RECIPE, ["data.generator.train=50", f"data.dev={dev}"]).build().read()
    assert len(splits.train) == 50 and [item.raw for item in splits.dev] == [{"source": "ab", "target": "cd"}]


def test_an_output_that_is_a_file(run: Run, tmp_path: Path) -> None:
    file = write(tmp_path / "file", "precious")
    code, _, err = run("train", RECIPE, *TINY, "--output", file)
    assert code == 2 and f"{file} is a file; choose another --output" in err and file.read_text() == "precious\n"


def test_check_names_what_is_odd_and_writes_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    german = [f"der {a}{b} und die {b}{a} gehen über die Straße" for a in LETTERS for b in LETTERS]
    english = [f"the {a}{b} and the {b}{a} walk across the street" for a in LETTERS for b in LETTERS]
    rows = [f"{one}\t{other}" for one, other in zip(german, english, strict=True)]
    train = [*rows, rows[0], "kurz\t" + "long " * 18, "leer\t"]
    write(tmp_path / "train.tsv", *train)
    write(tmp_path / "dev.tsv", rows[5], *(f"the street, {a}{a}\tdie Straße ΩЖ, {a}{a}" for a in LETTERS))
    monkeypatch.chdir(tmp_path)
    before = listing(tmp_path)
    command = ["data.train=train.tsv", "data.dev=dev.tsv", "data.max_length=200", "codec.target={kind: characters}"]
    code, out, err = run("check", RECIPE, *TINY, *command)
    assert (code, err) == (2, ""), err
    for words_ in (
        "warning: train: 1 of 259 (0.39%) pairs are empty on a side; remove them or fill them in (train.tsv:259)",
        "pairs have a length ratio over 4 times away from the usual one",
        "warning: train: 1 of 259 (0.39%) pairs stood before already",
        "warning: dev: 1 of 17 (5.88%) pairs stand in train too",
        "error: dev: its source looks like train's target",
        "of the target's characters are unknown to the codec learnt from train",
        "expect: about",
    ):
        assert words_ in out, out
    assert listing(tmp_path) == before
    code, out, err = run("check", RECIPE, *TINY)
    assert (code, err) == (0, "") and "expect: about" in out, err
    assert listing(tmp_path) == before
