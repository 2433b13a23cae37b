"""The third walk: somebody reads the ledger. What is looked for is worked out and logged; then the search is made."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from markers.checkpoints import NotSigned, Statement
from markers.commits import Commit
from markers.ledger import LedgerEntry, Operation
from markers.ledger_search import Found
from markers.location import RawLocation
from markers.merkle import HASH_BYTES, Frontier, Subtrees, includes, inclusion_proof, leaf_hash
from markers.model import PROOF_OF_LIFE
from overlay import lookup
from overlay.roles import Actor
from overlay.services import Services

_STEP = 100
_MOST_SCANNED = 2_000
_BLOCK = 8  # 2^8 leaves: the subtrees that are kept once they were worked out


class NothingAsked(Exception):
    """A search without anything to search by."""


class ProofFailed(Exception):
    """A proof did not come out right, so nothing is handed out."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is searched by, as typed: a place, a marker's reference or id, a person's username or id, and so on."""

    address: str | None = None
    postcode: str | None = None
    marker: str | None = None
    actor: str | None = None
    incident: str | None = None
    check: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sought:
    """The same as the ledger knows it: record, actor and check ids, tokens of the place.

    `without` are actors that were not asked for: the proof of life, which looks every minute, is kept apart.
    """

    marker: str | None
    actor: str | None
    incident: str | None
    check: str | None
    about: tuple[str, ...]
    since: datetime | None
    until: datetime | None
    without: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Page:
    """Some of what was found, newest first. `own` entries are the reader's and left out; `older` is where to go on."""

    found: tuple[Found, ...]
    own: int
    older: int | None
    not_shown: frozenset[int]


@dataclass(frozen=True, slots=True)
class Proof:
    """What vouches for an entry: the first checkpoint over it, and whether the anchors reach that far."""

    checkpoint: datetime | None
    anchored: bool


def sought(services: Services, question: Question, now: datetime) -> Sought:
    """Work out what is looked for. Raises LocationError for a place that can't be read."""
    about: tuple[str, ...] = ()
    if question.address or question.postcode:
        about = lookup.tokens_of(services, RawLocation(address=question.address, postcode=question.postcode), now)
    marker, actor = _marker(services, question.marker), _actor(services, question.actor)
    apart = actor is None and marker != PROOF_OF_LIFE and question.check is None
    return Sought(
        marker=marker,
        actor=actor,
        incident=question.incident,
        check=question.check,
        about=about,
        since=question.since,
        until=question.until,
        without=services.access.provers() if apart else frozenset(),
    )


def log_search(services: Services, actor: Actor, wanted: Sought, now: datetime, reason: str) -> LedgerEntry:
    """Make the search an entry of the ledger itself, with tokens of what was searched by. Nothing is shown before."""
    named = {"record": wanted.marker, "actor": wanted.actor, "incident": wanted.incident, "check": wanted.check}
    tokens = (services.vault.token(f"searched-{kind}", text) for kind, text in named.items() if text)
    exporting = reason == "ledger_export"
    entry = LedgerEntry(
        entry_id=str(uuid.uuid4()),
        at=now,
        operation=Operation.DISCLOSURE if exporting else Operation.CONSULTATION,
        actor_id=actor.actor_id,
        actor_role=actor.role,
        via=actor.via,
        reason=reason,
        about=(*wanted.about, *tokens),
        recipients=(actor.actor_id,) if exporting else (),
    )
    services.commit(Commit(entry.entry_id, {}, (), (entry.canonical(),)), now)
    return entry


def read_page(services: Services, reader: Actor, wanted: Sought, before: int | None, limit: int) -> Page:
    """At most `limit` entries that are not the reader's own: nobody audits their own activity (Police National
    Database code of practice), so theirs are only counted. Call `log_search` first."""
    kept: list[Found] = []
    own = scanned = 0
    while scanned < _MOST_SCANNED:
        found = _find(services, wanted, before, _STEP)
        for one in found:
            if len(kept) == limit:
                return Page(tuple(kept), own, before, _not_shown(services, kept))
            before = one.sequence
            if one.entry.actor_id == reader.actor_id:
                own += 1
            else:
                kept.append(one)
        scanned += len(found)
        if len(found) < _STEP:
            before = None
            break
    return Page(tuple(kept), own, before, _not_shown(services, kept))


