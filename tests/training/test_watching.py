"""What a person sees of a run while it trains, and after."""

from __future__ import annotations

import json
import math
import re
import shutil
import signal
import subprocess
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from anyseq import api
from anyseq.errors import Interrupted, MissingExtraError, UsageError
from anyseq.training import loop
from anyseq.training.curves import About, page
from anyseq.training.journal import read_events
from anyseq.training.meter import Meter, memory_mb, minutes_left
from anyseq.training.plots import MOST_POINTS, Panel, draw, thinned, ticks
from anyseq.training.progress import Bar, Lines, Report, Silent, duration
from anyseq.training.settings import TrainingConfig
from anyseq.training.standing import Standing
from tiny_runs import events, train

REPORT = Report(40, 0.5, 1.5, 2.345, 1e-3, 4123.4, 0.034, 812.3, 14.2)


class Page(HTMLParser):
    """Elements, their attributes, texts; every element that opens is closed."""

    VOID = ("meta", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, Any]]] = []
        self.curves: list[dict[str, Any]] = []
        self.texts: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if curve := dict(attrs).get("data-curve"):
            self.curves.append(json.loads(curve))

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def panels(self) -> list[str]:
        return [data.strip() for data in self.texts if data.strip().startswith(("training loss", "dev ", "tokens/s"))]


def read(folder: Path) -> Page:
    return Page((folder / "training.html").read_text(encoding="utf-8"))


# The meter


def test_waiting_is_counted_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Meter()
    clock = iter([10.0, 10.5])
    monkeypatch.setattr("anyseq.training.meter.time.monotonic", lambda: next(clock))
    assert meter.waiting(lambda: "batch") == "batch"
    meter.add(torch.tensor([6.0, 3.0]), 2.0)
    assert meter.read() == (2.0, 1.5) and meter.wait_share == 0.25
    assert Meter(meter.state[:2], *meter.state[2:]).state == (6.0, 3.0, 2.0, 0.5)
    assert Meter().wait_share == 0.0


def test_memory_is_this_process_s() -> None:
    before = memory_mb(torch.device("cpu"))
    kept = torch.ones(50 * 2**18)  # 50 MB, written to
    after = memory_mb(torch.device("cpu"))
    assert before is not None and after is not None and 40 < after - before < 80, len(kept)


def test_time_left_counts_the_validations_to_come() -> None:
    def left(standing: Standing, **settings: Any) -> float | None:
        return minutes_left(TrainingConfig(**{"schedule": "constant", "validate_every": 100, **settings}), standing)

    fresh = Standing(step=50, seconds=60.0)
    assert left(fresh, max_steps=150) == pytest.approx(2)
    later = Standing(step=250, seconds=560.0, validating=60.0, validated=200)  # 2 s an update, 30 s a validation
    assert left(later, max_steps=450) == pytest.approx((200 * 2 + 3 * 30) / 60)
    assert left(later, max_minutes=10) == pytest.approx(40 / 60)
    assert left(later, max_minutes=10, max_steps=251) == pytest.approx((2 + 30) / 60)
    assert left(later, max_minutes=1) == 0.0
    assert left(later, patience=3) is None and left(Standing(), max_steps=5) is None


@pytest.mark.parametrize(
    ("minutes", "said"), [(0.5, "30 s"), (14.4, "14 min"), (59.9, "1 h 00 min"), (125.0, "2 h 05 min")]
)
def test_durations(minutes: float, said: str) -> None:
    assert duration(minutes) == said


def test_what_a_run_reports(tmp_path: Path) -> None:
    reports: list[Report] = []

    class Listener(Silent):
        def reported(self, report: Report) -> None:
            reports.append(report)

    train(tmp_path / "run", "training.max_steps=40", "training.validate_every=30", listener=Listener())
    lines = [line for line in read_events(tmp_path / "run" / "metrics.jsonl") if line["kind"] == "training"]
    told = {line["step"]: line for line in lines}
    assert [report.step for report in reports] == [20, 30, 40]
    for report in reports:
        assert {name: told[report.step][name] for name in vars(report)} == vars(report)
    assert all(0 <= line["wait_share"] < 1 and line["memory_mb"] > 50 for line in lines)
    assert all(line["minutes_left"] > 0 for line in lines), "the last validation is still to come"


