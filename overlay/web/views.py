"""What a page may use, and nothing else: one frozen value a page.

Every template may also call `csrf_token()` (the hidden field `csrf_token` of each form, or the header
`X-CSRFToken`) and `csp_nonce()` (the `nonce` of each script and style element).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import date

    from overlay.glass import Glass
    from overlay.incidents.raises import Raised
    from overlay.lookup import Answer
    from overlay.viewing import Day

StoreKind = Literal["current", "last_known", "unproven"]


@dataclass(frozen=True, slots=True)
class PublicChrome:
    """The top bar before anyone has signed in. `now_local` is Europe/London, `HH:MM:SS`."""

    area_title: str
    force: str
    now_local: str


@dataclass(frozen=True, slots=True)
class GlassNotices:
    """How many have broken the glass now, how many reviews wait and are overdue; `at` is the page that says more."""

    at: str
    open_now: int
    to_review: int
    overdue: int


@dataclass(frozen=True, slots=True)
class Chrome:
    """The top bar of a signed-in page: where, who, and the store's state in words.

    `links` are the pages this role may open, title and path; `notices` is set for whoever is told of broken glass.
    `person_id` and `idle_s` are for the lock: whose page this is, as a random id, and after how many seconds without
    a key or the mouse it locks. `live` says that this role is told of changes as they come, from the id `live_from` on.
    `signs_on` says that this person has no password here and unlocks with the single
    sign-on.
    """

    area_title: str
    force: str
    person: str
    role_title: str
    store_state: StoreKind
    store_words: str
    now_local: str
    links: tuple[tuple[str, str], ...] = ()
    notices: GlassNotices | None = None
    person_id: str = ""
    idle_s: int = 0
    signs_on: bool = False
    live: bool = False
    live_from: str = ""


@dataclass(frozen=True, slots=True)
class StoreStatePage:
    """`fragments/store_state.html`: the bar's words on the store."""

    chrome: Chrome


@dataclass(frozen=True, slots=True)
class SignInPage:
    """`pages/sign_in.html`: posts `username` and `password` to /sign-in. `problem` is one sentence or None.

    `provider` is the title of the single sign-on, None where there is none.
    """

    chrome: PublicChrome
    username: str = ""
    problem: str | None = None
    provider: str | None = None


@dataclass(frozen=True, slots=True)
class CodePage:
    """`pages/code.html`: posts `code` to /sign-in/code."""

    chrome: PublicChrome
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class EnrolPage:
    """`pages/enrol.html`: posts `code` to /sign-in/second-factor. `picture` is the QR code as SVG."""

    chrome: PublicChrome
    picture: str
    secret: str
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class RecoveryPage:
    """`pages/recovery_codes.html`: codes that are shown this once."""

    chrome: Chrome
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SignedOnPage:
    """`pages/signed_on.html`: the step between the provider and the first page; `again` for a session that went on."""

    chrome: Chrome
    again: bool


@dataclass(frozen=True, slots=True)
class UnlockPage:
    """`pages/unlock.html`: posts `password` to /unlock, or links to the single sign-on (`signs_on`)."""

    chrome: PublicChrome
    person: str
    signs_on: bool
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session: times in Europe/London, `current` for the one that asks."""

    session_id: str
    began: datetime
    last_used: datetime
    ends: datetime
    current: bool
    locked: bool


@dataclass(frozen=True, slots=True)
class AccountPage:
    """`pages/account.html`: one's own account. `field` names the form a `problem` is about."""

    chrome: Chrome
    username: str
    today: datetime
    sessions: tuple[SessionRow, ...]
    has_factor: bool
    recovery_left: int
    factor_required: bool
    problem: str | None = None
    field: str | None = None


@dataclass(frozen=True, slots=True)
class AccountRow:
    """One account as whoever looks after accounts sees it. `kind` is "local" or "single sign-on"."""

    account_id: str
    username: str
    name: str
    role_title: str
    kind: str
    disabled: bool
    has_factor: bool
    sessions: int


@dataclass(frozen=True, slots=True)
class AccountsPage:
    """`pages/accounts.html`: every account, and the form for a new one. `typed` is what its boxes held."""

    chrome: Chrome
    rows: tuple[AccountRow, ...]
    roles: tuple[tuple[str, str], ...]
    typed: dict[str, str]
    problem: str | None = None
    field: str | None = None


