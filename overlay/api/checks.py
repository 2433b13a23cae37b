"""`POST /api/v1/checks`: one check for another program."""

from __future__ import annotations

from flask import Blueprint, current_app
from flask.typing import ResponseReturnValue
from spectree import Response

from overlay import lookup, metrics, security
from overlay.api.body import read_body
from overlay.api.description import described
from overlay.api.models import CheckRequest, CheckResponse, ProblemOut
from overlay.security import requires

api = Blueprint("checks", __name__, url_prefix="/api/v1")

_UNKNOWN_TYPE = "The incident's type is not one this service knows: no checklist was suggested by it."


@api.post("/checks")
@requires("checks.make")
@described(
    json=CheckRequest,
    resp=Response(
        HTTP_200=CheckResponse, HTTP_400=ProblemOut, HTTP_401=ProblemOut, HTTP_403=ProblemOut, HTTP_413=ProblemOut,
        HTTP_415=ProblemOut, HTTP_422=ProblemOut, HTTP_500=ProblemOut, HTTP_503=ProblemOut,
    ),
    tags=["checks"],
    operation_id="make_check",
)  # fmt: skip
def make_check() -> ResponseReturnValue:
    """Check a location for warning markers.

    The look is logged before the answer is given. Anything but a 200 with `status` `clear` means: treat as unknown.
    """
    services = security.services()
    asked = read_body(CheckRequest).asked()
    actor = security.actor()
    found = lookup.check(services, actor, asked, security.now())
    if actor.actor_id not in services.access.provers():
        metrics.checked(found)
    answer = CheckResponse.of(found)
    if asked.incident_type is not None and asked.incident_type not in dict(services.incident_types):
        location = answer.location.model_copy(update={"warnings": (*answer.location.warnings, _UNKNOWN_TYPE)})
        answer = answer.model_copy(update={"location": location})
    return current_app.response_class(answer.model_dump_json(), mimetype="application/json")
