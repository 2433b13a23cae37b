"""Advanced Mobile Location: the text message a handset sends with its position, as a control room pastes it.

`A"ML=1;lt=+51.53321;lg=-0.12601;rd=14;top=20220131171748;lc=68;pm=W;si=...;ei=...;mcc=234;mnc=15;ml=126`
(ETSI TS 103 625, SMS format; Google's Emergency Location Service documents the same): latitude and longitude in
degrees WGS 84, radius in metres, time of positioning in UTC, the confidence in per cent that the caller is inside the
radius, and the method. A handset that could not place itself sends `rd=N`, `lc=0`, `pm=N` and zeros.
What names the handset or the subscriber (`ei`, `si`) is not kept.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from markers.model import LONDON, LocationError

STATED_AT = 90.0
"""A radius holds the caller with this confidence, in per cent, or is widened until it does."""
UNSTATED = 68.0
"""What handsets state (`lc=68`, one standard deviation): taken when a message leaves its confidence out."""
WIDEST_M = 50_000.0
LONGEST = 1_000

_MARK = "[\"'\u201c\u201d\u2033]"
_BEGINS = re.compile(rf"\s{{0,99}}{_MARK}?A\s{{0,3}}{_MARK}{{0,2}}\s{{0,3}}ML\s{{0,3}}=", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?\d{1,6}(?:\.\d{1,12})?", re.ASCII)
_TIME = re.compile(r"\d{14}", re.ASCII)
_METHODS = {"G": "GNSS", "W": "Wi-Fi", "C": "mobile cell", "F": "several methods", "U": "method not stated"}
_NOWHERE = "the phone could not place itself. Ask where the caller is."


@dataclass(frozen=True, slots=True)
class Fix:
    """Where a phone says it is: degrees WGS 84, and the radius in metres that holds it with 90 % confidence.

    `given_as` names method and confidence; `warnings` say what a person should know of the fix: when it was taken,
    and that its circle was widened.
    """

    longitude: float
    latitude: float
    radius_m: float
    given_as: str
    warnings: tuple[str, ...]


def is_aml(text: str) -> bool:
    """Whether a text begins as an AML message does."""
    return _BEGINS.match(text) is not None


def read_aml(text: str) -> Fix:
    """The position in an AML message. Raises LocationError, and nothing else, naming the message's field.

    A radius of another confidence than 90 % never shrinks. A lower one is widened as if errors were circular and
    normal: the radius that holds a share p of them grows with sqrt(-ln(1 - p)) (Rayleigh distribution), so a radius
    at 68 % is widened by 1.42. Real errors have longer tails; the distances of an area give their slack on top.
    """
    if len(text) > LONGEST or "\0" in text:
        raise _refused("", "too long or not text. Paste the one message.")
    fields = _fields(text)
    if fields.get("pm", "").upper() == "N" or fields.get("rd", "").upper() == "N":
        raise _refused("rd", _NOWHERE)
    latitude, longitude = _number(fields, "lt", 90), _number(fields, "lg", 180)
    if latitude == 0 and longitude == 0:
        raise _refused("lt", _NOWHERE)
    radius = _number(fields, "rd", WIDEST_M)
    if radius < 0:
        raise _refused("rd", f"'{fields['rd']}' is not a radius in metres. Ask where the caller is.")
    confidence = _number(fields, "lc", 100) if fields.get("lc") else UNSTATED
    if confidence <= 0:
        raise _refused("lc", "a confidence of nothing places nobody. Ask where the caller is.")
    widened = min(max(radius, radius * _growth(confidence)), WIDEST_M)
    method = _METHODS.get(fields.get("pm", "").upper(), _METHODS["U"])
    warnings = []
    if widened > radius:
        stated = f"{confidence:.0f} %" if fields.get("lc") else "no confidence"
        warnings.append(f"The phone gave {radius:,.0f} m with {stated}: {widened:,.0f} m are looked at.")
    if fields.get("top"):
        warnings.append(_when(fields["top"]))
    return Fix(longitude, latitude, widened, f"phone's position ({method})", tuple(warnings))


def _fields(text: str) -> dict[str, str]:
    """`name=value` by name; of one given twice with two values neither can be believed."""
    header = _BEGINS.match(text)
    if header is None:
        raise _refused("", 'not an AML message. It begins A"ML=1; and holds lt, lg and rd.')
    found: dict[str, str] = {}
    for part in text[header.end() :].split(";"):
        name, sign, value = part.partition("=")
        name, value = name.strip().casefold(), value.strip().strip("\"'\u201c\u201d\u2033")
        if not sign:
            continue
        if found.setdefault(name, value) != value:
            raise _refused(name if name.isalnum() else "", "given twice with two values. Paste the one message.")
    return found


def _number(fields: dict[str, str], name: str, most: float) -> float:
    value = fields.get(name, "")
    if not value:
        raise _refused(name, "missing. Paste the whole message.")
    if not _NUMBER.fullmatch(value) or abs(float(value)) > most:
        raise _refused(name, f"not a number up to {most:,.0f}. Paste the message as it came.")
    return float(value)


def _growth(confidence: float) -> float:
    """How much wider a radius of that confidence must be to hold 90 %; below 1 where it holds more."""
    if confidence >= STATED_AT:
        return 1.0
    return math.sqrt(math.log1p(-STATED_AT / 100) / math.log1p(-confidence / 100))


def _when(text: str) -> str:
    """A time that can't be read does not take the position away."""
    try:
        if not _TIME.fullmatch(text):
            raise ValueError
        moment = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC).astimezone(LONDON)
    except (ValueError, OverflowError):
        return "When the phone placed itself can't be read."
    return f"The phone placed itself at {moment:%H:%M:%S} on {moment.day} {moment:%b %Y}."


def _refused(name: str, reason: str) -> LocationError:
    return LocationError("address", f"AML {name}: {reason}" if name else f"AML message: {reason}")
