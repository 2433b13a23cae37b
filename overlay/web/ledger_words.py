"""A ledger entry in the words of the auditor's page."""

from __future__ import annotations

from markers.ledger import Basis, Event, Operation, RecordSeen, Via
from markers.ledger_search import Found
from markers.model import LONDON
from overlay.auditing import Proof
from overlay.services import Services
from overlay.web.times import clock
from overlay.web.views import LedgerRow

OPERATIONS: dict[Operation | Event, str] = {
    Operation.COLLECTION: "Recorded",
    Operation.ALTERATION: "Changed",
    Operation.CONSULTATION: "Looked",
    Operation.DISCLOSURE: "Disclosed",
    Operation.COMBINATION: "Compared with another list",
    Operation.ERASURE: "Erased",
    Event.SIGN_IN: "Signed in or out",
    Event.ACCESS: "Changed who may come in",
    Event.BREAK_GLASS: "Broke the glass",
}
_WAYS = {Via.WEB: "console", Via.API: "another program", Via.CLI: "command line", Via.SYSTEM: "the system itself"}
_STATUS = {"hit": "marker found", "clear": "no marker", "could_not_check": "could not check"}


def row_of(services: Services, found: Found, proof: Proof | None, *, not_shown: bool) -> LedgerRow:
    """One line of the page."""
    entry = found.entry
    role = entry.actor_role
    outcome = "not shown: the reply came too late" if not_shown else _STATUS.get(entry.status or "", entry.status or "")
    late = entry.late or entry.store is Basis.LAST_KNOWN
    return LedgerRow(
        sequence=found.sequence,
        at=f"{entry.at.astimezone(LONDON):%d %b %Y %H:%M:%S}",
        who=who_of(services, entry.actor_id),
        role=services.roles.titles.get(role, role),
        way=_WAYS[entry.via],
        did=OPERATIONS[entry.operation],
        reason=(entry.reason or "").replace("_", " "),
        incident=entry.incident,
        check=entry.check_id,
        outcome=outcome,
        records=tuple(_seen(services, seen) for seen in entry.records),
        late="logged late: answered as last known while the store was away" if late else None,
        proof=proof_words(proof),
    )


def who_of(services: Services, actor_id: str) -> str:
    """A username or the name of a service token, as far as it is still known; else the id."""
    names = {account.account_id: account.username for account in services.access.accounts()}
    names |= {token.token_id: token.name for token in services.access.tokens()}
    return names.get(actor_id, actor_id)


def proof_words(proof: Proof | None) -> str:
    """What vouches for an entry."""
    if proof is None:
        return "the anchors can't be read"
    if proof.checkpoint is None:
        return "not covered by a checkpoint yet"
    anchored = "anchored" if proof.anchored else "not anchored yet"
    return f"covered by the checkpoint of {clock(proof.checkpoint)}, {anchored}"


def _seen(services: Services, seen: RecordSeen) -> str:
    marker = services.index.get(seen.record_id)
    name = marker.reference if marker is not None else seen.record_id
    grade = f", {seen.grade.replace('_', ' ')}" if seen.grade else ""
    fields = f": {', '.join(seen.fields).replace('_', ' ')}" if seen.fields else ""
    return f"{name}{grade}{fields}"
