"""Other geocoders behind the local gazetteer: any of geopy's, self-hosted, named in the area's configuration.

They are asked only about an address the gazetteer does not know, and their answer is a hint: a position to look for
zones and marked homes around. An incident's address is someone's home, so it goes to no host but the one that is
named: a service with a public default must be given its `domain`, a redirect is not followed, and the proxies of the
environment are not used. The answer is waited for a bounded time; one that failed is left alone for a while.
"""

from __future__ import annotations

import inspect
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.request import HTTPRedirectHandler, HTTPSHandler, ProxyHandler, build_opener

from geopy.adapters import URLLibAdapter
from geopy.exc import GeocoderParseError, GeocoderTimedOut, GeopyError
from geopy.geocoders import get_geocoder_for_service
from shapely import Point as ShapelyPoint

from markers.address import read_address
from markers.gazetteer import Gazetteer
from markers.homes import MarkedHomes
from markers.location import Location, Spot, to_grid
from markers.model import LocationError, Precision
from markers.resolve import resolve

__all__ = ["GeocoderError", "Geocoders", "Located"]

LONGEST_WAIT_S = 2.0
LONGEST_ANSWER = 1_000_000
MOST_AT_ONCE = 4
_FIELDS = {"service", "name", "timeout_s", "rest_s", "spread_m", "options", "query"}
_OURS = {"adapter_factory", "timeout", "proxies", "ssl_context"}
_AGENT = "warning-marker-overlay"

# geopy writes the asked address into its log below this level.
logging.getLogger("geopy").setLevel(logging.ERROR)


class GeocoderError(ValueError):
    """A geocoder's configuration that can't be used, in one line naming the entry and what is wrong."""


@dataclass(frozen=True, slots=True)
class Located:
    """Where the other geocoders put an address: None where none did. `warnings` say which could not be asked."""

    spot: Spot | None = None
    warnings: tuple[str, ...] = ()


class _NoAnswerError(Exception):
    """Why one question was not answered, in words that follow the geocoder's name and hold no address."""


@dataclass(slots=True)
class _Other:
    """One geocoder and how it fares. `rests_until` is a moment of the monotonic clock, 0 while it answers."""

    name: str
    ask: Callable[[str], Any]
    timeout_s: float
    rest_s: float
    spread_m: float
    rests_until: float = 0.0
    failed: str = ""
    slots: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(MOST_AT_ONCE))


