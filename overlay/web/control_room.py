"""The control room supervisor's page: what is overdue, and whether the system can be relied on."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from overlay import security
from overlay.sealing import SealerState
from overlay.security import requires
from overlay.web.chrome import chrome_for
from overlay.web.views import ControlRoomPage

pages = Blueprint("control_room", __name__)


@pages.get("/control-room")
@requires("room.supervise")
def show() -> ResponseReturnValue:
    """Broken glass that is open or overdue, the store, and looks that wait to be recorded."""
    services, now = security.services(), security.now()
    sealer = SealerState.read(services.settings.data, now)
    waiting = services.glass.to_review()
    page = ControlRoomPage(
        chrome_for(security.actor()),
        open_now=tuple(glass for glass in waiting if glass.open_at(now)),
        overdue=tuple(glass for glass in waiting if glass.overdue_at(now)),
        to_review=len(waiting),
        spooled=services.spool.pending(),
        ledger_trouble=sealer.words or None,
    )
    return render_template("pages/control_room.html", page=page)


@pages.get("/notices")
@requires("break_glass.told")
def notices() -> ResponseReturnValue:
    """The part of the bar that tells a second person at once; the page asks for it every few seconds."""
    return render_template("fragments/notices.html", chrome=chrome_for(security.actor()))
