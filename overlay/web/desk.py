"""The public protection desk: what needs somebody, the list of markers, and the steps of a marker's life."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from flask import Blueprint, abort, redirect, render_template, request
from flask.typing import ResponseReturnValue

from markers.lifecycle import LifecycleRefused, Outdated, Proposal, Step, asks_if_told, differences
from markers.model import LONDON, Category, Marker
from markers.store_errors import StoreUnavailable
from overlay import security
from overlay.list_plans import ListState
from overlay.listing import Search
from overlay.plain_text import is_plain_text
from overlay.roles import Actor
from overlay.security import requires
from overlay.services import Services
from overlay.upkeep import desk as reads
from overlay.upkeep import saving_views, steps
from overlay.upkeep.change import DeskBusy, Doubled
from overlay.upkeep.history import version_of
from overlay.upkeep.looking_back import looking_back
from overlay.web import marker_form
from overlay.web.chrome import chrome_for
from overlay.web.desk_views import (
    ChooseCategoryPage,
    DeskPage,
    MarkerFormPage,
    MarkersPage,
    PreviewPage,
    ProposalPage,
)
from overlay.web.marker_form import Typed, Wrong

pages = Blueprint("desk", __name__)

STATES = (
    ("live", "Live: in force, provisional or to come"),
    ("due", "Review overdue"),
    ("in_force", "In force"),
    ("provisional", "Provisional"),
    ("future", "Not yet in force"),
    ("lapsed", "Lapsed"),
    ("ended", "Ended"),
    ("all", "All"),
)
ORDERS = (
    ("review", "The one due first in front"),
    ("reference", "By reference"),
    ("kind", "By kind"),
    ("owner", "By owner"),
    ("changed", "The one changed last in front"),
)
_LONGEST_WHY = 1_000
_AWAY = "The store is not answering, so this was not kept. What you typed is still here: send it again in a moment."
_BUSY = "Others are changing this just now. What you typed is still here: send it again."


@pages.get("/desk")
@requires("markers.read")
def show() -> ResponseReturnValue:
    """What needs somebody of public protection now."""
    services, actor, now = security.services(), security.actor(), security.now()
    page = DeskPage(
        chrome_for(actor),
        now,
        reads.view_desk(services, actor, now),
        titles(),
        may_propose=services.roles.may(actor, "markers.propose"),
        may_decide=services.roles.may(actor, "markers.approve"),
        due_working_days=services.desk.due_working_days,
        lists_waiting=sum(plan.state is ListState.WAITING for plan in services.lists.unfinished()),
        glass_to_review=len(services.glass.to_review()) if services.roles.may(actor, "break_glass.told") else 0,
        glass_at="/broken-glass" if services.roles.may(actor, "break_glass.review") else "/disclosures",
        yesterday=now.astimezone(LONDON).date() - timedelta(days=1),
        done="Erased: ids and dates are all that is left of it." if request.args.get("done") == "erased" else None,
    )
    return render_template("pages/desk.html", page=page)


@pages.get("/markers")
@requires("markers.read")
def markers() -> ResponseReturnValue:
    """The live markers, or those of a state; the one due first in front."""
    return _list({"state": request.args.get("state", "live")})


@pages.post("/markers")
@requires("markers.read")
def search() -> ResponseReturnValue:
    """Markers, searched and paged. What is searched for, an address as a rule, travels in the body, in no URL."""
    return _list(request.form)


@pages.post("/markers/views")
@requires("markers.read")
def save_view() -> ResponseReturnValue:
    """Keep this search under a title, without its words; the list again, with what was searched for."""
    try:
        saving_views.save(*_by(), request.form.get("title", ""), search_sent(request.form), security.now())
    except LifecycleRefused as refused:
        return _list(request.form, Wrong("title", refused.reason)), 422
    except DeskBusy:
        return _list(request.form, Wrong("title", _BUSY)), 503
    return _list(request.form)


@pages.post("/markers/views/<view_id>/remove")
@requires("markers.read")
def remove_view(view_id: str) -> ResponseReturnValue:
    """Forget one of one's own views."""
    with suppress(DeskBusy):  # it was removed or changed in another window
        saving_views.remove(*_by(), view_id, security.now())
    return redirect("/markers", 303)


