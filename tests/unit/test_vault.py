"""The vault: what is sealed opens only as the very record it was sealed as, and key rings are guarded."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markers.vault import KeyRing, Vault, VaultError, key_of

RECORD = ("markers", "0f3c", 7)


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    return KeyRing.create(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def vault(ring: KeyRing) -> Vault:
    return Vault(ring, "quillmarket")


@given(plain=st.binary(max_size=2000), version=st.integers(0, 2**53))
def test_what_was_sealed_opens(vault: Vault, plain: bytes, version: int) -> None:
    assert vault.open("markers", "a-1", version, vault.seal("markers", "a-1", version, plain)) == plain


def test_sealing_hides_the_content_and_never_repeats(vault: Vault) -> None:
    blobs = {vault.seal(*RECORD, b"CANARY" * 20) for _ in range(50)}
    assert len(blobs) == 50
    assert not any(b"CANARY" in blob for blob in blobs)


@pytest.mark.parametrize(
    "elsewhere",
    [
        ("access", "0f3c", 7),
        ("markers", "0f3d", 7),
        ("markers", "0f3c", 6),
        ("markers", "0f3c", 8),
        ("markers", "0f", 37),
    ],
)
def test_a_moved_or_replayed_record_is_refused(vault: Vault, elsewhere: tuple[str, str, int]) -> None:
    blob = vault.seal(*RECORD, b"text")
    with pytest.raises(VaultError, match=f"{elsewhere[0]} {elsewhere[1]} version {elsewhere[2]} can't be opened"):
        vault.open(*elsewhere, blob)


def test_another_area_or_another_ring_does_not_open_it(ring: KeyRing, vault: Vault, tmp_path: Path) -> None:
    blob = vault.seal(*RECORD, b"text")
    with pytest.raises(VaultError):
        Vault(ring, "other-area").open(*RECORD, blob)
    with pytest.raises(VaultError, match="not in this key ring"):
        Vault(KeyRing.create(tmp_path), "quillmarket").open(*RECORD, blob)


@given(data=st.data())
def test_any_changed_or_missing_byte_is_refused(vault: Vault, data: st.DataObject) -> None:
    blob = bytearray(vault.seal(*RECORD, b"some text of a record"))
    if data.draw(st.booleans()):
        blob[data.draw(st.integers(0, len(blob) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        del blob[data.draw(st.integers(0, len(blob) - 1)) :]
    with pytest.raises(VaultError):
        vault.open(*RECORD, bytes(blob))


def test_a_refusal_names_the_record_and_not_the_content(vault: Vault) -> None:
    blob = bytearray(vault.seal(*RECORD, b"CANARY"))
    blob[-1] ^= 1
    with pytest.raises(VaultError) as refused:
        vault.open(*RECORD, bytes(blob))
    assert "markers 0f3c version 7" in str(refused.value)
    assert "CANARY" not in str(refused.value)


@pytest.mark.parametrize("record_id", ["", "a|b", "a b", "é", "a\n", "-a", "x" * 129, "14 Tallow Yard"])
def test_a_record_id_that_could_hold_words_is_refused(vault: Vault, record_id: str) -> None:
    with pytest.raises(ValueError, match="record id"):
        vault.seal("markers", record_id, 1, b"")


@pytest.mark.parametrize("name", ["", "Markers", "a|b", ".ledger", "a b", "x" * 65])
def test_odd_names_of_collections_and_areas_are_refused(ring: KeyRing, vault: Vault, name: str) -> None:
    with pytest.raises(ValueError, match="collection"):
        vault.seal(name, "a", 1, b"")
    with pytest.raises(ValueError, match="area"):
        Vault(ring, name)


def test_a_new_key_seals_from_now_on_and_old_records_still_open(tmp_path: Path) -> None:
    ring = KeyRing.create(tmp_path)
    before = Vault(ring, "area").seal(*RECORD, b"old")
    token = Vault(ring, "area").token("premises", "flat 3")
    prepared = ring.prepare(tmp_path)
    assert (prepared.current, len(prepared.sealing)) == (ring.current, 2), "first known everywhere, then used"
    rotated = prepared.promote(tmp_path, prepared.newest)
    assert rotated == KeyRing.load(tmp_path)
    vault = Vault(rotated, "area")
    assert vault.open(*RECORD, before) == b"old"
    assert vault.token("premises", "flat 3") == token
    after = vault.seal(*RECORD, b"new")
    assert vault.open(*RECORD, after) == b"new"
    with pytest.raises(VaultError, match="not in this key ring"):
        Vault(ring, "area").open(*RECORD, after)


def test_tokens_are_stable_and_differ_by_kind_area_and_ring(ring: KeyRing, vault: Vault, tmp_path: Path) -> None:
    token = vault.token("premises", "flat 3, 14 tallow yard")
    assert len(token) == 64
    assert token == Vault(ring, "quillmarket").token("premises", "flat 3, 14 tallow yard")
    others = {
        vault.token("phone", "flat 3, 14 tallow yard"),
        vault.token("premises", "flat 3, 15 tallow yard"),
        Vault(ring, "elsewhere").token("premises", "flat 3, 14 tallow yard"),
        Vault(KeyRing.create(tmp_path), "quillmarket").token("premises", "flat 3, 14 tallow yard"),
    }
    assert len(others | {token}) == 5


def test_any_text_has_a_token(vault: Vault) -> None:
    assert len({vault.token("premises", text) for text in ("", "\ud800", "\0", "🔔", "x" * 100_000)}) == 5


def test_a_ring_survives_the_disk_and_lies_private(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    ring = KeyRing.create(folder)
    assert KeyRing.load(folder) == ring
    assert (folder / "ring.json").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert os.listdir(folder) == ["ring.json"]


def test_a_ring_is_never_overwritten(tmp_path: Path) -> None:
    ring = KeyRing.create(tmp_path)
    with pytest.raises(VaultError, match="already in"):
        KeyRing.create(tmp_path)
    assert KeyRing.load(tmp_path) == ring


def test_a_missing_ring_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="missing"):
        KeyRing.load(tmp_path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o644])
def test_a_ring_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    KeyRing.create(tmp_path)
    (tmp_path / "ring.json").chmod(mode)
    with pytest.raises(VaultError, match="chmod 600"):
        KeyRing.load(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda plain: plain.update(current="00000000"),
        lambda plain: plain.update(token_root="c2hvcnQ="),
        lambda plain: plain.update(token_root="not base64!"),
        lambda plain: plain.update(sealing={}),
        lambda plain: plain.update(sealing=[]),
        lambda plain: plain.update(sealing={"zz": plain["token_root"]}, current="zz"),
        lambda plain: plain.update(format=2),
        lambda plain: plain.pop("token_root"),
    ],
)
def test_a_damaged_ring_is_refused_in_words(tmp_path: Path, change: object) -> None:
    KeyRing.create(tmp_path)
    path = tmp_path / "ring.json"
    plain = json.loads(path.read_text())
    change(plain)  # type: ignore[operator]  # one of the lambdas above
    path.write_text(json.dumps(plain))
    with pytest.raises(VaultError, match=r"damaged|format 2"):
        KeyRing.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"format": 1}'])
def test_a_ring_that_is_not_one_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    KeyRing.create(tmp_path)
    (tmp_path / "ring.json").write_bytes(content)
    with pytest.raises(VaultError, match="damaged"):
        KeyRing.load(tmp_path)


def test_a_ring_never_shows_its_keys(ring: KeyRing) -> None:
    shown = repr(ring) + str(ring)
    assert not any(repr(secret)[2:-1] in shown for secret in (*ring.sealing.values(), ring.token_root))
    assert "sealing" not in shown


def test_a_vault_learns_a_new_key_when_it_meets_it_and_uses_it_when_told(tmp_path: Path) -> None:
    ring = KeyRing.create(tmp_path)
    running = Vault(ring, "area", tmp_path)
    prepared = ring.prepare(tmp_path)
    new = Vault(prepared.promote(tmp_path, prepared.newest), "area")
    assert running.open(*RECORD, new.seal(*RECORD, b"new")) == b"new"
    assert running.refresh() is False, "nothing to read again"
    assert running.current == new.current
    assert key_of(running.seal(*RECORD, b"x")) == new.current


def test_a_vault_forgets_what_the_ring_forgot(tmp_path: Path) -> None:
    ring = KeyRing.create(tmp_path)
    running = Vault(ring, "area", tmp_path)
    old = running.seal(*RECORD, b"old")
    prepared = ring.prepare(tmp_path)
    promoted = prepared.promote(tmp_path, prepared.newest)
    with pytest.raises(ValueError, match="current"):
        promoted.forget(tmp_path, [promoted.current])
    assert promoted.forget(tmp_path, [ring.current]) == KeyRing.load(tmp_path)
    assert running.refresh()
    assert running.key_ids == {promoted.current}
    with pytest.raises(VaultError, match="not in this key ring"):
        running.open(*RECORD, old)


def test_a_running_vault_keeps_its_keys_when_the_ring_turns_bad_and_says_so_once(tmp_path: Path) -> None:
    running = Vault(KeyRing.create(tmp_path), "area", tmp_path)
    blob = running.seal(*RECORD, b"text")
    assert running.refresh()
    (tmp_path / "ring.json").chmod(0o644)
    with pytest.raises(VaultError, match="chmod 600"):
        running.refresh()
    assert running.refresh() is False
    assert running.open(*RECORD, blob) == b"text"
    (tmp_path / "ring.json").unlink()
    KeyRing.create(tmp_path)
    with pytest.raises(VaultError, match="another installation"):
        running.refresh()
    assert running.open(*RECORD, blob) == b"text"


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o701, 0o770])
def test_a_ring_in_a_folder_others_may_enter_is_refused(tmp_path: Path, mode: int) -> None:
    KeyRing.create(tmp_path / "keys")
    (tmp_path / "keys").chmod(mode)
    with pytest.raises(VaultError, match=f"chmod 700 {tmp_path}/keys"):
        KeyRing.load(tmp_path / "keys")
    (tmp_path / "link").symlink_to(tmp_path / "keys")
    with pytest.raises(VaultError, match="chmod 700"):
        KeyRing.load(tmp_path / "link")


def test_a_ring_behind_a_link_is_refused_wherever_it_leads(tmp_path: Path) -> None:
    KeyRing.create(tmp_path / "elsewhere")
    (tmp_path / "keys").mkdir(mode=0o700)
    (tmp_path / "keys" / "ring.json").symlink_to(tmp_path / "elsewhere" / "ring.json")
    with pytest.raises(VaultError, match=r"symbolic link.*chmod 600"):
        KeyRing.load(tmp_path / "keys")
    (tmp_path / "keys" / "ring.json").unlink()
    os.mkfifo(tmp_path / "keys" / "ring.json", 0o600)
    with pytest.raises(VaultError, match="not a file"):
        KeyRing.load(tmp_path / "keys")
