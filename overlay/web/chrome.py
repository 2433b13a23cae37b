"""The top bar of a page, from who is asking and how the store does."""

from __future__ import annotations

from markers.model import LONDON
from overlay import security
from overlay.roles import Actor
from overlay.web.views import Chrome, PublicChrome

# Pages beside the check page: the permission each asks for, its title, its address.
_PAGES = (("ledger.search", "Ledger", "/ledger"),)


def chrome_for(actor: Actor) -> Chrome:
    """The bar for somebody signed in."""
    services, now = security.services(), security.now()
    state = services.state(now)
    return Chrome(
        area_title=services.area.title,
        force=services.area.force,
        person=actor.name,
        role_title=services.roles.title(actor.role),
        store_state=state.kind,
        store_words=state.words,
        now_local=_local_time(),
        links=tuple((title, href) for permission, title, href in _PAGES if services.roles.may(actor, permission)),
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
