"""What the pages of the public protection desk may use, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from overlay.web.marker_form import Wrong

if TYPE_CHECKING:
    from markers.model import Category, Marker
    from overlay.disclosure import Shown
    from overlay.feedback import Feedback
    from overlay.listing import Search
    from overlay.saved_views import SavedView
    from overlay.upkeep.desk import DeskView, ListView, ProposalView
    from overlay.upkeep.history import Page
    from overlay.upkeep.looking_back import LookingBack
    from overlay.viewing import MarkerView
    from overlay.web.marker_form import Typed
    from overlay.web.views import Chrome


@dataclass(frozen=True, slots=True)
class DeskPage:
    """`pages/desk.html`. `titles` are the categories by code; `may_add`, `may_decide` what this role does."""

    chrome: Chrome
    now: datetime
    view: DeskView
    titles: dict[str, str]
    may_propose: bool
    may_decide: bool
    due_working_days: int
    lists_waiting: int
    glass_to_review: int
    glass_at: str
    yesterday: date
    done: str | None


@dataclass(frozen=True, slots=True)
class MarkersPage:
    """`pages/markers.html`: one page of a list; `states` and `categories` are code and title."""

    chrome: Chrome
    now: datetime
    view: ListView
    titles: dict[str, str]
    states: tuple[tuple[str, str], ...]
    orders: tuple[tuple[str, str], ...]
    may_propose: bool
    may_export: bool
    saved: tuple[SavedView, ...] = ()
    wrong: Wrong | None = None

    @property
    def order_words(self) -> str:
        return dict(self.orders)[self.view.search.order].lower()


@dataclass(frozen=True, slots=True)
class MapPage:
    """`pages/marker_map.html`. `single`: markers are shown one by one where few are in view, not in figures alone."""

    chrome: Chrome
    search: Search
    titles: dict[str, str]
    states: tuple[tuple[str, str], ...]
    extent: tuple[tuple[str, float], ...]
    single: bool


@dataclass(frozen=True, slots=True)
class ChooseCategoryPage:
    """`pages/marker_kind.html`: which kind of marker is to be added. `provisional` adds it at once; `added` is
    set once one was."""

    chrome: Chrome
    at: str
    categories: tuple[Category, ...]
    provisional: bool
    added: str | None


@dataclass(frozen=True, slots=True)
class MarkerFormPage:
    """`pages/marker_form.html`. `at` is where it is sent; `standing` what is amended, None for a new marker.

    `provisional_hours` is set where it warns at once, `extent` is the map's.
    `doubled` is where to find what has its place already.
    """

    chrome: Chrome
    at: str
    typed: Typed
    standing: Marker | None
    provisional_hours: int | None
    extent: tuple[tuple[str, float], ...]
    doubled: str | None = None

    @property
    def wrong(self) -> tuple[Wrong, ...]:
        return self.typed.wrong


@dataclass(frozen=True, slots=True)
class PreviewPage:
    """`fragments/marker_preview.html`: what each role would see of a form's marker, or how much it still lacks."""

    marker: Marker | None
    rows: tuple[tuple[str, Shown], ...]
    lacking: int


@dataclass(frozen=True, slots=True)
class ProposalPage:
    """`pages/proposal.html`. `own` is this person's; `may_decide` what this role may do.

    `asks_if_told`: whoever approves has to choose one of `told`; `chosen` is what was.
    """

    chrome: Chrome
    now: datetime
    view: ProposalView
    titles: dict[str, str]
    own: bool
    may_decide: bool
    may_open_incidents: bool
    back: LookingBack
    asks_if_told: bool = False
    told: tuple[tuple[str, str], ...] = ()
    wrong: tuple[Wrong, ...] = ()
    why: str = ""
    chosen: str = ""


@dataclass(frozen=True, slots=True)
class MarkerPage:
    """`pages/marker.html`.

    `history` is None where it could not be read; `waiting` is a proposal that waits for somebody; `acts` are what this
    person may do to it now; `lacks` names what its category asks for and it does not say.
    """

    chrome: Chrome
    now: datetime
    view: MarkerView
    version: int
    history: tuple[Page, ...] | None
    waiting: str | None
    acts: frozenset[str]
    lacks: tuple[str, ...]
    tell_subject: bool
    ending_reasons: tuple[tuple[str, str], ...]
    told: tuple[tuple[str, str], ...]
    wrong: tuple[Wrong, ...]
    typed: dict[str, str]
    done: str | None
    feedback: tuple[Feedback, ...]
    may_open_incidents: bool
    back: LookingBack | None

    @property
    def reported(self) -> int:
        """How often it was said to be wrong or moved."""
        return sum(said.kind != "still_right" for said in self.feedback)
