"""One web worker in a process of its own, on a port of its own, so that a test can ask just this one.

`python -m tests.web.one_worker PORT`, with the console's environment; it ends with whoever started it.
"""

from __future__ import annotations

import sys

from werkzeug.serving import WSGIRequestHandler, make_server

from overlay.run import worker_app


class Quiet(WSGIRequestHandler):
    """Tests are quiet."""

    protocol_version = "HTTP/1.1"

    def log(self, *_: object) -> None:
        """Nothing."""


if __name__ == "__main__":
    make_server("127.0.0.1", int(sys.argv[1]), worker_app(), threaded=True, request_handler=Quiet).serve_forever()
