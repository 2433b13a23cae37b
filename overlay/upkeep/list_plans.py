"""A list of markers sent in: kept sealed, read row by row, approved whole or in part by a second person, carried out.

The attendant reads and carries out, a batch at a time between its other work; killed at any moment, the next one goes
on. Every row is compared anew with what stands when it is written, so a batch that was written already does nothing.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from markers.commits import Commit, Committed, Write
from markers.exchange import RowError, TableError, count_lines, marker_id, read_markers
from markers.ledger import LedgerEntry, Operation, RecordSeen, Via
from markers.lifecycle import Decision, LifecycleRefused
from markers.model import LONDON, Marker
from markers.store_errors import StoreError, StoreUnavailable, VersionConflict
from markers.vault import VaultError
from overlay.disclosure import shows_all
from overlay.held_file import held_file
from overlay.list_plans import COLLECTION, PARTS, PIECES, ListPlan, ListState, NoSuchList
from overlay.lookup import NotAllowedAnyMore
from overlay.roles import Actor
from overlay.services import Services
from overlay.upkeep.change import DeskBusy, Doubled, person
from overlay.upkeep.lists import Plan, UpkeepError, import_markers, plan_import
from overlay.upkeep.placing import place_on_gazetteer, placed
from overlay.upkeep.steps import propose_ending
from overlay.viewing import NoSuchMarker

log = structlog.get_logger()

_FILE_PIECE = 256 * 1024
_BATCH = 200
_MOST_NOTES = 300
_MOST_ERASED = 200
_TRIES = 16
_PATIENCE_S = 0.1  # open incidents are matched again between
_OVER = object()
_SENT_WITHIN = timedelta(minutes=10)


def lay_down(services: Services, actor: Actor, name: str, content: bytes, complete_of: str, now: datetime) -> ListPlan:
    """Keep a list to be read. Raises NotAllowedAnyMore, DeskBusy, `StoreUnavailable`."""
    pieces = [content[at : at + _FILE_PIECE] for at in range(0, len(content), _FILE_PIECE)] or [b""]
    plan = ListPlan(str(uuid.uuid4()), name, person(actor), actor.role, now, complete_of, len(pieces))
    for _ in range(_TRIES):
        standing = services.access.standing(actor, now)
        if standing is None:
            raise NotAllowedAnyMore
        entry = _entry(actor, plan, 1, "list_sent_in", Operation.COLLECTION, now)
        write = Write(COLLECTION, plan.list_id, 0, plan.as_plain())
        done = services.commit(Commit(entry.entry_id, {"access": standing}, (write,), (entry.canonical(),)), now)
        if isinstance(done, Committed):
            break
        services.take_in(done.changes)
    else:
        raise DeskBusy
    for piece_id, piece in zip(plan.pieces, pieces, strict=True):
        services.store.commit(Commit(str(uuid.uuid4()), {}, (Write(PIECES, piece_id, 0, piece),)))
    plan = replace(plan, state=ListState.READING)
    services.store.commit(Commit(str(uuid.uuid4()), {}, (Write(COLLECTION, plan.list_id, 1, plan.as_plain()),)))
    services.freshen(COLLECTION)
    return plan


def approve(
    services: Services,
    actor: Actor,
    list_id: str,
    parts: tuple[str, ...],
    left_out: tuple[str, ...],
    why: str,
    now: datetime,
) -> ListPlan:
    """Have these parts of a list carried out, but for some markers. Raises LifecycleRefused, NoSuchList, DeskBusy."""

    def decided(plan: ListPlan) -> ListPlan:
        _waits(plan)
        if plan.by.actor_id == actor.actor_id:
            raise LifecycleRefused("person", "You sent this list in yourself. A second person has to approve it.")
        chosen = tuple(part for part in PARTS if part in parts and plan.counts.get(part))
        if not chosen:
            raise LifecycleRefused("parts", "Choose what of it is to be done, or turn it down.")
        total = sum(plan.counts[part] for part in chosen)
        decision = Decision(accepted=True, by=person(actor), at=now, why=why)
        return replace(
            plan, state=ListState.CARRYING_OUT, decision=decision, decided_role=actor.role, parts=chosen,
            left_out=left_out, done=0, total=total,
        )  # fmt: skip

    return _changed(services, actor, list_id, "list_approved", decided, now)


def turn_down(services: Services, actor: Actor, list_id: str, why: str, now: datetime) -> ListPlan:
    """Have nothing of a list done; whoever sent it in takes it back so. Raises as `approve`."""

    def decided(plan: ListPlan) -> ListPlan:
        if plan.finished or plan.state is ListState.CARRYING_OUT:
            _waits(plan)
        if not why and plan.by.actor_id != actor.actor_id:
            raise LifecycleRefused("why", "Say in a line why, so that it can be put right.")
        decision = Decision(accepted=False, by=person(actor), at=now, why=why or "Taken back by who sent it in.")
        return replace(plan, state=ListState.TURNED_DOWN, decision=decision, decided_role=actor.role)

    plan = _changed(services, actor, list_id, "list_turned_down", decided, now)
    _erase(services, plan.pieces)
    return plan


def rows_of(services: Services, piece_ids: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of these pieces: `part`, and the marker as it would stand, or id and version of a missing one."""
    return [row for record in services.store.records(PIECES, piece_ids) for row in json.loads(record.plain or b"[]")]


