"""`overlay bench load`: a busy night on one machine, with a restart of the store in the middle of it.

Checks at a steady rate over HTTP, each with its right answer known beforehand; homes marked and unmarked, and asked
about right after that; incidents worked on; screens connected; boards and figures asked for again and again. Afterwards
every look and note that was acknowledged is counted.
"""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from markers.ledger import LedgerEntry, Via
from markers.location import RawLocation
from overlay.bench.board import open_incidents
from overlay.bench.changing import ChangingHomes
from overlay.bench.check import free_port, lay_out, served
from overlay.bench.live import connected_screens
from overlay.bench.timing import Timing
from overlay.bench.town import Town
from overlay.folders import data_folders
from overlay.identity import create_account, create_token, sign_in
from overlay.incidents.book import COLLECTION
from overlay.incidents.entries import Noted
from overlay.lookup import Asked, check
from overlay.roles import Actor
from overlay.services import Services, spare_pauses
from overlay.settings import Settings

_ACTOR = Actor("os:bench", "bench", "service", Via.CLI)
_CALLERS = 12
_CHANGING = 20
_RENEWS = {"HX-Request": "true"}
_MINUTE_S = 60.0

Right = tuple[str, tuple[str, ...]]
"""Status, and the markers (or, where they are withheld, the grades) of the matches."""

Kind = Literal["right", "last known", "wrong", "refused", "cut off"]


@dataclass(frozen=True, slots=True)
class Night:
    """How busy it is. Rates are a second; `boards` are pages of open incidents that screens ask for again.

    `changes` are homes that are marked and, once a check was made there, unmarked, when another is made.
    """

    minutes: float
    homes: int
    markers: int
    incidents: int
    screens: int
    checks_s: float
    notes_s: float
    boards_s: float
    changes_s: float
    restart: bool


@dataclass(frozen=True, slots=True)
class Sent:
    """One check: when it was due (seconds from the beginning), how long it took from then, and what came of it."""

    due_s: float
    took_s: float
    kind: Kind
    entry: str = ""


@dataclass(frozen=True, slots=True)
class NightReport:
    """`normal` and `degraded` are checks of minutes in which all were answered from a current store, and of others.

    `checks` are all there were, `changed` those of them that were made right after a home was marked or unmarked.
    `lost` and `doubled` are acknowledged looks and notes the store does not have, or has more than once.
    `back_s` is how long at a time no check was answered from a current store.
    """

    checks: Counter[str]
    changed: int
    normal: Timing | None
    degraded: Timing | None
    degraded_minutes: int
    acknowledged: int
    lost: int
    doubled: int
    boards: Counter[str]
    screens_lost: int
    back_s: float


@dataclass(slots=True)
class _Kept:
    sent: list[Sent] = field(default_factory=list)
    changed: int = 0
    notes: dict[str, str] = field(default_factory=dict)
    boards: Counter[str] = field(default_factory=Counter)


