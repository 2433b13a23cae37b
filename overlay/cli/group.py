"""The `overlay` command itself: what every part shares of refusing."""

from __future__ import annotations

from typing import Any

import click

from checklists.definition import DefinitionError
from markers.anchors import AnchorsFailed
from markers.categories import CategoryError
from markers.checkpoints import KeyRefused
from markers.exchange import TableError
from markers.gazetteer import GazetteerError
from markers.ledger_export import ExportRefused
from markers.ledger_pieces import HelperGone
from markers.ledger_verify import NotAnExport
from markers.location import LocationError
from markers.server import ServerError
from markers.store import StoreError
from markers.vault import VaultError
from overlay import identity, logs
from overlay.accepting import NotAccepted
from overlay.bench.peer import PeerError
from overlay.bench.scale import ScaleError
from overlay.cli.tell import one_line
from overlay.disclosure import DisclosureError
from overlay.lookup import NothingDisclosed
from overlay.rekeying import StillSealed
from overlay.roles import RolesError
from overlay.run import CannotRun
from overlay.settings import SettingsError
from overlay.upkeep.lists import UpkeepError

_REFUSALS = (
    AnchorsFailed,
    CannotRun,
    CategoryError,
    DefinitionError,
    DisclosureError,
    ExportRefused,
    GazetteerError,
    HelperGone,
    KeyRefused,
    LocationError,
    NotAccepted,
    NotAnExport,
    NothingDisclosed,
    PeerError,
    RolesError,
    ScaleError,
    ServerError,
    SettingsError,
    StillSealed,
    StoreError,
    TableError,
    UpkeepError,
    VaultError,
    identity.IdentityError,
)


class _Commands(click.Group):
    """Turns everything the application refuses on purpose into one line and exit 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except _REFUSALS as error:
            raise click.ClickException(one_line(str(error))) from error
        except BrokenPipeError:
            raise  # whoever read our output has seen enough; click ends quietly
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(one_line(f"{where}{error.strerror or error}")) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="overlay")
def main() -> None:
    """Warning markers beside the CAD: check a location, keep markers, run the console."""
    logs.to_stderr()