class ListWorker:
    """Reads and carries out lists, a batch at each step; what it has begun it keeps in hand."""

    def __init__(self) -> None:
        self._in_hand: dict[tuple[str, ListState], Iterator[None]] = {}

    def step(self, services: Services) -> bool:
        """Do one batch of the oldest list; whether there was any. Raises `StoreUnavailable`, VaultError."""
        work_on = (ListState.READING, ListState.CARRYING_OUT)
        plan = next((one for one in services.lists.unfinished() if one.state in work_on), None)
        if plan is None:
            self._in_hand.clear()
            return False
        key = plan.list_id, plan.state
        work = self._in_hand.get(key)
        if work is None:
            begin = _reading if plan.state is ListState.READING else _carrying_out
            self._in_hand = {key: begin(services, plan, services.now)}
            work = self._in_hand[key]
        try:
            if next(work, _OVER) is _OVER:
                del self._in_hand[key]  # where its last word was not kept it is begun anew
        except (StoreError, VaultError):
            del self._in_hand[key]  # begun anew, from what was kept
            raise
        except Exception as error:
            # One list that can't be worked on must not keep open incidents from being matched.
            del self._in_hand[key]
            log.error("list_not_worked_on", list_id=plan.list_id, kind=type(error).__name__)
            with suppress(NoSuchList):
                stopped = replace(services.lists.get(plan.list_id)[0], state=ListState.REFUSED)
                said = f"It was stopped by a fault of this program ({type(error).__name__}). What was written stays."
                _progress(services, replace(stopped, notes=(*stopped.notes[-_MOST_NOTES:], said)))
        return True


