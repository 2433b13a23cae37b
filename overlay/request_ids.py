"""A random id for every request: in its answer's headers, and in every line that is logged while it is answered.

Whoever looks after the service finds by it what a person saw go wrong. Logged are the route, never the path with what
stands in it, the status and whether it took longer than a second: a finer time would tell a hit from a clear. All of
them with OVERLAY_LOG_REQUESTS, else those that went wrong or took long.
"""

from __future__ import annotations

import secrets
import time
from typing import Final

import structlog
from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars

from overlay.security import services_of

log = structlog.get_logger()

HEADER: Final = "X-Request-Id"
_LONG_S: Final = 1.0


def install(app: Flask) -> None:
    """Name every request before anything else is done for it."""
    every = services_of(app).settings.log_requests

    @app.before_request
    def begin() -> None:
        g.request_id, g.request_began = secrets.token_hex(8), time.perf_counter()
        clear_contextvars()
        bind_contextvars(request_id=g.request_id)

    @app.after_request
    def end(response: Response) -> Response:
        if "request_id" not in g:
            return response
        response.headers[HEADER] = g.request_id
        took_s = time.perf_counter() - g.request_began
        wrong = response.status_code >= 500
        if every or wrong or took_s > _LONG_S:
            route = request.url_rule.rule if request.url_rule is not None else "none"
            (log.warning if wrong else log.info)(
                "request", method=request.method, route=route, status=response.status_code, slow=took_s > _LONG_S
            )
        return response
