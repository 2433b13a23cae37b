"""`GET /events`: what changed, for pages that are open. Its client is static/live.js."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from overlay.security import requires
from overlay.streams import read, stream

pages = Blueprint("events", __name__)


@pages.get("/events")
@requires("incidents.read", by_itself=True)
def follow() -> ResponseReturnValue:
    """The stream of a page's script; a page left open holds no lock off."""
    return stream(read(request.args))
