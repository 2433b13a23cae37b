"""The top bar of a page, from who is asking and how the store does."""

from __future__ import annotations

from markers.model import LONDON
from overlay import security
from overlay.roles import Actor
from overlay.web.views import Chrome, GlassNotices, PublicChrome

# The pages of the bar, by the permission that opens them.
_LINKS = (
    ("checks.make", "Check", "/"),
    ("incidents.read", "Board", "/board"),
    ("room.supervise", "Control room", "/control-room"),
    ("markers.read", "Desk", "/desk"),
    ("markers.read", "Markers", "/markers"),
    ("markers.provisional", "Add a marker", "/markers/provisional"),
    ("break_glass.review", "Broken glass", "/broken-glass"),
    ("disclosures.read", "Disclosures", "/disclosures"),
    ("ledger.search", "Ledger", "/ledger"),
    ("accounts.manage", "Accounts", "/accounts"),
    ("tokens.manage", "Tokens", "/tokens"),
)


def chrome_for(actor: Actor) -> Chrome:
    """The bar for somebody signed in."""
    services, now = security.services(), security.now()
    state = services.state(now)
    account = services.access.account_of(actor.actor_id)
    return Chrome(
        area_title=services.area.title,
        force=services.area.force,
        person=actor.name,
        role_title=services.roles.title(actor.role),
        store_state=state.kind,
        store_words=state.words,
        now_local=_local_time(),
        links=_links(actor),
        notices=_notices(actor),
        person_id=actor.actor_id,
        idle_s=int(services.policy.idle.total_seconds()),
        signs_on=account is not None and account.subject != "",
        live=services.roles.may(actor, "incidents.read"),
        live_from=str(security.known_at()),
    )


def _links(actor: Actor) -> tuple[tuple[str, str], ...]:
    """None for a role whose only page is the check page."""
    roles = security.services().roles
    links = tuple((title, path) for permission, title, path in _LINKS if roles.may(actor, permission))
    return links if any(path != "/" for _, path in links) else ()


def _notices(actor: Actor) -> GlassNotices | None:
    services, now = security.services(), security.now()
    if not services.roles.may(actor, "break_glass.told"):
        return None
    waiting = services.glass.to_review()
    return GlassNotices(
        at="/broken-glass" if services.roles.may(actor, "break_glass.review") else "/disclosures",
        open_now=sum(glass.open_at(now) for glass in waiting),
        to_review=len(waiting),
        overdue=sum(glass.overdue_at(now) for glass in waiting),
    )


def chrome_for_nobody() -> PublicChrome:
    """The bar before anybody has signed in."""
    area = security.services().area
    return PublicChrome(area.title, area.force, _local_time())


def chrome_for_anyone() -> Chrome | PublicChrome:
    """The bar for whoever is asking."""
    actor = security.whoever()
    return chrome_for_nobody() if actor is None else chrome_for(actor)


def _local_time() -> str:
    return f"{security.now().astimezone(LONDON):%H:%M:%S}"
