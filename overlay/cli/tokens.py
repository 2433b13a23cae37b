"""`overlay tokens`: bearer tokens of other programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from overlay import identity
from overlay.cli.options import data_option, json_option, operator
from overlay.cli.tell import say_rows
from overlay.services import running
from overlay.settings import Settings


@click.group()
def tokens() -> None:
    """Bearer tokens of other programs."""


@tokens.command("create")
@click.option("--role", required=True)
@click.option("--name", required=True, help="Which program will use it.")
@click.option("--days", default=90, show_default=True)
@click.option("--scope", "scopes", multiple=True, help="Only this permission of its role; may be given again.")
@data_option
@json_option
def tokens_create(role: str, name: str, days: int, scopes: tuple[str, ...], data: Path | None, as_json: bool) -> None:
    """Make a token and print it, once. Without --scope it may do all that its role may.

    Example: overlay tokens create --role service --name "CAD bridge" --scope checks.make
    """
    with running(Settings.read(data=data)) as services:
        only = identity.known_scopes(services.roles, role, scopes)
        bearer = identity.create_token(
            services.store, services.access, name, role, datetime.now(UTC), days, operator(), only
        )
    made = {"token": bearer, "role": role, "name": name, "days": days, "scopes": sorted(only) if only else None}
    click.echo(json.dumps(made) if as_json else bearer)


@tokens.command("list")
@data_option
@json_option
def tokens_list(data: Path | None, as_json: bool) -> None:
    """Every token there is or was, without its secret.

    Example: overlay tokens list
    """
    with running(Settings.read(data=data)) as services:
        rows = [
            {
                "id": t.short_id,
                "name": t.name,
                "role": t.role,
                "scopes": None if t.scopes is None else list(t.scopes),
                "until": t.expires_at,
                "revoked": t.revoked_at,
                "last_used": services.presence.seen(t.token_id),
            }
            for t in services.access.tokens()
        ]
    say_rows(rows, as_json=as_json)


@tokens.command("revoke")
@click.argument("token_id")
@data_option
def tokens_revoke(token_id: str, data: Path | None) -> None:
    """End a token now, by the id `overlay tokens list` shows.

    Example: overlay tokens revoke 3fa94c02b1aa
    """
    with running(Settings.read(data=data)) as services:
        token = identity.revoke_token(services.store, services.access, token_id, datetime.now(UTC), operator())
    click.echo(f"Revoked: {token.name}")
