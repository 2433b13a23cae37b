"""What UK call takers do to an address between hearing it and typing it: our own noise, seeded.

Numbers, letters of flats and words such as "ground" or "east" tell homes apart, so they are only ever written another
way (`3` as `three`, `12-14` as `12 to 14`, `14A` as `14 A`), never changed and never dropped. Words of names are
misspelt. Whether a misspelt name still tells its street from another is for the caller, who knows the other streets.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from markers.postcode import normalise_postcode

ABBREVIATIONS = {
    "street": ("st", "str", "st."),
    "road": ("rd", "rd."),
    "lane": ("ln", "la"),
    "avenue": ("ave", "av"),
    "court": ("ct", "crt"),
    "yard": ("yd",),
    "row": ("row",),
    "square": ("sq",),
    "place": ("pl",),
    "passage": ("psge", "pass"),
    "alley": ("aly",),
    "terrace": ("terr", "tce"),
    "close": ("cl",),
    "drive": ("dr",),
    "gardens": ("gdns",),
    "crescent": ("cres",),
    "tower": ("twr",),
    "house": ("hse", "ho"),
    "buildings": ("bldgs",),
    "mansions": ("mans",),
    "chambers": ("chambs",),
    "wharf": ("whf",),
    "flat": ("flt", "fl", "f", "apt", "flat"),
    "apartment": ("apt", "flat", "apmt"),
    "penthouse": ("p/house", "pent house"),
    "floor": ("flr", "fl"),
    "ground": ("gnd", "grd"),
    "basement": ("bsmt", "bsmnt"),
    "first": ("1st",),
    "second": ("2nd",),
    "third": ("3rd",),
    "saint": ("st",),
}
"""Word -> how it is shortened."""

PREFIXES = ("nr ", "loc: ", "o/s ", "outside ", "caller at ", "at ", "address is ", "informant at ")
TRAILERS = (
    "male shouting",
    "2 children inside",
    "caller whispering",
    "female crying",
    "line went dead",
    "neighbour hears screaming",
    "ex partner at door",
    "3 males outside",
    "door kicked in",
    "dog barking",
)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NUMBER_WORDS = _words(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = {
    letter: "".join(row[at] for at in (place - 1, place + 1) if 0 <= at < len(row))
    for row in _KEYS
    for place, letter in enumerate(row)
}
_SOUNDS = (
    ("ph", "f"),
    ("ck", "k"),
    ("qu", "kw"),
    ("gh", "g"),
    ("wh", "w"),
    ("ee", "ea"),
    ("ea", "ee"),
    ("ie", "ei"),
    ("ou", "ow"),
    ("ow", "ou"),
    ("ai", "ay"),
    ("ay", "ai"),
    ("y", "ie"),
    ("ei", "ie"),
    ("c", "k"),
    ("k", "ck"),
    ("x", "cks"),
    ("ll", "l"),
    ("tt", "t"),
    ("nn", "n"),
    ("rr", "r"),
    ("ss", "s"),
    ("er", "or"),
    ("or", "er"),
    ("ar", "er"),
    ("us", "is"),
)
_TELLING = frozenset(
    _words(
        "flat apartment unit room penthouse studio maisonette floor ground basement lower upper top first second third "
        "fourth fifth front rear garden above left right north south east west and the"
    )
)
"""Words of a unit, and sides: never misspelt, because a slip could name another home."""
_UNIT = re.compile(
    r"(?:flat|apartment|unit|penthouse|studio|room)\b"
    r"|(?:\w+ )?(?:floor|basement|garden|manager's) ?(?:flat|apartment)?$",
    re.IGNORECASE,
)
_RANGE = re.compile(r"\b(\d+[A-Za-z]?)-(\d+[A-Za-z]?)\b")
_SUFFIXED = re.compile(r"\b(\d+)([A-Za-z])\b")
_UNIT_NUMBER = re.compile(r"\b(flat|apartment|unit|room) (\d{1,2})(?=[ ,]|$)", re.IGNORECASE)
_UNIT_GLUE = re.compile(r"\b(flat|flt|fl|f|apt|apmt|apartment|unit) (\d+[a-z]?)\b", re.IGNORECASE)
_FLAT_IDENT = re.compile(rf" (?:\d|[A-Za-z]\b|(?:{'|'.join(NUMBER_WORDS)})\b)")
_NAME_WORD = re.compile(r"[A-Za-z']{5,}")
_WORD = re.compile(r"[A-Za-z']+")
_TWO_WORDS = re.compile(r"(?<![\w/&])([A-Za-z]{4,}) ([A-Za-z]{4,})\b")


def dirty(rng: random.Random, address: str, postcode: str | None) -> tuple[str, tuple[str, ...]]:
    """What might be typed for an address, and the tags of everything done to it, in alphabetical order.

    `address` is written as a gazetteer has it, parts between commas, without its postcode. The tags: abbr, case,
    joined, nocommas, nopc, partpc, pcjoined, phonetic, prefix, range, reorder, suffix, trailing, typo, words, wrongpc;
    the one tag `clean` where nothing was done. The same state of `rng` gives the same text.
    """
    tags: set[str] = set()
    parts = [part.strip() for part in address.split(",") if part.strip()]
    if len(parts) > 1 and parts[-1].lower() == "london" and rng.random() < 0.6:
        del parts[-1]  # nobody says it; no dirt
    if len(parts) > 1 and _UNIT.match(parts[0]) and rng.random() < 0.15:
        parts.insert(rng.choice((2, len(parts))), parts[0])
        del parts[0]
        tags.add("reorder")
    text = ", ".join(parts)
    steps: tuple[tuple[str, float, Callable[[random.Random, str], str]], ...] = (
        ("phonetic", 0.08, _respell),
        ("typo", 0.3, _mistype),
        ("words", 0.06, _number_words),
        ("abbr", 0.5, _abbreviate),
        ("range", 0.6, _range),
        ("suffix", 0.3, _split_suffix),
        ("joined", 0.08, _join),
    )
    for tag, chance, step in steps:
        if rng.random() < chance:
            before, text = text, step(rng, text)
            if text != before:
                tags.add(tag)
    if "," in text and rng.random() < 0.4:
        text = text.replace(",", "")
        tags.add("nocommas")
    text = _with_postcode(rng, text, postcode, tags)
    if rng.random() < 0.1:
        text = rng.choice(PREFIXES) + text
        tags.add("prefix")
    if rng.random() < 0.1:
        text += rng.choice((", ", " - ", "; ")) + rng.choice(TRAILERS)
        tags.add("trailing")
    cased = rng.choice((text, text, text.lower(), text.lower(), text.upper()))
    if cased != text:
        tags.add("case")
    return cased, tuple(sorted(tags)) or ("clean",)


def _with_postcode(rng: random.Random, text: str, postcode: str | None, tags: set[str]) -> str:
    """The text with the postcode as it was heard: whole in most, else dropped, cut short or with a letter wrong."""
    postcode = normalise_postcode(postcode) if postcode else None
    if not postcode:
        return text
    draw = rng.random()
    if draw < 0.4:
        tags.add("nopc")
        return text
    written = postcode
    if draw < 0.55:
        outward, inward = postcode.split(" ")
        written = rng.choice((outward, outward, f"{outward} {inward[0]}", f"{outward} {inward[:2]}"))
        tags.add("partpc")
    elif draw < 0.65:
        written = _wrong_postcode(rng, postcode)
        tags.add("wrongpc")
    elif draw < 0.75:
        written = postcode.replace(" ", "")
        tags.add("pcjoined")
    if rng.random() < 0.06 and not written[-1].isdigit():
        tags.add("reorder")
        return f"{written} {text}"
    return f"{text}{rng.choice((', ', ' '))}{written}"


def _wrong_postcode(rng: random.Random, postcode: str) -> str:
    """O for 0, I for 1 and the other way round, or the last letter another one of those postcodes end in."""
    confused = [
        (place, other)
        for place, letter in enumerate(postcode)
        if (other := {"O": "0", "0": "O", "I": "1", "1": "I"}.get(letter))
    ]
    if confused and rng.random() < 0.5:
        place, other = rng.choice(confused)
        return postcode[:place] + other + postcode[place + 1 :]
    return postcode[:-1] + rng.choice([letter for letter in "ABDEFGHJLNPQRSTUWXYZ" if letter != postcode[-1]])


def _abbreviate(rng: random.Random, text: str) -> str:
    """Each word that has short forms gets one, as likely as not."""

    def shorten(found: re.Match[str]) -> str:
        forms = ABBREVIATIONS.get(found[0].lower())
        if not forms or rng.random() < 0.4:
            return found[0]
        if found[0].lower() in {"flat", "apartment"} and not _FLAT_IDENT.match(text, found.end()):
            return found[0]  # "Ground Floor Flat", "Flat Above": without a number behind it `f` says nothing
        return rng.choice(forms)

    return _WORD.sub(shorten, text)


def _names(text: str) -> list[re.Match[str]]:
    return [found for found in _NAME_WORD.finditer(text) if found[0].lower() not in _TELLING]


def _mistype(rng: random.Random, text: str) -> str:
    """One slip of the fingers in a word of five letters or more; in one text of five a second one in another word."""
    words = _names(text)
    for found in sorted(rng.sample(words, min(len(words), 1 if rng.random() < 0.8 else 2)), key=lambda f: -f.start()):
        text = text[: found.start()] + _slip(rng, found[0]) + text[found.end() :]
    return text


def _slip(rng: random.Random, word: str) -> str:
    kind = rng.choice(("swap", "drop", "double", "neighbour"))
    at = rng.randrange(1, len(word) - 1)
    letter = word[at]
    if kind == "swap":
        return word[:at] + word[at + 1] + letter + word[at + 2 :]
    if kind == "drop":
        return word[:at] + word[at + 1 :]
    if kind == "double":
        return word[:at] + letter + word[at:]
    return word[:at] + rng.choice(_NEIGHBOURS.get(letter.lower(), letter)) + word[at + 1 :]


def _respell(rng: random.Random, text: str) -> str:
    """One word of a name as it sounds."""
    options = [
        (found, place, old, new)
        for found in _names(text)
        for old, new in _SOUNDS
        if (place := found[0].lower().find(old, 1)) > 0
    ]
    if not options:
        return text
    found, place, old, new = rng.choice(options)
    start = found.start() + place
    return text[:start] + new + text[start + len(old) :]


def _number_words(_: random.Random, text: str) -> str:
    """`Flat 3` as `Flat three`, up to twenty."""

    def say(found: re.Match[str]) -> str:
        number = int(found[2])
        return f"{found[1]} {NUMBER_WORDS[number - 1]}" if 1 <= number <= len(NUMBER_WORDS) else found[0]

    return _UNIT_NUMBER.sub(say, text)


def _range(rng: random.Random, text: str) -> str:
    link = rng.choice(("/", " to ", " - ", "-"))
    return _RANGE.sub(lambda found: f"{found[1]}{link}{found[2]}", text)


def _split_suffix(_: random.Random, text: str) -> str:
    return _SUFFIXED.sub(r"\1 \2", text)


def _join(rng: random.Random, text: str) -> str:
    """`flat 3` as `flat3`, or two words of a name as one."""
    glued = _UNIT_GLUE.sub(r"\1\2", text)
    if glued != text and rng.random() < 0.5:
        return glued
    pairs = [found for found in _TWO_WORDS.finditer(text) if not {found[1].lower(), found[2].lower()} & _TELLING]
    if not pairs:
        return glued
    found = rng.choice(pairs)
    return text[: found.start()] + found[1] + found[2].lower() + text[found.end() :]
