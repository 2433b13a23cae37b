"""A marker's fields, states and steps in the words of the pages."""

from __future__ import annotations

import re

from markers.model import Marker
from overlay import security
from overlay.disclosure import Shown
from overlay.web.times import day

_DATE = re.compile(r"\d{4}-\d\d-\d\d")

FIELDS = {
    "reference": "Reference",
    "category": "Kind",
    "address": "Address",
    "postcode": "Postcode",
    "uprn": "UPRN",
    "point": "Position",
    "easting": "Easting",
    "northing": "Northing",
    "longitude": "Longitude",
    "latitude": "Latitude",
    "radius_m": "Radius in metres",
    "zone_wkt": "Area (WKT)",
    "phone": "Telephone number",
    "headline": "Headline",
    "action": "Action",
    "fact": "Facts",
    "opinion": "Opinion",
    "subject": "Whom it is about",
    "owner": "Owner",
    "owner_contact": "Owner's contact",
    "starts_on": "Starts",
    "review_on": "Next review",
    "ends_on": "Ends",
    "source": "Source",
    "source_reference": "Source's reference",
    "provisional_until": "Provisional until",
    "confirmed_at": "Confirmed",
    "confirmed_by": "Confirmed by",
    "ending_reason": "Why it ends",
    "ending_told": "Was the subject told",
}
STATES = {
    "future": "not yet in force",
    "in_force": "in force",
    "provisional": "provisional",
    "lapsed": "lapsed",
    "ended": "ended",
}
STEPS = {
    "new": "New marker",
    "amend": "Change",
    "end": "Ending",
    "import": "Loaded from a list",
    "approved_new": "Approved and put in force",
    "approved_amend": "Change approved",
    "approved_end": "Ending approved",
    "provisional": "Added by the control room",
    "kept": "Kept by public protection",
    "dismissed": "Dismissed by public protection",
    "confirmed": "Confirmed at review",
    "place_given_up": "Over: its place was given to another",
}


GRADES = {
    "premises": "as this home",
    "possible": "as maybe this home",
    "building": "in its building",
    "zone": "in its area",
    "nearby": "close by",
    "phone": "by its number",
}


def field_title(name: str, category: str) -> str:
    """What a field is called, a category's own by its title."""
    kind = security.services().categories.get(category)
    own = {detail.name: detail.title for detail in kind.details} if kind is not None else {}
    return FIELDS.get(name) or own.get(name) or name.replace("_", " ")


def field_text(text: str) -> str:
    """What a field says, a date as people read it."""
    return day(text, security.now()) if _DATE.fullmatch(text) else text


def not_told(shown: Shown, marker: Marker) -> str:
    """What of a marker a role is not told, in words."""
    parts = (
        ("what it is", shown.headline is None),
        ("whose it is", shown.owner is None),
        ("facts", shown.fact is None and bool(marker.fact)),
        ("opinion", shown.opinion is None and bool(marker.opinion)),
        ("source", shown.source is None and bool(marker.source)),
    )
    return ", ".join(words for words, hidden in parts if hidden) or "nothing is left out"
