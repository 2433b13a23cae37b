"""The register of erased markers: what was noted whole is read, whatever became of the line before it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from overlay.erased import Erased, register_of


def test_another_process_reads_what_was_noted(tmp_path: Path, now: datetime) -> None:
    folder = register_of(tmp_path).parent
    reader = Erased(folder)
    assert reader.all() == {}
    Erased(folder).add("m-1", now)
    assert reader.all() == {"m-1": now}


def test_a_line_that_a_full_disk_cut_off_does_not_take_the_next_with_it(tmp_path: Path, now: datetime) -> None:
    path = register_of(tmp_path)
    register = Erased(path.parent)
    register.add("m-1", now)
    whole = path.read_bytes()
    for kept in range(1, len(whole)):
        path.write_bytes(whole + whole.replace(b"m-1", b"m-2")[:kept])
        register.add("m-3", now)
        read = Erased(path.parent).all()
        assert read["m-1"] == read["m-3"] == now, kept
