"""The Redis side of the marker store: sealed records, one atomic commit, one change stream a collection, the ledger.

Everything of an area lies under `wmo:{AREA}:`, one hash slot, so one commit may touch all of it:

    positions          hash: collection -> how many changes it has had; `.ledger` -> last sequence; `.store` -> store
                       id; `.schema` -> the form of all this
                       (and `.retired` -> ids of keys that may seal nothing new: markers/sealed.py;
                       `.restoring` while a backup is being put here: markers/restore.py)
    records:NAME       hash: record id -> "VERSION TOKENS:SEALED"
    changes:NAME       stream: entry id is the position; record id and version, never content; about 100,000 kept
    tokens:NAME        hash: uniqueness token -> record id that holds it
    ledger             stream: entry id is the sequence number; the entry sealed, under a random id
    checkpoints        stream: entry id is the ledger's size it speaks of; the signed note
    request:ID         the reply already given to a request id, for 24 hours (a look that waited in a spool: a month)
    proof              which key ring the area was sealed with
    told               nothing: written to have everything before it confirmed by replicas

Where replicas stand behind the store (markers/primary.py), `replicas` says how many of them at least must have a write
on their disks before it is acknowledged, and all who could take over; else `StoreUnavailable`: it may stay. What a
process has read of one primary's history it never goes on from on another's: `changes` and `commit` say `reload`.

Nothing here retries. A `StoreUnavailable` from `commit` after the command was sent means the outcome is unknown: the
same `Commit` may be sent again and is done once.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import redis
from redis.exceptions import MovedError, NoScriptError, RedisError

from markers.commits import Changes, Commit, Committed, LedgerRecord, Moved, Record, Write, refuse_odd
from markers.lines_to_store import Lines, NotPrimary, OtherHistory
from markers.primary import NoPrimary
from markers.store_errors import (
    RestoreUnfinished,
    SealedOtherwise,
    StoreBehind,
    StoreNewer,
    StoreUnavailable,
    refusal_of,
)
from markers.vault import Vault, VaultError, collection_name

SCHEMA: Final = 1
"""The form an area is kept in. Versions that know it serve side by side; one that knows less refuses to begin."""
_MOST_CHANGES: Final = 500
_CHANGES_KEPT: Final = b"100000"
_PAGE: Final = 1000
_WRITE_ALLOWANCE_S: Final = 0.001
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
_NEVER: Final = "never read"
_PROOF: Final = b"warning marker overlay"
_LUA: Final = Path(__file__).parent / "lua"


class Store:
    """One area of the store. Safe to share between threads; a forked child makes its own connections.

    `timeout_s` bounds connecting and each wait for an answer (a commit of many writes gets 1 ms more for each).
    `floor` is the fence: the highest ledger sequence known of outside the store. A store whose ledger ends before it
    was wiped or put back, takes no commit and tells no change: `StoreBehind`. `distrusted` says why nothing at all
    may be done with it until a person decides, or is None; `resting` why it is not asked just now. `era` counts how
    often it was taken for another one than before, or for the first time after it was away: once what was known has
    been read anew, so that what is read in an era is of its store.
    """

    def __init__(self, url: str, area: str, vault: Vault, *, timeout_s: float = 0.3, replicas: int = 0) -> None:
        """`url` as markers/store_url.py reads it. Connects at first use. `ValueError` for any other.

        `replicas` is how many must have a write on their disks, besides the server itself, before it is acknowledged.
        """
        if vault.area != area:
            raise ValueError(f"the vault seals for area {vault.area}, not {area}")
        self.area, self.timeout_s = area, timeout_s
        self._vault = vault
        self._replicas = replicas
        self._lines = Lines(url, area, timeout_s, replicas=replicas)
        self._waiting = Lines(url, area, timeout_s)
        self._read_of: dict[str, str] = {}
        self._prefix = f"wmo:{{{area}}}:".encode()
        self._positions, self._ledger = self._prefix + b"positions", self._prefix + b"ledger"
        self._checkpoints = self._prefix + b"checkpoints"
        self._keys: dict[str, tuple[bytes, bytes, bytes]] = {}
        self._store_id: bytes | None = None
        self.floor = 0
        self.distrusted: str | None = None
        self.resting: str | None = None
        self.era = 0

    def bind(self) -> None:
        """Leave a sealed proof on an empty area, or open the one that is there.

        Raises `VaultError` when the area was sealed with another key ring, `StoreNewer`. Every other call does this
        once by itself.
        """
        self._store_id = self._bind()

    def start_over(self) -> None:
        """Take the store as it is now for the right one: a person has decided so."""
        self.era += 1  # before it can be bound to
        self._store_id, self.floor, self.distrusted = None, 0, None
        self._read_of.clear()

    def wake(self) -> None:
        """Ask the store again that was not asked since this process started."""
        self.era += 1
        self.resting = None

    def settle(self) -> None:
        """Returns once everything that was read or written here so far is on the replicas' disks.

        Raises `StoreUnavailable`. Writes, for without a write on its own connection `WAITAOF` answers for nothing.
        """
        if self._replicas:
            self._confirmed(self._call(b"SET", self._prefix + b"told", b"1", confirmed=True))

    def _bind(self) -> bytes:
        fresh = secrets.token_hex(16)
        proof = self.proof_of(self._vault, fresh)
        keys = (self._prefix + b"proof", self._positions, self._ledger)
        kept = self._run("bind", keys, (fresh.encode(), proof, b"%d" % SCHEMA))
        if kept == [b"restoring"]:
            raise RestoreUnfinished(self.area)
        other = f"the store's area {self.area} was sealed with another key ring; nothing was changed, restore its keys"
        if not kept:
            raise VaultError(other)
        if int(kept[2]) > SCHEMA:
            raise StoreNewer(int(kept[2]), SCHEMA)
        try:
            opened = self._vault.open("proof", kept[0].decode("ascii"), 1, kept[1])
        except (VaultError, ValueError):
            raise VaultError(other) from None
        if opened != _PROOF:
            raise VaultError(other)
        self.settle()
        return bytes(kept[0])

    def commit(self, commit: Commit) -> Committed | Moved:
        """Do all of it, durably, or none of it.

        Returns `Moved` when an expected position is behind. Raises `VersionConflict`, `NotUnique`, `RequestIdReused`
        (nothing written), `StoreUnavailable` (outcome unknown), `ValueError` (not a commit that could be sent).
        """
        refuse_odd(commit)
        under = self._histories(commit.expect)
        if len(under) > 1:
            return self._all_anew(commit.expect)
        try:
            reply = self._sent(commit, *under)
            if reply == [b"retired"]:
                self._vault.refresh()
                reply = self._sent(commit, *under)
        except OtherHistory:
            return self._all_anew(commit.expect)
        done = self._answered(reply)
        if isinstance(done, Committed):
            self.floor = max(self.floor, *done.ledger, 0)
        return done

    def _histories(self, expect: dict[str, int]) -> set[str]:
        """Of which primaries' histories the expected positions were read; where nothing ever changed any will do."""
        return {self._read_of.get(name, _NEVER) for name, after in expect.items() if after} if self._many else set()

    def _all_anew(self, expect: dict[str, int]) -> Moved:
        return Moved({name: Changes(after, (), reload=True) for name, after in expect.items() if after})

    def _sent(self, commit: Commit, under: str = "") -> Any:
        store_id = self._bound()
        if commit.era not in (None, self.era):
            raise OtherHistory
        collections = dict.fromkeys(commit.expect)
        for write in commit.writes:
            collections[write.collection] = None
        numbers = {name: str(number).encode() for number, name in enumerate(collections, 1)}
        keys = [self._request_key(commit.request_id), self._positions, self._ledger]
        arguments: list[bytes] = [
            store_id,
            self._fingerprint(commit),
            b"%d" % commit.kept_ms,
            b"%d" % _MOST_CHANGES,
            _CHANGES_KEPT,
            b"%d" % len(collections),
            b"%d" % len(commit.entries),
            b"%d" % len(commit.writes),
            b"%d" % self.floor,
        ]
        for name in collections:
            keys += self._keys_of(name)
            expected = commit.expect.get(name)
            arguments += (name.encode(), b"" if expected is None else b"%d" % expected)
        for entry in commit.entries:
            entry_id = secrets.token_hex(16)
            arguments += (entry_id.encode(), self._vault.seal("ledger", entry_id, 1, entry))
        for write in commit.writes:
            arguments += (numbers[write.collection], *self._sealed(write))
        timeout_s = self.timeout_s + _WRITE_ALLOWANCE_S * len(commit.writes)
        reply, safe = self._run_confirmed("commit", keys, arguments, timeout_s=timeout_s, under=under)
        if reply[0] in (b"done", b"repeated"):
            if not commit.entries and not commit.writes:
                self.settle()
            elif not safe:
                raise self._short()
        return reply

    def load(self, collection: str) -> Changes:
        """Every record of a collection as of one position, read in pages so that the server is never held up.

        Raises `VaultError` naming the first record that can't be opened, `StoreUnavailable`.
        """
        while True:
            history = self._history()
            position = self._position(collection)
            records: dict[str, Record] = {}
            cursor = b"0"
            while True:
                cursor, flat = self._call(b"HSCAN", self._keys_of(collection)[0], cursor, b"COUNT", b"%d" % _PAGE)
                for record_id, value in zip(flat[::2], flat[1::2], strict=True):
                    record = self._opened(collection, record_id, None, value)
                    records[record.record_id] = record
                if cursor == b"0":
                    break
            self._read_of[collection] = history
            since = self.changes(collection, position)
            if since.reload:
                continue
            records.update((record.record_id, record) for record in since.records)
            return Changes(since.position, tuple(record for record in records.values() if record.plain is not None))

    def records(self, collection: str, record_ids: Sequence[str]) -> list[Record]:
        """These records as they are now, without those that are not there, in the order asked for.

        Raises `VaultError` at the first that can't be opened, `StoreUnavailable`.
        """
        if not record_ids:
            return []
        self._bound()
        names = [record_id.encode() for record_id in record_ids]
        values = self._call(b"HMGET", self._keys_of(collection)[0], *names)
        pairs = zip(names, values, strict=True)
        return [self._opened(collection, name, None, value) for name, value in pairs if value is not None]

    def changes(self, collection: str, after: int) -> Changes:
        """What changed after a position, in pages, newest state of each record; `reload` when that is no longer kept.

        Raises `StoreBehind` when the store has never been at `after`.
        """
        records: dict[str, Record] = {}
        keys = (self._positions, *self._keys_of(collection)[:2])
        if self._many and not after:
            self._read_of[collection] = self._history()
        under = self._read_of.get(collection, _NEVER) if self._many else ""
        while True:
            arguments = (self._bound(), collection.encode(), b"%d" % after, b"%d" % _MOST_CHANGES, b"%d" % self.floor)
            try:
                told = self._run("changes", keys, arguments, under=under)
            except OtherHistory:
                return Changes(after, (), reload=True)
            match told:
                case [b"told", reached, position, flat]:
                    for record in self._listed(collection, flat):
                        records[record.record_id] = record
                    after = int(reached)
                    if reached == position:
                        return Changes(after, tuple(records.values()))
                case [b"reload", position]:
                    return Changes(int(position), (), reload=True)
                case refusal:
                    raise refusal_of(refusal)

    def positions(self) -> dict[str, int]:
        """How many changes each collection has had, of those that were ever written. Raises `StoreBehind`."""
        expected = self._bound()
        flat = self._call(b"HGETALL", self._positions)
        found = dict(zip(flat[::2], flat[1::2], strict=True))
        if found.get(b".store") != expected:
            raise refusal_of([b"other"])
        return {name.decode("ascii"): int(at) for name, at in found.items() if not name.startswith(b".")}

    def wait(self, collections_after: dict[str, int], timeout_s: float) -> set[str]:
        """Block until a collection moves past its position, at most `timeout_s` seconds; returns which did.

        Uses a connection of its own. Raises `StoreUnavailable` when the store goes away or stops answering.
        """
        if not collections_after:
            raise ValueError("wait for at least one collection")
        names = {self._keys_of(name)[1]: name for name in collections_after}
        block_ms = max(1, round(timeout_s * 1000))
        ids = [b"%d-0" % after for after in collections_after.values()]
        command = (b"XREAD", b"COUNT", b"1", b"BLOCK", b"%d" % block_ms, b"STREAMS", *names, *ids)
        reply = self._call(*command, lines=self._waiting, timeout_s=block_ms / 1000 + self.timeout_s)
        return {names[key] for key, _ in reply or ()}

    def ledger(self, after: int = 0, limit: int | None = None) -> Iterator[LedgerRecord]:
        """Entries after a sequence number, in order, at most `limit`, as far as the ledger reached at the first read.

        Raises `VaultError` at the first entry that is missing or can't be opened.
        """
        last = self._position(".ledger")
        if limit is not None:
            last = min(last, after + limit)
        while after < last:
            span = (b"%d-0" % (after + 1), b"%d-0" % last, b"COUNT", b"%d" % _PAGE)
            page = self._call(b"XRANGE", self._ledger, *span)
            if not page:
                raise VaultError(f"ledger entry {after + 1} is missing from the store")
            for key, fields in page:
                after += 1
                if key != b"%d-0" % after:
                    raise VaultError(f"ledger entry {after} is missing from the store")
                yield self._ledger_record(after, fields)

    def identity(self) -> str:
        """The random name an empty area was given when it was first used."""
        return self._bound().decode("ascii")

    def ledger_end(self) -> int:
        """The sequence number of the ledger's last entry, 0 before any; whatever the fence says."""
        return self._position(".ledger")

    def ledger_entries(self, sequences: Sequence[int]) -> list[LedgerRecord]:
        """The entries of these sequence numbers, in the order asked for.

        Raises `VaultError` at the first that is missing or can't be opened.
        """
        self._bound()
        records: list[LedgerRecord] = []
        for start in range(0, len(sequences), _PAGE):
            wanted = sequences[start : start + _PAGE]
            found = self._run("entries", (self._ledger,), [b"%d" % sequence for sequence in wanted])
            records += [
                self._ledger_record(sequence, entry[1] if entry else [])
                for sequence, entry in zip(wanted, found, strict=True)
            ]
        return records

    def wait_ledger(self, after: int, timeout_s: float) -> bool:
        """Block until the ledger has an entry after that sequence, at most `timeout_s` seconds; whether it has."""
        block_ms = max(1, round(timeout_s * 1000))
        command = (b"XREAD", b"COUNT", b"1", b"BLOCK", b"%d" % block_ms, b"STREAMS", self._ledger, b"%d-0" % after)
        return bool(self._call(*command, lines=self._waiting, timeout_s=block_ms / 1000 + self.timeout_s))

    def seal(self, after: int, size: int, note: str) -> bool:
        """Keep the signed note of the checkpoint at `size`, which follows the one at `after` (0: the first).

        False when it is there already. Raises `SealedOtherwise` when another came first, `StoreBehind` when the
        ledger doesn't reach that far.
        """
        keys = (self._positions, self._checkpoints)
        arguments = (self._bound(), b"%d" % after, b"%d" % size, note.encode())
        reply, safe = self._run_confirmed("seal", keys, arguments)
        match reply:
            case [b"done"]:
                if not safe:
                    raise self._short()
                return True
            case [b"repeated"]:
                self.settle()
                return False
            case [b"sealed", last]:
                raise SealedOtherwise(int(last))
            case refusal:
                raise refusal_of(refusal)

    def checkpoints(self, after: int = 0, limit: int | None = None) -> Iterator[tuple[int, str]]:
        """Size and signed note of each checkpoint over more than `after` entries, in order, at most `limit`."""
        self._bound()
        while limit is None or limit > 0:
            most = _PAGE if limit is None else min(limit, _PAGE)
            page = self._call(b"XRANGE", self._checkpoints, b"%d-0" % (after + 1), b"+", b"COUNT", b"%d" % most)
            for key, fields in page:
                after = int(key.partition(b"-")[0])
                yield after, fields[1].decode("utf-8", "replace")
            if len(page) < most:
                return
            limit = None if limit is None else limit - len(page)

    def last_checkpoint(self) -> tuple[int, str] | None:
        """Size and signed note of the newest checkpoint."""
        self._bound()
        page = self._call(b"XREVRANGE", self._checkpoints, b"+", b"-", b"COUNT", b"1")
        return (int(page[0][0].partition(b"-")[0]), page[0][1][1].decode("utf-8", "replace")) if page else None

    def rewrite_log(self) -> bool:
        """Have the server write its log anew, without what was erased; False while it is busy with another writing."""
        try:
            self._call(b"BGREWRITEAOF")
        except StoreUnavailable as error:
            if "in progress" in str(error) or "child" in str(error).lower():
                return False
            raise
        return True

    def ping(self) -> None:
        """Raises `StoreUnavailable` unless the server answers in time."""
        self._call(b"PING")

    def close(self) -> None:
        """Close all connections; a `wait` in progress ends with `StoreUnavailable`."""
        self._lines.close()
        self._waiting.close()

    @staticmethod
    def proof_of(vault: Vault, store_id: str) -> bytes:
        """What is left in an area to tell later which key ring it was sealed with."""
        return vault.seal("proof", store_id, 1, _PROOF)

    def _ledger_record(self, sequence: int, fields: Sequence[bytes]) -> LedgerRecord:
        if not fields:
            raise VaultError(f"ledger entry {sequence} is missing from the store")
        try:
            return LedgerRecord(sequence, self._vault.open("ledger", fields[1].decode("ascii"), 1, fields[3]))
        except (VaultError, ValueError, IndexError):
            raise VaultError(f"ledger entry {sequence} can't be opened: it was changed or moved") from None

    def _bound(self) -> bytes:
        if self.distrusted is not None:
            raise StoreBehind(self.distrusted)
        if self.resting is not None:
            raise StoreUnavailable(self.resting)
        if self._store_id is None:
            self._store_id = self._bind()
        return self._store_id

    def _position(self, field: str) -> int:
        expected = self._bound()
        store_id, position = self._call(b"HMGET", self._positions, b".store", field.encode())
        if store_id != expected:
            raise refusal_of([b"other"])
        return int(position or 0)

    def _keys_of(self, collection: str) -> tuple[bytes, bytes, bytes]:
        keys = self._keys.get(collection)
        if keys is None:
            name = collection_name(collection).encode()
            records, changes, tokens = (self._prefix + part + name for part in (b"records:", b"changes:", b"tokens:"))
            keys = self._keys[collection] = (records, changes, tokens)
        return keys

    def _request_key(self, request_id: str) -> bytes:
        if not _REQUEST_ID.fullmatch(request_id):
            raise ValueError("a request id is 1 to 128 letters, digits and _ . : -")
        return self._prefix + b"request:" + request_id.encode()

    def _fingerprint(self, commit: Commit) -> bytes:
        """A keyed digest of what the commit would write; positions are left out, they may differ when sent again."""
        digest = hashlib.sha256()
        for write in commit.writes:
            plain = b"-" if write.plain is None else b"+" + hashlib.sha256(write.plain).digest()
            head = f"w|{write.collection}|{write.record_id}|{write.expected_version}|{','.join(write.tokens)}|"
            digest.update(head.encode() + plain)
        for entry in commit.entries:
            digest.update(b"e|" + hashlib.sha256(entry).digest())
        return self._vault.token("commit", digest.hexdigest())[:32].encode()

    def _sealed(self, write: Write) -> tuple[bytes, ...]:
        version = write.expected_version + 1
        head = (write.record_id.encode(), b"%d" % write.expected_version, b"%d" % version)
        if write.plain is None:
            return (*head, b"erase", b"", b"")
        sealed = self._vault.seal(write.collection, write.record_id, version, write.plain)
        return (*head, b"set", ",".join(write.tokens).encode(), sealed)

    def _opened(self, collection: str, record_id: bytes, changed_to: bytes | None, value: bytes | None) -> Record:
        """A record from its stored form; `changed_to` is the version its last change names, where that was read."""
        name = record_id.decode("ascii", "replace")
        if value is None:
            return Record(name, int(changed_to or 0), None)
        head, colon, sealed = value.partition(b":")
        digits = head.partition(b" ")[0]
        if not colon or not digits.isdigit():
            raise VaultError(f"{collection} {name} is not a sealed record")
        version = int(digits)
        if changed_to is not None and version < int(changed_to):
            raise VaultError(
                f"{collection} {name} is older (version {version}) than its last change ({int(changed_to)})"
            )
        try:
            return Record(name, version, self._vault.open(collection, name, version, sealed))
        except ValueError:
            raise VaultError(f"{collection} {name!r} is not a record id") from None

    def _listed(self, collection: str, flat: Sequence[bytes | None]) -> Iterator[Record]:
        for record_id, version, value in zip(flat[::3], flat[1::3], flat[2::3], strict=True):
            yield self._opened(collection, record_id or b"", version, value)

    def _answered(self, reply: list[Any]) -> Committed | Moved:
        match reply:
            case [(b"done" | b"repeated") as how, text]:
                positions, _, sequences = text.decode("ascii").partition("|")
                pairs = (pair.split("=") for pair in positions.split())
                written = {name: int(position) for name, position in pairs}
                return Committed(written, tuple(map(int, sequences.split())), how == b"repeated")
            case [b"moved", *behind]:
                return Moved({name.decode(): self._behind(name.decode(), at, flat) for name, at, flat in behind})
        raise refusal_of(reply)

    def _behind(self, collection: str, position: bytes, flat: list[bytes | None] | None) -> Changes:
        if flat is None:
            return Changes(int(position), (), reload=True)
        return Changes(int(position), tuple(self._listed(collection, flat)))

    def _run(
        self,
        script: str,
        keys: Sequence[bytes],
        arguments: Sequence[bytes],
        *,
        timeout_s: float | None = None,
        under: str = "",
        confirmed: bool = False,
    ) -> Any:
        """Run a script by its hash; load it and run it again when the server doesn't know it (then nothing has run)."""
        sha, text = _script(script)
        command = (b"EVALSHA", sha, b"%d" % len(keys), *keys, *arguments)
        try:
            return self._call(*command, timeout_s=timeout_s, under=under, confirmed=confirmed)
        except _ScriptUnknown:
            self._call(b"SCRIPT", b"LOAD", text)
            return self._call(*command, timeout_s=timeout_s, under=under, confirmed=confirmed)

    def _run_confirmed(
        self,
        script: str,
        keys: Sequence[bytes],
        arguments: Sequence[bytes],
        *,
        timeout_s: float | None = None,
        under: str = "",
    ) -> tuple[Any, bool]:
        """The reply of a script that writes, and whether enough servers have what it wrote, if it wrote."""
        told = self._run(script, keys, arguments, timeout_s=timeout_s, under=under, confirmed=True)
        return told if self._replicas else (told, True)

    def _confirmed(self, told: tuple[Any, bool]) -> Any:
        reply, safe = told
        if not safe:
            raise self._short()
        return reply

    def _short(self) -> StoreUnavailable:
        return StoreUnavailable("the store wrote it, but too few of its replicas confirmed that in time")

    @property
    def _many(self) -> bool:
        """Whether another server may take this one's place."""
        return self._lines.many

    def _history(self) -> str:
        try:
            return self._lines.history() if self._many else ""
        except RedisError as error:
            raise StoreUnavailable(_in_words(error)) from None

    def _call(
        self,
        *command: bytes,
        lines: Lines | None = None,
        timeout_s: float | None = None,
        under: str = "",
        confirmed: bool = False,
    ) -> Any:
        lines = lines or self._lines
        try:
            try:
                return lines.call(command, timeout_s, under=under, confirmed=confirmed)
            except MovedError:  # nothing was done, and the right node was named
                return lines.call(command, timeout_s, under=under, confirmed=confirmed)
        except NoScriptError:
            raise _ScriptUnknown("the store forgot its commit script") from None
        except RedisError as error:
            raise StoreUnavailable(_in_words(error)) from None


