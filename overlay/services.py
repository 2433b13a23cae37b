"""The composition root: builds everything one process needs, once, and keeps its copies in step with the store."""

from __future__ import annotations

import contextlib
import gc
import json
import secrets
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

import structlog

from checklists.definition import Definition
from markers.anchors import Anchors
from markers.checkpoints import NotSigned, Statement, key_files
from markers.commits import Changes, Commit, Committed, Moved, Record
from markers.fence import Fence
from markers.gazetteer import Gazetteer
from markers.geocoders import Geocoders
from markers.index import MarkerIndex
from markers.ledger_index import LedgerIndex
from markers.ledger_search import LedgerSearch
from markers.model import Category, Marker
from markers.server import EmbeddedServer, ServerError, UnsafeServer, UrlRefused, check_external
from markers.snapshot import SnapshotRefused
from markers.spool import Spool
from markers.store import Store
from markers.store_errors import StoreBehind, StoreUnavailable
from markers.vault import KeyRing, Vault, VaultError
from overlay.area import Area
from overlay.configuration import Configuration
from overlay.desk import DeskRules
from overlay.erased import Erased, was_erased
from overlay.feed import Feed, Mark, Sight
from overlay.feedback import FeedbackBook
from overlay.folders import anchors_of, data_folders, key_ring, ledger_index_of, proof_of, public_key, snapshot_of
from overlay.following import Following
from overlay.glass import GlassBook
from overlay.hours import COVER, OFFICE, ON_CALL, Contact
from overlay.identity import (
    AccessBook,
    Counters,
    Door,
    OpenId,
    Policy,
    Presence,
)
from overlay.incidents.afresh import Kept
from overlay.incidents.board import Board
from overlay.incidents.book import IncidentBook
from overlay.incidents.looked import Looks
from overlay.incidents.rules import Rules
from overlay.incidents.runs import Standings, known_categories
from overlay.incidents.wordings import Wordings
from overlay.known_at import known_at
from overlay.list_plans import ListBook
from overlay.listing import Listing
from overlay.proof import ProofFolder
from overlay.proposals import ProposalBook
from overlay.roles import Roles
from overlay.saved_views import ViewBook
from overlay.settings import Settings

log = structlog.get_logger()

# How long after the last word from the store its copy still counts as current on a screen. A check never
# relies on this: it asks the store itself.
_SILENCE_S = 2.5
_WAIT_S = 1.0
_FORGET_S = 60.0
_SILENT = "store not answering"
_COUNTERS_S = 1.0  # signing in may wait longer for the store than a check


@dataclass(frozen=True, slots=True)
class StoreState:
    """What the top bar says of the store. `unproven` while the proof of life fails."""

    kind: Literal["current", "last_known", "unproven"]
    words: str
    since: datetime | None


