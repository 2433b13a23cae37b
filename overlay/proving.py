"""The prover's process, `python -m overlay.proving PARENT`: checks the invented home every minute, as a program would.

It goes the whole way: HTTP, a token, the match, the commit and the ledger. It may be killed at any moment.
"""

from __future__ import annotations

import http.client
import json
import signal
import ssl
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
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


class Failed(Exception):
    """A proof that did not come about, or came out wrong, and why."""

    def __init__(self, kind: Kind, words: str) -> None:
        super().__init__(words)
        self.kind, self.words = kind, words


class Asks(Protocol):
    """Makes one check of an address; returns the status code and the answer."""

    def __call__(self, address: str) -> tuple[int, dict[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class Console:
    """The console of this machine, as another program reaches it."""

    settings: Settings
    token: str

    def __call__(self, address: str) -> tuple[int, dict[str, Any]]:
        body = json.dumps({"location": {"address": address, "postcode": PROOF_POSTCODE}, "reason": "proof_of_life"})
        line = self._line()
        try:
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            line.request("POST", "/api/v1/checks", body, headers)
            reply = line.getresponse()
            answer = json.loads(reply.read() or b"{}")
            return reply.status, answer if isinstance(answer, dict) else {}
        except TimeoutError:
            raise Failed("failed", f"the check was not answered within {_TIMEOUT_S:.0f} seconds.") from None
        except (OSError, http.client.HTTPException, ValueError):
            raise Failed("failed", "the console could not be reached.") from None
        finally:
            line.close()

    def _line(self) -> http.client.HTTPConnection:
        host, port, certificate = self.settings.own_host, self.settings.port, self.settings.tls_cert
        if certificate is None:
            return http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
        context: ssl.SSLContext = trusting(certificate)
        return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)


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
    state = folder.begin(datetime.now(UTC))
    tries = 0
    began = time.monotonic()
    while True:
        try:
            token = read_private(folder.token_file, "token of the proof of life").decode("ascii").strip()
            prove(Console(settings, token))
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
            folder.write(state)
        time.sleep(_rest(settings.proof_s, state, found, tries, starting=starting))


def _rest(each_s: float, state: Proof, found: Proof, tries: int, *, starting: bool) -> float:
    if found.holds:
        return each_s
    if starting:
        return 0.2
    return min(each_s, _AGAIN_S if tries == 1 or state.holds else _FAILING_S)


if __name__ == "__main__":
    main()
