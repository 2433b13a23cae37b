"""Another system's list of homes against ours, and our lists as files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Blueprint, Response, abort, make_response, render_template, request
from flask.typing import ResponseReturnValue

from markers.model import LONDON
from markers.tables import TableError
from overlay import security
from overlay.security import requires
from overlay.upkeep.desk import may_see_whole
from overlay.upkeep.handing_out import FORMS, hand_out
from overlay.upkeep.reconciling import COLUMNS, Reconciled, read_homes, reconcile
from overlay.web.chrome import chrome_for
from overlay.web.desk import search_sent, titles
from overlay.web.uploads import uploaded

if TYPE_CHECKING:
    from overlay.web.views import Chrome

pages = Blueprint("reconcile", __name__)

_TYPES = {"csv": "text/csv; charset=utf-8", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}


@dataclass(frozen=True, slots=True)
class ReconcilePage:
    """`pages/reconcile.html`. `found` once a list was compared; `wrong` why one could not be."""

    chrome: Chrome
    kinds: dict[str, str]
    columns: tuple[str, ...]
    category: str
    found: Reconciled | None = None
    warnings: tuple[str, ...] = ()
    wrong: str | None = None


@pages.get("/markers/reconcile")
@requires("markers.read")
def show() -> ResponseReturnValue:
    """Where a list is chosen."""
    return render_template("pages/reconcile.html", page=_page(next(iter(_kinds()), "")))


@pages.post("/markers/reconcile")
@requires("markers.read", takes_file=True)
def compare() -> ResponseReturnValue:
    """The list that was sent, against our live markers of a kind."""
    services, actor, now = security.services(), security.actor(), security.now()
    category = request.form.get("category", "")
    if category not in _kinds():
        abort(404 if category not in services.categories else 403)
    warnings: list[str] = []
    try:
        with uploaded("list") as path:
            found = reconcile(services, actor, category, read_homes(services, path, warnings.append), now)
    except TableError as error:
        return render_template("pages/reconcile.html", page=_page(category, wrong=str(error))), 422
    return render_template("pages/reconcile.html", page=_page(category, found, tuple(warnings)))


@pages.post("/markers/export")
@requires("markers.export")
def export() -> ResponseReturnValue:
    """What a search finds, as a file with its handling caveat."""
    services, actor, now = security.services(), security.actor(), security.now()
    form = request.form.get("form", "")
    if form not in FORMS:
        abort(404)
    content, _ = hand_out(services, actor, search_sent(request.form), form, now)
    response: Response = make_response(content)
    response.headers["Content-Type"] = _TYPES[form]
    name = f"OFFICIAL-SENSITIVE-markers-{now.astimezone(LONDON):%Y-%m-%d-%H%M}.{form}"
    response.headers["Content-Disposition"] = f"attachment; filename={name}"
    return response


def _kinds() -> dict[str, str]:
    services, actor = security.services(), security.actor()
    return {code: title for code, title in titles().items() if may_see_whole(services, actor, code)}


def _page(
    category: str, found: Reconciled | None = None, warnings: tuple[str, ...] = (), wrong: str | None = None
) -> ReconcilePage:
    return ReconcilePage(chrome_for(security.actor()), _kinds(), COLUMNS, category, found, warnings, wrong)
