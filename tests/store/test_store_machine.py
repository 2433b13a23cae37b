"""The store beside a model in plain Python, step by step: two processes, lost changes, keys rotated and cut off."""

from __future__ import annotations

import itertools
import os
import secrets
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from markers.commits import Commit, Moved
from markers.key_check import check_keys
from markers.rotation import Rotation
from markers.sealed import SealedStore
from markers.spool import Spool
from markers.store import Store
from markers.store_errors import NotUnique, VersionConflict
from markers.vault import KeyRing, Vault
from tests.store.test_commit_properties import COLLECTIONS, Model, commits

RUNS = int(os.environ.get("FUZZ_RUNS", "10"))


class Trimmed(Model):
    """The model, with change streams that may have lost their beginning."""

    def __init__(self) -> None:
        super().__init__()
        self.forgotten = dict.fromkeys(COLLECTIONS, 0)

    def since(self, collection: str, after: int) -> Any:
        return "reload" if after < self.forgotten[collection] else super().since(collection, after)


class Cut(BaseException):
    """The process is gone."""


class Machine(RuleBasedStateMachine):
    """Every rule is one act of one process; whatever it answers, the model answers too."""

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__()
        self.url, self.area, self.folder = url, f"area-{secrets.token_hex(6)}", folder / secrets.token_hex(6)
        KeyRing.create(self.folder)
        self.raw: Any = redis.Redis.from_url(url)
        self.model, self.past, self.numbers = Trimmed(), [], itertools.count()
        self.processes = [self.process(), self.process()]
        self.copy: dict[str, tuple[int, dict[str, bytes]]] = dict.fromkeys(COLLECTIONS, (0, {}))

    def process(self) -> Store:
        return Store(self.url, self.area, self.vault(), timeout_s=10)

    def vault(self) -> Vault:
        return Vault(KeyRing.load(self.folder), self.area, self.folder)

    def rotation(self, kind: type[SealedStore] = SealedStore) -> Rotation:
        vault = self.vault()
        spool = Spool(self.folder / "spool", vault)
        return Rotation(kind(self.url, self.area, vault, timeout_s=10), vault, spool, self.folder)

    def answer(self, store: Store, commit: Commit) -> object:
        try:
            answer = store.commit(commit)
        except VersionConflict as refused:
            return ("version", refused.collection, refused.record_id, refused.found)
        except NotUnique as refused:
            return ("taken", refused.token, refused.holder)
        if not isinstance(answer, Moved):
            return answer
        return {
            name: (
                news.position,
                "reload" if news.reload else {r.record_id: (r.version, r.plain) for r in news.records},
            )
            for name, news in answer.changes.items()
        }

    @rule(data=st.data(), process=st.integers(0, 1), times=st.integers(1, 2))
    def commit(self, data: st.DataObject, process: int, times: int) -> None:
        commit = data.draw(commits(self.model, next(self.numbers)))
        self.past.append(commit)
        for _ in range(times):
            assert self.answer(self.processes[process], commit) == self.model.commit(commit)

    @precondition(lambda self: self.past)
    @rule(data=st.data(), process=st.integers(0, 1))
    def send_again(self, data: st.DataObject, process: int) -> None:
        commit = data.draw(st.sampled_from(self.past))
        assert self.answer(self.processes[process], commit) == self.model.commit(commit)

    @rule(process=st.integers(0, 1))
    def restart(self, process: int) -> None:
        self.processes[process].close()
        self.processes[process] = self.process()

    @rule(collection=st.sampled_from(COLLECTIONS))
    def lose_changes(self, collection: str) -> None:
        self.raw.xtrim(f"wmo:{{{self.area}}}:changes:{collection}", maxlen=0, approximate=False)
        self.model.forgotten[collection] = self.model.position(collection)

    @rule(collection=st.sampled_from(COLLECTIONS), process=st.integers(0, 1))
    def follow(self, collection: str, process: int) -> None:
        at, held = self.copy[collection]
        store = self.processes[process]
        news = store.changes(collection, at)
        assert news.reload == (at < self.model.forgotten[collection])
        if news.reload:
            news, held = store.load(collection), {}
        held = {**held, **{r.record_id: r.plain for r in news.records if r.plain is not None}}
        for gone in [r.record_id for r in news.records if r.plain is None]:
            held.pop(gone, None)
        self.copy[collection] = (news.position, held)
        assert news.position == self.model.position(collection)
        assert held == {at[1]: kept[1] for at, kept in self.model.records.items() if at[0] == collection}

    @rule()
    def rotate(self) -> None:
        rotation = self.rotation()
        key_id, resumed = rotation.choose()
        done = rotation.reseal(key_id, rotation.take_over(key_id), lambda _: None, resumed=resumed)
        rotation.finish(key_id)
        assert done.unopened == 0

    @rule(calls=st.integers(1, 25))
    def rotate_and_be_cut_off(self, calls: int) -> None:
        left = [calls]

        class CutStore(SealedStore):
            def _call(self, *command: Any, **options: Any) -> Any:
                left[0] -= 1
                if left[0] < 0:
                    raise Cut
                return super()._call(*command, **options)

        try:
            rotation = self.rotation(CutStore)
            key_id, resumed = rotation.choose()
            rotation.reseal(key_id, rotation.take_over(key_id), lambda _: None, resumed=resumed)
            rotation.finish(key_id)
        except Cut:
            pass

    @rule()
    def forget_old_keys(self) -> None:
        """As `overlay keys rotate --forget-old` ends."""
        rotation, ring = self.rotation(), KeyRing.load(self.folder)
        if not rotation.store.rotating() and ring.newest == ring.current:
            sealing = check_keys(rotation.store, rotation.vault, rotation.spool, lambda _: None).sealed_by
            assert set(sealing) <= {ring.current}, "where no rotation is under way nothing old lies, whoever wrote it"
            ring.forget(self.folder, [known for known in ring.sealing if known != ring.current])

    def teardown(self) -> None:
        self.forget_old_keys()
        store = self.process()
        for name in COLLECTIONS:
            loaded = store.load(name)
            assert loaded.position == self.model.position(name)
            assert {(name, seen.record_id): (seen.version, seen.plain) for seen in loaded.records} == {
                at: kept[:2] for at, kept in self.model.records.items() if at[0] == name
            }
            for held, holder in self.raw.hgetall(f"wmo:{{{self.area}}}:tokens:{name}").items():
                assert held.decode() in self.model.records[name, holder.decode()][2]
        assert [(kept.sequence, kept.entry) for kept in store.ledger()] == list(enumerate(self.model.ledger, 1))
        for process in (store, *self.processes):
            process.close()
        self.raw.close()


@pytest.mark.timeout(0)
def test_whatever_is_done_in_whatever_order_the_store_does_what_the_model_does(store_url: str, tmp_path: Path) -> None:
    run_state_machine_as_test(
        lambda: Machine(store_url, tmp_path),
        settings=settings(
            max_examples=RUNS, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