def find_all(services: Services, wanted: Sought, limit: int) -> tuple[tuple[Found, ...], frozenset[int]]:
    """Everything found, at most `limit`, newest first, and the numbers of looks that were not shown to anyone."""
    found = _find(services, wanted, None, limit)
    return found, _not_shown(services, found)


def _find(services: Services, wanted: Sought, before: int | None, limit: int) -> tuple[Found, ...]:
    return services.ledger_search.find(
        marker=wanted.marker,
        actor=wanted.actor,
        incident=wanted.incident,
        check=wanted.check,
        about=wanted.about,
        since=wanted.since,
        until=wanted.until,
        before=before,
        limit=limit,
        without=wanted.without,
    )


def _not_shown(services: Services, found: Sequence[Found]) -> frozenset[int]:
    """The store kept these looks after all, but its reply came too late: the late entry is what was shown."""
    kept = {one.sequence: one.entry.check_id for one in found if one.entry.check_id and not one.entry.late}
    late = services.ledger_search.came_late({check for check in kept.values() if check})
    return frozenset(sequence for sequence, check in kept.items() if check in late)


def proofs(services: Services, found: Iterable[Found]) -> dict[int, Proof]:
    """What vouches for each entry. Raises `StoreUnavailable`, AnchorsFailed."""
    last = services.anchors.last()
    told: dict[int, Proof] = {}
    for one in found:
        _, note = next(services.store.checkpoints(one.sequence - 1, 1), (0, ""))
        try:
            told[one.sequence] = Proof(Statement.read(note).at, last is not None and last.size >= one.sequence)
        except NotSigned:
            told[one.sequence] = Proof(None, anchored=False)
    return told


def inclusion_proofs(
    services: Services, found: Sequence[Found]
) -> tuple[Statement | None, dict[int, tuple[bytes, ...]]]:
    """The last checkpoint, and for each entry under it the path that proves it is in (RFC 9162 s.2.1.3), checked.

    Raises ProofFailed when one does not lead to the checkpoint: then the ledger or its checkpoints were changed.
    """
    leaves = bytearray()
    last: Statement | None = None
    try:
        for _, note in services.store.checkpoints():
            last = Statement.read(note)
            leaves += b"".join(last.leaves)
    except NotSigned as error:
        raise ProofFailed(f"A checkpoint in the store can't be read: {error}.") from None
    if last is None:
        return None, {}
    subtrees = _subtrees(leaves)
    paths: dict[int, tuple[bytes, ...]] = {}
    for one in found:
        if one.sequence <= last.size:
            path = inclusion_proof(subtrees, one.sequence - 1, last.size)
            if not includes(last.root, last.size, one.sequence - 1, leaf_hash(one.entry.canonical()), path):
                raise ProofFailed(
                    f"Entry {one.sequence} is not the one that was signed. Verify an export of the ledger."
                )
            paths[one.sequence] = tuple(path)
    return last, paths


def _subtrees(leaves: bytearray) -> Subtrees:
    known: dict[tuple[int, int], bytes] = {}

    def at(level: int, number: int) -> bytes:
        if (level, number) in known:
            return known[level, number]
        tree = Frontier()
        if level > _BLOCK:
            for below in (2 * number, 2 * number + 1):
                tree.append(at(level - 1, below))
        else:
            start = (number << level) * HASH_BYTES
            for place in range(start, start + (HASH_BYTES << level), HASH_BYTES):
                tree.append(bytes(leaves[place : place + HASH_BYTES]))
        if level >= _BLOCK:
            known[level, number] = tree.root()
        return tree.root()

    return Subtrees(at)


def _marker(services: Services, text: str | None) -> str | None:
    """The record id of a marker in force or not, by its reference; what is no known reference counts as an id."""
    if text is None:
        return None
    named = (marker.marker_id for marker in services.index.all() if marker.reference.casefold() == text.casefold())
    return next(named, text)


def _actor(services: Services, text: str | None) -> str | None:
    """The id of an account by its username, or of a service token by its name or the beginning of its id."""
    if text is None:
        return None
    account = services.access.account(text)
    if account is not None:
        return account.account_id
    named = (token.token_id for token in services.access.tokens() if text in (token.name, token.short_id))
    return next(named, text)