@dataclass(slots=True)
class Services:
    """What one process works with. `index`, `access` and `gazetteer` are copies that follow the store and the disk.

    `name` tells it from the other processes of this machine, and means nothing.
    """

    settings: Settings
    name: str
    area: Area
    geocoders: Geocoders
    categories: Mapping[str, Category]
    roles: Roles
    definitions: tuple[Definition, ...]
    incident_types: tuple[tuple[str, str], ...]
    vault: Vault
    store_url: str
    store: Store
    spool: Spool
    ledger_search: LedgerSearch
    index: MarkerIndex
    access: AccessBook
    glass: GlassBook
    presence: Presence
    incidents: IncidentBook
    wordings: Wordings
    standings: Standings
    looks: Looks
    board: Board
    afresh: Kept
    proposals: ProposalBook
    feedback: FeedbackBook
    lists: ListBook
    saved_views: ViewBook
    listing: Listing
    erased: Erased
    rules: Rules
    desk: DeskRules
    policy: Policy
    counters: Counters
    sign_on: OpenId | None
    gazetteer: Gazetteer
    last_contact: datetime
    trouble: str | None
    embedded: EmbeddedServer | None
    fence: Fence
    anchors: Anchors
    ledger_index: LedgerIndex
    proof: ProofFolder
    _stopping: threading.Event
    _follower: threading.Thread | None = None
    _accepted: Statement | None = None
    _forgot_at: float = 0.0
    feed: Feed = field(init=False)

    @classmethod
    def start(cls, settings: Settings, *, follow: bool = True, from_snapshot: bool = False) -> Services:
        """Read the configuration, reach the store (starting the embedded one if none runs) and load the copies.

        `follow` starts the thread that keeps them in step. With `from_snapshot` a store that can't be reached is stood
        in for by this machine's snapshot: every check is then could-not-check, with what was last known. Raises
        SettingsError, VaultError, ServerError, StoreUnavailable, each with one line for the person who started it.
        """
        if follow:
            gc.disable()  # what is loaded now stays; `spare_pauses` looks through it once
        try:
            return cls._start(settings, follow=follow, from_snapshot=from_snapshot)
        finally:
            gc.enable()

    @classmethod
    def _start(cls, settings: Settings, *, follow: bool, from_snapshot: bool) -> Services:
        known = Configuration.read(settings)
        unreached = _vetted(settings, known.area.code, from_snapshot=from_snapshot)
        data_folders(settings.data)
        ring = key_ring(settings)
        embedded = None if settings.store_url else EmbeddedServer(settings.data / "store")
        try:
            if embedded is None:
                url = settings.store_url or ""
            else:
                url, unreached = _reached(embedded, from_snapshot=from_snapshot)
            services = cls._assemble(settings, known, ring, embedded, url)
            services._begin(unreached, from_snapshot=from_snapshot)
        except BaseException:
            if embedded is not None:
                embedded.release()
            raise
        if follow:
            spare_pauses()
            services._follower = threading.Thread(target=services._follow, name="follower", daemon=True)
            services._follower.start()
            services.feed.start()
        return services

    @classmethod
    def _assemble(
        cls, settings: Settings, known: Configuration, ring: KeyRing, embedded: EmbeddedServer | None, url: str
    ) -> Services:
        vault = Vault(ring, known.area.code, settings.data / "keys")
        timeout_s, replicas = settings.store_timeout_s, settings.confirming
        store, beside = (Store(url, known.area.code, vault, timeout_s=timeout_s, replicas=replicas) for _ in range(2))
        anchors = anchors_of(settings, known.area.code)
        ledger_index = ledger_index_of(settings, vault)
        services = cls(
            settings=settings,
            name=secrets.token_hex(4),
            area=known.area,
            geocoders=known.geocoders,
            categories=known.categories,
            roles=known.roles,
            definitions=known.definitions,
            incident_types=known.incident_types,
            vault=vault,
            store_url=url,
            store=store,
            spool=Spool(settings.data / "spool", vault),
            ledger_search=LedgerSearch(store, ledger_index),
            index=MarkerIndex(),
            access=AccessBook(),
            glass=GlassBook(),
            presence=Presence(known.policy.noted_every),
            incidents=IncidentBook(),
            wordings=Wordings(known.definitions),
            standings=Standings(),
            looks=Looks(),
            board=Board(),
            afresh=Kept(),
            proposals=ProposalBook(),
            feedback=FeedbackBook(),
            lists=ListBook(),
            saved_views=ViewBook(),
            listing=Listing(),
            erased=Erased(settings.data / "erased"),
            rules=known.rules,
            desk=known.desk,
            policy=known.policy,
            counters=Counters(url, known.area.code, max(settings.store_timeout_s, _COUNTERS_S)),
            sign_on=OpenId(known.provider) if known.provider else None,
            gazetteer=Gazetteer.open(settings.data / "gazetteer"),
            last_contact=datetime.now(UTC),
            trouble=None,
            embedded=embedded,
            fence=Fence(beside, anchors, key_files(settings.data / "keys", known.area.code)[1], ledger_index),
            anchors=anchors,
            ledger_index=ledger_index,
            proof=proof_of(settings),
            _stopping=threading.Event(),
        )
        services.feed = Feed(services, settings.streams)
        return services

    def _begin(self, unreached: ServerError | None, *, from_snapshot: bool) -> None:
        """Load the copies, from the store or what stands in for it. `unreached` says why it need not be tried."""
        try:
            try:
                if unreached is not None:
                    raise unreached
                self.store.bind()
                for collection in self._positions():
                    self._load(collection)
                self._begin_behind_the_fence()
            except (ServerError, StoreUnavailable) as error:
                if not from_snapshot or isinstance(error, UnsafeServer):
                    raise
                self._begin_from_snapshot(error)
        except BaseException:
            self.store.close()
            self.fence.store.close()
            raise

    def _begin_from_snapshot(self, error: ServerError | StoreUnavailable) -> None:
        """Go on with what this machine's disk holds. Raises `error` where it holds nothing that may be relied on."""
        snapshot = snapshot_of(self.settings, self.vault)
        longest = timedelta(hours=self.settings.snapshot_hours)
        try:
            manifest = snapshot.usable(public_key(self.settings, self.area.code), self.now(), longest)
            loaded = {part.collection: snapshot.load(part) for part in manifest.parts}
            if not {"markers", "access"} <= loaded.keys():
                raise SnapshotRefused("the snapshot lacks markers or accounts")
        except SnapshotRefused as refused:
            log.error("snapshot_not_used", reason=str(refused))
            raise error from None
        for collection in self._positions():
            if collection in loaded:
                self._fill(collection, loaded[collection])
        with contextlib.suppress(StoreBehind):
            self.fence.look()
        self._accepted = self.fence.accepted
        self.last_contact = manifest.as_of
        self.store.resting = "the store was away as this process started, and has not been read since"
        log.error("started_from_snapshot", as_of=manifest.as_of.isoformat(), reason=str(error))
        self.note_trouble(error)

    def _come_back(self) -> None:
        """The store that was away at the start: reached, held against its anchors and read whole before it is used."""
        if self.embedded is not None:
            if self.embedded.ensure() != self.store_url:
                raise ServerError("the store listens elsewhere than it did: start the console again")
        else:
            _vet(self.settings, self.area.code)
        self.mind_fence()
        self._load_anew()
        self.store.wake()
        log.info("store_back_after_snapshot")

    def close(self) -> None:
        """Stop following, close connections, and stop the embedded store if nobody else uses it."""
        self._stopping.set()
        self.feed.close()
        if self._follower is not None:
            self._follower.join(timeout=_WAIT_S * 3)
        self.store.close()
        self.fence.store.close()
        if self.embedded is not None:
            self.embedded.release()

    @property
    def door(self) -> Door:
        """What signing in works with."""
        return Door(self.store, self.access, self.presence, self.vault, self.counters, self.policy)

    def now(self) -> datetime:
        """The one clock: read once at the edge and passed down."""
        return datetime.now(UTC)

    def commit(self, commit: Commit, now: datetime) -> Committed | Moved:
        """Commit, asking once more with the same request id when the first reply was lost.

        A restarted store breaks every pooled connection; the request id makes the second try safe.
        """
        try:
            try:
                done = self.store.commit(commit)
            except StoreUnavailable:
                done = self.store.commit(commit)
        except StoreUnavailable as error:
            self.note_trouble(error)
            raise
        self.last_contact, self.trouble = max(self.last_contact, now), None
        return done

    def note_trouble(self, error: Exception) -> None:
        """The store can't be relied on, and why; held until something has been written to it again."""
        if self.trouble is None:
            log.error("store_trouble", kind=type(error).__name__, reason=str(error))
        self.trouble = trouble_words(error)
        self.feed.moved()

    def take_in(self, changes: Mapping[str, Changes]) -> None:
        """Apply what a commit or the change stream brought."""
        for collection, news in changes.items():
            if news.reload:
                self._load(collection)
            elif collection == "markers":
                erased = self.erased.all() if news.records else {}
                changed = [(r.record_id, _standing(r, erased)) for r in news.records]
                self.index.apply(news.position, changed, self.gazetteer)
            else:
                self._book(collection).apply(news)
            if news.reload or news.records:
                self.feed.moved()

    def state(self, now: datetime) -> StoreState:
        """Whether this process is in touch with the store, in the words of the top bar."""
        since, trouble = self.last_contact, self.trouble
        if trouble is None and (now - since).total_seconds() <= _SILENCE_S:
            proof = self.proof.read(now)
            if not proof.holds:
                return StoreState("unproven", proof.sentence.rstrip("."), proof.since)
            return StoreState("current", "Checked against current markers", None)
        words = f"LAST KNOWN {known_at(since, now)}, {trouble or _SILENT}"
        return StoreState("last_known", words, since)

    def sight(self) -> Sight:
        """How far the copies are, and the store's state: what streams tell of."""
        accepted = self._accepted.size if self._accepted is not None else 0
        # Moved by a secret distance: how often markers ever changed is nobody's to count.
        apart = int(self.vault.token("feed", self.area.code)[:12], 16)
        mark = Mark(self.incidents.position, self.index.position + apart, accepted)
        return Sight(mark, self.access.position, self.state(self.now()).kind)

    def news(self, after: int) -> tuple[int, frozenset[str] | None]:
        """Which incidents changed after a position, as `IncidentBook.news` says."""
        return self.incidents.news(after)

    def _begin_behind_the_fence(self) -> None:
        """A store behind its anchors serves as what was last known, and as nothing else."""
        with contextlib.suppress(StoreBehind):
            self.fence.look()
        self._accepted = self.fence.accepted
        try:
            self.mind_fence()
        except StoreBehind as error:
            self.note_trouble(error)
            with contextlib.suppress(NotSigned, StoreUnavailable):
                newest = self.fence.store.last_checkpoint()
                if newest is not None:
                    self.last_contact = min(self.last_contact, Statement.read(newest[1]).at)

    def mind_fence(self) -> None:
        """Raises StoreBehind, and lets nothing be done with the store, when it is not what its anchors say."""
        try:
            self.fence.look()
            accepted = self.fence.accepted
            if accepted is not None and accepted != self._accepted:
                self._start_over(accepted)
            self.fence.check()
        except StoreBehind as error:
            self.store.distrusted = str(error)
            raise
        self.store.floor = max(self.store.floor, self.fence.floor)
        self.store.distrusted = None

    def _start_over(self, accepted: Statement) -> None:
        """A person has decided: what this process knew of the store gives way to the store as it is."""
        log.warning("store_accepted", sequence=accepted.size, instead=accepted.instead)
        self.fence.store.start_over()
        self._load_anew()
        self._accepted = accepted
        self.store.start_over()

    def _load_anew(self) -> None:
        """Put new copies of what the store holds now in the place of all that was known of it."""
        index, books = MarkerIndex(), _books(self.policy, self.definitions)
        news = self.fence.store.load("markers")
        index.replace(news.position, _all_standing(news, self.erased), self.gazetteer)
        for name, (_, book) in books.items():
            book.replace(self.fence.store.load(name))
        self.index = index
        for attribute, book in books.values():
            setattr(self, attribute, book)
        # Another store may be as far with other content.
        self.standings, self.board, self.afresh = Standings(), Board(), Kept()

    def catch_up(self, collection: str) -> None:
        """Take in what the store has of a collection now. Raises `StoreUnavailable`."""
        self.take_in({collection: self.store.changes(collection, self._positions()[collection])})

    def freshen(self, collection: str) -> None:
        """Take in what the store has of a collection now; while it is away what was last known stands."""
        try:
            self.catch_up(collection)
        except StoreUnavailable as error:
            self.note_trouble(error)

    def prepare_board(self, now: datetime) -> None:
        """Work out how every open incident stands, as each role may know of it: the first page need not wait for it."""
        gc.disable()
        try:
            reading = [role for role in self.roles.titles if self.roles.allows(role, "incidents.read")]
            for known in {known_categories(self.categories, role) for role in reading}:
                self.board.order(self.incidents.open(), self.standings, self.wordings, known, self.rules, now)
        finally:
            gc.enable()
        spare_pauses()

    def ring(self, now: datetime) -> Contact:
        """Whom to ring about a marker at this hour."""
        hours, area = self.desk.hours, self.area
        which = hours.which(now)
        words = {OFFICE: area.office_hours, ON_CALL: area.on_call, COVER: area.cover}[which]
        return Contact(which, words, hours.changes_at(now))

    def _load(self, collection: str) -> None:
        self._fill(collection, self.store.load(collection))

    def _fill(self, collection: str, news: Changes) -> None:
        """Let a copy be all that was loaded."""
        if collection == "markers":
            markers = _all_standing(news, self.erased)
            self.index.replace(news.position, markers, self.gazetteer)
        else:
            self._book(collection).replace(news)

    def _book(self, collection: str) -> Following:
        return self._books()[collection]

    def _books(self) -> dict[str, Following]:
        """The copy of each collection beside the markers."""
        return {
            "access": self.access,
            "break_glass": self.glass,
            "presence": self.presence,
            "incidents": self.incidents,
            "wordings": self.wordings,
            "proposals": self.proposals,
            "feedback": self.feedback,
            "lists": self.lists,
            "saved_views": self.saved_views,
        }  # as `_books` below has them

    def _positions(self) -> dict[str, int]:
        """How far each copy has come."""
        books = {name: book.position for name, book in self._books().items()}
        return {"markers": self.index.position, **books}

    def _follow(self) -> None:
        while not self._stopping.is_set():
            try:
                if self.store.resting is not None:
                    self._come_back()
                self.mind_fence()
                self.store.wait(self._positions(), _WAIT_S)
                # Asked even when nothing moved: a store that was wiped or restored moves nothing either.
                for collection, after in self._positions().items():
                    self.take_in({collection: self.store.changes(collection, after)})
                self.presence.write(self.store, self.access.session_ids())
                if self.trouble is not None:
                    self.commit(Commit(str(uuid.uuid4()), {}), self.now())
                self.last_contact = self.now()
                if self.spool.pending():
                    log.info("spool_replayed", entries=self.spool.replay(self.store))
                self.gazetteer = self.gazetteer.refreshed()
                self._refresh_keys()
                self._forget()
            except (StoreUnavailable, VaultError) as error:
                self.note_trouble(error)
                self._stopping.wait(0.2)
            except ServerError as error:
                self.note_trouble(error)
                self._stopping.wait(1.0)
            except Exception as error:
                # The follower must outlive any fault: without it the copies would stand still unseen. A check
                # still asks the store itself, so a fault here can't turn into a false clear.
                log.error("follower_failed", kind=type(error).__name__)
                self._stopping.wait(1.0)

    def _forget(self) -> None:
        """Once a minute, keep nothing computed of incidents that are no longer open."""
        now = time.monotonic()
        if now - self._forgot_at >= _FORGET_S:
            there = frozenset(incident.incident_id for incident in self.incidents.open())
            for computed in (self.standings, self.board, self.afresh):
                computed.forget(there)
            self._forgot_at = now

    def _refresh_keys(self) -> None:
        """Take in a key rotation. A ring file that can't be used is said once, and the keys at hand go on serving."""
        try:
            self.vault.refresh()
        except VaultError as error:
            log.error("key_ring_not_read", reason=str(error))