@dataclass(frozen=True, slots=True)
class OneAccountPage:
    """`pages/one_account.html`: what can be done to one account. `own` is True for that of whoever asks."""

    chrome: Chrome
    row: AccountRow
    role: str
    roles: tuple[tuple[str, str], ...]
    own: bool
    problem: str | None = None
    done: str | None = None


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One service token. `scopes` is None for all that its role holds."""

    token_id: str
    short_id: str
    name: str
    role_title: str
    scopes: tuple[str, ...] | None
    created: datetime
    ends: datetime
    last_used: datetime | None
    state: Literal["in force", "revoked", "ended"]


@dataclass(frozen=True, slots=True)
class TokensPage:
    """`pages/tokens.html`: every service token, and the form for a new one. `secret` is shown this once."""

    chrome: Chrome
    today: datetime
    rows: tuple[TokenRow, ...]
    roles: tuple[tuple[str, str], ...]
    scopes: tuple[tuple[str, str], ...]
    typed: dict[str, str]
    chosen: tuple[str, ...] = ()
    problem: str | None = None
    field: str | None = None
    secret: str | None = None


@dataclass(frozen=True, slots=True)
class CheckForm:
    """The boxes of the check page as typed; posted to /check under these names."""

    location: str = ""
    incident: str = ""
    incident_type: str = ""
    caller: str = ""


@dataclass(frozen=True, slots=True)
class GlassForm:
    """`components/glass.html`, under an answer that withholds detail. `field` names the box that `problem` is about.

    `signs_on` says that this person has no password here and proves themselves with the single sign-on.
    """

    wants_code: bool = False
    signs_on: bool = False
    reason: str = ""
    problem: str | None = None
    field: str | None = None
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class CheckPage:
    """`pages/check.html` and `fragments/answer.html`.

    Before a check both `answer` and `problem` are None. `problem` says what was wrong with what was
    typed, or why no answer could be given; it is never a `clear`. `field` names the box it is about.
    `may_check` is False for a role that makes no checks: the page then says so and shows no form. `glass` is set when
    this role could break the glass for what the answer withholds. `not_opened` is why no incident was opened of this
    check, and the box that is about. `may_tell` is set for whoever may tell a marker's owner what the room knows.
    """

    chrome: Chrome
    form: CheckForm
    incident_types: tuple[tuple[str, str], ...]
    answer: Answer | None = None
    problem: str | None = None
    field: str | None = None
    may_check: bool = True
    glass: GlassForm | None = None
    may_open_markers: bool = False
    may_open_incidents: bool = False
    may_tell: bool = False
    not_opened: tuple[str, str | None] | None = None


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
class GlassReview:
    """One breaking that waits for its review; `looks` made under it, and what was wrong with a review just sent."""

    glass: Glass
    is_open: bool
    overdue: bool
    own: bool
    role_title: str
    looks: int
    problem: str | None
    field: str | None
    finding: str
    note: str


@dataclass(frozen=True, slots=True)
class GlassReviewsPage:
    """`pages/broken_glass.html`. `findings` are code and title."""

    chrome: Chrome
    waiting: tuple[GlassReview, ...]
    reviewed: tuple[Glass, ...]
    findings: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ControlRoomPage:
    """`pages/control_room.html`. `spooled` looks wait to be recorded; `ledger_trouble` is why entries go unsigned.

    `reviews` is with whom how many late reviews of markers are, no number where there are too few to tell; None for a
    role that may not know. `may_list_markers`: it may read which.
    """

    chrome: Chrome
    now: datetime
    raises: tuple[Raised, ...]
    open_now: tuple[Glass, ...]
    overdue: tuple[Glass, ...]
    to_review: int
    spooled: int
    ledger_trouble: str | None
    reviews: tuple[tuple[str, int | None], ...] | None = None
    may_list_markers: bool = False

    @property
    def by_incident(self) -> tuple[tuple[str, tuple[Raised, ...]], ...]:
        """What is raised, an incident at a time, the one that waits longest in front."""
        found: dict[str, list[Raised]] = {}
        for matter in self.raises:
            found.setdefault(matter.incident_id, []).append(matter)
        return tuple((incident_id, tuple(matters)) for incident_id, matters in found.items())


@dataclass(frozen=True, slots=True)
class DisclosuresPage:
    """`pages/disclosures.html`: one day's digest, the days beside it (no tomorrow), and what was wrong with the day."""

    chrome: Chrome
    digest: Day
    before: date
    after: date | None
    problem: str | None = None


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
