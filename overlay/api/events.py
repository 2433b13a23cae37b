"""`GET /api/v1/events`: what changed, for another program."""

from __future__ import annotations

from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from spectree import Response

from overlay.api.description import described
from overlay.api.models import ProblemOut
from overlay.security import requires
from overlay.streams import StreamAsked, read, stream

api = Blueprint("events_api", __name__, url_prefix="/api/v1")


@api.get("/events")
@requires("incidents.read", by_itself=True)
@described(
    query=StreamAsked,
    resp=Response(
        "HTTP_200",
        HTTP_401=ProblemOut, HTTP_403=ProblemOut, HTTP_422=ProblemOut, HTTP_429=ProblemOut, HTTP_500=ProblemOut,
        HTTP_503=ProblemOut,
    ),
    tags=["events"],
    operation_id="follow_events",
)  # fmt: skip
def follow() -> ResponseReturnValue:
    """Follow what changes (server-sent events, `text/event-stream`).

    `incidents` holds `{"ids": [...]}`, the incidents that changed: ask for them again. `markers` says that markers
    did. `reload`: what was missed is no longer remembered, ask for everything again. `store` comes every two seconds
    at least, with `{"state": "current"}`, `last_known`, or `unproven` while the proof of life fails. `ended` is the
    last: its `because` is `over` (the token or session ended), `locked` or `restart`. Every event carries an id to go
    on from. Silence of five seconds means that the connection is lost.
    """
    return stream(read(request.args))
