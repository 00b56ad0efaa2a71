"""`anyseq check`."""

from __future__ import annotations

from typing import Annotated

import typer

from anyseq.cli.options import Everywhere


def check(
    run: Everywhere,
    words: Annotated[
        list[str], typer.Argument(metavar="RECIPE|FILE.yaml [KEY=VALUE]...", help="As `anyseq train` takes them.")
    ],
) -> None:
    """Read recipe and data as training would; report faults, and the memory and minutes to expect.

    The exit code is 2 if training would refuse the data.
    """
    from anyseq import api
    from anyseq.config import load_recipe

    report = api.check(load_recipe(words[0], words[1:]))
    for finding in report.findings:
        typer.echo(f"{finding.severity}: {finding}")
    if not report.findings:
        typer.echo("nothing to mend")
    typer.echo(f"expect {report.expected_memory_mb:,.0f} MB of memory and {report.expected_minutes:.1f} minutes")
    if any(finding.severity == "fault" for finding in report.findings):
        raise typer.Exit(2)