def test_lines_and_the_bar_say_the_same(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    Lines().reported(REPORT)
    line = capsys.readouterr().err
    assert line == (
        "step 40  50%  loss 2.345  lr 1.00e-03  4,123 tokens/s  data wait 3%  812 MB  in 2 min, 14 min left\n"
    )
    bar = Bar()
    bar.progress.live.auto_refresh = False
    bar.reported(REPORT)
    bar.ended("")
    [task] = bar.progress.tasks
    assert task.description == "14 min left  step 40  loss 2.345  4,123 tokens/s  data wait 3%  812 MB"
    unknown = Report(**{**vars(REPORT), "memory_mb": None, "minutes_left": None})
    Lines().reported(unknown)
    assert capsys.readouterr().err.endswith("4,123 tokens/s  data wait 3%  in 2 min\n")


# The page


def test_the_page_of_a_run(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    trained = train(folder, "training.max_steps=60", "training.validate_every=15")
    found, said = read(folder), events(folder)
    validations = [event for event in said if event["kind"] == "validation"]
    reports = [event for event in said if event["kind"] == "training"]
    curves = [[tuple(point) for point in curve["points"]] for curve in found.curves]
    assert curves[0] == [(event["step"], pytest.approx(event["loss"], rel=1e-5)) for event in reports]
    assert curves[1] == [(event["step"], pytest.approx(event["exact_match"])) for event in validations]
    assert found.panels[0] == "training loss" and found.panels[1] == "dev exact_match (decides)"
    assert len(curves) == 1 + 4 + 2, "loss; exact_match, cer, loss, perplexity; learning rate, tokens/s"
    best = [element for element in found.elements if element[1].get("class") == "best" and element[0] == "path"]
    assert len(best) == 4, "the best is marked on every metric"
    text = " ".join("".join(found.texts).split())
    assert f"transduce/copy: run finished: {trained.ended}" in text
    assert "training.batch_tokens" in text and "model.encoder.hidden_dim" in text
    assert f"{trained.dev.metrics['cer']:.4g}" in text and trained.test and f"{trained.test.metrics['cer']:.4g}" in text


def test_the_page_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    train(tmp_path / "run")
    text = (tmp_path / "run" / "training.html").read_text(encoding="utf-8")
    found = Page(text)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", text)
    assert [tag for tag, has in found.elements if {"src", "href"} & has.keys()] == []
    policy = next(has["content"] for _, has in found.elements if has.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    pictures = [has for tag, has in found.elements if tag == "svg"]
    assert all(has["tabindex"] == "0" and has["role"] == "img" and "from" in has["aria-label"] for has in pictures)
    assert "prefers-color-scheme: dark" in text and "width=device-width" in text and 'lang="en"' in text


def test_names_cannot_break_the_page() -> None:
    nasty = "<script>alert('1')</script>\"&$x"
    said = [
        {"kind": "validation", "step": 1, "best": True, nasty: 1.0},
        {"kind": "training", "step": 1, "loss": math.nan},
    ]
    text = page(About(nasty, nasty, {nasty: {nasty: nasty}}, {nasty: {nasty: 1}}), said, [{"step": 1, "kind": nasty}])
    assert text.count("<script>") == 1 and Page(text).curves[0]["points"] == [[1, 1]]


def test_incidents_are_marked_and_listed(tmp_path: Path) -> None:
    said = [{"kind": "training", "step": step, "loss": 1.0 / step} for step in range(20, 200, 20)]
    incidents = [{"step": 50, "kind": "not finite", "loss": 7.5}, {"step": 900, "kind": "later"}]
    found = Page(page(About("a", "b", {}, {}), said, incidents))
    assert [has.get("class") for tag, has in found.elements if tag == "path"].count("mark") == 1, "900 is not on it"
    assert "step 50: not finite  loss 7.5" in found.texts and "not finite  loss 7.5" in found.texts
    assert "later" in found.texts


def test_a_page_before_the_first_report_and_of_a_constant() -> None:
    assert "No update was reported yet." in page(About("a", "b", {}, {}), [])
    [curve] = Page(draw(Panel("flat", [(1.0, 3.0), (2.0, 3.0)]), 0)).curves
    assert curve["axes"][2] < 3 < curve["axes"][3]
    assert "no figure yet" in draw(Panel("nothing", [(1.0, math.inf)]), 0)


def test_long_curves_are_thinned_and_keep_what_sticks_out() -> None:
    points = [(float(step), math.sin(step / 900)) for step in range(20_000)]
    points[7777] = (7777.0, 9.0)
    points[12345] = (12345.0, -9.0)
    kept = thinned(points)
    assert len(kept) <= MOST_POINTS and set(kept) <= set(points) and kept == sorted(kept)
    assert {points[0], points[-1], points[7777], points[12345]} <= set(kept)
    assert thinned(points[:MOST_POINTS]) == points[:MOST_POINTS]
    long = {"kind": "training", "learning_rate": 1e-3, "tokens_per_second": 1000.0}
    text = page(About("a", "b", {}, {}), [{**long, "step": n, "loss": math.cos(n)} for n in range(20_000)])
    assert len(text) < 150_000


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.2, 17.9), (1e-5, 1.1e-5), (0.0, 123456.0), (99.0, 101.0)])
def test_ticks_are_round_and_within(low: float, high: float) -> None:
    found = ticks(low, high)
    gaps = [b - a for a, b in pairwise(found)]
    steps = {round(gap / 10 ** math.floor(math.log10(gap) + 1e-9), 3) for gap in gaps}
    assert 2 <= len(found) <= 6 and low <= found[0] and found[-1] <= high * (1 + 1e-9) and steps <= {1, 2, 5, 10}