def _reading(services: Services, plan: ListPlan, clock: Callable[[], datetime]) -> Iterator[None]:
    """Read its rows into pieces, each with what it would do; at the end the list waits for a second person."""
    attempt = uuid.uuid4().hex[:8]
    _erase(services, plan.row_pieces)  # of an attempt that was broken off
    plan = replace(plan, row_pieces=(), row_counts=())
    records = services.store.records(PIECES, plan.pieces)
    content = b"".join(record.plain or b"" for record in records)
    notes: list[str] = []
    counts = dict.fromkeys(("new", "changed", "unchanged", "missing", "ended", "doubled", "unfindable", "rejected"), 0)
    row_pieces: list[str] = []
    row_counts: list[tuple[int, ...]] = []
    seen: set[str] = set()
    taken: dict[str, str] = {}
    rejected: set[int] = set()
    named: set[str] = set()

    def keep(rows: list[dict[str, Any]]) -> None:
        if rows:
            row_pieces.append(f"{plan.list_id}.{attempt}.{len(row_pieces)}")
            row_counts.append(tuple(sum(row["part"] == part for row in rows) for part in PARTS))
            write = Write(PIECES, row_pieces[-1], 0, json.dumps(rows).encode())
            services.store.commit(Commit(str(uuid.uuid4()), {}, (write,)))

    def note(text: str) -> None:
        if len(notes) < _MOST_NOTES:
            notes.append(text)

    now, done, total = clock(), 0, 0
    try:
        with held_file(plan.name, content) as path:
            total = max(0, count_lines(path) - 1)
            today = now.astimezone(LONDON).date()
            read = read_markers(path, services.categories, today, plan.by.name, "", now, note)
            for batch in _batches(placed(services, read, total, _PATIENCE_S)):
                if not batch:
                    yield
                    continue
                for error in batch:
                    if isinstance(error, RowError):
                        rejected.add(error.line)
                        note(str(error))
                markers = [replace(one, proposer=plan.by.actor_id) for one in batch if isinstance(one, Marker)]
                if plan.complete_of:
                    seen.update(marker.marker_id for marker in markers)
                withheld = [one for one in markers if not shows_all(plan.role, services.categories[one.category])]
                for one in withheld:
                    note(f"{one.reference}: who sent it in is not shown markers of this kind, so can't change them.")
                counts["rejected_kinds"] = counts.get("rejected_kinds", 0) + len(withheld)
                what = plan_import(services, [one for one in markers if one not in withheld], taken, placed=True)
                _count(what, counts, note)
                named.update(marker_id(other) for _, other in what.doubled)
                keep(
                    [{"part": "new", "marker": marker.as_dict()} for marker in what.new]
                    + [{"part": "changed", "marker": marker.as_dict()} for marker in what.changed]
                )
                done += len(batch)
                counts["rejected"] = len(rejected) + counts["rejected_kinds"]
                so_far = replace(plan, done=done, total=max(total, done), counts=counts)
                _progress(services, replace(so_far, row_pieces=tuple(row_pieces)))
                yield
    except TableError as error:
        refused = replace(plan, state=ListState.REFUSED, notes=(str(error),), row_pieces=tuple(row_pieces))
        _progress(services, refused)
        _erase(services, refused.pieces)
        return
    lacking = [marker for marker in _complete(services, plan.complete_of, now) if marker.marker_id not in seen]
    if lacking and rejected:
        # A marker whose row has a slip in it is on the list: nobody may be told to end it.
        note("Rows were rejected, so what the list lacks is not known. Mend them and send it in again.")
        lacking = []
    counts["missing"] = len(lacking)
    for first in range(0, len(lacking), _BATCH):
        keep([{"part": "missing", "id": m.marker_id, "version": m.version} for m in lacking[first : first + _BATCH]])
    _progress(
        services,
        replace(
            plan,
            state=ListState.WAITING,
            counts={name: count for name, count in counts.items() if name != "rejected_kinds"},
            named=tuple(sorted(named)),
            notes=tuple(notes),
            row_pieces=tuple(row_pieces),
            row_counts=tuple(row_counts),
            done=done,
            total=max(total, done),
        ),
    )


def _batches(rows: Iterator[Marker | RowError | None]) -> Iterator[list[Marker | RowError]]:
    """So many rows at a time, and none as often as the next one is not there yet."""
    batch: list[Marker | RowError] = []
    for row in rows:
        if row is None:
            yield []
            continue
        batch.append(row)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _count(what: Plan, counts: dict[str, int], note: Callable[[str], None]) -> None:
    for name, count in (("new", len(what.new)), ("changed", len(what.changed)), ("unchanged", what.unchanged)):
        counts[name] += count
    for reference in what.ended:
        counts["ended"] += 1
        note(f"{reference}: was ended here, and a list does not bring it back.")
    for reference, other in what.doubled:
        counts["doubled"] += 1
        note(f"{reference}: its place has the live marker {other} of that kind already.")
    for reference in what.unfindable:
        counts["unfindable"] += 1
        note(f"{reference}: only a UPRN that the gazetteer lacks, so no written address could meet it.")


def _complete(services: Services, category: str, now: datetime) -> list[Marker]:
    """The live markers that a list which names every one of a category would have."""
    live = [m for m in services.index.all() if m.category == category and not m.state_at(now).over]
    return sorted(live, key=lambda marker: marker.reference)


