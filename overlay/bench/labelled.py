"""A labelled matching set of our own: Quillmarket with a fifth of its homes marked, and what call takers type.

Every text's class is the generator's own knowledge of which home was meant and which homes are marked, never the
answer of a matcher. Where noise took away what tells the home from another (the flat was dropped, a misspelt street
reads like its neighbour), the text is `vague`.
"""

from __future__ import annotations

import csv
import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from rapidfuzz.distance import OSA

from markers.model import Premises
from overlay import quillmarket
from overlay.bench import council_noise
from overlay.bench.matchset import QUERY_COLUMNS, LabelledQuery, MatchSet
from overlay.bench.noise import ABBREVIATIONS, dirty

MARKED_SHARE = 0.2
UNMARKED_STREETS = 0.25
"""So large a share of streets has no marker at all, so that there are texts of class `none`."""
WANTED = {"exact": 420, "building": 240, "street": 110, "none": 110}
VAGUE_WANTED = 120
COUNCIL_SHARE = 0.15
"""So large a share of texts comes from the council errors, where the home has one."""
MOST_SLIPS = 2
"""A name misspelt by more letters than this is not taken to be recognisable."""


@dataclass(frozen=True, slots=True)
class Home:
    """One row of the gazetteer or marker file, in the columns of that file."""

    unit: str
    bname: str
    num: str
    street: str
    postcode: str
    bid: str
    sid: str
    address_concat: str
    unique_id: str

    @property
    def place_name(self) -> str:
        """The name that must be understood to find it: the block's, or the street's where it has a number."""
        return self.street if self.num else self.bname


@dataclass(frozen=True, slots=True)
class Labelled:
    """`homes` are all premises, `marked` those that carry a marker."""

    homes: tuple[Home, ...]
    marked: tuple[Home, ...]
    queries: tuple[LabelledQuery, ...]

    def match_set(self) -> MatchSet:
        """The same as `read_match_set` reads back from `write`'s files."""
        return MatchSet(_premises(self.homes), _premises(self.marked), self.queries)

    def write(self, folder: Path) -> None:
        """`gazetteer.csv`, `markers.csv` and `queries.csv`, UTF-8."""
        folder.mkdir(parents=True, exist_ok=True)
        columns = tuple(field.name for field in fields(Home))
        _write(folder / "gazetteer.csv", columns, map(astuple, self.homes))
        _write(folder / "markers.csv", columns, map(astuple, self.marked))
        asked = (
            (q.query_id, q.text, q.true_uid, q.true_bid, q.true_sid, q.cls, "+".join(q.tags)) for q in self.queries
        )
        _write(folder / "queries.csv", QUERY_COLUMNS, asked)


def build(seed: int) -> Labelled:
    """The set of a seed. The town is always the same; which homes are marked and what is typed go by the seed."""
    rng = random.Random(seed)  # noqa: S311 - an invented set, not a secret
    town = quillmarket.build()
    homes = tuple(split(home, town.building_of[home.premises_id]) for home in town.homes)
    dwellings = [home for home in homes if home.unique_id in town.dwellings]
    marked = _mark(rng, dwellings)
    truth = _Truth(homes, frozenset(home.unique_id for home in marked))
    councils = council_noise.recorded(homes, seed)
    queries = [*_decidable(rng, dwellings, truth, councils), *_vague(rng, dwellings, truth)]
    rng.shuffle(queries)
    numbered = tuple(
        LabelledQuery(f"q{number}", q.text, q.true_uid, q.true_bid, q.true_sid, q.cls, q.tags)
        for number, q in enumerate(queries)
    )
    return Labelled(homes, tuple(marked), numbered)


def split(home: Premises, building: str) -> Home:
    """An address of Quillmarket in its parts. `building` is "14 Tallow Yard" or "Quarto Tower"."""
    parts = home.address.split(", ")[:-1]
    postcode = home.postcode or ""
    if building[0].isdigit():
        num, street = building.split(" ", 1)
        before = parts[:-1]
        unit, bname = (before[0], ", ".join(before[1:])) if before else ("", "")
        bid = f"{num}|{street}|{postcode}".upper()
    else:
        num, street, bname = "", parts[-1], building
        before = [part.removesuffix(building).strip() for part in parts[:-1]]
        unit, bid = ", ".join(filter(None, before)), building.upper()
    return Home(unit, bname, num, street, postcode, bid, street.upper(), home.address, home.premises_id)


def ident(home: Home) -> str:
    """What tells a home from others of its building: `3`, `C`, `GROUND FLOOR`, "" for a whole house."""
    return re.sub(r"^(?:FLAT|APARTMENT)\s+|\s+FLAT$", "", home.unit.upper())