class _ScriptUnknown(StoreUnavailable):
    """The server does not have the script yet; nothing ran."""


@cache
def _script(name: str) -> tuple[bytes, bytes]:
    """SHA-1 and text of a script of `lua/`."""
    flags = " flags=no-writes" if name in ("changes", "entries", "moment") else ""
    common = (_LUA / "since.lua").read_text("utf-8")
    text = f"#!lua{flags}\n{common}\n{(_LUA / f'{name}.lua').read_text('utf-8')}".encode()
    return hashlib.sha1(text, usedforsecurity=False).hexdigest().encode(), text


def _in_words(error: RedisError) -> str:
    match error:
        case redis.exceptions.TimeoutError():
            return "the store did not answer in time"
        case redis.exceptions.BusyLoadingError():
            return "the store is still loading its data"
        case redis.exceptions.ReadOnlyError() | NotPrimary():
            return "the store is a read-only replica"
        case NoPrimary():
            return f"the store has no primary: {error}"
        case redis.exceptions.ClusterDownError():
            return "the store's cluster is down"
        case redis.exceptions.AskError() | redis.exceptions.TryAgainError():
            return "the store is being moved to another node"
        case redis.exceptions.OutOfMemoryError():
            return "the store is out of memory"
        case redis.exceptions.AuthenticationError() | redis.exceptions.NoPermissionError():
            return "the store refuses this user"
        case redis.exceptions.ConnectionError():
            return "the store can't be reached"
        case _:
            text = str(error)
            if text.startswith("NOREPLICAS"):
                return "the store has too few replicas to write"
            return "the store can't write to its disk" if text.startswith("MISCONF") else f"the store answered: {text}"
