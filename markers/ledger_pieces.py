"""The two slow halves of verifying a ledger, done piece by piece in plain child processes, one a core, over pipes.

A piece of checkpoints: each signature. A piece of entries: each line's form, number, hash and time.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import subprocess
import sys
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

from markers.checkpoints import NotSigned, PublicKey, Statement, notes
from markers.ledger import Operation
from markers.ledger_shape import Shape, shape_of
from markers.merkle import HASH_BYTES

PIECE_BYTES: Final = 4 << 20
CLOCK_SLACK: Final = timedelta(seconds=10)
"""How far an entry's clock may run before the clock of the checkpoint over it."""
SLOWEST: Final = timedelta(minutes=5)
"""How long a look may take from its moment to the ledger without being marked late."""
SLOWEST_LIST: Final = timedelta(hours=6)
"""The same for a row of a list being loaded: all rows of one load bear the moment it began."""
_LISTED: Final = frozenset({Operation.COLLECTION.value.encode(), Operation.ALTERATION.value.encode()})
_LINE: Final = re.compile(rb'\{"sequence":(0|[1-9][0-9]{0,15}),"leaf":"([0-9a-f]{64})","entry":')
_ENTRY: Final = b'","entry":'
_LONGEST_HEAD: Final = 128
_SHORTEST_LINE: Final = 100
_TIME: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
_COMMAND: Final = (sys.executable, "-c", "from markers.ledger_pieces import serve; serve()")


class HelperGone(Exception):  # noqa: N818 - reads as the fact it states
    """A helper process was ended before it had answered."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a file, from whole line to whole line (bytes)."""

    path: Path
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Signed:
    """How far each checkpoint reaches, and the times (as entries write them) its entries may bear.

    `since[i]` is the earliest of a look under checkpoint i, `listed_since[i]` of a row of a list, `until[i]` the latest
    of either. One more `since` and `listed_since` are for entries behind the last checkpoint.
    """

    sizes: tuple[int, ...]
    since: tuple[bytes, ...]
    listed_since: tuple[bytes, ...]
    until: tuple[bytes, ...]

    @classmethod
    def of(cls, checkpoints: Iterable[tuple[int, datetime]]) -> Signed:
        sizes: list[int] = []
        since, listed_since, until = [b""], [b""], list[bytes]()
        for size, at in checkpoints:
            sizes.append(size)
            since.append(_written(at - SLOWEST))
            listed_since.append(_written(at - SLOWEST_LIST))
            until.append(_written(at + CLOCK_SLACK))
        return cls(tuple(sizes), tuple(since), tuple(listed_since), tuple(until))

    def over(self, piece: Piece) -> Signed:
        """As much of it as the entries of a piece can lie under: what is sent with each piece stays small."""
        head = _LINE.match(_read(Piece(piece.path, piece.start, piece.start + _LONGEST_HEAD)))
        if head is None:
            return self
        first = int(head[1])
        last = first + (piece.end - piece.start) // _SHORTEST_LINE
        begin, end = bisect_left(self.sizes, first), bisect_left(self.sizes, last) + 1
        return Signed(
            self.sizes[begin:end],
            self.since[begin : end + 1],
            self.listed_since[begin : end + 1],
            self.until[begin:end],
        )


def _written(at: datetime) -> bytes:
    return at.strftime(_TIME).encode()


@dataclass(slots=True)
class Notes:
    """The statements of a piece as far as they hold; `fault` says what is wrong with the one after them."""

    held: list[Statement] = field(default_factory=list)
    fault: str | None = None


@dataclass(slots=True)
class Entries:
    """The entries of a piece as far as they hold: the first one's number, how many, their leaf hashes in a row, their
    ids as JSON has them, a line each. `fault` says what is wrong with the entry after them.
    """

    first: int = 0
    count: int = 0
    leaves: bytes = b""
    ids: bytes = b""
    fault: str | None = None


def pieces(path: Path, ending: bytes, beginning: bytes = b"") -> Iterator[Piece]:
    """The file in pieces of about 4 MiB, cut where `ending` is followed by `beginning`."""
    size = path.stat().st_size
    start = 0
    with path.open("rb") as file:
        while start < size:
            end = start + PIECE_BYTES
            while end < size:
                file.seek(end)
                window = file.read(PIECE_BYTES)
                found = window.find(ending + beginning)
                if found != -1:
                    end += found + len(ending)
                    break
                end += max(1, len(window) - len(ending + beginning) + 1)
            yield Piece(path, start, min(end, size))
            start = end


def check_notes(piece: Piece, key: PublicKey) -> Notes:
    """Read and check signed notes until one does not hold."""
    told = Notes()
    for statement, _ in notes(_read(piece).decode("utf-8", "replace")):
        if statement is None:
            told.fault = "it is not a signed statement"
            return told
        try:
            key.check(statement)
        except NotSigned as error:
            told.fault = str(error)
            return told
        told.held.append(statement)
    return told


