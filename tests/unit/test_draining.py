"""A web worker that ends lets nobody in any more, and whoever is in is heard out before its socket is closed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from flask import Flask

from overlay import draining
from overlay.draining import Drain, Inside, is_draining

SOON_S = 10.0


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def drain(listener: socket.socket) -> Drain:
    return Drain(listener.getsockname()[1])


def call(listener: socket.socket, wait_s: float = SOON_S) -> socket.socket:
    return socket.create_connection(listener.getsockname()[:2], timeout=wait_s)


def test_it_knows_who_stands_in_it(listener: socket.socket, drain: Drain) -> None:
    assert drain.inside() == Inside(0, 0, 0)
    with call(listener) as first, call(listener):
        assert drain.inside().queued == 2
        accepted, _ = listener.accept()
        with accepted:
            assert drain.inside() == Inside(queued=1, silent=1, heard=0)
            first.sendall(b"GET")
            assert accepted.recv(3) == b"GET"
            assert drain.inside() == Inside(queued=1, silent=0, heard=1)
        assert drain.inside() == Inside(queued=1, silent=0, heard=0)


def test_another_port_is_another_ones(listener: socket.socket) -> None:
    with call(listener), socket.create_server(("127.0.0.1", 0)) as other:
        assert Drain(other.getsockname()[1]).inside() == Inside(0, 0, 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_shut_it_keeps_new_callers_out_and_hears_who_is_in(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        drain = Drain(listener.getsockname()[1])
        with call(listener) as in_time:
            shutting = threading.Thread(target=drain.drain)
            shutting.start()
            while not drain.draining:
                pass
            with pytest.raises(TimeoutError):
                call(listener, 0.3).close()
            assert shutting.is_alive(), "one who came in time still waits to be let in"
            accepted, _ = listener.accept()
            with accepted:
                in_time.sendall(b"check")
                assert accepted.recv(5) == b"check", "heard, although nobody new is let in"
            shutting.join(SOON_S)
            assert not shutting.is_alive()


def test_closed_after_it_was_shut_a_waiting_caller_is_refused(listener: socket.socket, drain: Drain) -> None:
    drain.drain()
    refused: list[BaseException] = []

    def come_late() -> None:
        try:
            call(listener).close()
        except OSError as error:
            refused.append(error)

    late = threading.Thread(target=come_late)
    late.start()
    late.join(0.2)
    assert late.is_alive()
    assert drain.inside() == Inside(0, 0, 0), "a late caller does not stand in the queue"
    listener.close()
    late.join(SOON_S)
    assert [type(error) for error in refused] == [ConnectionRefusedError]


@pytest.mark.parametrize("said", [b"", b"GET"])
def test_who_stays_and_says_nothing_more_is_not_waited_for_without_end(
    listener: socket.socket, drain: Drain, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    """Each kind of caller has an end of its own, whatever bounds the whole."""
    monkeypatch.setattr(draining, "_LONGEST_S", 3600.0)
    with call(listener) as caller:
        accepted, _ = listener.accept()
        with accepted:
            caller.sendall(said)
            assert accepted.recv(len(said)) == said
            drain.drain()
            assert drain.inside() == Inside(queued=0, silent=int(not said), heard=int(bool(said)))


def test_a_queue_that_nobody_takes_in_is_not_waited_for_without_end(
    listener: socket.socket, drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "_LONGEST_S", 0.5)
    with call(listener):
        drain.drain()
        assert drain.inside().queued == 1


def test_each_answer_says_that_it_is_the_last(listener: socket.socket, drain: Drain) -> None:
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: "answered")
    assert not is_draining(app)
    drain.install(app)
    client = app.test_client()
    assert "Connection" not in client.get("/").headers
    assert not is_draining(app)
    drain.drain()
    assert client.get("/").headers["Connection"] == "close"
    assert is_draining(app)
