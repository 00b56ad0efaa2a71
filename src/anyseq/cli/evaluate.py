"""`anyseq evaluate`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from anyseq.cli.options import Everywhere, Models, SourceFile
from anyseq.errors import UsageError


def evaluate(
    run: Everywhere,
    search: dict[str, Any],
    models: Models,
    source: SourceFile = None,
    target: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="References; several files, or a .tsv, are several references a line."),
    ] = None,
    data: Annotated[Path | None, typer.Option(metavar="FILE", help="Both in one file, as the recipe reads it.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the result there.")] = None,
    paired: Annotated[
        bool, typer.Option("--paired", help="Each model alone, and against the first by paired bootstrap.")
    ] = False,
) -> None:
    """Compare a model's outputs with references: the recipe's metrics, with signatures."""
    if (data is None) != (source is not None and bool(target)) or (data is not None and (source or target)):
        raise UsageError("evaluate needs --source FILE and --target FILE, or --data FILE alone")
    if paired and len(models) < 2:
        raise UsageError("--paired compares models: give two or more")
    from anyseq import api

    predictor = api.load(*models, **run.loading)
    if data is not None:
        evaluation = predictor.evaluate(data=data, paired=paired, **search)
    else:
        evaluation = predictor.evaluate(source, target, paired=paired, **search)
    found = evaluation.as_dict()
    typer.echo(_table(found))
    if json_file is not None:
        draft = json_file.with_name(f".{json_file.name}.{os.getpid()}")
        draft.write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        draft.replace(json_file)


def _table(found: dict[str, Any]) -> str:
    lines = [f"{name:<24}{value:>10.4f}" for name, value in found["metrics"].items()]
    for system in found.get("systems", []):
        lines += ["", str(system["model"])]
        for name, value in system["metrics"].items():
            against = system.get("against_first", {}).get(name)
            note = f"  {against['delta']:+.4f} against the first, p = {against['p']:.4f}" if against else ""
            lines.append(f"  {name:<22}{value:>10.4f}{note}")
    lines += ["", f"{found['count']} items in {found['seconds']:.1f} s", found["signature"]]
    return "\n".join(lines)
