"""`anyseq info`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from anyseq.cli.options import Everywhere, ModelFolder, find


def info(
    run: Everywhere,
    model: ModelFolder,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say what a model folder holds: task, parts, parameters, data, scores, versions."""
    find([model])
    from anyseq import api

    found = api.info(model, trust=tuple(run.trust or ()))
    typer.echo(json.dumps(found, ensure_ascii=False, indent=2, default=str) if as_json else "\n".join(_lines(found)))


def _lines(found: dict[str, Any], indent: str = "") -> list[str]:
    lines = []
    for name, value in found.items():
        if isinstance(value, dict):
            lines += [f"{indent}{name}", *_lines(value, indent + "  ")]
        else:
            lines.append(f"{indent}{name}: {value}")
    return lines
