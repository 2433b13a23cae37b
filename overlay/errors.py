"""What went wrong, in words: one table from errors to what a program (RFC 9457) or a person is told.

No problem ever reads as `clear`, and none repeats what was sent.
"""

from __future__ import annotations

import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog
from flask import Flask, Response, jsonify, make_response, request
from werkzeug.exceptions import HTTPException

from checklists.answers import AnswerRefused
from markers.anchors import AnchorsFailed
from markers.location import LocationError
from markers.store_errors import StoreUnavailable, VersionConflict
from overlay.auditing import ProofFailed
from overlay.feed import TooManyStreams
from overlay.feedback import NoSuchFeedback
from overlay.glass import GlassRefused, NoSuchGlass
from overlay.identity import AccessBusy, IdentityError, Refused, SignInBusy, SignInRefused, SlowDown, StartAgain
from overlay.incidents.book import NoSuchIncident
from overlay.list_plans import NoSuchList
from overlay.lookup import NotAllowedAnyMore, NothingDisclosed
from overlay.proposals import NoSuchProposal
from overlay.room.answering import AnswerMoved
from overlay.room.briefing import BriefMoved
from overlay.room.change import IncidentClosed, RoomBusy, RoomRefused
from overlay.room.opening import AlreadyOpen, NotKept
from overlay.saved_views import NoSuchView
from overlay.security import CrossSite, Forbidden, Locked, SignInFirst, is_api
from overlay.shedding import Overloaded
from overlay.viewing import NoSuchMarker

log = structlog.get_logger()

UNCHANGED = "Nothing was changed."
NOT_CHECKED = "No check was made: treat any location you asked about as unknown."
_CHECKS = ("/api/v1/checks", "/api/v1/incidents")


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field: where (dotted) and why, never what it held."""

    field: str
    reason: str


class BodyRefused(Exception):
    """The body of a request can't be used. `malformed` means it is not JSON at all."""

    def __init__(self, errors: tuple[FieldError, ...], *, malformed: bool) -> None:
        super().__init__("; ".join(error.reason for error in errors))
        self.errors = errors
        self.malformed = malformed


