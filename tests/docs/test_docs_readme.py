"""The README's commands run, made tiny; its Python blocks run as they stand."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from anyseq.cli.main import VERBS
from anyseq.config import load_recipe
from anyseq.recipes import RECIPES

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
SET_UP = {"make demo", "make test"}
FILTERS = {"echo", "cat", "head", "printf"}
TINY = (
    "training.max_steps=2 training.max_minutes=1 training.validate_every=1 training.validate_items=2"
    " training.warmup_steps=1 training.batch_tokens=200"
)
TINY_DATA = " data.generator.train=60 data.generator.dev=4 data.generator.test=4"
SHORT = " search.max_length=12"  # what has learnt nothing does not end by itself
READER = Path(__file__).with_name("reader.py")
BESIDE = {"capitals.txt": "yes no no no - no no no", "links.txt": "0-0 1-1"}  # of the lines of all other files
FILE = re.compile(r"(?:^|[ =])([\w./-]+\.(?:de|en|fr|txt|tsv|src|tgt|csv))(?= |$)")


def blocks(language: str) -> list[str]:
    text = README.read_text(encoding="utf-8") if README.exists() else ""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """The lines of the bash blocks: continued lines joined, remarks and set-up left out."""
    text = "".join(blocks("bash")).replace("\\\n", " ")
    lines = (" ".join(line.split("  #")[0].split()) for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#") and line not in SET_UP]


def verbs(line: str) -> list[str]:
    """What a line calls; a call of anyseq counts with its verb."""
    calls = [call.split() for call in line.split("|")]
    return [" ".join(call[:2]) if call[0] == "anyseq" else call[0] for call in calls]


def unknown(line: str) -> list[str]:
    known = FILTERS | {f"anyseq {function.__name__}" for function in VERBS}
    return [call for call in verbs(line) if call not in known]


def tiny(line: str) -> str:
    if line.startswith(("anyseq train", "anyseq check")) and "--resume" not in line:
        data = "" if "data.train" in line or not sized(line) else TINY_DATA
        return f"{line} {TINY}{data}{SHORT if ' translate/' in line else ''}"
    if line.startswith("anyseq demo"):
        return f"{line} {TINY}{TINY_DATA}{SHORT}"
    return line


def sized(line: str) -> bool:
    """Whether a line trains on data of which there may be less."""
    recipe = next(word for word in line.split() if word in RECIPES)
    return "train" in type(dict(load_recipe(recipe).data)["generator"]).model_fields


def provide(line: str, folder: Path) -> None:
    """Make the input files a line names."""
    outputs = re.findall(r"(?:--output|--json|>)[ =](\S+)", line)
    for name in FILE.findall(line):
        path = folder / name
        if not path.exists() and name not in outputs:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".csv":
                rows = [f"{1990 + n // 12}-{1 + n % 12:02},{n % 12 + n}" for n in range(400)]
                path.write_text("\n".join(["month,sold", *rows]))
                continue
            column = "\tein kleines Haus {0}" if path.suffix == ".tsv" else ""
            count = 12 if path.stem == "test" or name in BESIDE else 60
            line = BESIDE.get(name, f"A dog in house {{0}} by the sea{column}")
            path.write_text("".join(f"{line.format(n)}\n" for n in range(count)))


def test_what_the_readme_calls_exists() -> None:
    assert [line for line in commands() if unknown(line)] == []


def test_the_table_has_every_recipe_by_its_shape() -> None:
    text = README.read_text(encoding="utf-8")
    rows = {name: f"| {each.shape} | {each.description} | `anyseq train {name}` |" for name, each in RECIPES.items()}
    assert [name for name, row in rows.items() if row not in text] == []


@pytest.mark.parametrize(
    ("line", "calls"), [("anyseq trian x", ["anyseq trian"]), ("wget x", ["wget"]), ("echo a | anyseq predict m", [])]
)
def test_an_unknown_command_is_noticed(line: str, calls: list[str]) -> None:
    assert unknown(line) == calls


@pytest.mark.skipif(not README.exists(), reason="there is no README")
def test_the_readme_runs(tmp_path: Path) -> None:
    """In one folder and in order, as a reader would: later lines use the models of earlier ones."""
    for line in commands():
        provide(line, tmp_path)
    lines = json.dumps([tiny(line) for line in commands()])
    done = subprocess.run(
        [sys.executable, READER],
        input=lines,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("code", blocks("python"))
def test_the_python_of_the_readme_runs(code: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr
