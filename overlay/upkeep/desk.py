"""What public protection reads at its desk: what needs somebody, lists, proposals. Logged before it is shown."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from itertools import takewhile
from typing import Final, TypeVar

from markers.ledger import RecordSeen, Via
from markers.lifecycle import Change, Proposal, Step, differences, said
from markers.model import LONDON, Grade, Marker, Match, State
from overlay.disclosure import Shown, for_actor, names_it, shows_all
from overlay.feedback import Feedback
from overlay.listing import PAGE, Search, found, overdue
from overlay.lookup import NothingDisclosed
from overlay.proposals import NoSuchProposal
from overlay.roles import Actor
from overlay.services import Services
from overlay.upkeep.change import Doubled
from overlay.viewing import NoSuchMarker, look_logged

_TRIES = 8
_MOST_DUE = 25
LISTED: Final = ("existence", "reference", "category", "headline", "owner", "place")
_View = TypeVar("_View", "DeskView", "ListView", "ProposalView")


@dataclass(frozen=True, slots=True)
class DeskView:
    """What needs somebody now. `own` are this person's proposals that wait for another; counts are of all there are.

    `escalated` says to whom what was due on a day or before it has gone, `with_whom` how many are with each.
    """

    to_decide: tuple[Proposal, ...]
    own: tuple[Proposal, ...]
    provisional: tuple[Marker, ...]
    feedback: tuple[tuple[Feedback, Marker], ...]
    overdue: tuple[Marker, ...]
    due: tuple[Marker, ...]
    overdue_count: int
    due_count: int
    workload: tuple[tuple[str, int, int], ...]
    escalated: tuple[tuple[date, str], ...]
    with_whom: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class ListView:
    """One page of markers, and of how many."""

    search: Search
    page: int
    markers: tuple[Marker, ...]
    count: int
    pages: int


@dataclass(frozen=True, slots=True)
class ProposalView:
    """A proposal with what it would change, what stands now, and what each role would then see of it.

    `says` is the whole marker, field by field, where there is nothing to compare with. `moved` tells that what stands
    is no longer what it was made from. `lacks` names what its category asks for and it does not say.
    """

    proposal: Proposal
    current: Marker | None
    says: dict[str, str]
    changes: tuple[Change, ...]
    moved: bool
    seen_as: tuple[tuple[str, Shown], ...]
    lacks: tuple[str, ...]
    known_home: bool


def view_desk(services: Services, actor: Actor, now: datetime) -> DeskView:
    """Raises NotAllowedAnyMore, NothingDisclosed, `StoreUnavailable`."""
    today = now.astimezone(LONDON).date()
    rules = services.desk
    soon = rules.hours.days_on(today, rules.due_working_days)
    escalated = rules.late_since(today)

    def look() -> DeskView:
        whole = frozenset(code for code in services.categories if may_see_whole(services, actor, code))
        withheld = frozenset(services.categories) - whole
        live = [
            row
            for row in services.listing.rows(services.index, now)
            if not row.over and row.marker.category not in withheld
        ]
        standing = [row.marker for row in live if row.state is State.IN_FORCE]
        late = list(takewhile(lambda marker: overdue(marker, today), standing))
        due = list(takewhile(lambda marker: marker.review_on <= soon, standing[len(late) :]))
        waiting = [proposal for proposal in services.proposals.waiting() if proposal.marker.category in whole]
        return DeskView(
            to_decide=tuple(p for p in waiting if p.by.actor_id != actor.actor_id),
            own=tuple(p for p in waiting if p.by.actor_id == actor.actor_id),
            provisional=tuple(row.marker for row in live if row.state is State.PROVISIONAL),
            feedback=tuple(
                (said, marker)
                for said in services.feedback.waiting()
                if (marker := services.index.get(said.marker_id)) is not None and marker.category in whole
            ),
            overdue=tuple(late[:_MOST_DUE]),
            due=tuple(due[:_MOST_DUE]),
            overdue_count=len(late),
            due_count=len(due),
            workload=_workload(standing, late),
            escalated=escalated,
            with_whom=_with_whom(late, escalated),
        )

    return _logged(
        services,
        actor,
        "desk_page",
        look,
        lambda view: (
            *(proposal.marker for proposal in (*view.to_decide, *view.own)),
            *view.provisional,
            *(marker for _, marker in view.feedback),
            *view.overdue,
            *view.due,
        ),
        now,
    )


def reviews_gone_on(services: Services, now: datetime) -> tuple[tuple[str, int], ...]:
    """How many overdue reviews have gone on to each somebody else, of all kinds: figures, and nothing of any marker."""
    today = now.astimezone(LONDON).date()
    rows = takewhile(lambda row: overdue(row.marker, today), services.listing.rows(services.index, now))
    late = [row.marker for row in rows if row.state is State.IN_FORCE]
    return _with_whom(late, services.desk.late_since(today))


def view_list(services: Services, actor: Actor, search: Search, now: datetime) -> ListView:
    """One page of the markers a search finds. Raises as `view_desk`."""
    today = now.astimezone(LONDON).date()

    def look() -> ListView:
        markers = _shown(
            services, actor, found(services.listing.rows(services.index, now, search.order), search, today)
        )
        pages = max(1, -(-len(markers) // PAGE))
        page = min(max(1, search.page), pages)
        shown = tuple(markers[(page - 1) * PAGE : page * PAGE])
        return ListView(search, page, shown, len(markers), pages)

    return _logged(services, actor, "marker_list", look, lambda view: view.markers, now)


def view_proposal(services: Services, actor: Actor, proposal_id: str, now: datetime) -> ProposalView:
    """One proposal. Raises as `view_desk`, and NoSuchProposal."""
    services.freshen("proposals")

    def look() -> ProposalView:
        proposal, _ = services.proposals.get(proposal_id)
        marker = proposal.marker
        current = services.index.get(marker.marker_id)
        base = marker.version - 1
        category = services.categories.get(marker.category)
        compared = current is not None and proposal.step is not Step.NEW and proposal.open
        return ProposalView(
            proposal=proposal,
            current=current,
            says=said(marker),
            changes=differences(current, marker) if compared and current is not None else (),
            moved=proposal.open and base != (0 if current is None else current.version),
            seen_as=tuple(seen_as(services, marker, now)),
            lacks=category.lacking(marker) if category is not None else (),
            known_home=marker.place.premises_id is not None or marker.place.address is None,
        )

    return _logged(services, actor, "proposal_page", look, lambda view: (view.proposal.marker,), now)


def open_marker(services: Services, actor: Actor, marker_id: str, now: datetime) -> Marker:
    """A marker as it stands, for the form that changes it. Raises as `view_desk`, and NoSuchMarker."""
    services.freshen("markers")
    for _ in range(_TRIES):
        at = {"markers": services.index.position}
        marker = services.index.get(marker_id)
        if marker is None:
            raise NoSuchMarker
        fields = ("existence", *sorted(said(marker)))
        if look_logged(services, actor, "marker_form", (RecordSeen(marker_id, marker.version, None, fields),), at, now):
            return marker
    raise NothingDisclosed("Markers are changing faster than this page can follow. Open it again.")


def seen_as(services: Services, marker: Marker, now: datetime) -> Iterable[tuple[str, Shown]]:
    """What each role that checks would be shown of a marker at its own place, by the role's title."""
    here = Match(marker, Grade.PREMISES, (), 1.0)
    for role, title in services.roles.titles.items():
        if services.roles.allows(role, "checks.make"):
            (item,) = for_actor(
                (here,),
                Actor("", "", role, Via.WEB),
                services.categories,
                now,
                ask=services.roles.asks.get(role, ""),
            )
            yield title, item.shown