def bench_load(settings: Settings, night: Night, say: Callable[[str], None]) -> NightReport:
    """Lay out an invented town and its console in a temporary folder, let the night pass, count, and remove it."""
    with tempfile.TemporaryDirectory(prefix="overlay-bench-") as folder:
        own = settings.model_copy(
            update={
                "data": Path(folder) / "data", "store_url": None, "port": free_port(),
                "requests_per_minute": 1_000_000,
                "streams": max(settings.streams, night.screens),  # the first worker that is there may get them all
            }
        )  # fmt: skip
        data_folders(own.data)
        services = Services.start(own.model_copy(update={"store_timeout_s": 5.0}), follow=False)
        try:
            say(f"Laying out {night.homes:,} homes, {night.markers:,} markers and {night.incidents:,} incidents ...")
            laid_out = lay_out(services, night.homes, night.markers)
            incidents = list(open_incidents(services, laid_out.queries, night.incidents))
            spare_pauses()
            tokens = [
                create_token(services.store, services.access, f"bench {n}", "service", services.now(), 1)
                for n in range(max(10, night.screens // 10))
            ]
            say(f"Working out the right answers to {len(laid_out.queries):,} texts ...")
            changing = ChangingHomes(services)
            homes = _clear_homes(services, laid_out) if night.changes_s else {}
            right = _right_whatever_changes(services, changing, homes, laid_out.queries)
            asked = _Asked(right, homes, changing, incidents, tokens, _session(services))
            with served(own):
                kept, screens_lost = _pass(own, night, asked, say)
            say("Counting what was acknowledged ...")
            entries = [sent.entry for sent in kept.sent if sent.entry]
            lost, doubled = _missing(entries, _in_ledger(services))
            lost_notes, doubled_notes = _missing(kept.notes, _in_incidents(services))
        finally:
            services.close()
    return _report(night, kept, screens_lost, lost + lost_notes, doubled + doubled_notes, len(entries))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked about: texts with their right answers; homes that change, as they are unmarked; and by whom."""

    right: dict[str, Right]
    homes: dict[str, Right]
    changing: ChangingHomes
    incidents: list[str]
    tokens: list[str]
    session: str


def _right(services: Services, text: str) -> Right:
    answer = check(services, _ACTOR, Asked(RawLocation(address=text)), services.now())
    return answer.status.value, _matches(shown.marker_id or shown.grade.value for shown in answer.matches)


def _right_whatever_changes(
    services: Services, changing: ChangingHomes, homes: Iterable[str], texts: Iterable[str]
) -> dict[str, Right]:
    """The texts whose answer is the same whether these homes are marked or not, with it."""
    marked = [changing.mark(home) for home in homes]
    with_them = {text: _right(services, text) for text in texts}
    for marker in marked:
        changing.unmark(marker)
    return {text: right for text, right in with_them.items() if not marked or _right(services, text) == right}


def _clear_homes(services: Services, laid_out: Town) -> dict[str, Right]:
    """Some homes that a check says are clear, and what is told beside that: of neighbours, for one."""
    found: dict[str, Right] = {}
    for home in laid_out.homes:
        text = f"{home.address}, {home.postcode}"
        right = _right(services, text)
        if right[0] == "clear":
            found[text] = right
        if len(found) == _CHANGING:
            break
    return found


def _session(services: Services) -> str:
    """Of somebody who signed in, for what only a browser may ask for."""
    password, now = "a bench in the night", services.now()
    create_account(services.store, services.access, "bench.night", "B. Night", "dispatcher", password, now)
    return sign_in(services.door, "bench.night", password, now).secret


def _matches(named: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(named))


def _pass(settings: Settings, night: Night, asked: _Asked, say: Callable[[str], None]) -> tuple[_Kept, int]:
    kept = _Kept()
    screens = connected_screens(settings, asked.tokens, night.screens)
    with ThreadPoolExecutor(_CALLERS + 5) as pool:
        console = _Console(settings, asked.tokens[0], asked.session)
        began = time.monotonic()
        until = began + night.minutes * _MINUTE_S
        texts = list(asked.right)
        waiting: list[Future[None]] = [
            pool.submit(_at_rate, night.notes_s, began, until, lambda n: _note(console, asked.incidents, n, kept)),
            pool.submit(_at_rate, night.boards_s, began, until, lambda n: _board(console, n, kept)),
            pool.submit(_at_rate, night.changes_s, began, until, lambda n: _change(console, asked, n, began, kept)),
        ]
        if night.restart:
            waiting.append(pool.submit(_kill_store, settings, began + night.minutes * _MINUTE_S / 2, say))
        for number in range(int(night.minutes * _MINUTE_S * night.checks_s)):
            due = began + number / night.checks_s
            time.sleep(max(0.0, due - time.monotonic()))
            text = texts[number % len(texts)]
            waiting.append(pool.submit(_check, console, text, asked.right[text], due - began, due, kept))
        for done in waiting:
            done.result()
    told, _ = screens.communicate(timeout=30)
    return kept, int(json.loads(told.splitlines()[-1])["lost"])


def _at_rate(rate: float, began: float, until: float, act: Callable[[int], None]) -> None:
    number = 0
    while rate and (due := began + number / rate) < until:
        time.sleep(max(0.0, due - time.monotonic()))
        act(number)
        number += 1


def _kill_store(settings: Settings, at: float, say: Callable[[str], None]) -> None:
    time.sleep(max(0.0, at - time.monotonic()))
    say("Killing the store ...")
    os.kill(int(json.loads((settings.data / "store" / "server.json").read_text())["pid"]), signal.SIGKILL)


class _Console:
    """Connections to the console, one a thread. One that it closed while idle is replaced, as a browser does."""

    def __init__(self, settings: Settings, token: str, session: str) -> None:
        self._settings = settings
        self._program = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._browser = {"Cookie": f"overlay-session={session}"}
        self._lines = threading.local()

    def ask(
        self, method: str, path: str, body: dict[str, Any] | None, *, renews: bool = True
    ) -> tuple[int, dict[str, Any]]:
        """Status and, of the interface for programs, answer.

        Raises OSError, HTTPException when it is cut off: the outcome is not known.
        """
        line: http.client.HTTPConnection | None = getattr(self._lines, "line", None)
        if line is not None and line.sock is not None and select.select([line.sock], [], [], 0)[0]:
            line.close()
            line = None
        if line is None:
            line = self._lines.line = http.client.HTTPConnection(self._settings.host, self._settings.port, timeout=10)
        try:
            headers = {**self._browser, **(_RENEWS if renews else {})} if path == "/board" else self._program
            line.request(method, path, None if body is None else json.dumps(body), headers)
            reply = line.getresponse()
            told = reply.read()
            return reply.status, json.loads(told or b"{}") if path.startswith("/api/") else {}
        except (OSError, http.client.HTTPException):
            line.close()
            self._lines.line = None
            raise


def _check(
    console: _Console, text: str, right: Right, due_s: float, due: float, kept: _Kept, *, changed: bool = False
) -> None:
    try:
        status, answer = console.ask("POST", "/api/v1/checks", {"location": {"address": text}})
    except (OSError, http.client.HTTPException):
        kept.sent.append(Sent(due_s, time.monotonic() - due, "cut off"))
        return
    took = time.monotonic() - due
    if status != 200:
        kept.sent.append(Sent(due_s, took, "refused"))
        return
    matches = _matches(match["marker_id"] or match["grade"] for match in answer["matches"])
    kind: Kind
    if answer["store"] == "last_known":
        # What was last known of a home that has just changed may be from before.
        kind = "last known" if answer["status"] == "could_not_check" and (changed or matches == right[1]) else "wrong"
    else:
        kind = "right" if (answer["status"], matches) == right else "wrong"
    kept.sent.append(Sent(due_s, took, kind, answer["ledger_entry"]))


def _change(console: _Console, asked: _Asked, number: int, began: float, kept: _Kept) -> None:
    """Mark a home, look, unmark it, look again."""
    home, (_, beside) = list(asked.homes.items())[number % len(asked.homes)]

    def look(right: Right) -> None:
        now = time.monotonic()
        kept.changed += 1
        _check(console, home, right, now - began, now, kept, changed=True)

    marker = asked.changing.mark(home)
    look(("hit", _matches((marker.marker_id, *beside))))
    asked.changing.unmark(marker)
    look(("clear", beside))


def _note(console: _Console, incidents: list[str], number: int, kept: _Kept) -> None:
    incident, words = incidents[number % len(incidents)], f"note {uuid.uuid4()}"
    try:
        status, _ = console.ask("POST", f"/api/v1/incidents/{incident}/changes", {"note": words})
    except (OSError, http.client.HTTPException):
        return  # whether it was kept is not known: nothing was acknowledged
    if status == 200:
        kept.notes[words] = incident


def _board(console: _Console, number: int, kept: _Kept) -> None:
    """What screens, other programs and figures ask for by themselves."""
    path = ("/board", "/board", "/api/v1/incidents", "/metrics")[number % 4]
    try:
        # Now and then the page is opened anew: a session that only renews itself locks after a while.
        status, _ = console.ask("GET", path, None, renews=number % 40 != 0)
    except (OSError, http.client.HTTPException):
        status = 0
    kept.boards[{200: "answered", 503: "gave way", 0: "cut off"}.get(status, f"refused with {status}")] += 1


def _in_ledger(services: Services) -> Counter[str]:
    return Counter(LedgerEntry.from_bytes(record.entry).entry_id for record in services.store.ledger())


def _in_incidents(services: Services) -> Counter[str]:
    services.catch_up(COLLECTION)
    return Counter(
        entry.text for incident in services.incidents.all() for entry in incident.log if isinstance(entry, Noted)
    )


def _missing(acknowledged: Iterable[str], there: Counter[str]) -> tuple[int, int]:
    names = list(acknowledged)
    return sum(there[name] == 0 for name in names), sum(there[name] > 1 for name in names)


def _report(night: Night, kept: _Kept, screens_lost: int, lost: int, doubled: int, looks: int) -> NightReport:
    minutes: dict[int, list[Sent]] = {}
    for sent in kept.sent:
        minutes.setdefault(int(sent.due_s // _MINUTE_S), []).append(sent)
    bad = {number for number, some in minutes.items() if any(sent.kind not in ("right", "wrong") for sent in some)}
    normal = [sent.took_s for number, some in minutes.items() if number not in bad for sent in some]
    degraded = [sent.took_s for number in bad for sent in minutes[number]]
    each = _MINUTE_S * (night.minutes / max(1, len(minutes)))
    return NightReport(
        checks=Counter(sent.kind for sent in kept.sent),
        changed=kept.changed,
        normal=Timing.of(normal, each * (len(minutes) - len(bad))) if normal else None,
        degraded=Timing.of(degraded, each * len(bad)) if degraded else None,
        degraded_minutes=len(bad),
        acknowledged=looks + len(kept.notes),
        lost=lost,
        doubled=doubled,
        boards=kept.boards,
        screens_lost=screens_lost,
        back_s=_longest_away(kept.sent),
    )


def _longest_away(sent: Iterable[Sent]) -> float:
    """Seconds from the first to the last check of the longest row of them without a current answer."""
    longest, since = 0.0, None
    for one in sorted(sent, key=lambda one: one.due_s):
        if one.kind in ("right", "wrong"):
            since = None
        else:
            since = one.due_s if since is None else since
            longest = max(longest, one.due_s - since)
    return longest