def alike(one: str, other: str) -> bool:
    """Whether two names of streets or buildings are easily taken for one another: a letter apart, or only the kind."""
    if one == other:
        return False
    mine, theirs = one.lower().split(), other.lower().split()
    return OSA.distance(one.lower(), other.lower()) <= 2 or (len(mine) > 1 and mine[:-1] == theirs[:-1])


class _Truth:
    """What the generator knows: who shares a building or a street with whom, and which of them are marked."""

    def __init__(self, homes: Sequence[Home], marked: frozenset[str]) -> None:
        self.homes = homes
        self.marked = marked
        self.in_building = Counter(home.bid for home in homes)
        self.names = {home.place_name: {h.postcode for h in homes if h.place_name == home.place_name} for home in homes}
        self._marked_bids = {home.bid for home in homes if home.unique_id in marked}
        self._marked_sids = {home.sid for home in homes if home.unique_id in marked}
        self._marked_homes = [home for home in homes if home.unique_id in marked]
        self._marked_idents: dict[str, set[str]] = defaultdict(set)
        for home in self._marked_homes:
            self._marked_idents[home.bid].add(ident(home))

    def cls(self, home: Home) -> str:
        """The class of a text that means this home."""
        if home.unique_id in self.marked:
            return "exact"
        if home.bid in self._marked_bids:
            return "building"
        return "street" if home.sid in self._marked_sids else "none"

    def traps(self, home: Home) -> set[str]:
        """Why an unmarked home might be taken for a marked one."""
        if home.unique_id in self.marked:
            return set()
        found: set[str] = set()
        mine, number = ident(home), re.sub(r"\D", "", home.num.split("-")[0])
        for other in self._marked_homes:
            same_unit = ident(other) == mine
            if other.bid == home.bid and _next_to(mine, ident(other)):
                found.add("next-flat")
            elif other.bid != home.bid and not home.num and not other.num and same_unit and other.sid == home.sid:
                found.add("next-tower")
            if alike(home.place_name, other.place_name) and same_unit and home.num == other.num:
                found.add("alike-name")
            whole = home.num and other.num and "-" not in other.num + home.num
            same_number = re.sub(r"\D", "", other.num) == number
            if whole and same_number and same_unit and other.sid == home.sid and other.bid != home.bid:
                found.add("next-suffix")
        return found

    def told(self, home: Home, text: str) -> bool:
        """Whether the name in a noisy text still tells the home's street or building from every other.

        The postcode decides between two names just as near; written whole as another name's, it contradicts.
        """
        tokens = _tokens(text)
        own = _slips(home.place_name, tokens)
        if own > MOST_SLIPS:
            return False
        squeezed = "".join(tokens)
        right = home.postcode.lower().replace(" ", "") in squeezed
        for name in self._rivals(home):
            rival = _slips(name, tokens)
            codes = self.names[name] - {home.postcode}
            contradicts = any(code.lower().replace(" ", "") in squeezed for code in codes)
            if rival < own or (rival == own and not right) or (contradicts and rival - own <= 2):
                return False
        return True

    def spells_another(self, home: Home, text: str) -> bool:
        """Whether a slip made the name exactly another's: then the text means that other, whoever was meant."""
        tokens = _tokens(text)
        own = _slips(home.place_name, tokens)
        return own > 0 and any(_slips(name, tokens) == 0 for name in self._rivals(home))

    def _rivals(self, home: Home) -> list[str]:
        return [name for name in self.names if alike(name, home.place_name)]


def _tokens(text: str) -> list[str]:
    return re.findall(r"[a-z'0-9]+", text.lower())


def _next_to(one: str, other: str) -> bool:
    if one.isdecimal() and other.isdecimal():
        return abs(int(one) - int(other)) == 1
    return len(one) == len(other) == 1 and one.isalpha() and other.isalpha() and one != other


def _slips(name: str, tokens: Sequence[str]) -> int:
    """How many letters of a name are typed wrong, each word against its nearest word of the text; run together too."""
    words = name.lower().split()
    apart = sum(min((_cost(word, token) for token in tokens), default=len(word)) for word in words)
    joined = min((OSA.distance("".join(words), token) for token in tokens), default=apart)
    return min(apart, joined)


def _cost(word: str, token: str) -> int:
    shortened = (form.rstrip(".") for form in ABBREVIATIONS.get(word, ()))
    distance = OSA.distance(word, token)
    return 0 if token in shortened else distance if distance <= len(word) / 2 else len(word)


