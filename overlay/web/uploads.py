"""A list somebody sends with a form: read from memory alone, never written to a disk where it would stay."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask, Request, request
from werkzeug.utils import secure_filename

from markers.tables import TableError
from overlay.held_file import held_file


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


def sent_file(field: str) -> tuple[str, bytes]:
    """The name and content of a form's file. Raises TableError when there is none."""
    sent = request.files.get(field)
    if sent is None or not sent.filename:
        raise TableError("No list was chosen. Choose a file: an Excel workbook (.xlsx) or CSV.")
    return secure_filename(sent.filename)[-80:] or "list", sent.read()


@contextmanager
def uploaded(field: str) -> Iterator[Path]:
    """The file of a form's field under its own name, while it is read. Raises TableError when there is none."""
    name, content = sent_file(field)
    with held_file(name, content) as path:
        yield path
