"""Where log lines go: one JSON object a line on standard error, so that standard output stays the command's own."""

from __future__ import annotations

import sys
from typing import Any

import structlog


def to_stderr() -> None:
    """Set up structlog for this process; logged are events and figures, never what a marker or a caller says."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=_stderr_logger,
    )


def _stderr_logger(*_: Any) -> structlog.PrintLogger:
    return structlog.PrintLogger(sys.stderr)
