"""A virtual environment for each peer, made at first use."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


class Skipped(Exception):  # noqa: N818  (no fault of ours)
    """This side cannot be measured here; says why."""


def _own_torch() -> str:
    """The torch that anyseq runs on, so that all sides have the same kernels."""
    try:
        return "torch==" + version("torch").partition("+")[0]
    except PackageNotFoundError:
        return "torch"


@dataclass(frozen=True)
class Peer:
    """A toolkit.

    Attributes:
        name: Of its environment.
        title: As tables show it.
        package: Which, pinned, with `==`.
        beside: What it needs and does not name, or only works with.
    """

    name: str
    title: str
    package: str
    beside: tuple[str, ...] = ()

    @cache  # noqa: B019  (peers are few and live as long as the run)
    def python(self) -> Path:
        """Its interpreter; installed into `benchmarks/.peers/NAME`, or into that folder of the one ANYSEQ_PEERS names.

        Raises:
            Skipped: it cannot be installed.
        """
        home = Path(os.environ.get("ANYSEQ_PEERS") or Path(__file__).parents[1] / ".peers") / self.name
        python = home / "bin" / "python"
        if not self._ready(python):
            print(f"installing {self.title} into {home}", file=sys.stderr, flush=True)
            _install([sys.executable, "-m", "venv", str(home)])
            _install([str(python), "-m", "pip", "install", "--quiet", self.package, *self.beside])
        return python

    def _ready(self, python: Path) -> bool:
        name, _, wanted = self.package.partition("==")
        asked = [str(python), "-c", f"from importlib.metadata import version; print(version({name!r}))"]
        try:
            return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip() == wanted
        except (OSError, subprocess.CalledProcessError):
            return False


def _install(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise Skipped(f"cannot be installed: {error}") from error
    if done.returncode:
        raise Skipped(f"cannot be installed: {last_line(done.stderr or done.stdout)}")


def last_line(text: str) -> str:
    """What went wrong, of a long tale."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("[notice]")]
    return lines[-1] if lines else "it did not say why"


JOEY = Peer("joey", "Joey NMT 2.3.0", "joeynmt==2.3.0", (_own_torch(), "importlib_metadata", "sentencepiece==0.2.0"))
EOLE = Peer("eole", "eole 0.6.4", "eole==0.6.4", (_own_torch(), "aiohttp"))
CTRANSLATE2 = Peer("ct2", "CTranslate2 4.8.0", "ctranslate2==4.8.0", ("numpy",))