def _carrying_out(services: Services, plan: ListPlan, clock: Callable[[], datetime]) -> Iterator[None]:
    """Write what was approved, piece by piece; at the end nothing of its rows is kept."""
    decision = plan.decision
    if decision is None:
        raise LifecycleRefused("list", "Nobody has approved this list.")
    approver = Actor(decision.by.actor_id, decision.by.name, plan.decided_role, Via.SYSTEM)
    sender = Actor(plan.by.actor_id, plan.by.name, plan.role, Via.SYSTEM)
    left_out = frozenset(plan.left_out)
    notes, done = list(plan.notes), 0
    for piece in plan.row_pieces:
        rows = [row for row in rows_of(services, [piece]) if row["part"] in plan.parts]
        wanted = [row for row in rows if (row.get("id") or row["marker"]["marker_id"]) not in left_out]
        now = clock()
        markers = [
            replace(Marker.from_dict(row["marker"]), approved_by=decision.by.name, recorded_at=now)
            for row in wanted
            if row["part"] != "missing"
        ]
        named = {*plan.named}
        notes += _write(services, approver, markers, named, now)
        plan = replace(plan, named=tuple(sorted(named)))
        for row in wanted:
            if row["part"] == "missing":
                notes += _ending(services, sender, row["id"], row["version"], plan.name, now)
        done += len(rows)
        _progress(services, replace(plan, done=done, notes=tuple(notes[-_MOST_NOTES:])))
        yield
    finished = replace(plan, state=ListState.DONE, done=done, notes=tuple(notes[-_MOST_NOTES:]))
    _progress(services, finished)
    _erase(services, finished.pieces)


def _write(services: Services, approver: Actor, markers: list[Marker], named: set[str], now: datetime) -> list[str]:
    """Write these rows as they were looked at; what kept one of them from it, in words. Raises `StoreUnavailable`."""
    notes = []
    allowed = []
    for marker in markers:
        category = services.categories.get(marker.category)
        if shows_all(approver.role, category):
            allowed.append(marker)
        else:
            notes.append(f"{marker.reference}: not written, who approved is not shown markers of this kind.")
    looked_at = {marker.marker_id: marker.version for marker in allowed}
    what = plan_import(services, [_where_it_was(services, marker) for marker in allowed], placed=True)
    for reference, other in what.doubled:
        notes.append(f"{reference}: not written, {other} has its place by now.")
        named.add(marker_id(other))
    notes += [f"{reference}: not written, it was ended meanwhile." for reference in what.ended]
    notes += [f"{reference}: not written, no written address could meet it." for reference in what.unfindable]
    moved = [marker for marker in (*what.new, *what.changed) if marker.version != looked_at[marker.marker_id]]
    notes += [f"{marker.reference}: not written, somebody changed it after the list was read." for marker in moved]
    stands = replace(
        what,
        new=tuple(marker for marker in what.new if marker not in moved),
        changed=tuple(marker for marker in what.changed if marker not in moved),
    )
    try:
        import_markers(services, approver, stands, now)
    except UpkeepError as error:
        if isinstance(error.__cause__, StoreUnavailable):
            raise error.__cause__ from error  # the batch is done again when the store is back
        if len(allowed) == 1:
            return [*notes, f"{allowed[0].reference}: not written. {error.__cause__}"]
        return [*notes, *(text for marker in allowed for text in _write(services, approver, [marker], named, now))]
    return notes


def _where_it_was(services: Services, marker: Marker) -> Marker:
    """On the home it was put on as the list was read, if that is still known; otherwise looked for anew."""
    home = marker.place.premises_id
    return marker if home is not None and services.gazetteer.knows_id(home) else place_on_gazetteer(services, marker)


def _ending(services: Services, sender: Actor, lacking: str, version: int, name: str, now: datetime) -> list[str]:
    """Propose that a marker which a list lacks ends; what kept that from being done, in words."""
    marker = services.index.get(lacking)
    reference = marker.reference if marker is not None else lacking
    reasons = dict(services.desk.ending_reasons)
    reason = reasons.get("not_on_list") or next(iter(reasons.values()))
    why = f"Not on the list {name}."
    try:
        propose_ending(services, sender, lacking, version, reason, "", why, now, by_list=True)
    except NoSuchMarker:
        return []
    except (LifecycleRefused, Doubled, DeskBusy, NotAllowedAnyMore) as refused:
        return [f"{reference}: its ending was not proposed. {refused}"]
    return []