def log_taken(services: Services, actor: Actor, doubled: Doubled, now: datetime) -> None:
    """That somebody is told what has a place they asked for: a look like any other, so that nobody tries homes unseen.

    Raises NotAllowedAnyMore, NothingDisclosed, `StoreUnavailable`: then nothing is told.
    """
    marker_id, version = doubled.marker_id, 1
    if doubled.proposal_id is not None:
        with suppress(NoSuchProposal):
            marker_id = services.proposals.get(doubled.proposal_id)[0].marker.marker_id
    if marker_id is not None and (marker := services.index.get(marker_id)) is not None:
        version = marker.version
    records = () if marker_id is None else (RecordSeen(marker_id, version, None, ("existence", "reference")),)
    for _ in range(_TRIES):
        if look_logged(services, actor, "place_taken", records, {}, now):
            return
    raise NothingDisclosed("Accounts are changing faster than this page can follow. Send it again.")


def may_name(services: Services, actor: Actor, category: str) -> bool:
    """Whether this person's role is told by name what kind a marker of a category is."""
    return names_it(actor.role, services.categories.get(category))


def may_see_whole(services: Services, actor: Actor, category: str) -> bool:
    """Whether this person's role is shown all of a category; who is not neither changes nor approves its markers."""
    return shows_all(actor.role, services.categories.get(category))


def _shown(services: Services, actor: Actor, markers: list[Marker]) -> list[Marker]:
    """Those of categories that this person's role is shown whole; as a rule all of them."""
    withheld = {code for code in services.categories if not may_see_whole(services, actor, code)}
    return [marker for marker in markers if marker.category not in withheld] if withheld else markers


def _with_whom(late: list[Marker], escalated: tuple[tuple[date, str], ...]) -> tuple[tuple[str, int], ...]:
    """How many overdue reviews are with each to whom they go on, the last of them in front."""
    with_whom, so_far = [], 0
    for day, to in escalated:
        until = bisect_right(late, day, key=lambda marker: marker.review_on)
        with_whom.append((to, until - so_far))
        so_far = until
    return tuple((to, count) for to, count in with_whom if count)


def _workload(standing: list[Marker], late: list[Marker]) -> tuple[tuple[str, int, int], ...]:
    """Each owner's markers in force and how many are overdue, the one with most overdue in front."""
    have = Counter(marker.owner for marker in standing)
    behind = Counter(marker.owner for marker in late)
    rows = ((owner, count, behind[owner]) for owner, count in have.items())
    return tuple(sorted(rows, key=lambda row: (-row[2], -row[1], row[0])))


def _logged(
    services: Services,
    actor: Actor,
    reason: str,
    look: Callable[[], _View],
    markers: Callable[[_View], Iterable[Marker]],
    now: datetime,
) -> _View:
    """What `look` finds, once the ledger says who was shown which markers, at the positions it was found at."""
    for _ in range(_TRIES):
        at = {
            "markers": services.index.position,
            "proposals": services.proposals.position,
            "feedback": services.feedback.position,
        }
        view = look()
        shown = {marker.marker_id: marker.version for marker in markers(view)}
        records = tuple(RecordSeen(marker_id, version, None, LISTED) for marker_id, version in shown.items())
        if look_logged(services, actor, reason, records, at, now):
            return view
    raise NothingDisclosed("Markers are changing faster than this page can follow. Open it again.")
