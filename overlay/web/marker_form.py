"""The form a marker is proposed with: what was typed, what is wrong with it, and the marker it writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from markers.lifecycle import said
from markers.model import LONDON, Category, Marker, Place
from markers.tables import Row
from markers.written import MARKER_COLUMNS, MarkerReader
from overlay.feedback import KINDS, Feedback
from overlay.roles import Actor
from overlay.services import Services
from overlay.upkeep.steps import home_of
from overlay.web.marker_words import field_title

_NO_PLACE = "Say where it is: an address, a UPRN, a position, an area or a telephone number."


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing wrong with a form, and the box it is about."""

    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Typed:
    """A marker's form. `texts` are the boxes by name; `version` is what its writer looked at, 0 for a new marker."""

    category: Category
    texts: Mapping[str, str]
    version: int
    why: str
    wrong: tuple[Wrong, ...] = ()

    def text(self, name: str) -> str:
        """What a box holds."""
        return self.texts.get(name, "")

    def problem(self, name: str) -> dict[str, str] | None:
        """A box's own problem, as the form's components take it."""
        found = next((wrong.reason for wrong in self.wrong if wrong.field == name), None)
        return {"text": found} if found is not None else None


def fresh(category: Category, services: Services, actor: Actor) -> Typed:
    """An empty form: the category's own words, this area's contacts, whoever writes it as its owner."""
    contact = f"{services.area.office_hours}; {services.area.on_call}"
    texts = {"headline": category.headline, "action": category.action, "owner": actor.name, "owner_contact": contact}
    return Typed(category, texts, 0, "")


def of_marker(services: Services, category: Category, marker: Marker) -> Typed:
    """The form filled with what stands.

    What the gazetteer says of the written address is left out: it would be left over when the address is changed.
    """
    texts = said(marker)
    texts.pop("point", None)
    place, home = marker.place, home_of(services, marker.place)
    if home is not None and place.uprn == home.uprn:
        texts.pop("uprn", None)
    if place.point is not None and (home is None or place.point != home.point):
        texts |= {"easting": f"{place.point.easting:.2f}", "northing": f"{place.point.northing:.2f}"}
    return Typed(category, texts, marker.version, "")


def as_reported(services: Services, typed: Typed, said: Feedback) -> Typed:
    """The form with what the room said: why, and the home it moved to where the word with it surely means one."""
    at = said.at.astimezone(LONDON)
    told = f"{said.by_name} ({said.role}) at {at:%H:%M on %d %b %Y}: {KINDS[said.kind]}."
    texts = dict(typed.texts)
    home = home_of(services, Place(address=said.word)) if said.kind == "moved" and said.word else None
    if home is not None:
        for name in ("easting", "northing", "radius_m", "zone_wkt"):
            texts.pop(name, None)
        texts |= {"address": home.address, "postcode": home.postcode or "", "uprn": home.uprn or ""}
    return replace(typed, texts=texts, why=" ".join(filter(None, (told, said.word))))


def sent(form: Mapping[str, str], category: Category) -> Typed:
    """The form as it came."""
    names = (*MARKER_COLUMNS, *(detail.name for detail in category.details))
    texts = {name: form.get(name, "").strip() for name in names if name != "category"}
    version = form.get("version", "")
    return Typed(category, texts, int(version) if version.isdecimal() else 0, form.get("why", "").strip())


def read(
    typed: Typed, categories: Mapping[str, Category], actor: Actor, now: datetime, source: str
) -> Marker | tuple[Wrong, ...]:
    """The marker a form writes, with the version its writer looked at, or everything wrong with the form."""
    reader = MarkerReader(categories, now.astimezone(LONDON).date(), actor.name, "", now, source, whole=True)
    cells = {name: text for name, text in typed.texts.items() if text}
    found = reader.read(Row(1, {**cells, "category": typed.category.code}))
    if isinstance(found, Marker):
        return replace(found, version=typed.version)
    return tuple(
        Wrong(error.column, f"{field_title(error.column, typed.category.code)}: {error.reason}")
        if error.column
        else Wrong("address", _NO_PLACE)
        for error in found
    )