def test_the_curves_of_a_resumed_run_are_those_of_one_never_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["training.max_steps=30", "training.validate_every=8"]
    train(tmp_path / "whole", *words)

    def stop(self: loop.Trainer, parts: Any) -> Any:
        if self.standing.step == 20:
            self.signals.signal = signal.SIGTERM
        return update(self, parts)

    update = loop.Trainer._update
    monkeypatch.setattr(loop.Trainer, "_update", stop)
    with pytest.raises(Interrupted):
        train(tmp_path / "run", *words)
    text = " ".join(read(tmp_path / "run").texts)
    assert "training ended: stopped and saved" in text
    monkeypatch.undo()
    # What a killed process wrote after its last checkpoint is none of this run's.
    with (tmp_path / "run" / "metrics.jsonl").open("a") as journal:
        journal.write('{"kind": "training", "step": 24, "loss": 99.0}\n{"kind": "trai')
    api.resume(tmp_path / "run", device="cpu", threads=1)
    whole, resumed = (read(tmp_path / name).curves[:-1] for name in ("whole", "run"))  # all but tokens/s
    assert whole == resumed and 99.0 not in [value for _, value in resumed[0]["points"]]


def test_a_page_that_cannot_be_written_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[tuple[str, str]] = []

    class Listener(Silent):
        def noted(self, note: str, severity: str = "note") -> None:
            notes.append((severity, note))

    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("anyseq.api.watching.write_page", full)
    trained = train(tmp_path / "run", listener=Listener())
    assert trained.ended.startswith("12 updates")
    assert any(kind == "warning" and "training.html could not be written" in note for kind, note in notes)


def test_a_run_starts_with_a_page_of_its_own(tmp_path: Path) -> None:
    """--overwrite removes the page and the events of the run before."""
    folder = tmp_path / "run"
    train(folder)
    (folder / "tensorboard").mkdir()
    (folder / "tensorboard" / "events").touch()
    train(folder, "training.max_steps=1", overwrite=True)
    assert not (folder / "tensorboard").exists() and len(read(folder).curves[0]["points"]) == 1


