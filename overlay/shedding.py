"""What gives way when more is asked than can be answered at once: exports and refreshes first, checks never.

A check waits for its turn; what is refused is told so in words and asked to come again, and nothing of it was done.
"""

from __future__ import annotations

from typing import Final

from flask import Flask, g, request

from overlay import request_limits
from overlay.threads import InHand, Places, Rank

LONGEST_S: Final = {Rank.CHECK: 30.0, Rank.WORK: 5.0, Rank.REFRESH: 1.0}
_CHECKS: Final = request_limits.NEVER_LIMITED | {"health.ready"}
_LEAST: Final = frozenset(
    (
        *("ledger.export", "reconcile.export", "reconcile.compare", "lists.send", "disclosures.day"),
        *("marker_map.part", "marker_map.counts", "figures.read", "control_room.notices", "events.store_state"),
    )
)
# What pages and programs ask for by themselves to show what changed; a person who opens one comes before that.
_RENEWED: Final = frozenset(("board.show", "control_room.show", "desk.show", "incidents_api.list_open"))
_EXTENSION: Final = "overlay.checks"


class Overloaded(Exception):
    """Nothing was done: more was asked than could be answered."""

    def __init__(self) -> None:
        super().__init__("More is asked just now than can be answered; checks come first. Nothing was done.")


def rank_of(endpoint: str | None, *, renews: bool) -> Rank:
    """How much an answer matters. `renews`: a page's script asks, or a program for all there is; not a person."""
    if endpoint in _CHECKS:
        return Rank.CHECK
    return Rank.REFRESH if endpoint in _LEAST or (renews and endpoint in _RENEWED) else Rank.WORK


def install(app: Flask, places: Places) -> None:
    """Give every request its place before anything is done for it."""
    checks = app.extensions[_EXTENSION] = InHand()

    @app.before_request
    def enter() -> None:
        of_all = request.blueprint == "incidents_api" and "reference" not in request.args
        renews = request.method == "GET" and (of_all or "HX-Request" in request.headers)
        rank = rank_of(request.endpoint, renews=renews)
        if rank is Rank.CHECK:
            request.get_data()  # whoever sends it slowly holds up nobody's place, and is no check that hangs
        if not places.enter(rank, LONGEST_S[rank]):
            raise Overloaded
        g.has_place = True
        if rank is Rank.CHECK:
            g.check = checks.begin()

    @app.teardown_request
    def leave(_: BaseException | None) -> None:
        checks.end(g.pop("check", None))
        if g.pop("has_place", False):
            places.leave()


def checks_of(app: Flask) -> InHand:
    """The checks that `app` is answering."""
    found: InHand = app.extensions[_EXTENSION]
    return found
