"""The signing key of a data folder, and what the sealer's process says of itself."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from markers.anchors import Anchors
from markers.checkpoints import KeyRefused, key_files
from markers.store import Store
from markers.vault import KeyRing, Vault
from overlay.sealing import SealerLock, SealerState, is_news, signing_key
from overlay.settings import Settings


def test_a_key_is_made_once_and_never_where_something_was_signed(store_url: str, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    vault = Vault(KeyRing.create(tmp_path / "keys"), "quill")
    store, anchors = Store(store_url, "quill", vault), Anchors(tmp_path / "anchors")
    key = signing_key(settings, store, anchors)
    assert signing_key(settings, store, anchors).public == key.public
    private, public = key_files(tmp_path / "keys", "quill")
    public.unlink()
    assert signing_key(settings, store, anchors).public.line == public.read_text()
    anchors.append([key.sign(0, b"x" * 32, datetime.now(UTC))])
    private.rename(tmp_path / "aside")
    with pytest.raises(KeyRefused, match="missing"):
        signing_key(settings, store, anchors)
    anchors.files()[0].unlink()
    assert signing_key(settings, store, anchors).public != key.public
    store.close()


def test_what_the_sealer_says_counts_for_ten_seconds(tmp_path: Path) -> None:
    (tmp_path / "ledger").mkdir()
    now = datetime.now(UTC)
    assert SealerState.read(tmp_path, now).kind == "absent"
    told = SealerState("refused", "entry 5 can't be opened")
    told.write(tmp_path)
    assert SealerState.read(tmp_path, now) == told
    assert SealerState.read(tmp_path, now + timedelta(seconds=20)).kind == "absent"
    (tmp_path / "ledger" / "sealer.json").write_text("{")
    assert SealerState.read(tmp_path, now).kind == "absent"


def test_one_sealer_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "ledger").mkdir()
    first, second = SealerLock(tmp_path), SealerLock(tmp_path)
    assert first.take(wait=False)
    assert not second.take(wait=False)
    first.release()
    assert second.take(wait=True)
    second.release()
    assert os.stat(tmp_path / "ledger" / "sealer.lock").st_mode & 0o077 == 0


def test_what_changes_is_said_and_a_clock_that_is_behind_once() -> None:
    signing, refused = SealerState("signing", ""), SealerState("refused", "entry 5 can't be opened")
    clock, later = (SealerState("clock", f"The clock says 03:00:0{second}") for second in (1, 2))
    assert not is_news(signing, signing)
    assert is_news(refused, signing)
    assert is_news(SealerState("refused", "entry 6 can't be opened"), refused)
    assert is_news(clock, signing)
    assert not is_news(later, clock)
    assert is_news(signing, later)
