"""The collections every process of the console keeps a copy of, and the sealer's process a snapshot on disk."""

from __future__ import annotations

from typing import Final

COPIED: Final = (
    "markers", "access", "break_glass", "presence", "incidents", "wordings", "proposals", "feedback", "lists",
    "saved_views",
)  # fmt: skip
