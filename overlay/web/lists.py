"""Lists of markers in: sent, read, looked at as a plan, approved whole or in part by a second person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from flask import Blueprint, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from markers.lifecycle import LifecycleRefused
from markers.tables import TableError
from overlay import security
from overlay.list_plans import PARTS, ListPlan, ListState
from overlay.security import requires
from overlay.upkeep import list_plans
from overlay.upkeep.change import DeskBusy
from overlay.upkeep.desk import may_see_whole
from overlay.upkeep.list_views import ListedView, Looked, view_plan
from overlay.web.chrome import chrome_for
from overlay.web.desk import titles, why_of
from overlay.web.marker_form import Wrong
from overlay.web.uploads import sent_file

if TYPE_CHECKING:
    from overlay.web.views import Chrome

pages = Blueprint("lists", __name__)

_LONGEST_FIND = 64
STATES = {
    ListState.SENDING: "being sent",
    ListState.READING: "being read",
    ListState.WAITING: "waits for a second person",
    ListState.CARRYING_OUT: "being carried out",
    ListState.DONE: "done",
    ListState.TURNED_DOWN: "turned down",
    ListState.REFUSED: "could not be read",
}


@dataclass(frozen=True, slots=True)
class ListsPage:
    """`pages/lists.html`: the form, and the lists there are."""

    chrome: Chrome
    now: datetime
    lists: tuple[ListPlan, ...]
    kinds: dict[str, str]
    states: dict[ListState, str]
    may_send: bool
    wrong: tuple[Wrong, ...] = ()


@dataclass(frozen=True, slots=True)
class ListPage:
    """`pages/list.html` and `fragments/list_progress.html`. `own`: whoever looks sent it in themselves.

    `left_out` are the references of rows that were ticked so far, by the ids of their markers.
    """

    chrome: Chrome
    now: datetime
    view: ListedView
    titles: dict[str, str]
    parts: dict[str, str]
    state: str
    own: bool
    may_decide: bool
    may_turn_down: bool
    wrong: tuple[Wrong, ...] = ()
    why: str = ""
    chosen: tuple[str, ...] | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    find: str = ""

    @property
    def left_out_elsewhere(self) -> dict[str, str]:
        """What is left out and not among the rows that are shown, by id its reference."""
        shown = self.view.ids
        return {marker_id: reference for marker_id, reference in self.left_out.items() if marker_id not in shown}


@pages.get("/lists")
@requires("markers.read")
def show() -> ResponseReturnValue:
    """Where a list is sent in, and what became of others."""
    return _lists((), 200)


@pages.post("/lists")
@requires("markers.propose", takes_file=True)
def send() -> ResponseReturnValue:
    """Keep a list to be read; nothing changes before a second person approves."""
    services, actor, now = security.services(), security.actor(), security.now()
    complete_of = request.form.get("complete_of", "")
    if complete_of and not (complete_of in services.categories and may_see_whole(services, actor, complete_of)):
        return _lists((Wrong("complete_of", "Choose a kind from the list."),), 422)
    try:
        name, content = sent_file("list")
        plan = list_plans.lay_down(services, actor, name, content, complete_of, now)
    except TableError as error:
        return _lists((Wrong("list", str(error)),), 422)
    except DeskBusy:
        return _lists((Wrong("list", "Accounts are changing faster than this can follow. Send it again."),), 503)
    return redirect(f"/lists/{plan.list_id}", 303)


@pages.get("/lists/<list_id>")
@requires("markers.read")
def one(list_id: str) -> ResponseReturnValue:
    """A list and what it would do; to a page's script only how far it has come."""
    return _list(list_id, (), 200)


@pages.post("/lists/<list_id>/rows")
@requires("markers.read")
def rows(list_id: str) -> ResponseReturnValue:
    """Other rows of it; what was ticked and typed so far stays. A reference that is looked for is in no address."""
    return _list(list_id, (), 200)


@pages.post("/lists/<list_id>/approve")
@requires("markers.import")
def approve(list_id: str) -> ResponseReturnValue:
    """Have the parts that were chosen carried out."""
    parts, left_out = tuple(request.form.getlist("parts")), tuple(_left_out())

    def do(why: str) -> None:
        list_plans.approve(security.services(), security.actor(), list_id, parts, left_out, why, security.now())

    return _decided(list_id, do)


@pages.post("/lists/<list_id>/turn-down")
@requires("markers.propose")
def turn_down(list_id: str) -> ResponseReturnValue:
    """Have nothing of it done, or take one's own list back."""
    services, actor = security.services(), security.actor()
    services.freshen("lists")
    plan, _ = services.lists.get(list_id)
    if not plan.finished and plan.by.actor_id != actor.actor_id and not services.roles.may(actor, "markers.import"):
        raise security.Forbidden(services.roles.title(actor.role), "markers.import")

    def do(why: str) -> None:
        list_plans.turn_down(services, actor, list_id, why, security.now())

    return _decided(list_id, do)


def _decided(list_id: str, do: object) -> ResponseReturnValue:
    try:
        do(why_of())  # type: ignore[operator]
    except LifecycleRefused as refused:
        return _list(list_id, (Wrong(refused.field, refused.reason),), 422)
    except DeskBusy:
        return _list(list_id, (Wrong("why", "Others are changing this just now. Send it again."),), 503)
    return redirect(f"/lists/{list_id}", 303)


def _left_out() -> dict[str, str]:
    """The rows that are ticked to be left out: by the id of its marker the reference of each."""
    return {
        marker_id: name for marker_id, _, name in (told.partition(" ") for told in request.form.getlist("leave_out"))
    }


def _looked() -> Looked:
    """Which rows are asked for: the pages as they were, but for the one a button goes to, or what is looked for."""
    pages = {part: _number(request.form.get(f"page_{part}", "")) for part in PARTS}
    part, _, page = request.form.get("go", "").partition(":")
    if part in pages:
        pages[part] = _number(page)
    find = "" if part == "all" else " ".join(request.form.get("find", "").split())[:_LONGEST_FIND]
    return Looked(pages, find)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 1


def _lists(wrong: tuple[Wrong, ...], status: int) -> ResponseReturnValue:
    services, actor = security.services(), security.actor()
    services.freshen("lists")
    kinds = {code: title for code, title in titles().items() if may_see_whole(services, actor, code)}
    page = ListsPage(
        chrome_for(actor),
        security.now(),
        services.lists.newest()[:50],
        kinds,
        STATES,
        services.roles.may(actor, "markers.propose"),
        wrong,
    )
    return render_template("pages/lists.html", page=page), status


def _list(list_id: str, wrong: tuple[Wrong, ...], status: int) -> ResponseReturnValue:
    services, actor, now = security.services(), security.actor(), security.now()
    looked = _looked()
    view = view_plan(services, actor, list_id, now, looked)
    own = view.plan.by.actor_id == actor.actor_id
    may = services.roles.may(actor, "markers.import")
    waits = view.plan.state is ListState.WAITING
    page = ListPage(
        chrome_for(actor),
        now,
        view,
        titles(),
        PARTS,
        STATES[view.plan.state],
        own=own,
        may_decide=waits and may and not own,
        may_turn_down=view.plan.state in (ListState.WAITING, ListState.READING) and (may or own),
        wrong=wrong,
        why=request.form.get("why", ""),
        chosen=tuple(request.form.getlist("parts")) if request.method == "POST" and may else None,
        left_out=_left_out(),
        find=looked.find,
    )
    template = "fragments/list_progress.html" if "HX-Request" in request.headers else "pages/list.html"
    response = make_response(render_template(template, page=page), status)
    response.vary.add("HX-Request")
    return response