def search_sent(asked: Mapping[str, str]) -> Search:
    """What a list or a map is asked for; what makes no sense is as if it had been left out."""
    state, number, order = asked.get("state", "live"), asked.get("page", "1"), asked.get("order", "")
    return Search(
        words=asked.get("words", "")[:200],
        category=asked.get("category", ""),
        owner=asked.get("owner", "")[:120],
        state="" if state == "all" else state if state in dict(STATES) else "live",
        order=order if order in dict(ORDERS) else ORDERS[0][0],
        page=int(number) if number.isdecimal() and len(number) < 7 else 1,
    )


def _list(asked: Mapping[str, str], wrong: Wrong | None = None) -> str:
    services, actor, now = security.services(), security.actor(), security.now()
    view = reads.view_list(services, actor, search_sent(asked), now)
    page = MarkersPage(
        chrome_for(actor),
        now,
        view,
        titles(),
        STATES,
        ORDERS,
        may_propose=services.roles.may(actor, "markers.propose"),
        may_export=services.roles.may(actor, "markers.export"),
        saved=services.saved_views.of(actor.actor_id),
        wrong=wrong,
    )
    return render_template("pages/markers.html", page=page)


@pages.get("/markers/new")
@requires("markers.propose")
def new() -> ResponseReturnValue:
    """Which kind of marker to propose, then its form."""
    return _begin("/markers/new", provisional=False)


@pages.post("/markers/new")
@requires("markers.propose")
def propose_new() -> ResponseReturnValue:
    """Propose a new marker."""
    category = _changeable(request.form.get("category", ""))
    typed = marker_form.sent(request.form, category)

    def do(marker: Marker) -> str:
        return _proposed(steps.propose(*_by(), Step.NEW, marker, typed.why, security.now()).proposal_id)

    return _sent("/markers/new", typed, None, None, do)


@pages.post("/markers/preview")
@requires("markers.propose")
def preview() -> ResponseReturnValue:
    """What each role would be shown of the marker a form would write, as it is typed."""
    services, actor, now = security.services(), security.actor(), security.now()
    typed = marker_form.sent(request.form, _changeable(request.form.get("category", "")))
    found = marker_form.read(typed, services.categories, actor, now, actor.name)
    marker = found if isinstance(found, Marker) else None
    rows = tuple(reads.seen_as(services, marker, now)) if marker is not None else ()
    page = PreviewPage(marker, rows, 0 if isinstance(found, Marker) else len(found))
    return render_template("fragments/marker_preview.html", page=page)


@pages.get("/markers/provisional")
@requires("markers.provisional")
def provisional() -> ResponseReturnValue:
    """Which kind of marker the control room adds at once, then its form."""
    return _begin("/markers/provisional", provisional=True)


@pages.post("/markers/provisional")
@requires("markers.provisional")
def add_provisional() -> ResponseReturnValue:
    """Add a marker that warns at once and lapses unless public protection keeps it."""
    category = _nameable(request.form.get("category", ""))
    typed = marker_form.sent(request.form, category)

    def do(marker: Marker) -> str:
        added = steps.add_provisional(*_by(), marker, typed.why, security.now())
        return f"/markers/provisional?added={added.version}"

    return _sent("/markers/provisional", typed, None, _hours(), do)


@pages.get("/markers/<marker_id>/amend")
@requires("markers.propose")
def amend(marker_id: str) -> ResponseReturnValue:
    """The form of a change, filled with what stands."""
    category = _changeable(steps.marker_of(security.services(), marker_id).category)
    services = security.services()
    marker = reads.open_marker(*_by(), marker_id, security.now())
    typed = marker_form.of_marker(services, category, marker)
    if feedback_id := request.args.get("feedback"):
        services.freshen("feedback")
        said, _ = services.feedback.get(feedback_id)
        if said.marker_id == marker_id:
            typed = marker_form.as_reported(services, typed, said)
    return _form(f"/markers/{marker_id}/amend", typed, marker, None, 200)


