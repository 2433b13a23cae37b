"""For whoever owns markers: who was shown them, day by day."""

from __future__ import annotations

from datetime import date, timedelta

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from markers.model import LONDON
from overlay import security, viewing
from overlay.security import requires
from overlay.web.chrome import chrome_for
from overlay.web.views import DisclosuresPage

pages = Blueprint("disclosures", __name__)


@pages.get("/disclosures")
@requires("disclosures.read")
def day() -> ResponseReturnValue:
    """The digest of one day in London, today's when none is named; a day that can't be read is said."""
    today = security.now().astimezone(LONDON).date()
    asked, problem = today, None
    try:
        asked = date.fromisoformat(request.args.get("day") or today.isoformat())
        if not date(2020, 1, 1) <= asked <= today:
            asked, problem = today, "Nothing is kept of that day. This is today."
    except ValueError:
        problem = "That is not a day: write it as 2026-11-25. This is today."
    digest = viewing.view_day(security.services(), security.actor(), asked, security.now())
    page = DisclosuresPage(
        chrome_for(security.actor()),
        digest,
        before=asked - timedelta(days=1),
        after=asked + timedelta(days=1) if asked < today else None,
        problem=problem,
    )
    return render_template("pages/disclosures.html", page=page)
