"""A list somebody sends with a form: read from memory alone, never written to a disk where it would stay."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask, Request, request
from werkzeug.utils import secure_filename

from markers.tables import TableError


class InMemory(Request):
    """A request whose files stay in memory; how large they may be is the guard's to say (overlay/security.py)."""

    def _get_file_stream(
        self,
        total_content_length: int | None,  # noqa: ARG002 - werkzeug's signature
        content_type: str | None,  # noqa: ARG002
        filename: str | None = None,  # noqa: ARG002
        content_length: int | None = None,  # noqa: ARG002
    ) -> Any:
        return io.BytesIO()


def install(app: Flask) -> None:
    """Keep what is sent out of the machine's temporary folder."""
    app.request_class = InMemory


@contextmanager
def uploaded(field: str) -> Iterator[Path]:
    """The file of a form's field under its own name, while it is read. Raises TableError when there is none."""
    sent = request.files.get(field)
    content = sent.read() if sent is not None else b""
    if sent is None or not sent.filename:
        raise TableError("No list was chosen. Choose a file: an Excel workbook (.xlsx) or CSV.")
    held = os.memfd_create("list")
    try:
        with os.fdopen(os.dup(held), "wb") as file:
            file.write(content)
        with tempfile.TemporaryDirectory(prefix="overlay-list-") as folder:
            path = Path(folder) / (secure_filename(sent.filename)[-80:] or "list")
            path.symlink_to(f"/proc/{os.getpid()}/fd/{held}")
            yield path
    finally:
        os.close(held)
