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
    """The top bar of a signed-in page: where, who, and the store's state in words; `links` are title and address."""

    area_title: str
    force: str
    person: str
    role_title: str
    store_state: StoreKind
    store_words: str
    now_local: str
    links: tuple[tuple[str, str], ...] = ()


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


@dataclass(frozen=True, slots=True)
class LedgerForm:
    """The boxes of the auditor's search as typed, under the names posted to /ledger; `before` is an entry's number."""

    address: str = ""
    postcode: str = ""
    marker: str = ""
    actor: str = ""
    incident: str = ""
    check: str = ""
    since: str = ""
    until: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True)
class ProofState:
    """How far the ledger is signed and anchored, a line each; `trouble` is one sentence or None."""

    lines: tuple[str, ...]
    trouble: str | None


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One entry in words. `late` and `outcome` say so where the look was answered from an old copy or not shown."""

    sequence: int
    at: str
    who: str
    role: str
    way: str
    did: str
    reason: str
    incident: str | None
    check: str | None
    outcome: str
    records: tuple[str, ...]
    late: str | None
    proof: str


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """`pages/ledger.html`. `own` entries are the reader's and are not in `rows`; `older` is where older ones begin."""

    chrome: Chrome
    form: LedgerForm
    proof: ProofState
    may_export: bool
    searched: bool = False
    newest: bool = True
    rows: tuple[LedgerRow, ...] = ()
    own: int = 0
    older: int | None = None
    problem: str | None = None
    field: str | None = None