def _mark(rng: random.Random, dwellings: Sequence[Home]) -> list[Home]:
    """A fifth of all homes, none in a quarter of the streets; of look-alikes one in two pairs has just one marked."""
    streets = sorted({home.sid for home in dwellings})
    spared = set(rng.sample(streets, round(len(streets) * UNMARKED_STREETS)))
    chosen = {home.unique_id for home in rng.sample(dwellings, round(len(dwellings) * MARKED_SHARE))}
    for one, other in _pairs(dwellings):
        if rng.random() < 0.5:
            keep, leave = (one, other) if rng.random() < 0.5 else (other, one)
            chosen.add(keep.unique_id)
            chosen.discard(leave.unique_id)
            spared.discard(keep.sid)
    return [home for home in dwellings if home.unique_id in chosen and home.sid not in spared]


def _pairs(dwellings: Sequence[Home]) -> list[tuple[Home, Home]]:
    """Homes that are easily taken for one another: 12 and 12A, the same door in look-alike streets or blocks."""
    return [
        (one, other)
        for at, one in enumerate(dwellings)
        for other in dwellings[at + 1 :]
        if ident(one) == ident(other)
        and (
            (one.num == other.num and alike(one.place_name, other.place_name))
            or (one.sid == other.sid and one.num and other.num in (f"{one.num}A", one.num.removesuffix("A")))
        )
        and one.bid != other.bid
    ]


def _decidable(
    rng: random.Random, dwellings: Sequence[Home], truth: _Truth, councils: dict[str, council_noise.Recorded]
) -> list[LabelledQuery]:
    by_class: dict[str, list[Home]] = defaultdict(list)
    for home in dwellings:
        by_class[truth.cls(home)].append(home)
    queries: list[LabelledQuery] = []
    for cls, wanted in WANTED.items():
        pool = by_class[cls]
        trapped = [home for home in pool if truth.traps(home) & {"alike-name", "next-suffix", "next-tower"}]
        rng.shuffle(trapped)
        drawn = trapped[: wanted // 2]
        drawn += rng.choices(pool, k=wanted - len(drawn)) if pool else []
        for home in drawn:
            text, tags, whole = _typed(rng, home, truth, councils.get(home.unique_id))
            told = whole and truth.told(home, text)
            queries.append(_query(home, text, cls if told else "vague", {*tags, *truth.traps(home)}))
    return queries


def _typed(
    rng: random.Random, home: Home, truth: _Truth, council: council_noise.Recorded | None
) -> tuple[str, tuple[str, ...], bool]:
    """A text, its tags, and whether every number of the home is in it. Drawn again while it spells another's name."""
    if council is not None and rng.random() < COUNCIL_SHARE and truth.told(home, council.text):
        return council.text, council.tags, council.whole
    while True:
        text, tags = dirty(rng, home.address_concat, home.postcode)
        if not truth.spells_another(home, text):
            return text, tags, True


def _vague(rng: random.Random, dwellings: Sequence[Home], truth: _Truth) -> list[LabelledQuery]:
    """Texts that leave out what tells homes apart: the flat, the number, or both.

    Not where what is left names one home all the same: a church whose rectory was meant, the flat above the one pub.
    """
    written = {home.address_concat for home in truth.homes}
    named = Counter((home.unit, home.sid) for home in truth.homes)
    in_flats = [
        home
        for home in dwellings
        if home.unit and truth.in_building[home.bid] > 1 and f"{_without_flat(home)}, London" not in written
    ]
    numbered = [home for home in dwellings if home.num]
    common = [home for home in numbered if home.unit and not home.bname and named[home.unit, home.sid] > 1]
    makers: tuple[tuple[str, list[Home], Callable[[Home], str]], ...] = (
        ("noflat", in_flats, _without_flat),
        ("noflat", in_flats, _without_flat),
        ("nonumber", numbered, lambda home: home.street),
        ("nonumber", common, lambda home: f"{home.unit}, {home.street}"),
    )
    queries = []
    for number in range(VAGUE_WANTED):
        tag, pool, write = makers[number % len(makers)]
        home = rng.choice(pool)
        text, tags = dirty(rng, f"{write(home)}, London", home.postcode)
        bid = home.bid if tag == "noflat" else ""
        queries.append(LabelledQuery("", text, "", bid, home.sid, "vague", tuple(sorted({*tags, tag} - {"clean"}))))
    return queries


def _without_flat(home: Home) -> str:
    numbered = f"{home.num} {home.street}" if home.num else home.street
    return ", ".join(filter(None, (home.bname, numbered)))


def _query(home: Home, text: str, cls: str, tags: Iterable[str]) -> LabelledQuery:
    return LabelledQuery("", text, home.unique_id, home.bid, home.sid, cls, tuple(sorted(tags)))


def _premises(homes: Iterable[Home]) -> tuple[Premises, ...]:
    return tuple(Premises(home.unique_id, home.address_concat, home.postcode or None) for home in homes)


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
