"""`GET /events`: what changed, for pages that are open. Its client is static/live.js."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from overlay import security
from overlay.security import requires
from overlay.streams import read, stream
from overlay.web.chrome import chrome_for
from overlay.web.views import StoreStatePage

pages = Blueprint("events", __name__)


@pages.get("/store-state")
@requires("console.open", by_itself=True)
def store_state() -> ResponseReturnValue:
    """The bar's words on the store, for a page that is open already; asking holds no lock off."""
    return render_template("fragments/store_state.html", page=StoreStatePage(chrome_for(security.actor())))


@pages.get("/events")
@requires("incidents.read", by_itself=True)
def follow() -> ResponseReturnValue:
    """The stream of a page's script; a page left open holds no lock off."""
    return stream(read(request.args))