class Geocoders:
    """The configured geocoders in their order. Safe to use from several threads."""

    def __init__(self, others: Iterable[_Other] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self._others = tuple(others)
        self._clock = clock

    @classmethod
    def read(cls, tables: object, clock: Callable[[], float] = time.monotonic) -> Geocoders:
        """From the `[[geocoders]]` tables of an area file. Nothing is asked yet. Raises GeocoderError.

        `service` is a name that `geopy.geocoders.get_geocoder_for_service` knows, `options` what its class is built
        with, `query` what its `geocode` is called with beside the address. `timeout_s` is the whole time waited for
        one answer, `rest_s` how long a geocoder that failed is left alone, `spread_m` the radius its points stand for.
        """
        if not isinstance(tables, list):
            raise GeocoderError("geocoders must be a list of tables: write [[geocoders]].")
        return cls([_read(f"geocoders {number}", table) for number, table in enumerate(tables, 1)], clock)

    def __bool__(self) -> bool:
        return bool(self._others)

    def locate(self, location: Location, gazetteer: Gazetteer) -> Located:
        """Where an address the gazetteer does not know is said to be: the first answer in order. Never raises.

        Takes at most the sum of the timeouts; must not be called under a lock.
        """
        if not self._others or not _is_unknown(location, gazetteer):
            return Located()
        text = location.address or ""
        if location.postcode and location.postcode not in text:
            text = f"{text}, {location.postcode}"
        warnings = []
        for other in self._others:
            try:
                spot = self._ask(other, text)
            except _NoAnswerError as error:
                warnings.append(f"{other.name} {error}")
                continue
            if spot is not None:
                return Located(spot, tuple(warnings))
        return Located(None, tuple(warnings))

    def _ask(self, other: _Other, text: str) -> Spot | None:
        now = self._clock()
        if now < other.rests_until:
            raise _NoAnswerError(
                f"was not asked: {other.failed}. It is asked again in {other.rests_until - now:.0f} s."
            )
        if not other.slots.acquire(blocking=False):
            raise _NoAnswerError("was not asked: it is still busy with earlier questions.")
        answered: list[Any] = []

        def work() -> None:
            try:
                answered.append(other.ask(text))
            except Exception as error:  # a geocoder's own code may raise anything for an answer it did not expect
                answered.append(error)
            finally:
                other.slots.release()

        # geopy's timeout is for each step of a conversation, and looking up a host's name has none.
        worker = threading.Thread(target=work, name=f"geocoder {other.name}", daemon=True)
        worker.start()
        worker.join(other.timeout_s)
        answer = answered[0] if answered else GeocoderTimedOut()
        if isinstance(answer, Exception):
            other.failed = _trouble(answer, other.timeout_s)
            other.rests_until = self._clock() + other.rest_s
            raise _NoAnswerError(
                f"did not help: {other.failed}. It is left alone for {other.rest_s:.0f} s."
            ) from answer
        other.rests_until = 0.0
        return None if answer is None else _spot(other, answer)


def _is_unknown(location: Location, gazetteer: Gazetteer) -> bool:
    """Whether an address with words was given of which the gazetteer knows neither the home nor its UPRN."""
    if location.address is None or (location.uprn is not None and gazetteer.by_uprn(location.uprn) is not None):
        return False
    found = resolve(read_address(location.address, location.postcode), gazetteer, MarkedHomes())
    return not found.known and found.precision is not Precision.STREET and any(map(str.isalpha, location.address))


def _spot(other: _Other, answer: Any) -> Spot:
    try:
        point = to_grid(float(answer.longitude), float(answer.latitude))
    except (AttributeError, TypeError, ValueError) as error:
        where = "outside Great Britain" if isinstance(error, LocationError) else "not a position"
        raise _NoAnswerError(f"did not help: its answer is {where}.") from error
    circle = ShapelyPoint(point.easting, point.northing).buffer(other.spread_m)
    return Spot(circle, point, other.spread_m, f"position by {other.name}")


def _trouble(error: Exception, timeout_s: float) -> str:
    """What went wrong, in words. Never the error's own: it may hold the address."""
    if isinstance(error, GeocoderTimedOut):
        return f"no answer within {timeout_s:g} s"
    if isinstance(error, GeocoderParseError) or not isinstance(error, GeopyError):
        return "its answer can't be read"
    return "it can't be reached or refused to answer"


class _OneHost(URLLibAdapter):  # type: ignore[misc] # geopy ships no types
    """geopy's plain adapter without redirects and proxies, reading no more than an answer can need."""

    def __init__(self, *, proxies: Any, ssl_context: Any) -> None:  # noqa: ARG002 - geopy's signature
        super().__init__(proxies={}, ssl_context=ssl_context)
        self.urlopen = build_opener(HTTPSHandler(context=ssl_context), ProxyHandler({}), _NoRedirect()).open

    def _decode_page(self, page: Any) -> str:
        body = page.read(LONGEST_ANSWER + 1)
        if len(body) > LONGEST_ANSWER:
            raise GeocoderParseError("the answer is too long")
        try:
            return str(body, "utf-8")
        except UnicodeDecodeError as error:
            raise GeocoderParseError("the answer is not UTF-8") from error


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """None: urllib then raises the redirect as an HTTP error."""


def _read(entry: str, table: object) -> _Other:
    if not isinstance(table, Mapping):
        raise GeocoderError(f"{entry} must be a table.")
    service = table.get("service")
    if not isinstance(service, str):
        raise GeocoderError(f"{entry}: service is missing. Write one that geopy knows, for example nominatim.")
    entry = f"{entry} ({service})"
    if unknown := sorted(set(table) - _FIELDS):
        raise GeocoderError(f"{entry}: {unknown[0]} is not a setting. There are {', '.join(sorted(_FIELDS))}.")
    name = table.get("name", service)
    if not isinstance(name, str) or not name.strip() or len(name) > 40 or not name.isprintable():
        raise GeocoderError(f"{entry}: name must be a text of at most 40 characters.")
    options, query = (_options(entry, table, part) for part in ("options", "query"))
    timeout_s = _number(entry, table, "timeout_s", 0.5, LONGEST_WAIT_S)
    geocoder = _build(entry, service, options, timeout_s)
    try:
        inspect.signature(geocoder.geocode).bind("14 Tallow Yard", **query)
    except TypeError as error:
        raise GeocoderError(f"{entry}: query: {error}.") from error
    return _Other(
        name=name.strip(),
        ask=lambda text: geocoder.geocode(text, **query),
        timeout_s=timeout_s,
        rest_s=_number(entry, table, "rest_s", 30.0, 3_600.0),
        spread_m=_number(entry, table, "spread_m", 50.0, 1_000.0),
    )


def _options(entry: str, table: Mapping[str, Any], part: str) -> dict[str, Any]:
    options = table.get(part, {})
    if not isinstance(options, dict):
        raise GeocoderError(f"{entry}: {part} must be a table of option = value.")
    if ours := sorted(_OURS.intersection(options)):
        raise GeocoderError(f"{entry}: {part}.{ours[0]} is not for configuration to set.")
    return options


def _number(entry: str, table: Mapping[str, Any], field: str, usual: float, most: float) -> float:
    value = table.get(field, usual)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        raise GeocoderError(f"{entry}: {field} must be a number above 0 and at most {most:g}.")
    return float(value)


def _build(entry: str, service: str, options: dict[str, Any], timeout_s: float) -> Any:
    try:
        kind = get_geocoder_for_service(service)
    except GeopyError as error:
        raise GeocoderError(f"{entry}: geopy knows no such service.") from error
    accepted = inspect.signature(kind.__init__).parameters
    if unknown := sorted(set(options) - set(accepted)):
        raise GeocoderError(f"{entry}: options.{unknown[0]} is not an option of {kind.__name__}.")
    if "domain" not in accepted:
        raise GeocoderError(
            f"{entry}: can only be asked at its public server, and an incident's address may not go there. "
            "Use a service that can be hosted: nominatim, photon, pelias."
        )
    if not isinstance(options.get("domain"), str) or not options["domain"].strip():
        raise GeocoderError(
            f"{entry}: options.domain is missing. Name the host that is asked: the public one is never taken silently."
        )
    try:
        return kind(**{"user_agent": _AGENT, **options}, timeout=timeout_s, adapter_factory=_OneHost)
    except (GeopyError, TypeError, ValueError) as error:
        raise GeocoderError(f"{entry}: {error}") from error