PROBE = """<script>
window.onerror = (text) => document.body.setAttribute("data-error", text);
addEventListener("load", () => {
  const svg = document.querySelector("svg[data-curve]"), output = svg.parentNode.querySelector("output"), said = [];
  const note = () => said.push(output.textContent);
  const press = (key) => { svg.dispatchEvent(new KeyboardEvent("keydown", { key })); note(); };
  svg.focus(); press("Home"); press("ArrowRight"); press("End");
  const box = svg.getBoundingClientRect();
  svg.dispatchEvent(new PointerEvent("pointermove", { clientX: box.left + box.width * 0.1 })); note();
  svg.dispatchEvent(new PointerEvent("pointerleave")); note();
  said.push(document.documentElement.scrollWidth <= innerWidth);
  document.body.setAttribute("data-said", JSON.stringify(said));
});</script>"""


@pytest.mark.full
def test_the_page_in_a_browser(tmp_path: Path) -> None:
    """Keys and pointer read the curve off; nothing is said on the console, nothing is wider than the screen."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("there is no chromium")
    reports = [{"kind": "training", "step": step, "loss": 10.0 / step} for step in (20, 40, 60)]
    about = About("a", "b", {"training": {"seed": 1}}, {"dev": {"bleu": 1.0}})
    (tmp_path / "page.html").write_text(page(about, reports).replace("<script>", PROBE + "<script>", 1))
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=500,900", "--enable-logging=stderr"]
    command = [browser, *options, "--dump-dom", (tmp_path / "page.html").as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    body = dict(next(has for tag, has in Page(done.stdout).elements if tag == "body"))
    assert "data-error" not in body and "CONSOLE" not in done.stderr
    said = ["0.5 at step 20", "0.25 at step 40", "0.166667 at step 60", "0.5 at step 20", "0.1667", True]
    assert json.loads(body["data-said"]) == said


# TensorBoard


def test_without_the_package_it_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import builtins

    real = builtins.__import__

    def absent(name: str, *arguments: Any, **options: Any) -> Any:
        if name.startswith("torch.utils.tensorboard"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingExtraError, match=r"pip install 'anyseq\[tensorboard\]'"):
        train(tmp_path / "run", "training.tensorboard=true")
    assert not (tmp_path / "run").exists()


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder / "tensorboard"))
    found.Reload()
    return {name: [(each.step, each.value) for each in found.Scalars(name)] for name in found.Tags()["scalars"]}


def test_events_for_tensorboard_are_those_of_the_journal(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    words = ["training.max_steps=60", "training.validate_every=30", "training.tensorboard=true"]
    train(tmp_path / "run", *words)
    found, said = scalars(tmp_path / "run"), events(tmp_path / "run")
    validations = [event for event in said if event["kind"] == "validation"]
    assert found["dev/cer"] == [(event["step"], pytest.approx(event["cer"])) for event in validations]
    told = {event["step"]: event["loss"] for event in said if event["kind"] == "training"}
    assert [step for step, _ in found["training/loss"]] == [20, 30, 40, 60]
    assert all(value == pytest.approx(told[step]) for step, value in found["training/loss"])
    assert {"training/wait_share", "training/memory_mb", "training/learning_rate"} <= found.keys()


def test_a_resumed_run_takes_back_later_events(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    folder = tmp_path / "run"
    train(folder, "training.max_steps=40", "training.validate_every=20", "training.keep_checkpoints=9")
    with pytest.raises(UsageError, match=r"training\.batch_tokens"):
        api.resume(folder, overrides=["training.batch_tokens=7"])
    api.resume(folder, more_steps=20, overrides=["training.tensorboard=true"])
    assert [step for step, _ in scalars(folder)["dev/cer"]] == [60]
    (folder / "last").write_text("step_40\n")  # as a kill would leave it
    api.resume(folder, overrides=["training.tensorboard=true"])
    assert [step for step, _ in scalars(folder)["dev/cer"]] == [60], "once"
