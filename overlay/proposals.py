"""Every proposal the store holds, in memory, following it; decided ones stay until they are purged."""

from __future__ import annotations

from typing import Final

from markers.lifecycle import Proposal
from overlay.following import Records

COLLECTION: Final = "proposals"


class NoSuchProposal(Exception):
    """No proposal of that id: never was one, or it was purged after it had been decided."""


class ProposalBook(Records[Proposal]):
    """Proposals as of `position`, with the version of each record."""

    def __init__(self) -> None:
        super().__init__(Proposal.from_plain, NoSuchProposal)

    def waiting(self) -> tuple[Proposal, ...]:
        """Those nobody has decided, the oldest in front."""
        kept = [proposal for proposal, _ in self.all() if proposal.open]
        return tuple(sorted(kept, key=lambda proposal: proposal.at))

    def decided(self) -> tuple[Proposal, ...]:
        """Those that somebody has decided, the newest decision in front."""
        made = [(kept.decision.at, kept) for kept, _ in self.all() if kept.decision is not None]
        return tuple(proposal for _, proposal in sorted(made, key=lambda one: one[0], reverse=True))

    def of_marker(self, marker_id: str) -> tuple[tuple[Proposal, int], ...]:
        """Every proposal about one marker, with the versions of their records."""
        return tuple(kept for kept in self.all() if kept[0].marker.marker_id == marker_id)