@dataclass(frozen=True, slots=True)
class Problem:
    """One refusal: `kind` names it for programs; the rest is what happened, what was kept, what to do."""

    status: int
    kind: str
    title: str
    happened: str
    to_do: str
    kept: str = UNCHANGED
    errors: tuple[FieldError, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    error_id: str | None = None
    sign_in: bool = False

    def words(self) -> str:
        """All of it as one text."""
        return " ".join(part for part in (self.happened, self.kept, self.to_do) if part)


def _location(error: LocationError) -> Problem:
    place = {"phone": "caller_number", "location": "location"}.get(error.field, f"location.{error.field}")
    return Problem(
        422, "location", "That location can't be read", error.reason, "Correct it and check again.", NOT_CHECKED,
        (FieldError(place, error.reason),),
    )  # fmt: skip


def _body(error: BodyRefused) -> Problem:
    if error.malformed:
        return Problem(
            400, "not-json", "The request is not JSON", f"The body can't be read. {error.errors[0].reason}",
            "Send one JSON object in UTF-8.", errors=error.errors,
        )  # fmt: skip
    return Problem(
        422, "fields", "Some fields can't be used", f"{len(error.errors)} of the fields sent can't be used.",
        "Correct the fields listed and send it again.", errors=error.errors,
    )  # fmt: skip


def _sign_in_first(_: Exception) -> Problem:
    if is_api(request):
        return Problem(
            401, "sign-in", "Not signed in", "No bearer token that is known and still valid came with this request.",
            "Send 'Authorization: Bearer wmo_...' with a token from 'overlay tokens create'.",
            headers={"WWW-Authenticate": 'Bearer realm="overlay"'},
        )  # fmt: skip
    return Problem(
        401, "sign-in", "You are not signed in",
        "You have not signed in, or your session has ended: it lasts one shift, and ends when your account changes.",
        "Sign in again.", NOT_CHECKED, sign_in=True,
    )  # fmt: skip


def _locked(_: Locked) -> Problem:
    return Problem(
        423, "locked", "This screen is locked",
        "Nobody has used it for a while, or it was locked by its person. What was on it is not shown meanwhile.",
        "Unlock it with your password and do this again.", NOT_CHECKED,
    )  # fmt: skip


def _forbidden(error: Forbidden) -> Problem:
    return Problem(
        403, "not-allowed", "Your role can't do this",
        f"The role {error.role_title} does not hold the permission '{error.permission}'.",
        "If your work needs it, ask whoever looks after accounts.",
    )  # fmt: skip


def _cross_site(_: CrossSite) -> Problem:
    return Problem(
        403, "cross-site", "That form was not from this page, or it is too old",
        "The form came without this site's own mark, or the page it was on is from an earlier sign-in.",
        "Go back, load the page again and send it once more.",
    )  # fmt: skip


def _not_logged(error: NothingDisclosed) -> Problem:
    return Problem(
        503, "not-logged", "Could not check: treat as unknown",
        str(error) or "The look could not be logged, so nothing may be shown.",
        "Check again in a moment; until then treat the location as unknown.", "Nothing was shown.",
        headers={"Retry-After": "5"},
    )  # fmt: skip


def _no_store(_: StoreUnavailable) -> Problem:
    return Problem(
        503, "store", "The store is not answering", "The store of markers and accounts is not answering.",
        "Try again in a moment. Whoever is signed in can go on checking; answers say that they are last known.",
        "It is not certain whether the last change was kept: look before doing it again.",
        headers={"Retry-After": "5"},
    )  # fmt: skip


def _conflict(_: VersionConflict) -> Problem:
    return Problem(
        409, "conflict", "Somebody else changed this first", "This was changed since you loaded it.",
        "Load it again and repeat your change.",
    )  # fmt: skip


def _not_proved(error: Exception) -> Problem:
    return Problem(
        503, "not-proved", "The ledger could not be proved", str(error),
        "Export the whole ledger and verify it: 'overlay ledger export', then 'verify'.", "Nothing was shown.",
    )  # fmt: skip


def _slow_down(error: SlowDown) -> Problem:
    return Problem(
        429, "slow-down", "Wait a moment", str(error), "", headers={"Retry-After": str(error.wait_s)}
    )  # fmt: skip


def _busy(error: Exception) -> Problem:
    return Problem(503, "busy", "Busy", str(error), "", "", headers={"Retry-After": "5"})


def _gone(_: Exception) -> Problem:
    return Problem(
        404, "not-found", "That is not here", "It was never here, or it has been removed since.",
        "Go back and open it from the page that lists it.",
    )  # fmt: skip


def _room(error: RoomRefused) -> Problem:
    conflict = isinstance(error, IncidentClosed | AlreadyOpen | BriefMoved)
    return Problem(
        409 if conflict else 422, "room", "That can't be done", error.reason, "Put it right and send it again.",
        errors=(FieldError(error.field, error.reason),),
    )  # fmt: skip


def _answer(error: AnswerRefused) -> Problem:
    return Problem(
        422, "answer", "That answer can't be taken", error.reason, "Put it right and send it again.",
        "Nothing was recorded.", (FieldError(error.field, error.reason),),
    )  # fmt: skip


def _not_kept(error: NotKept) -> Problem:
    return Problem(
        503, "not-recorded", "The incident was not recorded", str(error), "Work on paper until the store answers.",
        NOT_CHECKED, headers={"Retry-After": "5"},
    )  # fmt: skip


TABLE: tuple[tuple[type[Exception], Callable[[Any], Problem]], ...] = (
    (LocationError, _location),
    (BodyRefused, _body),
    (SignInFirst, _sign_in_first),
    (NotAllowedAnyMore, _sign_in_first),
    (Locked, _locked),
    (Forbidden, _forbidden),
    (CrossSite, _cross_site),
    (NothingDisclosed, _not_logged),
    (ProofFailed, _not_proved),
    (AnchorsFailed, _not_proved),
    (SlowDown, _slow_down),
    (SignInRefused, lambda error: Problem(401, "sign-in", "Not signed in", str(error), "", "", sign_in=True)),
    (StartAgain, lambda error: Problem(401, "sign-in", "Sign in again", str(error), "", "", sign_in=True)),
    (TooManyStreams, _busy),
    (Overloaded, _busy),
    (SignInBusy, _busy),
    (AccessBusy, _busy),
    (Refused, lambda error: Problem(422, "fields", "That can't be used", str(error), "", "")),
    (GlassRefused, lambda error: Problem(409, "refused", "That can't be done", error.reason, "Load the page again.")),
    (NoSuchGlass, _gone),
    (NoSuchMarker, _gone),
    (NoSuchProposal, _gone),
    (NoSuchList, _gone),
    (NoSuchView, _gone),
    (NoSuchFeedback, _gone),
    (NoSuchIncident, _gone),
    (RoomRefused, _room),
    (AnswerRefused, _answer),
    (AnswerMoved, lambda error: Problem(409, "answer-moved", "Somebody else answered first", str(error), "", "")),
    (NotKept, _not_kept),
    (RoomBusy, lambda _: _busy(RoomBusy("Others are changing this incident just now. Send it again."))),
    (IdentityError, lambda error: Problem(409, "accounts", "That was not done", str(error), "", "")),
    (VersionConflict, _conflict),
    (StoreUnavailable, _no_store),
)

_BY_STATUS = {
    400: ("bad-request", "The request can't be read", "The request is not one this service can read.",
          "Check how it was written and send it again."),
    404: ("not-found", "There is no such page", "Nothing is kept at this address.",
          "Check the address, or start again from the first page."),
    405: ("method", "That can't be done here", "This address takes another kind of request.",
          "Start again from the first page, or see the interface's description."),
    413: ("too-large", "Too much was sent at once", "More was sent than a request may hold (64 KiB).",
          "Send less. A check needs the location alone, not the whole message."),
    415: ("content-type", "The content type is not JSON", "This interface reads JSON only.",
          "Send the header 'Content-Type: application/json'."),
    429: ("too-often", "Asked too often", "More was asked in a minute than one caller may.",
          "Wait a minute. Checks go on: they are never refused for being asked too often."),
}  # fmt: skip


def problem_of(error: Exception) -> Problem:
    """The problem an error is told as. What is not in the table is a fault: logged without content, told with an id."""
    for kind, tell in TABLE:
        if isinstance(error, kind):
            problem: Problem = tell(error)
            return problem
    if isinstance(error, HTTPException) and error.code is not None and error.code < 500:
        slug, title, happened, to_do = _BY_STATUS.get(error.code, _BY_STATUS[400])
        headers = {name: value for name, value in error.get_headers() if name == "Allow"}
        if error.code == 429:
            headers["Retry-After"] = "60"
        return Problem(error.code, slug, title, happened, to_do, headers=headers)
    return fault(error)


def install(app: Flask, as_page: Callable[[Problem], Response]) -> None:
    """Answer every error of the application from the table: `as_page` to people, problem+json to programs."""

    @app.errorhandler(Exception)
    def answer(error: Exception) -> Response:
        if isinstance(error, HTTPException) and (error.code is None or error.code < 400):
            return make_response(error.get_response())  # a redirect of the router's
        problem = problem_of(error)
        response = _as_json(problem) if is_api(request) else as_page(problem)
        response.headers.update(problem.headers)
        return response


def fault(error: Exception) -> Problem:
    """A fault of this program: logged without content under a new id, told with the id alone."""
    error_id = uuid.uuid4().hex[:12]
    # Where, never what: an exception's text may hold an address.
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    log.error("fault", error_id=error_id, kind=type(error).__qualname__, where=where[-6:])
    return Problem(
        500, "fault", "Something went wrong here",
        "This program met a fault it did not expect.",
        f"Try again. If it happens again, give this number to whoever looks after the service: {error_id}.",
        NOT_CHECKED, error_id=error_id,
    )  # fmt: skip


def _as_json(problem: Problem) -> Response:
    content: dict[str, Any] = {
        "type": f"urn:overlay:problem:{problem.kind}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.words(),
    }
    if problem.errors:
        content["errors"] = [{"field": error.field, "reason": error.reason} for error in problem.errors]
    if problem.error_id:
        content["error_id"] = problem.error_id
    if request.path in _CHECKS and request.method == "POST":
        content["check"] = "could_not_check"
    response = jsonify(content)
    response.status_code = problem.status
    response.mimetype = "application/problem+json"
    return response
