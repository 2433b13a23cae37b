"""Proof of life: what the prover of this machine last found, for every process of the console to read.

An invented home with a marker is checked every minute by the way any other program takes (`overlay.proving`). What came
of it lies in a small file of the data folder; one that is no longer written says as much as a wrong answer.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, get_args

from markers.model import LONDON

PROOF_ADDRESS: Final = "Flat 1, Proof of Life House, 1 Signal Yard"
PROOF_NEIGHBOUR: Final = "Flat 2, Proof of Life House, 1 Signal Yard"
PROOF_POSTCODE: Final = "EC9Y 9ZZ"  # of the district that is allocated to nobody
PROOF_REFERENCE: Final = "PROOF-OF-LIFE"
_SLACK_S: Final = 25.0  # with a proof every minute, a prover that hangs is noticed within 90 seconds
_LEAST_SLACK_S: Final = 5.0
_STATE: Final = "state.json"
_TOKEN: Final = "token"  # noqa: S105 - the name of a file

Kind = Literal["off", "starting", "proved", "failed", "wrong"]


@dataclass(frozen=True, slots=True)
class Proof:
    """What the last proof came to; `words` says what was wrong with it, `since` since when it is so.

    `off` where no prover runs, `wrong` where a check answered, but not what it had to.
    """

    kind: Kind
    words: str = ""
    since: datetime | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against believing an answer."""
        return self.kind in ("off", "starting", "proved")

    @property
    def sentence(self) -> str:
        """As the top bar says it."""
        at = f" {self.since.astimezone(LONDON):%H:%M}" if self.since is not None else ""
        return f"PROOF OF LIFE FAILED{at}: {self.words}"


class ProofFolder:
    """Where state and token of this machine's prover lie. `each_s` is how often it proves.

    `expected`: a prover is at work beside this process, and where it says nothing at all that is no good word either.
    """

    def __init__(self, folder: Path, each_s: float) -> None:
        self.folder, self.each_s = folder, each_s
        self.expected = False
        self._known: tuple[tuple[int, int, int], Proof] | None = None

    @property
    def _longest_s(self) -> float:
        """How old the last word may be: a proof may be answered late, and be tried twice."""
        return self.each_s + min(_SLACK_S, _LEAST_SLACK_S + self.each_s / 3)

    @property
    def token_file(self) -> Path:
        return self.folder / _TOKEN

    def read(self, now: datetime) -> Proof:
        """What holds at `now`. One `stat` where nothing new was written."""
        path = self.folder / _STATE
        try:
            found = path.stat()
            mark = (found.st_mtime_ns, found.st_ino, found.st_size)
            known = self._known
            if known is None or known[0] != mark:
                known = self._known = mark, _proof(path.read_bytes())
        except FileNotFoundError:
            return _UNREAD if self.expected else Proof("off")
        except OSError:
            return _UNREAD
        # A clock put back may show the file as of the future: by less than it is allowed to be old, or it says nothing.
        written, proof = datetime.fromtimestamp(found.st_mtime, UTC), known[1]
        if abs((now - written).total_seconds()) > self._longest_s and proof.holds:
            return Proof("failed", "no check was proved since.", written)
        return proof

    def begin(self, now: datetime) -> Proof:
        """A prover is to start: what held before has to be proved anew, what failed stays said. Raises OSError."""
        state = self.read(now)
        if state.holds:
            state = Proof("starting")
            self.write(state)
        return state

    def write(self, proof: Proof) -> None:
        """Replace what was said before. Raises OSError."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        path = self.folder / _STATE
        fresh = path.with_suffix(".new")
        since = None if proof.since is None else proof.since.isoformat()
        plain = json.dumps({"kind": proof.kind, "words": proof.words, "since": since})
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
            file.write(plain)
        fresh.replace(path)

    def forget(self) -> None:
        """No prover runs any more."""
        with suppress(FileNotFoundError):
            (self.folder / _STATE).unlink()


_UNREAD: Final = Proof("failed", "what it found can't be read.")


def _proof(raw: bytes) -> Proof:
    try:
        plain = json.loads(raw)
        since = None if plain["since"] is None else datetime.fromisoformat(plain["since"])
        kind: Kind = plain["kind"]
        return Proof(kind, str(plain["words"]), since) if kind in get_args(Kind) else _UNREAD
    except (ValueError, KeyError, TypeError):
        return _UNREAD
