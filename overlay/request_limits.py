"""How often one caller may ask for anything but a check. A check is never refused for being asked too often.

Counted in each worker's own memory, so that a store that is away neither stops a page nor lets a flood through.
"""

from __future__ import annotations

from flask import Flask, request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from werkzeug.exceptions import TooManyRequests

from overlay.security import services_of, whoever

# A check, what the page is made of, and signing in, whose tries are counted by account and device (overlay/identity).
NEVER_LIMITED = frozenset(
    (
        *("check.make_check", "checks.make_check", "incidents.open_one", "incidents.place"),
        *("incidents_api.open_one", "incidents_api.change_one"),
        *("static", "health.alive", "sign_in.show", "sign_in.sign_in"),
    )
)


def install(app: Flask) -> None:
    """Refuse (429) what comes oftener than the setting `requests_per_minute`, by account or token, else by address."""
    rate = RateLimitItemPerMinute(services_of(app).settings.requests_per_minute)
    limiter = MovingWindowRateLimiter(MemoryStorage())

    @app.before_request
    def count() -> None:
        if request.endpoint not in NEVER_LIMITED and not limiter.hit(rate, *_caller()):
            raise TooManyRequests


def _caller() -> tuple[str, str]:
    actor = whoever()
    return ("actor", actor.actor_id) if actor is not None else ("address", request.remote_addr or "")
