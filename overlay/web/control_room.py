"""The control room supervisor's page: what is overdue, and whether the system can be relied on."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from overlay import security
from overlay.incidents.book import COLLECTION
from overlay.incidents.raises import Raised
from overlay.incidents.runs import known_categories
from overlay.sealing import SealerState
from overlay.security import requires
from overlay.upkeep.desk import reviews_gone_on
from overlay.upkeep.mapping import FEWEST_TOLD
from overlay.web.chrome import chrome_for
from overlay.web.views import ControlRoomPage

pages = Blueprint("control_room", __name__)


@pages.get("/control-room")
@requires("room.supervise")
def show() -> ResponseReturnValue:
    """Raised prompts, broken glass that is open or overdue, the store, and looks that wait to be recorded."""
    services, now = security.services(), security.now()
    sealer = SealerState.read(services.settings.data, now)
    waiting = services.glass.to_review()
    page = ControlRoomPage(
        chrome_for(security.actor()),
        now=now,
        raises=_raises(),
        open_now=tuple(glass for glass in waiting if glass.open_at(now)),
        overdue=tuple(glass for glass in waiting if glass.overdue_at(now)),
        to_review=len(waiting),
        spooled=services.spool.pending(),
        ledger_trouble=sealer.words or None,
        reviews=_reviews(),
        may_list_markers=services.roles.may(security.actor(), "markers.read"),
    )
    return render_template("pages/control_room.html", page=page)


def _raises() -> tuple[Raised, ...]:
    """What was raised of open incidents and nobody has taken, the oldest in front."""
    services, now = security.services(), security.now()
    services.freshen(COLLECTION)
    known = known_categories(services.categories, security.actor().role)
    rows = services.board.order(
        services.incidents.open(), services.standings, services.wordings, known, services.rules, now
    )
    return tuple(sorted((matter for row in rows for matter in row.waiting_raises), key=lambda matter: matter.at))


def _reviews() -> tuple[tuple[str, int | None], ...] | None:
    """Late reviews of markers that have gone on, in figures; whoever may know only those is told no small one."""
    services, actor = security.services(), security.actor()
    whole = services.roles.may(actor, "markers.read")
    if not whole and not services.roles.may(actor, "markers.count"):
        return None
    found = reviews_gone_on(services, security.now())
    return tuple((to, count if whole or count >= FEWEST_TOLD else None) for to, count in found)


@pages.get("/notices")
@requires("break_glass.told")
def notices() -> ResponseReturnValue:
    """The part of the bar that tells a second person at once; the page asks for it every few seconds."""
    return render_template("fragments/notices.html", chrome=chrome_for(security.actor()))
