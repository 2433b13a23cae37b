"""The prover's process, `python -m overlay.proving PARENT`: checks the invented home every minute, as a program would.

It goes the whole way: HTTP, a token, the match, the commit and the ledger; and to every web worker, for each has a copy
of the markers of its own and may hang alone. It may be killed at any moment.
"""

from __future__ import annotations

import http.client
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Protocol

import structlog

from markers.private_file import NotPrivate, read_private
from overlay import logs
from overlay.folders import data_folders, proof_of
from overlay.parent import end_with_parent
from overlay.proof import PROOF_ADDRESS, PROOF_NEIGHBOUR, PROOF_POSTCODE, PROOF_REFERENCE, Kind, Proof
from overlay.settings import Settings
from overlay.tls import trusting

log = structlog.get_logger()

_TIMEOUT_S: Final = 5.0
_AGAIN_S: Final = 5.0
_FAILING_S: Final = 15.0
_START_S: Final = 30.0
_LEAST_REST_S: Final = 1.0
_CALLS_EACH: Final = 16
"""Calls for each web worker: that chance leaves one of them out in all of them comes once in nine million."""


class Failed(Exception):
    """A proof that did not come about, or came out wrong, and why."""

    def __init__(self, kind: Kind, words: str) -> None:
        super().__init__(words)
        self.kind, self.words = kind, words


class Asks(Protocol):
    """Makes one check of an address; returns the status code and the answer."""

    def __call__(self, address: str) -> tuple[int, dict[str, Any]]: ...


class Asked(Asks, Protocol):
    """A connection: whatever is asked on it is answered by one and the same web worker."""

    def worker(self) -> str:
        """Who answers on it. Raises Failed."""


@dataclass(frozen=True, slots=True)
class Line:
    """A connection to the console of this machine, as another program has it."""

    line: http.client.HTTPConnection
    token: str

    def worker(self) -> str:
        status, answer = self._ask("GET", "/healthz")
        name = answer.get("process")
        if status != 200 or not isinstance(name, str):
            raise Failed("failed", f"whether it lives was answered with {status}.")
        return name

    def __call__(self, address: str) -> tuple[int, dict[str, Any]]:
        where = {"address": address, "postcode": PROOF_POSTCODE}
        return self._ask("POST", "/api/v1/checks", json.dumps({"location": where, "reason": "proof_of_life"}))

    def _ask(self, method: str, path: str, body: str | None = None) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"} if body else {}
        try:
            self.line.request(method, path, body, headers)
            reply = self.line.getresponse()
            answer = json.loads(reply.read() or b"{}")
            return reply.status, answer if isinstance(answer, dict) else {}
        except TimeoutError:
            raise Failed("failed", f"a web worker did not answer within {_TIMEOUT_S:.0f} seconds.") from None
        except (OSError, http.client.HTTPException, ValueError):
            raise Failed("failed", "the console could not be reached.") from None


@contextmanager
def line_to(settings: Settings, token: str) -> Iterator[Line]:
    """A new connection: chance decides which web worker gets it."""
    host, port, certificate = settings.own_host, settings.port, settings.tls_cert
    if certificate is None:
        line = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    else:
        line = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=trusting(certificate))
    try:
        yield Line(line, token)
    finally:
        line.close()


def prove_each(connect: Callable[[], AbstractContextManager[Asked]], workers: int) -> None:
    """A proof by every web worker. Raises Failed for the first that does not come about, or when one is not met."""
    proved: set[str] = set()
    for _ in range(_CALLS_EACH * workers):
        with connect() as line:
            worker = line.worker()
            if worker not in proved:
                prove(line)
                proved.add(worker)
        if len(proved) >= workers:
            return
    raise Failed("failed", f"of {workers} web workers only {len(proved)} could be reached.")


def prove(ask: Asks) -> None:
    """One proof: the marked home is a hit, and the flat beside it is not taken for it. Raises Failed."""
    matches = _answer(ask(PROOF_ADDRESS), "hit")
    if not any(_is_ours(match) for match in matches):
        raise Failed("wrong", "the marker of a test home was not found at it.")
    if any(_is_ours(match) for match in _answer(ask(PROOF_NEIGHBOUR), None)):
        raise Failed("wrong", "the flat beside a test home was taken for it.")


def _answer(reply: tuple[int, dict[str, Any]], wanted: str | None) -> list[dict[str, Any]]:
    status, answer = reply
    if status in (401, 403):
        raise Failed("failed", "its token was refused. Start the console again to make another.")
    if status != 200:
        raise Failed("failed", f"a check was answered with {status}.")
    if answer.get("store") != "current":
        raise Failed("failed", "a check was answered without the store.")
    if wanted is not None and answer.get("status") != wanted:
        raise Failed("wrong", f"a test home that carries a marker was answered {_words(answer.get('status'))}.")
    matches = answer.get("matches")
    return [match for match in matches if isinstance(match, dict)] if isinstance(matches, list) else []


def _is_ours(match: dict[str, Any]) -> bool:
    return match.get("grade") == "premises" and match.get("reference") in (PROOF_REFERENCE, None)


def _words(status: object) -> str:
    return {"clear": "“no marker”", "could_not_check": "“could not check”"}.get(str(status), "with no known word")


def main() -> None:
    """Prove until killed, or until the process named on the command line has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for `overlay run`, which then stops this
    logs.to_stderr()
    end_with_parent(int(sys.argv[1]))
    settings = Settings.read()
    data_folders(settings.data)
    folder = proof_of(settings)
    state, tries, written = Proof("starting"), 0, True
    with suppress(OSError):  # then `starting` holds, and what is found is tried to be written all the same
        state = folder.begin(datetime.now(UTC))
    began = time.monotonic()
    while True:
        turn = time.monotonic()
        try:
            token = read_private(folder.token_file, "token of the proof of life").decode("ascii").strip()
            prove_each(partial(line_to, settings, token), settings.workers)
            found, tries = Proof("proved"), 0
        except Failed as failed:
            found, tries = Proof(failed.kind, failed.words, datetime.now(UTC)), tries + 1
        except (OSError, NotPrivate, UnicodeDecodeError):
            found = Proof("failed", "its token can't be read. Start the console again.", datetime.now(UTC))
            tries += 1
        # What was merely not reached is tried once more before it is said, and longer while the console starts.
        starting = state.kind == "starting" and time.monotonic() - began < _START_S
        if not (found.kind == "failed" and (tries == 1 or starting) and state.holds):
            if found.kind == state.kind and found.words == state.words:
                found = state
            elif state.kind != "starting" or not found.holds:  # that all is well is said after it was not
                (log.info if found.holds else log.error)("proof_of_life", state=found.kind, reason=found.words)
            state = found
            try:
                folder.write(state)
                written = True
            except OSError as error:
                if written:
                    log.error("proof_not_written", reason=str(error))
                written = False
        rest = _rest(settings.proof_s, state, found, tries, starting=starting)
        # From the beginning of one to that of the next: a slow proof is no reason to be late with the word after it.
        time.sleep(max(min(rest, _LEAST_REST_S), rest - (time.monotonic() - turn)))


def _rest(each_s: float, state: Proof, found: Proof, tries: int, *, starting: bool) -> float:
    if found.holds:
        return each_s
    if starting:
        return 0.2
    return min(each_s, _AGAIN_S if tries == 1 or state.holds else _FAILING_S)


if __name__ == "__main__":
    main()