def spare_pauses() -> None:
    """What a long-lived process has loaded stays: let the collector pass over it, which with 100,000 markers would hold
    up a check for a third of a second."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@contextlib.contextmanager
def running(settings: Settings, *, from_snapshot: bool = False) -> Iterator[Services]:
    """Services for one command: attaches to the running store, or starts and stops one itself."""
    services = Services.start(settings, follow=False, from_snapshot=from_snapshot)
    try:
        yield services
    finally:
        services.close()


def trouble_words(error: Exception) -> str:
    """What is wrong with the store, in the words of a banner."""
    if isinstance(error, StoreBehind):
        return "store replaced or restored: a supervisor must decide"
    return _SILENT if isinstance(error, StoreUnavailable | ServerError) else "a record in the store can't be opened"


def _books(policy: Policy, definitions: tuple[Definition, ...]) -> dict[str, tuple[str, Following]]:
    """An empty copy of each collection beside the markers, and the attribute of Services that holds it."""
    return {
        "access": ("access", AccessBook()),
        "break_glass": ("glass", GlassBook()),
        "presence": ("presence", Presence(policy.noted_every)),
        "incidents": ("incidents", IncidentBook()),
        "wordings": ("wordings", Wordings(definitions)),
        "proposals": ("proposals", ProposalBook()),
        "feedback": ("feedback", FeedbackBook()),
        "lists": ("lists", ListBook()),
        "saved_views": ("saved_views", ViewBook()),
    }


def _vetted(settings: Settings, area: str, *, from_snapshot: bool) -> ServerError | None:
    """Refuse an external server that loses records; why it can't be reached, where something may stand in for it."""
    if not settings.store_url:
        return None
    try:
        _vet(settings, area)
    except (UnsafeServer, UrlRefused):
        raise
    except ServerError as error:
        # Where no snapshot ever was there is nothing to go on with, and nothing is begun.
        if not from_snapshot or not (settings.data / "snapshot" / area).is_dir():
            raise
        return error
    return None


