"""Keeping a search of the list under a title, and forgetting it."""

from __future__ import annotations

import uuid
from datetime import datetime

from markers.commits import Commit, Committed, Write
from markers.lifecycle import LifecycleRefused
from markers.store_errors import VersionConflict
from overlay.listing import Search
from overlay.lookup import NotAllowedAnyMore
from overlay.plain_text import is_plain_text
from overlay.roles import Actor
from overlay.saved_views import COLLECTION, LONGEST_TITLE, MOST, NoSuchView, SavedView
from overlay.services import Services
from overlay.upkeep.change import DeskBusy

_TRIES = 8


def save(services: Services, actor: Actor, title: str, search: Search, now: datetime) -> SavedView:
    """Keep a search without its words; one of the same title gives way. Raises LifecycleRefused, `StoreUnavailable`."""
    tidy = " ".join(title.split())
    if not tidy or len(tidy) > LONGEST_TITLE or not is_plain_text(tidy):
        raise LifecycleRefused("title", f"Give the view a title of up to {LONGEST_TITLE} characters.")
    services.freshen(COLLECTION)
    own = services.saved_views.of(actor.actor_id)
    before = next((view for view in own if view.title.casefold() == tidy.casefold()), None)
    if before is None and len(own) >= MOST:
        raise LifecycleRefused("title", f"You have {MOST} views, the most there are. Remove one first.")
    view_id = before.view_id if before is not None else str(uuid.uuid4())
    view = SavedView(view_id, actor.actor_id, tidy, search.category, search.owner, search.state, search.order)
    version = services.saved_views.get(view_id)[1] if before is not None else 0
    _write(services, actor, Write(COLLECTION, view_id, version, view.as_plain()), now)
    return view


def remove(services: Services, actor: Actor, view_id: str, now: datetime) -> None:
    """Forget one of one's own. Raises NoSuchView, `StoreUnavailable`."""
    services.freshen(COLLECTION)
    view, version = services.saved_views.get(view_id)
    if view.actor_id != actor.actor_id:
        raise NoSuchView
    _write(services, actor, Write(COLLECTION, view_id, version, None), now)


def _write(services: Services, actor: Actor, write: Write, now: datetime) -> None:
    for _ in range(_TRIES):
        standing = services.access.standing(actor, now)
        if standing is None:
            raise NotAllowedAnyMore
        try:
            done = services.commit(Commit(str(uuid.uuid4()), {"access": standing}, (write,)), now)
        except VersionConflict:
            break  # the same person, in two windows at once
        if isinstance(done, Committed):
            services.freshen(COLLECTION)
            return
        services.take_in(done.changes)
    raise DeskBusy
