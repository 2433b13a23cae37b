"""New recovery codes in place of the old."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from markers.ledger import Event
from overlay.identity.changes import Planned, Refused, change, put
from overlay.identity.door import Door
from overlay.identity.second_factor import new_recovery_codes, recovery_id
from overlay.roles import Actor


def renew_recovery_codes(door: Door, actor: Actor, now: datetime) -> tuple[str, ...]:
    """Ten new codes of the actor's own second factor; the old ones open nothing any more.

    For somebody who has just proved who they are. `Refused` without a second factor, `StoreUnavailable`.
    """
    codes = new_recovery_codes()

    def plan() -> Planned:
        factor = door.access.second_factor(actor.actor_id)
        if factor is None:
            raise Refused("second_factor", "Recovery codes belong to a second factor, and this account has none.")
        renewed = replace(factor, recovery=tuple(map(recovery_id, codes)))
        return Planned((put(renewed),), Event.ACCESS, "recovery_codes_renewed", actor.actor_id, ("recovery",))

    change(door.store, door.access, actor, now, plan)
    return codes
