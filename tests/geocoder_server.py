"""A little geocoder on a real socket that answers as Nominatim or Photon do, or as no geocoder should."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


def nominatim(longitude: float, latitude: float) -> bytes:
    """What `/search?format=json` of Nominatim gives for one place."""
    place = {"place_id": 1, "lat": f"{latitude:.7f}", "lon": f"{longitude:.7f}", "display_name": "1 Far Row, Elsewhere"}
    return json.dumps([place]).encode()


def photon(longitude: float, latitude: float) -> bytes:
    """What `/api` of Photon gives for one place: GeoJSON."""
    feature = {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [longitude, latitude]},
        "properties": {"name": "Far Row", "housenumber": "1", "country": "United Kingdom"},
    }
    return json.dumps({"type": "FeatureCollection", "features": [feature]}).encode()


@dataclass
class GeocoderServer:
    """What it answers next, and what it was asked. `drip_s` is the pause after each byte of the answer."""

    domain: str = ""
    body: bytes = b"[]"
    status: int = 200
    location: str | None = None
    wait_s: float = 0.0
    drip_s: float = 0.0
    asked: list[str] = field(default_factory=list)


@contextmanager
def geocoder_server() -> Iterator[GeocoderServer]:
    """One on a free port of this machine."""
    told = GeocoderServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append(parse_qs(urlsplit(self.path).query).get("q", [self.path])[0])
            time.sleep(told.wait_s)
            try:
                self.send_response(told.status)
                if told.location is not None:
                    self.send_header("Location", told.location)
                self.send_header("Content-Length", str(len(told.body)))
                self.end_headers()
                for start in range(0, len(told.body), 1 if told.drip_s else 65_536):
                    self.wfile.write(told.body[start : start + (1 if told.drip_s else 65_536)])
                    time.sleep(told.drip_s)
            except OSError:
                self.close_connection = True  # whoever asked has gone

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told.domain = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()


def nobody_there() -> str:
    """A domain where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"
