"""`anyseq check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from anyseq.cli.options import Everywhere

if TYPE_CHECKING:
    from anyseq.tasks.estimate import Estimate


def check(
    run: Everywhere,
    words: Annotated[
        list[str], typer.Argument(metavar="RECIPE|FILE.yaml [KEY=VALUE]...", help="As `anyseq train` takes them.")
    ],
) -> None:
    """Read recipe and data as training would; report what is wrong, and the memory and minutes to expect.

    Each finding is shown as soon as it is found. Nothing is written. The exit code is 2 where `train` would refuse:
    an error was found (it would learn something else than is meant), and data.check=tell does not allow it.
    """
    from anyseq import api
    from anyseq.config import recipe_tree

    overrides = run.overrides(words[1:])
    recipe_tree(words[0])  # what needs no torch to be seen wrong is refused first
    report = api.check(
        words[0],
        device=run.device,
        threads=run.threads,
        precision=run.precision,
        tell=lambda text, severity: typer.echo(f"{severity}: {text}"),
        overrides=overrides,
    )
    if report.estimate is not None:
        typer.echo(_expected(report.estimate))
    if not report.usable:
        raise typer.Exit(2)


def _expected(estimate: Estimate) -> str:
    minutes = "until validations get no better" if estimate.minutes is None else f"about {estimate.minutes:.1f} minutes"
    return (
        f"expect: {minutes}, with validations and the final search; {estimate.memory_mb:,.0f} MB of memory; "
        f"{estimate.parameters:,} parameters, {estimate.tokens_per_second:,.0f} tokens/s, "
        f"{estimate.updates_per_epoch:,.0f} updates an epoch, {estimate.padding_share:.0%} padding "
        f"in batches of {estimate.batch_tokens:,} tokens"
    )
