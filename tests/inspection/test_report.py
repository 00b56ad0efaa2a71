"""The report is one file that needs nothing else; in a browser it has no errors, and hover and keyboard work."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import anyseq
from anyseq.api import Predictor, inspect_items
from anyseq.inspection.report import EXPLAINED, page, write
from anyseq.inspection.result import VIEWS, Inspection

Untrained = Callable[..., Predictor]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FEW = ("data.generator.train=60", "data.generator.dev=4", "data.generator.test=4")
SMALL = ("model.encoder.hidden_dim=8", "model.decoder.hidden_dim=16")
# In the page: what goes wrong is kept; then everything is used as a person would, and what is said is written down.
BEFORE = """<script>window.faults = [];
window.addEventListener("error", (event) => faults.push(event.message));
for (const kind of ["error", "warn"]) console[kind] = (...words) => faults.push(words.join(" "));</script>"""
AFTER = """<script>
const press = (node, key) => node.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
const after = (node) => node.closest("div:has(output), figure:has(output)").querySelector("output").textContent;
const said = { keys: [], hovers: [], picks: 0, held: 0, items: [], reached: 0 };
function use() {
  for (const picture of document.querySelectorAll("canvas, svg[tabindex]")) {
    if (!picture.isConnected) continue;  // the picture of points is drawn anew for every row
    picture.focus();
    if (document.activeElement === picture) said.reached += 1;
    for (const key of ["ArrowRight", "ArrowDown", "ArrowRight"]) press(picture, key);
    said.keys.push(after(picture));
    const box = picture.getBoundingClientRect();
    const at = { clientX: box.left + box.width - 8, clientY: box.top + box.height - 8, bubbles: true };
    if (picture.tagName !== "CANVAS") continue;
    picture.dispatchEvent(new MouseEvent("mousemove", at));
    said.hovers.push(after(picture));
  }
}
use();
for (const count of [...document.querySelectorAll("main select")].map((_, place) => place)) {
  const select = document.querySelectorAll("main select")[count];
  if (!select) continue;
  select.focus();
  select.value = select.options.length - 1;
  select.dispatchEvent(new Event("change"));
  said.picks += 1;
  said.held += document.activeElement.tagName === "SELECT";
}
document.getElementById("next").click();
said.items.push(document.getElementById("item").value);
use();
document.getElementById("previous").click();
said.items.push(document.getElementById("item").value);
said.labels = [...document.querySelectorAll("canvas, svg[role=img], table, nav, select")].every((node) =>
  node.getAttribute("aria-label") || document.querySelector(`label[for="${node.id}"]`));
said.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
said.views = [...document.querySelectorAll("section h2")].map((node) => node.textContent);
said.faults = faults;
document.title = JSON.stringify(said);
</script>"""


class Links(HTMLParser):
    """Whatever a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]


def looked_into(predictor: Predictor, *, items: int = 2, count: int = 4, views: tuple[str, ...] = VIEWS) -> Inspection:
    found, references = predictor.task.judged_by_targets(list(predictor.task.read().dev)[:count])
    return inspect_items(predictor, found, references, views=views, items=items, name="it")


def data_of(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_one_file_that_fetches_nothing(untrained: Untrained, tmp_path: Path) -> None:
    predictor = untrained("transduce/copy", *FEW, *SMALL)
    written = write([looked_into(predictor)], tmp_path / "new" / "folder")
    assert [path.name for path in written[:2]] == ["report.html", "inspection.json"]
    assert all(path.stat().st_size for path in written)
    assert {path.name for path in written[2:]} == {
        "attention_1.png", "attention_2.png", "gates_1.png", "gates_2.png", "gradient_by_distance.png"
    }  # fmt: skip
    text = written[0].read_text(encoding="utf-8")
    links = Links()
    links.feed(text)
    assert all(link.startswith("#") or link == "data:," for link in links.found)
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|https?://(?!www\.w3\.org/2000/svg)", text)
    numbers = json.loads(written[1].read_text(encoding="utf-8"))
    assert set(numbers["explained"]) == set(VIEWS) == set(EXPLAINED)
    (model,) = numbers["models"]
    assert model["count"] == 4 and len(model["items"]) == 2 and all(model[view] for view in VIEWS)
    own = written[0].with_name("own.png")
    own.touch()
    again = write([looked_into(predictor, views=("about",))], own.parent)  # the pictures before are no longer true
    assert set(own.parent.iterdir()) == {*again, own} and len(again) == 2


def test_no_text_ends_the_script(untrained: Untrained) -> None:
    predictor = untrained("transduce/copy", *FEW, *SMALL)
    line = "</script><b>&"
    text = page([anyseq.inspect(predictor, [line], max_length=4)])
    assert text.count("</script>") == 2
    assert data_of(text)["models"][0]["items"][0]["given"] == line


def test_a_report_of_200_sentences_is_small_and_soon_there(untrained: Untrained) -> None:
    narrow = [f"model.{part}.{key}" for part in ("encoder", "decoder") for key in ("model_dim=32", "ffn_dim=32")]
    words = ("data.generator.train=400", "data.generator.dev=200", "data.generator.test=4", "codec.source=words")
    predictor = untrained("translate/transformer", *words, *narrow, "search.max_length=25")
    began = time.monotonic()
    text = page([looked_into(predictor, items=200, count=200)])
    assert time.monotonic() - began < 200  # types are checked here, and others work; benchmarks/results.md has a figure
    assert len(text.encode()) < 5_000_000
    maps = data_of(text)["models"][0]["attention"]["items"]
    assert len(maps) == 200 and all(maps)


def test_two_models_side_by_side(untrained: Untrained) -> None:
    models = [untrained(name, *FEW, "codec.source=characters") for name in ("translate/cho", "translate/conv")]
    one, two = data_of(page([looked_into(model) for model in models]))["models"]
    assert one["attention"] is None and two["attention"] is not None
    assert one["items"]["field by field"]["given"] == two["items"]["field by field"]["given"]


@pytest.mark.full
@pytest.mark.parametrize("width", [1200, 400])
@pytest.mark.parametrize("recipe", ["transduce/copy", "point/hull", "language_model/names", "two"])
def test_in_a_browser(untrained: Untrained, tmp_path: Path, recipe: str, width: int) -> None:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip(f"there is no browser: install one of {', '.join(BROWSERS)}")
    if recipe == "two":
        models = [untrained(name, *FEW, "codec.source=characters") for name in ("translate/cho", "translate/conv")]
    else:
        small = {"transduce/copy": [*FEW, *SMALL], "point/hull": ["data.generator.train=60", "data.generator.dev=4"]}
        models = [untrained(recipe, *small.get(recipe, []))]
    text = page([looked_into(model) for model in models])
    report = tmp_path / "report.html"
    report.write_text(text.replace("<head>", "<head>" + BEFORE).replace("</body>", AFTER + "</body>"), encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},900", "--dump-dom"]
    done = subprocess.run([*command, report.as_uri()], capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    assert found, done.stderr
    said = json.loads(html.unescape(found[1]))
    assert said["faults"] == []
    assert said["keys"] and all(said["keys"]) and said["reached"] == len(said["keys"])
    assert said["hovers"] and all(said["hovers"])
    assert said["items"] == ["1", "0"] and said["picks"] and said["labels"]
    assert said["held"] == said["picks"], "who chooses by keyboard loses the place"
    assert said["wide"] <= 0, "the page is wider than the screen"
    assert "Memory by gradient" in said["views"] and len(said["views"]) >= 4
