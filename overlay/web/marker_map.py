"""The map of markers, beside the list that is its equal. What is searched for travels in the body, in no URL."""

from __future__ import annotations

from flask import Blueprint, jsonify, render_template, request
from flask.typing import ResponseReturnValue

from overlay import security
from overlay.listing import Search
from overlay.security import requires
from overlay.upkeep.mapping import Cluster, figures, view_map
from overlay.viewing import place_words
from overlay.web.chrome import chrome_for
from overlay.web.desk import STATES, search_sent, titles
from overlay.web.desk_views import MapPage
from overlay.web.marker_words import STATES as STATE_WORDS
from overlay.web.premises import box_sent

pages = Blueprint("marker_map", __name__)


@pages.get("/markers/map")
@requires("markers.count")
def show() -> ResponseReturnValue:
    """The map of all live markers; of figures alone for who may learn no more."""
    return _page(Search())


@pages.post("/markers/map")
@requires("markers.read")
def search() -> ResponseReturnValue:
    """The map of what a search finds."""
    return _page(search_sent(request.form))


@pages.post("/markers/map/view")
@requires("markers.read")
def part() -> ResponseReturnValue:
    """What a part of the map shows."""
    services, actor, now = security.services(), security.actor(), security.now()
    view = view_map(services, actor, search_sent(request.form), box_sent(), now)
    kinds = titles()
    return jsonify(
        clusters=[_cluster(one) for one in view.clusters],
        markers=[
            {
                "at": f"/markers/{one.marker.marker_id}",
                "east": one.easting,
                "north": one.northing,
                "radius": one.marker.place.radius_m,
                "rings": one.rings,
                "reference": one.marker.reference,
                "kind": kinds.get(one.marker.category, one.marker.category),
                "where": place_words(one.marker),
                "state": STATE_WORDS[one.marker.state_at(now)],
            }
            for one in view.markers
        ],
        here=view.here,
        nowhere=view.nowhere,
    )


@pages.post("/markers/map/figures")
@requires("markers.count")
def counts() -> ResponseReturnValue:
    """How many live markers stand in each square of the grid; of fewer than five no number."""
    return jsonify(clusters=[_cluster(one) for one in figures(security.services(), security.now())])


def _cluster(one: Cluster) -> dict[str, float | int | None]:
    return {"east": one.easting, "north": one.northing, "count": one.count}


def _page(wanted: Search) -> ResponseReturnValue:
    services, actor = security.services(), security.actor()
    page = MapPage(
        chrome_for(actor),
        wanted,
        titles(),
        STATES,
        services.area.extent,
        single=services.roles.may(actor, "markers.read"),
    )
    return render_template("pages/marker_map.html", page=page)
