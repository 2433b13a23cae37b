"""The proof of life: what counts as one, and what every process reads of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from overlay.proof import PROOF_ADDRESS, PROOF_NEIGHBOUR, PROOF_REFERENCE, Proof, ProofFolder
from overlay.proving import Failed, prove, prove_each

OURS = {"grade": "premises", "reference": PROOF_REFERENCE}


class Answers:
    """A console that answers the marked home and the flat beside it as told."""

    def __init__(self, home: dict[str, Any] | None = None, beside: dict[str, Any] | None = None, status: int = 200):
        right = {"status": "hit", "store": "current", "matches": [OURS]}
        other = {"grade": "building", "reference": None}
        clear = {"status": "could_not_check", "store": "current", "matches": [other]}
        self.told = {PROOF_ADDRESS: {**right, **(home or {})}, PROOF_NEIGHBOUR: {**clear, **(beside or {})}}
        self.status = status
        self.asked: list[str] = []

    def __call__(self, address: str) -> tuple[int, dict[str, Any]]:
        self.asked.append(address)
        return self.status, self.told[address]


def test_the_marked_home_is_asked_about_and_the_flat_beside_it():
    answers = Answers()
    prove(answers)
    assert answers.asked == [PROOF_ADDRESS, PROOF_NEIGHBOUR]


def test_a_marker_whose_reference_is_withheld_from_services_counts():
    prove(Answers({"matches": [{"grade": "premises", "reference": None}]}))


@pytest.mark.parametrize(
    ("home", "words"),
    [
        ({"status": "clear", "matches": []}, "answered “no marker”"),
        ({"status": "could_not_check"}, "answered “could not check”"),
        ({"status": "perhaps"}, "no known word"),
        ({"matches": []}, "was not found at it"),
        ({"matches": [{"grade": "building", "reference": PROOF_REFERENCE}]}, "was not found at it"),
        ({"matches": [{"grade": "premises", "reference": "QM-0001"}]}, "was not found at it"),
        ({"matches": "none"}, "was not found at it"),
        ({"matches": None}, "was not found at it"),
    ],
)
def test_a_wrong_answer_is_told_from_none(home, words):
    with pytest.raises(Failed, match=words) as failed:
        prove(Answers(home))
    assert failed.value.kind == "wrong"


def test_the_flat_beside_it_taken_for_it_is_wrong():
    with pytest.raises(Failed, match="taken for it") as failed:
        prove(Answers(beside={"status": "hit", "matches": [OURS]}))
    assert failed.value.kind == "wrong"


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (Answers(status=500), "answered with 500"),
        (Answers(status=401), "token was refused"),
        (Answers(status=403), "token was refused"),
        (Answers({"store": "last_known", "status": "could_not_check"}), "without the store"),
    ],
)
def test_no_answer_is_a_failure_but_no_wrong_one(answers, words):
    with pytest.raises(Failed, match=words) as failed:
        prove(answers)
    assert failed.value.kind == "failed"


class Workers:
    """A console of several web workers; chance, here the order given, decides which gets a connection."""

    def __init__(self, order: str, **answers: Answers) -> None:
        self.turn, self.answers = iter(order), answers
        self.calls = 0

    @contextmanager
    def __call__(self) -> Iterator[Worker]:
        self.calls += 1
        name = next(self.turn)
        yield Worker(name, self.answers.get(name, Answers()))


@dataclass
class Worker:
    name: str
    answers: Answers

    def worker(self) -> str:
        return self.name

    def __call__(self, address: str) -> tuple[int, dict[str, Any]]:
        return self.answers(address)


def test_every_web_worker_is_proved_once_however_often_chance_gives_the_same():
    told = {name: Answers() for name in "abc"}
    workers = Workers("aabaacx", **told)
    prove_each(workers, 3)
    assert workers.calls == 6
    assert [answers.asked for answers in told.values()] == [[PROOF_ADDRESS, PROOF_NEIGHBOUR]] * 3


def test_one_worker_that_answers_wrongly_is_not_outweighed_by_those_that_are_right():
    with pytest.raises(Failed, match="no marker") as failed:
        prove_each(Workers("aab", b=Answers({"status": "clear", "matches": []})), 2)
    assert failed.value.kind == "wrong"


def test_a_worker_that_nobody_reaches_is_missed():
    with pytest.raises(Failed, match="of 2 web workers only 1 could be reached") as failed:
        prove_each(Workers("a" * 32), 2)
    assert failed.value.kind == "failed"


NOW = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)


def written_at(folder: ProofFolder, at: datetime) -> None:
    os.utime(folder.folder / "state.json", (at.timestamp(), at.timestamp()))


def test_where_no_prover_runs_nothing_is_held_against_an_answer(tmp_path: Path):
    folder = ProofFolder(tmp_path / "proof", 60)
    assert folder.read(NOW) == Proof("off")
    assert folder.read(NOW).holds


@pytest.mark.parametrize(
    "proof", [Proof("proved"), Proof("starting"), Proof("wrong", "no.", NOW), Proof("failed", "no.", NOW)]
)
def test_every_process_reads_what_the_prover_found(tmp_path: Path, proof: Proof):
    folder = ProofFolder(tmp_path / "proof", 60)
    folder.write(proof)
    written_at(folder, NOW)
    assert ProofFolder(tmp_path / "proof", 60).read(NOW) == proof
    assert folder.read(NOW) == folder.read(NOW) == proof
    assert proof.holds is (proof.kind in ("proved", "starting"))


def test_where_a_prover_is_at_work_no_word_is_no_good_word(tmp_path: Path):
    folder = ProofFolder(tmp_path / "proof", 60)
    folder.expected = True
    assert (folder.read(NOW).kind, folder.read(NOW).words) == ("failed", "what it found can't be read.")
    folder.write(Proof("proved"))
    written_at(folder, NOW)
    assert folder.read(NOW).holds


def test_a_prover_that_hangs_is_noticed_within_90_seconds(tmp_path: Path):
    folder = ProofFolder(tmp_path / "proof", 60)
    folder.write(Proof("proved"))
    written_at(folder, NOW)
    assert folder.read(NOW + timedelta(seconds=84)).holds
    found = folder.read(NOW + timedelta(seconds=86))
    assert (found.kind, found.since) == ("failed", NOW)
    assert found.sentence == "PROOF OF LIFE FAILED 03:00: no check was proved since."
    folder.write(Proof("wrong", "it was missed.", NOW))
    written_at(folder, NOW)
    assert folder.read(NOW + timedelta(hours=1)).kind == "wrong"


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b'{"kind": "well", "words": "", "since": null}', b"\xff"])
def test_a_state_that_cannot_be_read_is_a_failure(tmp_path: Path, raw: bytes):
    folder = ProofFolder(tmp_path / "proof", 60)
    folder.write(Proof("proved"))
    (folder.folder / "state.json").write_bytes(raw)
    found = folder.read(datetime.now(UTC))
    assert found.kind == "failed"
    assert found.sentence == "PROOF OF LIFE FAILED: what it found can't be read."


def test_a_clean_stop_leaves_nothing_behind(tmp_path: Path):
    folder = ProofFolder(tmp_path / "proof", 60)
    folder.write(Proof("wrong", "no.", NOW))
    folder.forget()
    folder.forget()
    assert folder.read(NOW).kind == "off"


def test_what_began_and_never_came_to_a_word_is_missed_and_a_failure_stays_said(tmp_path: Path) -> None:
    folder = ProofFolder(tmp_path / "proof", 60)
    assert folder.begin(datetime.now(UTC)) == Proof("starting")
    assert folder.read(datetime.now(UTC)).kind == "starting"
    assert folder.read(datetime.now(UTC) + timedelta(seconds=90)).kind == "failed"
    wrong = Proof("wrong", "it answered clear.", NOW)
    folder.write(wrong)
    assert folder.begin(datetime.now(UTC)) == wrong
    assert folder.read(datetime.now(UTC)) == wrong


def test_after_a_clock_was_put_back_an_old_word_proves_nothing(tmp_path: Path) -> None:
    folder = ProofFolder(tmp_path / "proof", 60)
    folder.write(Proof("proved"))
    assert folder.read(datetime.now(UTC) - timedelta(seconds=20)).kind == "proved"
    assert folder.read(datetime.now(UTC) - timedelta(hours=1)).kind == "failed"
