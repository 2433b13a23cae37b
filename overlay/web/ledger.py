"""The auditor's page: who looked at what, each entry with its proof. What is searched by travels in the body alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from flask import Blueprint, Response, make_response, render_template, request
from flask.typing import ResponseReturnValue

from markers.anchors import AnchorsFailed
from markers.checkpoints import NotSigned, Statement
from markers.ledger_search import Found
from markers.location import LocationError
from markers.merkle import leaf_hash
from markers.model import LONDON
from markers.store_errors import StoreUnavailable
from overlay import auditing, security
from overlay.plain_text import is_plain_text
from overlay.sealing import SealerState
from overlay.security import requires
from overlay.web.chrome import chrome_for
from overlay.web.ledger_words import row_of, who_of
from overlay.web.times import clock, day
from overlay.web.views import LedgerForm, LedgerPage, ProofState

pages = Blueprint("ledger", __name__)

_ON_A_PAGE = 25
_MOST_EXPORTED = 5_000
_LONGEST = 500


class _Unusable(Exception):
    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


@pages.get("/ledger")
@requires("ledger.search")
def show() -> ResponseReturnValue:
    """The empty form, and how far the ledger is signed and anchored."""
    return _page(_blank(LedgerForm()), 200)


@pages.post("/ledger")
@requires("ledger.search")
def search() -> ResponseReturnValue:
    """What was found, newest first, logged before it is shown; nothing given finds everything."""
    services, actor = security.services(), security.actor()
    form = _form()
    try:
        wanted = auditing.sought(services, _question(form), security.now())
        before = _before(form)
    except _Unusable as error:
        return _page(replace(_blank(form), problem=str(error), field=error.field), 422)
    except LocationError as error:
        return _page(replace(_blank(form), problem=error.reason, field="address"), 422)
    auditing.log_search(services, actor, wanted, security.now(), "ledger_search")
    found = auditing.read_page(services, actor, wanted, before, _ON_A_PAGE)
    try:
        proofs = auditing.proofs(services, found.found)
    except AnchorsFailed:
        proofs = {}
    rows = tuple(
        row_of(services, one, proofs.get(one.sequence), not_shown=one.sequence in found.not_shown)
        for one in found.found
    )
    page = replace(_blank(form), searched=True, rows=rows, own=found.own, older=found.older, newest=before is None)
    return _page(page, 200)


@pages.post("/ledger/export")
@requires("ledger.export")
def export() -> ResponseReturnValue:
    """The same search as JSON lines, each entry with its proof of inclusion in the last checkpoint."""
    services, actor, now = security.services(), security.actor(), security.now()
    form = _form()
    try:
        wanted = auditing.sought(services, _question(form), now)
    except _Unusable as error:
        return _page(replace(_blank(form), problem=str(error), field=error.field), 422)
    except LocationError as error:
        return _page(replace(_blank(form), problem=error.reason, field="address"), 422)
    auditing.log_search(services, actor, wanted, now, "ledger_export")
    every, _ = auditing.find_all(services, wanted, _MOST_EXPORTED + 1)
    found = tuple(one for one in every[:_MOST_EXPORTED] if one.entry.actor_id != actor.actor_id)
    checkpoint, paths = auditing.inclusion_proofs(services, found)
    head = {
        "handling": "OFFICIAL-SENSITIVE",
        "exported_at": now.isoformat(),
        "exported_by": who_of(services, actor.actor_id),
        "entries": len(found),
        "own_entries_left_out": len(every[:_MOST_EXPORTED]) - len(found),
        "more_were_found": len(every) > _MOST_EXPORTED,
        "checkpoint": checkpoint.note if checkpoint is not None else None,
    }
    response = Response(_lines(head, found, paths), mimetype="application/x-ndjson")
    name = f"OFFICIAL-SENSITIVE-ledger-{now.astimezone(LONDON):%Y%m%d-%H%M%S}.jsonl"
    response.headers["Content-Disposition"] = f"attachment; filename={name}"
    return response


def _lines(head: dict[str, object], found: tuple[Found, ...], paths: dict[int, tuple[bytes, ...]]) -> Iterator[str]:
    yield json.dumps(head, ensure_ascii=False) + "\n"
    for one in found:
        raw = one.entry.canonical()
        path = paths.get(one.sequence)
        proof = None if path is None else [base64.b64encode(node).decode() for node in path]
        told = {"sequence": one.sequence, "leaf": leaf_hash(raw).hex(), "inclusion": proof}
        yield f'{json.dumps(told)[:-1]}, "entry": {raw.decode()}}}\n'


def _form() -> LedgerForm:
    return LedgerForm(**{name: request.form.get(name, "").strip() for name in LedgerForm.__slots__})


def _question(form: LedgerForm) -> auditing.Question:
    for name in LedgerForm.__slots__:
        text = getattr(form, name)
        if len(text) > _LONGEST or not is_plain_text(text):
            raise _Unusable(name, f"That is not text of up to {_LONGEST} characters. Nothing was searched.")
    return auditing.Question(
        address=form.address or None,
        postcode=form.postcode or None,
        marker=form.marker or None,
        actor=form.actor or None,
        incident=form.incident or None,
        check=form.check or None,
        since=_moment(form.since, "since"),
        until=_moment(form.until, "until"),
    )


def _moment(text: str, field: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=LONDON) if text else None
    except ValueError:
        raise _Unusable(field, "Write date and time as 2026-11-25T14:00. Nothing was searched.") from None


def _before(form: LedgerForm) -> int | None:
    if not form.before:
        return None
    if not form.before.isascii() or not form.before.isdigit() or len(form.before) > 15:
        raise _Unusable("before", "That page can't be found. Search again.")
    return int(form.before)


def _blank(form: LedgerForm) -> LedgerPage:
    services, actor = security.services(), security.actor()
    return LedgerPage(
        chrome=chrome_for(actor),
        form=form,
        proof=_proof_state(),
        may_export=services.roles.may(actor, "ledger.export"),
    )


def _proof_state() -> ProofState:
    """How far the ledger is signed and anchored, and what hinders it, in words."""
    services, now = security.services(), security.now()
    sealer = SealerState.read(services.settings.data, now)
    trouble = f"{sealer.words.rstrip('.')}." if sealer.kind != "signing" else None
    try:
        end, newest = services.store.ledger_end(), services.store.last_checkpoint()
        signed = Statement.read(newest[1]) if newest is not None else None
        anchored = services.anchors.last()
    except (StoreUnavailable, NotSigned, AnchorsFailed) as error:
        return ProofState((), f"{str(error)[:1].upper()}{str(error)[1:]}.")
    waiting = end - (signed.size if signed is not None else 0)
    lines = (
        f"The ledger holds {end:,} {'entry' if end == 1 else 'entries'}; "
        f"{waiting:,} {'waits' if waiting == 1 else 'wait'} for a checkpoint.",
        _reach("Last signed checkpoint", signed, now),
        _reach("Last anchor, outside the store", anchored, now),
    )
    return ProofState(lines, trouble)


def _reach(what: str, told: Statement | None, now: datetime) -> str:
    if told is None:
        return f"{what}: none yet."
    return f"{what}: {day(told.at, now)} {clock(told.at)}, up to entry {told.size:,}."


def _page(page: LedgerPage, status: int) -> Response:
    return make_response(render_template("pages/ledger.html", page=page), status)
