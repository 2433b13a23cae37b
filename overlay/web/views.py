"""What a page may use, and nothing else: one frozen value a page.

Every template may also call `csrf_token()` (the hidden field `csrf_token` of each form, or the header
`X-CSRFToken`) and `csp_nonce()` (the `nonce` of each script and style element).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from overlay.lookup import Answer

StoreKind = Literal["current", "last_known", "unavailable"]


@dataclass(frozen=True, slots=True)
class PublicChrome:
    """The top bar before anyone has signed in. `now_local` is Europe/London, `HH:MM:SS`."""

    area_title: str
    force: str
    now_local: str


@dataclass(frozen=True, slots=True)
class Chrome:
    """The top bar of a signed-in page: where, who, and the store's state in words."""

    area_title: str
    force: str
    person: str
    role_title: str
    store_state: StoreKind
    store_words: str
    now_local: str


@dataclass(frozen=True, slots=True)
class SignInPage:
    """`pages/sign_in.html`: posts `username` and `password` to /sign-in. `problem` is one sentence or None."""

    chrome: PublicChrome
    username: str = ""
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class CheckForm:
    """The boxes of the check page as typed; posted to /check under these names."""

    location: str = ""
    incident: str = ""
    incident_type: str = ""
    caller: str = ""


@dataclass(frozen=True, slots=True)
class CheckPage:
    """`pages/check.html` and `fragments/answer.html`.

    Before a check both `answer` and `problem` are None. `problem` says what was wrong with what was
    typed, or why no answer could be given; it is never a `clear`. `field` names the box it is about.
    `may_check` is False for a role that makes no checks: the page then says so and shows no form.
    """

    chrome: Chrome
    form: CheckForm
    incident_types: tuple[tuple[str, str], ...]
    answer: Answer | None = None
    problem: str | None = None
    field: str | None = None
    may_check: bool = True


@dataclass(frozen=True, slots=True)
class ProblemPage:
    """`pages/problem.html`: what happened, what was kept, what to do. `chrome` tells whether anyone is signed in.

    `error_id` is set for an unforeseen fault: the person reads it out, the log has the rest. `sign_in`
    is True where signing in (again) is what to do.
    """

    chrome: Chrome | PublicChrome
    status: int
    title: str
    happened: str
    kept: str
    to_do: str
    error_id: str | None = None
    sign_in: bool = False
