"""The gazetteer on disk: loading, switching, surviving a killed load, and finding homes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from markers.address import local_id, read_address
from markers.gazetteer import Gazetteer, GazetteerError
from markers.homes import MarkedHomes
from markers.model import Point, Premises
from markers.reading_helpers import reading_helpers
from markers.resolve import resolve


def home(address: str, postcode: str = "EC9A 1AB", uprn: str | None = None) -> Premises:
    """Premises of the invented neighbourhood."""
    return Premises(uprn or local_id(address, postcode), address, postcode, uprn, Point(600_000.0, 180_000.0))


def yard() -> list[Premises]:
    """A yard of eight houses and a tower of five flats."""
    houses = [home(f"{n} Tallow Yard, London") for n in range(2, 18, 2)]
    flats = [home(f"Flat {n}, Inkwell Tower, Golden Quill, London", "EC9A 1AC") for n in range(1, 6)]
    return [*houses, *flats, home("12 Pounce Lane, London", "EC9A 1AD", uprn="900000000001")]


def test_a_missing_gazetteer_is_empty(tmp_path: Path) -> None:
    gazetteer = Gazetteer.open(tmp_path / "none")
    assert (gazetteer.count, gazetteer.version) == (0, "empty")
    assert gazetteer.by_id("L000000000000") is None
    assert gazetteer.candidates(read_address("14 Tallow Yard")) == ()
    assert gazetteer.in_postcode("EC9A 1AB") == ()


def test_loaded_homes_are_found_by_id_uprn_and_postcode(tmp_path: Path) -> None:
    gazetteer = Gazetteer.load(tmp_path, yard())
    lane = home("12 Pounce Lane, London", "EC9A 1AD", uprn="900000000001")
    assert gazetteer.count == 14
    assert gazetteer.by_id("900000000001") == lane
    assert gazetteer.by_uprn("000900000000001") == lane
    assert len(gazetteer.in_postcode("ec9a1ac")) == 5
    assert gazetteer.in_postcode("no postcode") == ()


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("14 tallow yd", "14 Tallow Yard, London"),
        ("14 talow yard", "14 Tallow Yard, London"),
        ("14 tal low yard", "14 Tallow Yard, London"),
        ("f3 inkwel tower", "Flat 3, Inkwell Tower, Golden Quill, London"),
        ("12 pownce lain", "12 Pounce Lane, London"),
    ],
)
def test_the_right_home_is_the_first_candidate(tmp_path: Path, asked: str, found: str) -> None:
    gazetteer = Gazetteer.load(tmp_path, yard())
    assert gazetteer.candidates(read_address(asked))[0].address == found


def test_loading_twice_gives_the_same_ids_and_version(tmp_path: Path) -> None:
    first = Gazetteer.load(tmp_path, yard())
    second = Gazetteer.load(tmp_path, yard())
    assert second.version == first.version
    assert [second.by_id(one.premises_id) for one in yard()] == yard()


def test_two_addresses_of_one_uprn_are_one_home_found_by_either(tmp_path: Path) -> None:
    post, council = Premises("900", "1 Tallow Yard"), Premises("900", "Quill Cottage, Nib Lane")
    gazetteer = Gazetteer.load(tmp_path, [post, home("5 Tallow Yard"), council, council, post])
    assert (gazetteer.count, gazetteer.duplicates) == (2, 3)
    assert gazetteer.by_id("900") == post
    for address in (post.address, council.address):
        assert gazetteer.candidates(read_address(address))[0].premises_id == "900"
        resolution = resolve(read_address(address), gazetteer, MarkedHomes())
        assert resolution.home is not None
        assert resolution.home.premises_id == "900"


def test_a_large_load_is_read_by_helpers_in_order_and_alike(tmp_path: Path) -> None:
    many = [home(f"Flat {n % 40 + 1}, {n // 40 + 1} Tallow Yard") for n in range(6_000)]
    gazetteer = Gazetteer.load(tmp_path / "many", many)
    assert gazetteer.count == 6_000
    assert gazetteer.by_id(many[5_999].premises_id) == many[5_999]
    assert gazetteer.written(many[7]) == read_address(many[7].address, many[7].postcode)
    assert gazetteer.version == Gazetteer.load(tmp_path / "again", many).version


def test_a_helper_that_is_gone_fails_the_load_in_words() -> None:
    with reading_helpers(1) as read:
        assert [document.premises_id for document in read([home("5 Tallow Yard")])] == [
            home("5 Tallow Yard").premises_id
        ]
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        for child in children:
            if b"reading_helpers" in Path(f"/proc/{child}/cmdline").read_bytes():
                os.kill(int(child), signal.SIGKILL)
        with pytest.raises(GazetteerError, match="load the gazetteer again"):
            read([home("6 Tallow Yard")])


def test_another_process_switching_the_gazetteer_is_noticed(tmp_path: Path) -> None:
    gazetteer = Gazetteer.load(tmp_path, yard()[:3])
    assert gazetteer.refreshed() is gazetteer
    Gazetteer.load(tmp_path, yard())
    assert gazetteer.count == 3
    assert len(gazetteer.candidates(read_address("2 Tallow Yard"))) >= 1
    assert gazetteer.refreshed().count == 14


def test_progress_is_told_to_the_end(tmp_path: Path) -> None:
    seen: list[int] = []
    Gazetteer.load(tmp_path, yard(), seen.append)
    assert seen[-1] == 14


def test_a_load_that_fails_leaves_the_old_one_working(tmp_path: Path) -> None:
    Gazetteer.load(tmp_path, yard()[:3])

    def broken() -> Iterator[Premises]:
        yield home("99 Tallow Yard")
        raise OSError("the file went away")

    with pytest.raises(OSError, match="went away"):
        Gazetteer.load(tmp_path, broken())
    assert Gazetteer.open(tmp_path).count == 3
    assert Gazetteer.load(tmp_path, yard()).count == 14


def test_a_killed_load_leaves_the_old_one_working(tmp_path: Path) -> None:
    Gazetteer.load(tmp_path, yard()[:3])
    script = (
        "import sys, time; from pathlib import Path\n"
        "from markers.gazetteer import Gazetteer; from markers.model import Premises\n"
        "def homes():\n"
        "    for n in range(1, 60):\n"
        "        yield Premises(str(n), f'{n} Pounce Lane')\n"
        "    print('half way', flush=True); time.sleep(60)\n"
        "Gazetteer.load(Path(sys.argv[1]), homes())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "half way"
    with pytest.raises(GazetteerError, match="another load"):
        Gazetteer.load(tmp_path, yard())
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=10)
    process.stdout.close()
    assert Gazetteer.open(tmp_path).count == 3
    assert Gazetteer.load(tmp_path, yard()).count == 14


def test_a_damaged_gazetteer_says_what_to_do(tmp_path: Path) -> None:
    Gazetteer.load(tmp_path, yard())
    (tmp_path / (tmp_path / "current").read_text() / "about.json").write_text("{", "utf-8")
    with pytest.raises(GazetteerError, match="load it again"):
        Gazetteer.open(tmp_path)


def test_it_is_a_geopy_geocoder(tmp_path: Path) -> None:
    gazetteer = Gazetteer.load(tmp_path, yard())
    place = gazetteer.geocode("12 pounce lane")
    assert place is not None
    assert place.address == "12 Pounce Lane, London"
    assert 51 < place.latitude < 52
    assert gazetteer.geocode("Pounce Lane") is None
    assert [one.address for one in gazetteer.geocode("12 pounce lane", exactly_one=False)] == [place.address]


def test_marked_homes_are_found_with_a_slip_and_forgotten_when_removed() -> None:
    marked = MarkedHomes()
    marked.put("a", home("14 Tallow Yard, London"))
    marked.put("b", home("Flat 3, Inkwell Tower, Golden Quill, London"))
    assert len(marked) == 2
    assert list(marked.candidates(read_address("14 talow yd"))) == ["a"]
    assert list(marked.candidates(read_address("inkwell tower"))) == ["b"]
    marked.put("a", home("2 Pounce Lane"))
    assert list(marked.candidates(read_address("14 tallow yard"))) == []
    marked.remove("a")
    marked.remove("never there")
    assert len(marked) == 1
    assert list(marked.candidates(read_address("2 pounce lane"))) == []


def test_loading_ten_thousand_homes_and_opening_them_is_quick(tmp_path: Path) -> None:
    many = (Premises(f"H{n}", f"Flat {n % 50}, {n // 50} Quill {n % 7} Street, London") for n in range(10_000))
    Gazetteer.load(tmp_path, many)
    started = time.perf_counter()
    assert Gazetteer.open(tmp_path).count == 10_000
    assert time.perf_counter() - started < 2
