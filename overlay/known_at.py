"""When something was last known, so that nobody takes yesterday's for today's."""

from __future__ import annotations

from datetime import datetime

from markers.model import LONDON


def known_at(at: datetime, now: datetime) -> str:
    """`14:02:31` in London, and of which day if that is not today: `14:02:31 on Friday 27 November 2026`."""
    local = at.astimezone(LONDON)
    if local.date() == now.astimezone(LONDON).date():
        return f"{local:%H:%M:%S}"
    return f"{local:%H:%M:%S} on {local:%A} {local.day} {local:%B %Y}"