@pages.post("/markers/<marker_id>/amend")
@requires("markers.propose")
def propose_change(marker_id: str) -> ResponseReturnValue:
    """Propose a change to a marker."""
    security.services().freshen("markers")  # what stands beside the change must be of the version that is changed
    standing = steps.marker_of(security.services(), marker_id)
    category = _changeable(standing.category)
    typed = marker_form.sent(request.form, category)
    typed = replace(typed, texts={**typed.texts, "reference": standing.reference})

    def do(marker: Marker) -> str:
        wanted = replace(
            marker,
            confirmed_at=standing.confirmed_at,
            confirmed_by=standing.confirmed_by,
            provisional_until=standing.provisional_until,
        )
        return _proposed(steps.propose(*_by(), Step.AMEND, wanted, typed.why, security.now()).proposal_id)

    return _sent(f"/markers/{marker_id}/amend", typed, standing, None, do)


@pages.get("/proposals/<proposal_id>")
@requires("markers.read")
def proposal(proposal_id: str) -> ResponseReturnValue:
    """A proposal: what it would change, who would see what of it, and what may be done."""
    return _proposal(proposal_id, (), 200)


@pages.post("/proposals/<proposal_id>/approve")
@requires("markers.approve")
def approve(proposal_id: str) -> ResponseReturnValue:
    """Put in force what another person proposed."""
    _changeable(_fresh(proposal_id).marker.category)

    told = dict(security.services().desk.told).get(request.form.get("told", ""), "")

    def do(why: str) -> str:
        return f"/markers/{steps.approve(*_by(), proposal_id, why, security.now(), told).marker_id}?done=approved"

    return _decided(proposal_id, do)


@pages.post("/proposals/<proposal_id>/turn-down")
@requires("markers.propose")
def turn_down(proposal_id: str) -> ResponseReturnValue:
    """Turn a proposal down, or take one's own back."""
    services, actor = _by()
    found = _fresh(proposal_id)
    _changeable(found.marker.category)
    if found.open and found.by.actor_id != actor.actor_id and not services.roles.may(actor, "markers.approve"):
        raise security.Forbidden(services.roles.title(actor.role), "markers.approve")

    def do(why: str) -> str:
        steps.turn_down(services, actor, proposal_id, why, security.now())
        return _proposed(proposal_id)

    return _decided(proposal_id, do)


def why_of(form_name: str = "why") -> str:
    """The word given with a step. Raises LifecycleRefused for one that can't be kept."""
    text = request.form.get(form_name, "").strip()
    if len(text) > _LONGEST_WHY:
        raise LifecycleRefused(form_name, f"That is {len(text):,} characters; up to {_LONGEST_WHY:,} can be kept.")
    if text and not is_plain_text(text):
        raise LifecycleRefused(form_name, "That holds characters that can't be kept. Type it again without them.")
    return text


def _fresh(proposal_id: str) -> Proposal:
    """A proposal that another process may have taken just now. Raises NoSuchProposal."""
    services = security.services()
    services.freshen("proposals")
    return services.proposals.get(proposal_id)[0]


def _by() -> tuple[Services, Actor]:
    return security.services(), security.actor()


def titles() -> dict[str, str]:
    """The categories by code."""
    return {code: category.title for code, category in security.services().categories.items()}


def _hours() -> int:
    return round(security.services().desk.provisional.total_seconds() / 3600)


def _proposed(proposal_id: str) -> str:
    return f"/proposals/{proposal_id}"


def _category(code: str) -> Category:
    category = security.services().categories.get(code)
    if category is None:
        abort(404)
    return category


def _changeable(code: str) -> Category:
    """A category this role is shown whole: what cannot be seen is not changed. Raises Forbidden."""
    services, actor = _by()
    if code in services.categories and not reads.may_see_whole(services, actor, code):
        raise security.Forbidden(services.roles.title(actor.role), "markers.propose")
    return _category(code)


def _nameable(code: str) -> Category:
    """A category this role is told by name: else trying to add one would tell where they are. Raises Forbidden."""
    services, actor = _by()
    if code in services.categories and not reads.may_name(services, actor, code):
        raise security.Forbidden(services.roles.title(actor.role), "markers.provisional")
    return _category(code)


def _begin(at: str, *, provisional: bool) -> ResponseReturnValue:
    services, actor = _by()
    code = request.args.get("category")
    if code is None:
        kinds = tuple(
            category
            for category in services.categories.values()
            if (reads.may_name if provisional else reads.may_see_whole)(services, actor, category.code)
        )
        page = ChooseCategoryPage(chrome_for(actor), at, kinds, provisional, request.args.get("added"))
        return render_template("pages/marker_kind.html", page=page)
    category = _nameable(code) if provisional else _changeable(code)
    typed = marker_form.fresh(category, services, actor)
    return _form(at, typed, None, _hours() if provisional else None, 200)


