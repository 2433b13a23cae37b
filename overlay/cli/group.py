"""The `overlay` command itself: its parts, each loaded only when it is asked for, and what they share of refusing."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from overlay import logs
from overlay.cli.tell import one_line

# The name of each part and where it is: a check need not wait for what only a measurement uses.
PARTS = {
    "backup": "overlay.cli.backup:backup",
    "bench": "overlay.cli.bench:bench",
    "check": "overlay.cli.check:check_command",
    "checklists": "overlay.cli.checklists:checklists",
    "doctor": "overlay.cli.doctor:doctor",
    "gazetteer": "overlay.cli.gazetteer:gazetteer",
    "keys": "overlay.cli.keys:keys",
    "ledger": "overlay.cli.ledger:ledger",
    "markers": "overlay.cli.markers:markers",
    "restore": "overlay.cli.backup:restore",
    "run": "overlay.cli.run:run",
    "store": "overlay.cli.store:store",
    "tokens": "overlay.cli.tokens:tokens",
    "users": "overlay.cli.users:users",
}

# What the application refuses on purpose, by name: what was not loaded did not refuse.
REFUSALS = frozenset(
    {
        "checklists.definition.DefinitionError",
        "markers.anchors.AnchorsFailed",
        "markers.backup_files.BackupRefused",
        "markers.backup_files.RestoreRefused",
        "markers.categories.CategoryError",
        "markers.checkpoints.KeyRefused",
        "markers.filing.GazetteerError",
        "markers.ledger_export.ExportRefused",
        "markers.ledger_pieces.HelperGone",
        "markers.ledger_verify.NotAnExport",
        "markers.lines.TableError",
        "markers.model.LocationError",
        "markers.server.ServerError",
        "markers.store_errors.StoreError",
        "markers.vault.VaultError",
        "overlay.accepting.NotAccepted",
        "overlay.bench.peer.PeerError",
        "overlay.bench.scale.ScaleError",
        "overlay.disclosure.DisclosureError",
        "overlay.identity.changes.IdentityError",
        "overlay.lookup.NothingDisclosed",
        "overlay.rekeying.StillSealed",
        "overlay.roles.RolesError",
        "overlay.run.CannotRun",
        "overlay.settings.SettingsError",
        "overlay.upkeep.lists.UpkeepError",
    }
)


def refuses(error: BaseException) -> bool:
    """Whether the application raised it on purpose: its text is the reason, in a line a person reads."""
    return any(f"{kind.__module__}.{kind.__qualname__}" in REFUSALS for kind in type(error).__mro__)


class _Commands(click.Group):
    """Turns everything the application refuses on purpose into one line and exit 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(PARTS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in PARTS:
            return None
        module, name = PARTS[cmd_name].split(":")
        part: click.Command = getattr(import_module(module), name)
        return part

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise  # of a pipe: whoever read our output has seen enough; click ends quietly
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(one_line(f"{where}{error.strerror or error}")) from error
        except Exception as error:
            if not refuses(error):
                raise
            raise click.ClickException(one_line(str(error))) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="overlay")
def main() -> None:
    """Warning markers beside the CAD: check a location, keep markers, run the console."""
    logs.to_stderr()
