"""`overlay doctor`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from overlay.cli.options import data_option, json_option
from overlay.doctor import Finding, examine
from overlay.settings import Settings

_SHAPES = {"ok": "○ ok", "warning": "▲ look", "failed": "✕ FAILED"}


@click.command()
@click.option("--thorough", is_flag=True, help="Open every sealed record as well; minutes for a large store.")
@data_option
@json_option
def doctor(thorough: bool, data: Path | None, as_json: bool) -> None:
    """Look at everything this console stands on, and say what to do about what is wrong. Changes nothing.

    Exit 0 when nothing failed, 1 otherwise.

    Example: overlay doctor
    """
    found: list[Finding] = []
    for finding in examine(Settings.read(data=data), datetime.now(UTC), thorough=thorough):
        found.append(finding)
        if not as_json:
            click.echo(f"{_SHAPES[finding.state]:<9} {finding.name:<15} {finding.words}")
            if finding.do:
                click.echo(f"{'':<9} {'':<15} -> {finding.do}")
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in found]))
    sys.exit(any(finding.state == "failed" for finding in found))