def _sent(
    at: str, typed: Typed, standing: Marker | None, hours: int | None, do: Callable[[Marker], str]
) -> ResponseReturnValue:
    """Do what a form asks and go where that leads; or the form again, with everything typed and what is wrong."""
    services, actor = _by()
    where = f"{actor.name}, {services.roles.title(actor.role)}"
    try:
        why = why_of()
        found = marker_form.read(typed, services.categories, actor, security.now(), where)
        if not isinstance(found, Marker):
            return _form(at, replace(typed, why=why, wrong=found), standing, hours, 422)
        return redirect(do(found), 303)
    except Outdated as outdated:
        return _form(at, _against(typed, outdated), outdated.current, hours, 409)
    except LifecycleRefused as refused:
        return _form(at, replace(typed, wrong=(Wrong(refused.field, refused.reason),)), standing, hours, 422)
    except Doubled as doubled:
        reads.log_taken(services, actor, doubled, security.now())
        typed = replace(typed, wrong=(Wrong("address", str(doubled)),))
        return _form(at, typed, standing, hours, 409, _holder(doubled))
    except (StoreUnavailable, DeskBusy) as error:
        words = _BUSY if isinstance(error, DeskBusy) else _AWAY
        return _form(at, replace(typed, wrong=(Wrong("why", words),)), standing, hours, 503)


def _against(typed: Typed, outdated: Outdated) -> Typed:
    """The form again, now against what stands, with what the other person changed said field by field."""
    current = reads.open_marker(*_by(), outdated.current.marker_id, security.now())  # a look at what stands now
    looked_at = version_of(security.services(), current.marker_id, typed.version)
    changed = differences(looked_at, current) if looked_at is not None else ()
    told = tuple(Wrong(change.field, f"Somebody changed this to: {change.after or 'nothing'}.") for change in changed)
    return replace(typed, version=current.version, wrong=told or (Wrong("why", outdated.reason),))


def _holder(doubled: Doubled) -> str | None:
    services, actor = _by()
    if not services.roles.may(actor, "markers.read"):
        return None
    return f"/markers/{doubled.marker_id}" if doubled.marker_id else f"/proposals/{doubled.proposal_id}"


def _form(
    at: str, typed: Typed, standing: Marker | None, hours: int | None, status: int, doubled: str | None = None
) -> ResponseReturnValue:
    extent = security.services().area.extent
    page = MarkerFormPage(chrome_for(security.actor()), at, typed, standing, hours, extent, doubled)
    return render_template("pages/marker_form.html", page=page), status


def _proposal(proposal_id: str, wrong: tuple[Wrong, ...], status: int) -> ResponseReturnValue:
    services, actor, now = security.services(), security.actor(), security.now()
    view = reads.view_proposal(services, actor, proposal_id, now)
    own = view.proposal.by.actor_id == actor.actor_id
    page = ProposalPage(
        chrome_for(actor),
        now,
        view,
        titles(),
        own=own,
        may_decide=services.roles.may(actor, "markers.approve") and not own,
        may_open_incidents=services.roles.may(actor, "incidents.read"),
        back=looking_back(services, view.proposal.marker, now),
        asks_if_told=asks_if_told(view.proposal, services.categories.get(view.proposal.marker.category)),
        told=services.desk.told,
        wrong=wrong,
        why=request.form.get("why", ""),
        chosen=request.form.get("told", ""),
    )
    return render_template("pages/proposal.html", page=page), status


def _decided(proposal_id: str, do: Callable[[str], str]) -> ResponseReturnValue:
    try:
        return redirect(do(why_of()), 303)
    except LifecycleRefused as refused:
        status = 409 if isinstance(refused, Outdated) else 422
        field = "told" if refused.field == "told" else "why"
        return _proposal(proposal_id, (Wrong(field, refused.reason),), status)
    except Doubled as doubled:
        reads.log_taken(*_by(), doubled, security.now())
        return _proposal(proposal_id, (Wrong("why", str(doubled)),), 409)
    except DeskBusy:
        return _proposal(proposal_id, (Wrong("why", _BUSY),), 503)
