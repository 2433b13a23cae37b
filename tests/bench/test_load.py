"""`overlay bench load` in small: a night of seconds on an invented town, the store killed half-way, all counted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from overlay.bench.load import Night, Sent, _Kept, _missing, _report
from tests.store.commands import Folder


def test_a_night_of_seconds_loses_nothing_and_answers_nothing_wrong(tmp_path_factory: pytest.TempPathFactory) -> None:
    scratch = tmp_path_factory.mktemp("b")
    folder = Folder(scratch.parent / "never-made", {"TMPDIR": str(scratch)})
    sizes = ("--minutes", "0.1", "--homes", "300", "--markers", "200", "--incidents", "10", "--screens", "5")
    told = folder.process("bench", "load", *sizes, "--checks", "10", "--json", seconds=110)
    (counted,) = told.json["told"]
    assert (counted["wrong"], counted["lost"], counted["doubled"]) == ("0", 0, 0)
    made = sum(int(counted[kind]) for kind in ("right", "last known", "refused", "cut off"))
    assert made == 60 + int(counted["of homes just changed"])
    assert int(counted["of homes just changed"]) >= 4
    assert "answered" in counted["boards"]
    assert int(counted["right"]) > 30
    assert int(counted["acknowledged writes"]) > 30
    assert told.json["timings"]
    assert list(Path(scratch).iterdir()) == []


NIGHT = Night(2, 1, 1, 1, 1, 1, 1, 1, 1, restart=True)


def test_a_minute_in_which_any_check_had_no_store_is_a_degraded_one() -> None:
    kept = _Kept([Sent(1, 0.01, "right"), Sent(61, 0.5, "right"), Sent(70, 0.9, "last known"), Sent(72, 2, "cut off")])
    kept.sent += [Sent(80, 0.5, "right"), Sent(110, 0.5, "refused")]  # at another time, by itself
    found = _report(NIGHT, kept, 0, 0, 0, 3)
    assert found.degraded_minutes == 1
    assert found.normal is not None
    assert found.normal.p99 == pytest.approx(10)
    assert found.degraded is not None
    assert found.degraded.p99 > 900
    assert found.back_s == 2


def test_what_was_acknowledged_is_found_lost_or_doubled() -> None:
    assert _missing(["a", "b", "c"], Counter({"a": 1, "b": 2})) == (1, 1)
