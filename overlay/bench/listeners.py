"""Many connected screens in one process, as `overlay bench live` starts it: `python -m overlay.bench.listeners`.

Standard input is one JSON object: address, tokens (one a screen, in turn) and how many screens. It prints `connected`
when every screen has heard its first event, then, once standard input ends, one JSON object: for each screen the
moment (monotonic, of the whole machine) at which each id came, and each position of the markers, and how many were cut
off or told to load again.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Heard:
    """What came to all screens: of each id, and of each position of the markers, the moments."""

    arrivals: dict[str, list[float]] = field(default_factory=dict)
    markers: dict[int, list[float]] = field(default_factory=dict)
    lost: int = 0
    reloads: int = 0
    connected: int = 0


async def listen(host: str, port: int, token: str, heard: Heard) -> None:
    """One screen, until it is cut off."""
    reader, writer = await asyncio.open_connection(host, port)
    ask = f"GET /api/v1/events HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\n\r\n"
    writer.write(ask.encode())
    status = await reader.readline()
    if b" 200 " not in status:
        raise RuntimeError(f"a screen was refused: {status!r}")
    markers = -1
    while line := await reader.readline():
        now = time.monotonic()
        if line.startswith(b"id: "):
            told = int(line.split(b"-")[1])
            if markers < 0:
                heard.connected, markers = heard.connected + 1, told
            for position in range(markers + 1, told + 1):
                heard.markers.setdefault(position, []).append(now)
            markers = max(markers, told)
        if line.startswith(b"event: reload"):
            heard.reloads += 1
        elif b'"ids"' in line:
            for incident_id in json.loads(line.removeprefix(b"data: "))["ids"]:
                heard.arrivals.setdefault(incident_id, []).append(now)
    heard.lost += 1


async def main() -> None:
    asked = json.loads(sys.stdin.readline())
    heard = Heard()
    screens = [
        asyncio.create_task(listen(asked["host"], asked["port"], asked["tokens"][n % len(asked["tokens"])], heard))
        for n in range(asked["screens"])
    ]
    while heard.connected < len(screens):
        for screen in screens:
            if screen.done():
                await screen  # refused: say why
        await asyncio.sleep(0.05)
    print("connected", flush=True)  # noqa: T201 - its answer to who started it
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    lost = heard.lost
    for screen in screens:
        screen.cancel()
    await asyncio.gather(*screens, return_exceptions=True)
    told = {"arrivals": heard.arrivals, "markers": heard.markers, "lost": lost, "reloads": heard.reloads}
    print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