def purge_lists(services: Services, actor: Actor, now: datetime) -> int:
    """Erase lists finished longer ago than proposals are kept, and rows that no list needs; returns how many lists."""
    old = [
        (plan, version)
        for plan, version in services.lists.all()
        if plan.finished and plan.at < now - services.desk.decided_kept
    ][:_MOST_ERASED]
    for plan, version in old:
        entry = _entry(actor, plan, version + 1, "retention", Operation.ERASURE, now)
        write = Write(COLLECTION, plan.list_id, version, None)
        with suppress(VersionConflict):  # another attendant was first
            services.commit(Commit(entry.entry_id, {}, (write,), (entry.canonical(),)), now)
    services.catch_up(COLLECTION)
    for plan in services.lists.unfinished():
        if plan.state is ListState.SENDING and now - plan.at > _SENT_WITHIN:
            _progress(
                services, replace(plan, state=ListState.REFUSED, notes=("It was not sent whole. Send it again.",))
            )
    needed = {plan.list_id for plan in services.lists.unfinished()}
    kept = services.store.load(PIECES).records
    _erase(services, [r.record_id for r in kept if r.plain is not None and r.record_id.partition(".")[0] not in needed])
    return len(old)


def drop_unfinished(services: Services, actor: Actor, now: datetime) -> None:
    """Turn down every list that waits: after a restore one may hold what was erased since."""
    for plan in services.lists.unfinished():
        down = Decision(accepted=False, by=person(actor), at=now, why="The store was restored. Send the list in again.")
        _progress(services, replace(plan, state=ListState.TURNED_DOWN, decision=down))
        _erase(services, plan.pieces)


def _waits(plan: ListPlan) -> None:
    if plan.state is not ListState.WAITING:
        raise LifecycleRefused(
            "list", f"This list is {plan.state.value.replace('_', ' ')}: there is nothing to decide."
        )


def _changed(
    services: Services, actor: Actor, list_id: str, reason: str, step: Callable[[ListPlan], ListPlan], now: datetime
) -> ListPlan:
    for _ in range(_TRIES):
        services.freshen(COLLECTION)
        standing = services.access.standing(actor, now)
        if standing is None:
            raise NotAllowedAnyMore
        plan, version = services.lists.get(list_id)
        after = step(plan)
        entry = _entry(actor, after, version + 1, reason, Operation.ALTERATION, now)
        write = Write(COLLECTION, list_id, version, after.as_plain())
        try:
            done = services.commit(Commit(entry.entry_id, {"access": standing}, (write,), (entry.canonical(),)), now)
        except VersionConflict:
            services.catch_up(COLLECTION)
            continue
        if isinstance(done, Committed):
            services.freshen(COLLECTION)
            return after
        services.take_in(done.changes)
    raise DeskBusy


def _progress(services: Services, plan: ListPlan) -> None:
    """Keep how far a list has come; whoever decided it meanwhile stands."""
    services.freshen(COLLECTION)
    before, version = services.lists.get(plan.list_id)
    if before.finished:
        return
    with suppress(VersionConflict):  # said again at the next batch
        services.store.commit(
            Commit(str(uuid.uuid4()), {}, (Write(COLLECTION, plan.list_id, version, plan.as_plain()),))
        )
    services.catch_up(COLLECTION)


def _erase(services: Services, piece_ids: Sequence[str]) -> None:
    """Nothing of these pieces stays."""
    for first in range(0, len(piece_ids), _MOST_ERASED):
        pieces = services.store.records(PIECES, piece_ids[first : first + _MOST_ERASED])
        writes = tuple(Write(PIECES, piece.record_id, piece.version, None) for piece in pieces)
        if writes:
            with suppress(VersionConflict):  # another attendant was first
                services.store.commit(Commit(str(uuid.uuid4()), {}, writes))


def _entry(actor: Actor, plan: ListPlan, version: int, reason: str, operation: Operation, now: datetime) -> LedgerEntry:
    return LedgerEntry(
        entry_id=str(uuid.uuid4()),
        at=now,
        operation=operation,
        actor_id=actor.actor_id,
        actor_role=actor.role,
        via=actor.via,
        reason=reason,
        records=(RecordSeen(plan.list_id, version),),
    )
