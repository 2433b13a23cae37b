"""What a form and a map ask of the gazetteer: homes that an address may become, and the ground. Nothing of markers.

What is typed and looked at travels in the body, in no URL.
"""

from __future__ import annotations

import math

from flask import Blueprint, abort, jsonify, request
from flask.typing import ResponseReturnValue

from markers.completing import complete
from overlay import security
from overlay.ground import Box, ground, outline
from overlay.security import requires

pages = Blueprint("premises", __name__, url_prefix="/premises")

_LONGEST = 200
_WIDEST_M = 100_000.0


@pages.post("/complete")
@requires("checks.make")
def suggest() -> ResponseReturnValue:
    """Homes that the beginning of an address may become."""
    homes = complete(request.form.get("address", "")[:_LONGEST], security.services().gazetteer)
    return jsonify([{"address": home.address, "postcode": home.postcode, "uprn": home.uprn} for home in homes])


@pages.post("/ground")
@requires("checks.make")
def show() -> ResponseReturnValue:
    """Homes and streets of a part of the map, and the area's outline."""
    services, box = security.services(), box_sent()
    found = ground(services.gazetteer, box)
    return jsonify(outline=outline(services.area.boundary), homes=found.homes, streets=found.streets, more=found.more)


def box_sent() -> Box:
    """The part of the map that was asked for; 400 for what is none."""
    try:
        west, south, east, north = (float(request.form[name]) for name in ("west", "south", "east", "north"))
    except (KeyError, ValueError):
        abort(400)
    if not all(map(math.isfinite, (west, south, east, north))) or not (0 < east - west < _WIDEST_M and south < north):
        abort(400)
    return Box(west, south, east, north)
