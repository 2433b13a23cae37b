"""`overlay users`: local accounts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from overlay import identity
from overlay.cli.options import data_option, json_option, operator
from overlay.cli.person import password_of, password_option
from overlay.cli.tell import say_rows
from overlay.services import running
from overlay.settings import Settings


@click.group()
def users() -> None:
    """Local accounts."""


@users.command("create")
@click.argument("username")
@click.option("--role", required=True)
@click.option("--name", required=True, help="The person's name as others see it.")
@password_option
@data_option
def users_create(username: str, role: str, name: str, password_file: Any, data: Path | None) -> None:
    """Make an account; asks for the password.

    Example: overlay users create jsmith --role call_handler --name "J Smith"
    """
    password = password_of(password_file, confirm=True)
    with running(Settings.read(data=data)) as services:
        identity.create_account(
            services.store, services.access, username, name, role, password, datetime.now(UTC), operator()
        )
    click.echo(f"Made: {username} ({role})")


@users.command("list")
@data_option
@json_option
def users_list(data: Path | None, as_json: bool) -> None:
    """Every account.

    Example: overlay users list
    """
    with running(Settings.read(data=data)) as services:
        rows = [
            {
                "username": a.username,
                "name": a.name,
                "role": a.role,
                "disabled": a.disabled,
                "second_factor": services.access.second_factor(a.account_id) is not None,
                "created": a.created_at,
            }
            for a in services.access.accounts()
        ]
    say_rows(rows, as_json=as_json)


@users.command("disable")
@click.argument("username")
@data_option
def users_disable(username: str, data: Path | None) -> None:
    """Close an account; its sessions end at once.

    Example: overlay users disable jsmith
    """
    with running(Settings.read(data=data)) as services:
        identity.disable_account(services.store, services.access, username, datetime.now(UTC), operator())
    click.echo(f"Disabled: {username}")


@users.command("enable")
@click.argument("username")
@data_option
def users_enable(username: str, data: Path | None) -> None:
    """Let a closed account sign in again, with the password and second factor it had.

    Example: overlay users enable jsmith
    """
    with running(Settings.read(data=data)) as services:
        identity.enable_account(services.store, services.access, username, datetime.now(UTC), operator())
    click.echo(f"Enabled: {username}")


@users.command("end-sessions")
@click.argument("username")
@data_option
def users_end_sessions(username: str, data: Path | None) -> None:
    """End every session of an account; it may sign in again.

    Example: overlay users end-sessions jsmith
    """
    with running(Settings.read(data=data)) as services:
        identity.end_sessions(services.store, services.access, username, datetime.now(UTC), operator())
    click.echo(f"Sessions ended: {username}")


@users.command("set-role")
@click.argument("username")
@click.option("--role", required=True)
@data_option
def users_set_role(username: str, role: str, data: Path | None) -> None:
    """Give an account another role; its sessions end at once.

    Example: overlay users set-role jsmith --role dispatcher
    """
    with running(Settings.read(data=data)) as services:
        identity.set_role(services.store, services.access, username, role, datetime.now(UTC), operator())
    click.echo(f"Role set: {username} ({role})")


@users.command("reset-second-factor")
@click.argument("username")
@data_option
def users_reset_second_factor(username: str, data: Path | None) -> None:
    """Forget an account's second factor, for a device that was lost; the next sign-in sets up another.

    Example: overlay users reset-second-factor jsmith
    """
    with running(Settings.read(data=data)) as services:
        identity.reset_second_factor(services.store, services.access, username, datetime.now(UTC), operator())
    click.echo(f"Second factor reset: {username}")
