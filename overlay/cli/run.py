"""`overlay run`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from overlay import demo
from overlay.cli.options import FILE, data_option
from overlay.run import run as run_console
from overlay.services import Services
from overlay.settings import Settings


@click.command()
@click.option("--demo", "with_demo", is_flag=True, help="Lay out the invented neighbourhood and demo accounts.")
@data_option
@click.option("--port", type=int, help="Port of the console (8000).")
@click.option("--tls-cert", type=FILE, help="Serve https: the certificate and its chain, in PEM.")
@click.option("--tls-key", type=FILE, help="The certificate's key, in PEM, readable by its owner alone.")
def run(with_demo: bool, data: Path | None, port: int | None, tls_cert: Path | None, tls_key: Path | None) -> None:
    """Start the store and the console; Ctrl-C stops both.

    Example: overlay run --demo --port 8080
    """
    settings = Settings.read(data=data, port=port, tls_cert=tls_cert, tls_key=tls_key)
    laid_out: list[demo.Demo] = []

    def prepare(services: Services) -> None:
        if services.trouble is not None:
            why = f"{services.store.distrusted}: see overlay ledger accept"
            if services.store.distrusted is None:
                why = f"{services.state(services.now()).words}. Ask overlay doctor what to do"
            click.echo(f"Every check will answer could-not-check. {why}.")
        elif with_demo:
            laid_out.append(demo.prepare(services, datetime.now(UTC)))
        elif not services.access.accounts():
            click.echo(
                "No account exists yet. Make one: overlay users create NAME --role administrator --name 'A Person'"
            )

    def ready(address: str) -> None:
        click.echo(f"\nThe console is at {address}   (Ctrl-C stops it)\n")
        for outcome in laid_out:
            _say_demo(outcome)

    click.echo("Starting the store and the console ...")
    if with_demo:
        demo.renew(settings)
    if run_console(settings, prepare, ready):
        click.echo("Stopped: console and store.")
    else:
        click.echo("Stopped: the console. The store goes on for those who use it.")


def _say_demo(laid_out: demo.Demo) -> None:
    click.echo(f"Sign in with any of these names and the password {demo.DEMO_PASSWORD}")
    for username, role in laid_out.accounts:
        click.echo(f"  {username:<14} {role}")
    click.echo("\nThree addresses to try:")
    for example in laid_out.tries:
        click.echo(f"  {example.expect:<16} {example.address}")
    click.echo("")
