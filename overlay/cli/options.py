"""Options that several commands take, and who runs a command."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from markers.ledger import Via
from overlay.roles import Actor

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)

data_option = click.option(
    "--data", type=click.Path(path_type=Path), help="The data folder; OVERLAY_DATA is the same.", metavar="DIR"
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")


def operator() -> Actor:
    """Whoever runs the command: the operating system's account, in the service role."""
    account = getpass.getuser()
    return Actor(f"os:{account}", account, "service", Via.CLI)
