"""A request answered by a stream of what changed (`overlay/feed.py`), for pages and programs alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

from flask import Response, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from overlay import security
from overlay.errors import BodyRefused, FieldError
from overlay.feed import Mark
from overlay.identity import Standing, standing

CONTENT_TYPE = "text/event-stream; charset=utf-8"
_LAST = "Last-Event-ID"


class StreamAsked(BaseModel):
    """Where a stream begins and how long it lasts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    after: str | None = Field(
        default=None,
        description="The id last received: what was missed is told first. The header Last-Event-ID, if sent, is "
        "taken instead. Without either the stream begins with what changes next.",
    )
    for_s: float | None = Field(
        default=None,
        ge=0,
        le=86_400,
        description="End the stream after so many seconds; 0 tells what was missed and ends at once.",
    )


def read(query: Mapping[str, str]) -> StreamAsked:
    """What a request's query asks. Raises BodyRefused."""
    try:
        return StreamAsked.model_validate(dict(query))
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        unknown = FieldError("query", "holds a parameter that this interface does not know.")
        seconds = FieldError("for_s", "must be a number of seconds from 0 to 86400.")
        told = tuple(seconds if detail["loc"] == ("for_s",) else unknown for detail in found[:1])
        raise BodyRefused(told, malformed=False) from None


def stream(asked: StreamAsked) -> Response:
    """Begin the stream. Raises TooManyStreams. A HEAD request is told only whether there would be one."""
    services, actor = security.services(), security.actor()
    if request.method == "HEAD":
        services.feed.check_room(actor.actor_id)
        return Response(content_type=CONTENT_TYPE)
    after = request.headers.get(_LAST, asked.after)
    mark = None if after is None else Mark.read(after)
    if mark is not None and mark.ahead_of(services.sight().mark):
        # Another worker told it first.
        for collection in ("incidents", "markers"):
            services.freshen(collection)

    def stands(now: datetime) -> Standing:
        return standing(services.door, actor, now)

    longest_s = math.inf if asked.for_s is None else asked.for_s
    response = Response(services.feed.stream(actor.actor_id, after, stands, longest_s), content_type=CONTENT_TYPE)
    response.headers["X-Accel-Buffering"] = "no"  # a proxy that gathers an answer before it passes it on
    return response
