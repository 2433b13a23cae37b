"""What the noise may do to an address and what it may not."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markers.model import Premises
from overlay import quillmarket
from overlay.bench import noise
from overlay.bench.noise import dirty

HOMES = tuple(home for home in quillmarket.build().homes)
WORDS = {word: str(number) for number, word in enumerate(noise.NUMBER_WORDS, 1)}
SHORT_FLOORS = {
    short: word for word in ("ground", "basement", "first", "second", "third") for short in noise.ABBREVIATIONS[word]
}
FLOORS = {
    short: word for word in ("ground", "basement", "first", "second", "third") for short in noise.ABBREVIATIONS[word]
}
FLOORS = {"ground", "basement", "first", "second", "third", "top", "garden", "above"}
seeds = st.integers(0, 2**32)
homes = st.sampled_from(HOMES)


def numbers(text: str) -> list[str]:
    """Every number and single letter of a text in order of size, however it was written."""
    plain = re.sub(r"\b(flat|flt|fl|f|apt|apmt|apartment|unit)(\d)", r"\1 \2", text.lower())
    plain = re.sub(r"\b(?:1st|2nd|3rd)\b|'s\b", " ", plain)
    plain = re.sub(r"[a-z]+", lambda found: WORDS.get(found[0], found[0]), plain)
    plain = re.sub(r"(\d)\s*(?:/| to | - |-)\s*(\d)", r"\1 \2", plain)
    plain = re.sub(r"(\d+) ([a-e])\b", r"\1\2", plain)
    return sorted(re.findall(r"\d+[a-z]?\b|\b[a-e]\b", plain))


def floors(text: str) -> set[str]:
    return {SHORT_FLOORS.get(word, word) for word in re.findall(r"[a-z0-9]+", text.lower())} & FLOORS


def without_trailer(text: str) -> str:
    """Without the incident text at the end, which may have numbers of its own."""
    return re.split(r"(?:, | - |; )(?:" + "|".join(noise.TRAILERS) + r")$", text, flags=re.IGNORECASE)[0]


@given(homes, seeds)
def test_the_same_seed_gives_the_same_text(home: Premises, seed: int) -> None:
    first = dirty(random.Random(seed), home.address, home.postcode)
    assert first == dirty(random.Random(seed), home.address, home.postcode)


@given(homes, seeds)
def test_numbers_letters_and_floors_stay_the_homes_own(home: Premises, seed: int) -> None:
    text, _ = dirty(random.Random(seed), home.address, None)
    text = without_trailer(text)
    assert numbers(text) == numbers(home.address)
    assert floors(text) == floors(home.address)


@given(homes, seeds)
def test_tags_tell_what_was_done(home: Premises, seed: int) -> None:
    text, tags = dirty(random.Random(seed), home.address, home.postcode)
    assert list(tags) == sorted(set(tags))
    assert ("clean" in tags) == (len(tags) == 1 and tags[0] == "clean")
    low = text.lower()
    assert ("prefix" in tags) == low.startswith(noise.PREFIXES)
    assert ("trailing" in tags) == low.endswith(noise.TRAILERS)
    postcode = (home.postcode or "").lower()
    whole, squeezed = postcode in low, postcode.replace(" ", "") in low.replace(" ", "")
    if "nopc" in tags:
        assert postcode.split(" ")[0] not in low
    if not {"nopc", "partpc", "wrongpc"} & set(tags):
        assert squeezed
        assert whole != ("pcjoined" in tags)
    if {"wrongpc", "partpc"} & set(tags):
        assert not squeezed
    if "range" in tags:
        assert re.search(r"\d[A-Za-z]?(?:/| to | - )\d", text, re.IGNORECASE)
    if "clean" in tags:
        kept = home.address.removesuffix(", London")
        assert re.fullmatch(rf"{re.escape(kept)}(?:, London)?,? {re.escape(home.postcode or '')}", text)


@given(homes, seeds)
def test_without_typo_or_respelling_every_name_is_there(home: Premises, seed: int) -> None:
    text, tags = dirty(random.Random(seed), home.address, home.postcode)
    if not {"typo", "phonetic", "joined", "abbr"} & set(tags):
        kept = home.address.removesuffix(", London").lower()
        typed = set(re.findall(r"[a-z']+", text.lower()))
        assert set(re.findall(r"[a-z']{4,}", kept)) <= typed


def test_every_kind_of_noise_happens() -> None:
    rng = random.Random(7)
    seen = {tag for home in HOMES * 3 for tag in dirty(rng, home.address, home.postcode)[1]}
    told = set(re.findall(r"\b[a-z]+\b", (dirty.__doc__ or "").split("The tags:")[1].split(". The same")[0]))
    assert seen == told & seen
    assert seen >= {"abbr", "case", "clean", "joined", "nocommas", "nopc", "partpc", "pcjoined", "phonetic", "prefix"}
    assert seen >= {"range", "reorder", "suffix", "trailing", "typo", "words", "wrongpc"}


@pytest.mark.parametrize("postcode", [None, "", "not one", "EC9A"])
@given(st.text(max_size=60), seeds)
def test_any_text_is_taken(postcode: str | None, address: str, seed: int) -> None:
    text, tags = dirty(random.Random(seed), address, postcode)
    assert isinstance(text, str)
    assert tags
