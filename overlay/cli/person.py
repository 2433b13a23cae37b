"""A person at the command line, for what takes their own permission: signed in as in the console, and out again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import click

from markers.ledger import Via
from overlay import identity
from overlay.roles import Actor
from overlay.services import Services

_LONGEST_FILE = 65_536

password_option = click.option(
    "--password-file", type=click.File("rb"), help="Read the password from a file, - for standard input."
)


def password_of(file: Any | None, *, confirm: bool = False) -> str:
    """The first line of a password file, however an editor saved it; without one it is asked for."""
    if file is None:
        asked: str = click.prompt("Password", hide_input=True, confirmation_prompt=confirm, err=True)
        return asked
    try:
        content: bytes = file.read(_LONGEST_FILE)
        return content.decode("utf-8-sig").partition("\n")[0].rstrip("\r")
    except UnicodeDecodeError:
        raise click.ClickException("The password file is not UTF-8 text. Nothing was done.") from None


@contextmanager
def person(services: Services, username: str, password: str, permission: str) -> Iterator[Actor]:
    """Whoever has that account, once password and code are theirs and their role holds the permission.

    Raises IdentityError; ClickException where the account may not do this.
    """
    door, now = services.door, services.now
    begun = identity.sign_in(door, username, password, now())
    if begun.needs == "enrolment":
        raise click.ClickException(f"{username} has no second factor yet. Sign in to the console first and set it up.")
    secret = begun.secret
    if begun.needs == "code":
        code = click.prompt("Code from your device", err=True)
        secret = identity.give_code(door, begun.secret, code, now())
    try:
        actor = services.access.actor_for_session(secret, now())
        if actor is None:
            raise identity.SignInRefused
        if not services.roles.may(actor, permission):
            title = services.roles.title(actor.role)
            raise click.ClickException(f"{actor.name}'s role, {title}, does not hold {permission} (config/roles.toml).")
        yield replace(actor, via=Via.CLI)
    finally:
        identity.sign_out(services.store, services.access, secret, now())
