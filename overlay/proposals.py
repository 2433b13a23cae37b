"""Every proposal the store holds, in memory, following it; decided ones stay until they are purged."""

from __future__ import annotations

from typing import Final

import structlog

from markers.lifecycle import Proposal
from markers.store import Record
from overlay.following import Following

log = structlog.get_logger()

COLLECTION: Final = "proposals"


class NoSuchProposal(Exception):
    """No proposal of that id: never was one, or it was purged after it had been decided."""


class ProposalBook(Following):
    """Proposals as of `position`, with the version of each record."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[str, tuple[Proposal, int]] = {}

    def _clear(self) -> None:
        self._kept.clear()

    def _take(self, record: Record) -> None:
        if record.plain is None:
            self._kept.pop(record.record_id, None)
            return
        try:
            self._kept[record.record_id] = (Proposal.from_plain(record.record_id, record.plain), record.version)
        except (KeyError, TypeError, ValueError) as error:
            # One bad record may stop neither checks nor the desk.
            self._kept.pop(record.record_id, None)
            log.error("proposal_not_read", proposal=record.record_id, kind=type(error).__name__)

    def get(self, proposal_id: str) -> tuple[Proposal, int]:
        """The proposal and the version of its record. Raises NoSuchProposal."""
        with self._lock:
            found = self._kept.get(proposal_id)
        if found is None:
            raise NoSuchProposal
        return found

    def waiting(self) -> tuple[Proposal, ...]:
        """Those nobody has decided, the oldest in front."""
        with self._lock:
            kept = [proposal for proposal, _ in self._kept.values() if proposal.open]
        return tuple(sorted(kept, key=lambda proposal: proposal.at))

    def decided(self) -> tuple[Proposal, ...]:
        """Those that somebody has decided, the newest decision in front."""
        with self._lock:
            kept = [proposal for proposal, _ in self._kept.values()]
        made = [(proposal.decision.at, proposal) for proposal in kept if proposal.decision is not None]
        return tuple(proposal for _, proposal in sorted(made, key=lambda one: one[0], reverse=True))

    def of_marker(self, marker_id: str) -> tuple[tuple[Proposal, int], ...]:
        """Every proposal about one marker, with the versions of their records."""
        with self._lock:
            return tuple(kept for kept in self._kept.values() if kept[0].marker.marker_id == marker_id)
