"""How a form that was refused is answered: the status, and how long to wait."""

from __future__ import annotations

from flask import Response

from overlay import identity


def status_of(problem: identity.IdentityError | None) -> int:
    """200 for none; 429 for too many tries, 503 where none can be taken, 422 for a field, 401 for a wrong secret."""
    match problem:
        case None:
            return 200
        case identity.SlowDown():
            return 429
        case identity.SignInBusy():
            return 503
        case identity.SignInRefused():
            return 401
        case _:
            return 422


def with_wait(response: Response, problem: identity.IdentityError | None) -> Response:
    """The answer with `Retry-After` where waiting helps."""
    if isinstance(problem, identity.SlowDown):
        response.headers["Retry-After"] = str(problem.wait_s)
    elif isinstance(problem, identity.SignInBusy):
        response.headers["Retry-After"] = "5"
    return response