def check_entries(piece: Piece, signed: Signed) -> Entries:
    """Read and check lines of entries until one does not hold; `signed` is what may lie over this piece."""
    told = Entries()
    leaves: list[bytes] = []
    ids: list[bytes] = []
    lines = _read(piece).split(b"\n")
    cut_short = bool(lines.pop())
    head = _LINE.match(lines[0]) if lines else None
    expected = told.first = int(head[1]) if head is not None else 0
    at = bisect_left(signed.sizes, expected)
    for line in lines:
        start = b'{"sequence":%d,"leaf":"' % expected
        middle = len(start) + 2 * HASH_BYTES
        if not line.startswith(start) or line[middle : middle + len(_ENTRY)] != _ENTRY or line[-1:] != b"}":
            told.fault = _misplaced(line, expected)
            break
        raw = line[middle + len(_ENTRY) : -1]
        leaf = hashlib.sha256(b"\0" + raw)
        if leaf.hexdigest().encode() != line[len(start) : middle]:
            told.fault = "was changed: it does not fit its own leaf hash"
            break
        shape = shape_of(raw)
        if shape is None:
            told.fault = "is not a ledger entry in canonical form"
            break
        while at < len(signed.sizes) and signed.sizes[at] < expected:
            at += 1
        told.fault = _ill_timed(shape, signed, at)
        if told.fault is not None:
            break
        leaves.append(leaf.digest())
        ids.append(shape[1])
        expected += 1
    else:
        told.fault = "is cut short" if cut_short else None
    told.count, told.leaves, told.ids = len(ids), b"".join(leaves), b"\n".join(ids)
    return told


def _misplaced(line: bytes, expected: int) -> str:
    head = _LINE.match(line)
    if head is None or int(head[1]) == expected:
        return "is not written as an entry of this export"
    found = int(head[1])
    return f"is missing: entry {found} stands in its place" if found > expected else f"is entry {found} once more"


def _ill_timed(shape: Shape, signed: Signed, at: int) -> str | None:
    """What is wrong with an entry's time, which lies under checkpoint `at`."""
    moment, _, late, operation = shape
    if not late and moment < (signed.listed_since if operation in _LISTED else signed.since)[at]:
        return (
            f"is dated {moment.decode()}, long before the checkpoint that was signed before it was written: "
            "the clock was set back, or it was written afterwards"
        )
    if at < len(signed.sizes) and moment > signed.until[at]:
        return f"is dated {moment.decode()}, after its own checkpoint: the clock was set back since"
    return None


def _read(piece: Piece) -> bytes:
    with piece.path.open("rb") as file:
        file.seek(piece.start)
        return file.read(piece.end - piece.start)


Ask = Callable[[Callable[..., Any], Iterable[tuple[Any, ...]]], Iterator[Any]]


@contextmanager
def helpers(count: int) -> Iterator[Ask]:
    """A call that does `work(*arguments)` for each in turn, in `count` processes, and gives the answers in order.

    The call raises HelperGone. Helpers end with the block, or with their parent.
    """
    running = [subprocess.Popen(_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(count)]
    free: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
    for helper in running:
        free.put(helper)

    def one(work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        helper = free.get()
        try:
            return _ask(helper, work, arguments)
        finally:
            free.put(helper)

    def ask(work: Callable[..., Any], each: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        waiting: deque[Future[Any]] = deque()
        for arguments in each:
            waiting.append(threads.submit(one, work, arguments))
            if len(waiting) > 2 * count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    with ThreadPoolExecutor(count) as threads:
        try:
            yield ask
        finally:
            for helper in running:
                helper.kill()
                helper.communicate()


def _ask(helper: subprocess.Popen[bytes], work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    if helper.stdin is None or helper.stdout is None:
        raise HelperGone("a helper process has no pipe")
    try:
        pickle.dump((work, arguments), helper.stdin, pickle.HIGHEST_PROTOCOL)
        helper.stdin.flush()
        return pickle.load(helper.stdout)  # noqa: S301 - from our own child, over its pipe
    except (OSError, EOFError, pickle.UnpicklingError) as error:
        raise HelperGone("a helper process of the verification was ended: run it again") from error


def serve() -> None:
    """The helper's side: work in, answers out, until the pipe is closed."""
    while True:
        try:
            work, arguments = pickle.load(sys.stdin.buffer)  # noqa: S301 - from our own parent, over its pipe
        except (EOFError, KeyboardInterrupt):
            return
        pickle.dump(work(*arguments), sys.stdout.buffer, pickle.HIGHEST_PROTOCOL)
        sys.stdout.buffer.flush()


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))
