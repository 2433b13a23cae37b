"""`GET /metrics`: counts and times for Prometheus, behind a token like the rest."""

from __future__ import annotations

from flask import Blueprint, current_app
from flask.typing import ResponseReturnValue

from overlay import metrics, security
from overlay.security import requires

api = Blueprint("figures", __name__)


@api.get("/metrics")
@requires("metrics.read")
def read() -> ResponseReturnValue:
    """What Prometheus scrapes. A permission, not the loopback address, opens it: the scraper is another machine."""
    return current_app.response_class(metrics.exposition(security.services()), content_type=metrics.CONTENT_TYPE)
