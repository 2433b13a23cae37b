"""Is it alive, and can it answer a check: for supervisors and load balancers."""

from __future__ import annotations

import uuid

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from spectree import Response

from markers.commits import Commit
from markers.store_errors import StoreError
from overlay import security
from overlay.api.description import described
from overlay.api.models import HealthOut
from overlay.draining import is_draining
from overlay.security import public
from overlay.services import trouble_words

api = Blueprint("health", __name__)


@api.get("/healthz")
@public("says only that the process answers")
@described(resp=Response(HTTP_200=HealthOut), security=[], tags=["health"])
def alive() -> ResponseReturnValue:
    """Whether this process answers at all, and which of several it is."""
    return jsonify(status="alive", detail="This process answers.", process=security.services().name)


@api.get("/readyz")
@public("says only whether the store answers")
@described(resp=Response(HTTP_200=HealthOut, HTTP_503=HealthOut), security=[], tags=["health"])
def ready() -> ResponseReturnValue:
    """Whether a check would be answered from a current store."""
    if is_draining():
        return jsonify(status="not_ready", detail="This console is being stopped. Ask another, or again later."), 503
    services = security.services()
    try:
        # Nothing is written, but only a store that takes writes does it: a check has to be logged.
        services.store.commit(Commit(str(uuid.uuid4()), {}))
    except StoreError as error:
        words = trouble_words(error)
        detail = f"{words[0].upper()}{words[1:]}. Every check is could_not_check."
        return jsonify(status="not_ready", detail=detail), 503
    state = services.state(security.now())
    if state.kind != "current":
        return jsonify(status="not_ready", detail=f"{state.words}."), 503
    return jsonify(status="ready", detail="A check is answered from a current store.")
