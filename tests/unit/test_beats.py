"""A worker that sends nothing for too long is ended; one that was never heard, or sends, is left in peace."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from select import select

import pytest

from overlay.beats import ANSWERED_S, BEATS_VARIABLE, LONGEST_TURNS, Beats, beat


@dataclass
class Worker:
    pid: int
    killed: int = 0

    def kill(self) -> None:
        self.killed += 1


@pytest.fixture
def workers() -> list[Worker]:
    return [Worker(11), Worker(12)]


@pytest.fixture
def beats(workers: list[Worker]) -> Iterator[Beats]:
    heard = Beats(lambda: workers)  # type: ignore[arg-type, return-value]
    yield heard
    heard.close()


def send(beats: Beats, word: bytes) -> None:
    os.write(beats.written, word + b"\n")


def test_who_falls_silent_is_ended_once_and_who_goes_on_is_not(beats: Beats, workers: list[Worker]) -> None:
    send(beats, b"11")
    for _ in range(2 * LONGEST_TURNS):
        send(beats, b"12")
        beats.look()
    assert [worker.killed for worker in workers] == [1, 0]


def test_not_before_its_time(beats: Beats, workers: list[Worker]) -> None:
    send(beats, b"11")
    for _ in range(LONGEST_TURNS + 1):
        beats.look()
    assert workers[0].killed == 0
    send(beats, b"11")
    for _ in range(LONGEST_TURNS + 1):
        beats.look()
    assert workers[0].killed == 0
    beats.look()
    assert workers[0].killed == 1


def test_who_still_starts_is_left_in_peace(beats: Beats, workers: list[Worker]) -> None:
    for _ in range(3 * LONGEST_TURNS):
        beats.look()
    assert [worker.killed for worker in workers] == [0, 0]


def test_of_many_none_is_overheard(beats: Beats, workers: list[Worker]) -> None:
    workers[:] = [Worker(pid) for pid in range(1000, 1064)]
    for _ in range(2 * LONGEST_TURNS):
        for worker in workers:
            send(beats, str(worker.pid).encode())
        beats.look()
    assert not any(worker.killed for worker in workers)


def test_a_number_used_anew_is_another_worker(beats: Beats, workers: list[Worker]) -> None:
    send(beats, b"11")
    beats.look()
    gone = workers.pop(0)
    beats.look()
    workers.append(Worker(11))
    for _ in range(2 * LONGEST_TURNS):
        beats.look()
    assert (gone.killed, workers[-1].killed) == (0, 0), "the new one was not heard yet"


def test_a_fork_writes_its_own_number_until_it_ends(beats: Beats, workers: list[Worker]) -> None:
    pid = os.fork()
    if pid == 0:
        beat({BEATS_VARIABLE: str(beats.written)}, lambda: 0.0)
        time.sleep(60)
        os._exit(0)
    try:
        workers.append(Worker(pid))
        until = time.monotonic() + 20
        while pid not in beats._heard:
            assert time.monotonic() < until
            beats.look()
            time.sleep(0.05)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_one_whose_check_waits_for_good_falls_silent_until_it_is_answered(
    beats: Beats, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overlay.beats.EACH_S", 0.01)
    waits = [ANSWERED_S]
    beat({BEATS_VARIABLE: str(beats.written)}, lambda: waits[0])
    assert heard(beats), "it has just as long as it may take"
    waits[0] = ANSWERED_S + 1
    while heard(beats):
        pass
    waits[0] = 0.0
    assert heard(beats)
    waits[0] = ANSWERED_S + 1


def heard(beats: Beats) -> bool:
    """Whether this process wrote within a second, a hundred times the while that lies between."""
    written, _, _ = select([beats._read], [], [], 1)
    return bool(written) and bool(os.read(beats._read, 65536))


def test_without_a_listener_nothing_is_sent() -> None:
    beat({}, lambda: 0.0)
