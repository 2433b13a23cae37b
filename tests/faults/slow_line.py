"""A line to a store on which everything takes its time: what is sent back arrives, whole and in order, but late."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress


class SlowLine(threading.Thread):
    """Listens on a free port of 127.0.0.1 and passes everything on to `target`; replies take `late_s` seconds more."""

    def __init__(self, target: int) -> None:
        super().__init__(daemon=True)
        self.late_s = 0.0
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.start_server(self._carry, sock=self._listening))
        self._loop.run_forever()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self.join()
        self._listening.close()

    async def _carry(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        try:
            far_in, far_out = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            near_out.close()
            return
        await asyncio.gather(self._pass_on(near_in, far_out, slow=False), self._pass_on(far_in, near_out, slow=True))

    async def _pass_on(self, begin: asyncio.StreamReader, end: asyncio.StreamWriter, *, slow: bool) -> None:
        with suppress(OSError):
            while data := await begin.read(65536):
                if slow and self.late_s:
                    await asyncio.sleep(self.late_s)
                end.write(data)
                await end.drain()
        end.close()
