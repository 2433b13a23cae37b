"""One marker's page: what it says, what became of it, who was shown it, and the steps that are open to this person."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue

from markers.lifecycle import LifecycleRefused, Outdated
from markers.model import Marker, State
from markers.store_errors import StoreUnavailable
from markers.vault import VaultError
from overlay import security, viewing
from overlay.security import requires
from overlay.upkeep import desk as reads
from overlay.upkeep import steps
from overlay.upkeep.change import DeskBusy, Doubled
from overlay.upkeep.erasing import erase
from overlay.upkeep.history import Page, history
from overlay.upkeep.looking_back import looking_back
from overlay.web.chrome import chrome_for
from overlay.web.desk import why_of
from overlay.web.desk_views import MarkerPage
from overlay.web.marker_form import Wrong

pages = Blueprint("marker", __name__)

DONE = {
    "approved": "Approved: checks find it so from now on.",
    "confirmed": "Confirmed. The next review is set.",
    "kept": "Kept: it is provisional no more.",
    "settled": "Noted.",
    "not_settled": "Nothing was noted: say in a line what was done, unless somebody has dealt with it already.",
    "dismissed": "Dismissed: it warns nobody any more.",
}
_BUSY = "Others are changing this just now. Send it again."
_NO_REGISTER = (
    "The register of erased markers can't be written, so nothing was erased. Tell whoever looks after the service."
)


@pages.get("/markers/<marker_id>")
@requires("markers.read")
def show(marker_id: str) -> ResponseReturnValue:
    """One marker, as this role may see it, what became of it, and to whom it was shown last."""
    return _page(marker_id, (), 200)


@pages.post("/markers/<marker_id>/confirm")
@requires("markers.confirm")
def confirm(marker_id: str) -> ResponseReturnValue:
    """Confirm at review that it is still right, with what was checked."""

    def do() -> str:
        services, now = security.services(), security.now()
        steps.confirm(services, security.actor(), marker_id, _version(), why_of("evidence"), now)
        return f"/markers/{marker_id}?done=confirmed"

    return _done(marker_id, do)


@pages.post("/markers/<marker_id>/end")
@requires("markers.propose")
def end(marker_id: str) -> ResponseReturnValue:
    """Propose that it ends: why, and whether its subject was told."""

    def do() -> str:
        services = security.services()
        reason, told = request.form.get("reason", ""), request.form.get("told", "")
        found = steps.propose_ending(
            services,
            security.actor(),
            marker_id,
            _version(),
            dict(services.desk.ending_reasons).get(reason, ""),
            dict(services.desk.told).get(told, ""),
            why_of(),
            security.now(),
        )
        return f"/proposals/{found.proposal_id}"

    return _done(marker_id, do)


@pages.post("/markers/<marker_id>/keep")
@requires("markers.approve")
def keep(marker_id: str) -> ResponseReturnValue:
    """Keep a provisional marker."""

    def do() -> str:
        steps.keep(security.services(), security.actor(), marker_id, why_of(), security.now())
        return f"/markers/{marker_id}?done=kept"

    return _done(marker_id, do)


@pages.post("/markers/<marker_id>/dismiss")
@requires("markers.approve")
def dismiss(marker_id: str) -> ResponseReturnValue:
    """End a provisional marker at once."""

    def do() -> str:
        steps.dismiss(security.services(), security.actor(), marker_id, why_of(), security.now())
        return f"/markers/{marker_id}?done=dismissed"

    return _done(marker_id, do)


@pages.post("/markers/<marker_id>/erase")
@requires("markers.erase")
def erase_it(marker_id: str) -> ResponseReturnValue:
    """Erase a marker that is over."""

    def do() -> str:
        if request.form.get("sure") != "yes":
            raise LifecycleRefused("sure", "Tick that you are sure: nothing brings it back.")
        erase(security.services(), security.actor(), marker_id, why_of(), security.now())
        return "/desk?done=erased"

    return _done(marker_id, do)


def _version() -> int:
    version = request.form.get("version", "")
    return int(version) if version.isdecimal() and len(version) < 9 else 0


def _done(marker_id: str, do: Callable[[], str]) -> ResponseReturnValue:
    """Do a step and go where it leads; or the page again, with what was typed and what is wrong."""
    services, actor = security.services(), security.actor()
    category = steps.marker_of(services, marker_id).category
    if category in services.categories and not reads.may_see_whole(services, actor, category):
        raise security.Forbidden(services.roles.title(actor.role), "markers.propose")
    try:
        return redirect(do(), 303)
    except LifecycleRefused as refused:
        return _page(marker_id, (Wrong(refused.field, refused.reason),), 409 if isinstance(refused, Outdated) else 422)
    except Doubled as doubled:
        return _page(marker_id, (Wrong("why", str(doubled)),), 409)
    except DeskBusy:
        return _page(marker_id, (Wrong("why", _BUSY),), 503)
    except OSError:
        return _page(marker_id, (Wrong("sure", _NO_REGISTER),), 503)


def _page(marker_id: str, wrong: tuple[Wrong, ...], status: int) -> ResponseReturnValue:
    services, actor, now = security.services(), security.actor(), security.now()
    services.freshen("proposals")
    view = viewing.view_marker(services, actor, marker_id, now)
    marker = steps.marker_of(services, marker_id)
    category = services.categories.get(marker.category)
    waiting = next((found.proposal_id for found, _ in services.proposals.of_marker(marker_id) if found.open), None)
    whole = category is None or reads.may_see_whole(services, actor, marker.category)
    page = MarkerPage(
        chrome_for(actor),
        now,
        view,
        version=marker.version,
        history=_history(marker) if whole else (),
        waiting=waiting,
        acts=_acts(marker, waiting) if whole else frozenset(),
        lacks=category.lacking(marker) if category is not None and whole else (),
        tell_subject=category is not None and category.tell_subject,
        ending_reasons=services.desk.ending_reasons,
        told=services.desk.told,
        wrong=wrong,
        typed={name: request.form.get(name, "") for name in ("evidence", "why", "reason", "told")},
        done=DONE.get(request.args.get("done", "")),
        feedback=tuple(said for said, _ in services.feedback.of_marker(marker_id)) if whole else (),
        may_open_incidents=services.roles.may(actor, "incidents.read"),
        back=looking_back(services, marker, now) if whole else None,
    )
    return render_template("pages/marker.html", page=page), status


def _history(marker: Marker) -> tuple[Page, ...] | None:
    try:
        return history(security.services(), marker)
    except (StoreUnavailable, VaultError):
        return None


def _acts(marker: Marker, waiting: str | None) -> frozenset[str]:
    """What this person may do to it now."""
    services, actor, now = security.services(), security.actor(), security.now()
    state = marker.state_at(now)
    open_to = {
        "amend": ("markers.propose", not state.over and waiting is None),
        "end": ("markers.propose", not state.over and waiting is None),
        "confirm": ("markers.confirm", state is State.IN_FORCE),
        "settle": ("markers.confirm", True),
        "keep": ("markers.approve", state is State.PROVISIONAL and marker.proposer != actor.actor_id),
        "dismiss": ("markers.approve", state is State.PROVISIONAL),
        "erase": ("markers.erase", state.over),
    }
    return frozenset(
        act for act, (permission, fits) in open_to.items() if fits and services.roles.may(actor, permission)
    )