def _reached(embedded: EmbeddedServer, *, from_snapshot: bool) -> tuple[str, ServerError | None]:
    """Where the embedded store is, started if none runs; and why it can't be used, where something may stand in."""
    if not from_snapshot:
        return embedded.ensure(), None
    unreached: ServerError | None = embedded.silence()
    if unreached is None:
        try:
            return embedded.ensure(), None
        except UnsafeServer:
            raise
        except ServerError as error:
            unreached = error
    return embedded.url, unreached


def _vet(settings: Settings, area: str) -> None:
    """External servers may hold a store only when they can't lose what they acknowledged."""
    try:
        found = check_external(settings.store_url or "", settings.store_timeout_s, area, settings.confirming)
    except ServerError as error:
        raise type(error)(f"OVERLAY_STORE_URL: {error}") from error
    if not found.verified:
        log.warning("store_durability_not_verified", note=found.note)


def _marker(record: Record) -> Marker:
    try:
        return Marker.from_dict(json.loads(record.plain or b""))
    except (KeyError, TypeError, ValueError) as error:
        raise VaultError(f"marker {record.record_id} is written in a form this version does not know") from error


def _standing(record: Record, erased: dict[str, datetime]) -> Marker | None:
    """None for one that was erased, also where a restored store still has it."""
    if record.plain is None:
        return None
    marker = _marker(record)
    return None if was_erased(marker, erased) else marker


def _all_standing(news: Changes, register: Erased) -> list[Marker]:
    erased = register.all()
    return [marker for record in news.records if (marker := _standing(record, erased)) is not None]
