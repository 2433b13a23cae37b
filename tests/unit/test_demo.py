"""The demonstration's own data, laid out again where an older version left it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from markers.gazetteer import Gazetteer, GazetteerError
from markers.model import Premises
from overlay import demo
from overlay.settings import Settings

HOMES = [Premises("999000000001", "1 Nowhere Row, London, EC9A 1AA", "EC9A 1AA", "999000000001")]


def left_by_an_older_version(data: Path) -> Path:
    folder = data / "gazetteer"
    Gazetteer.load(folder, HOMES)
    for about in folder.rglob("about.json"):
        about.write_text(json.dumps({**json.loads(about.read_text()), "format": 1}))
    with pytest.raises(GazetteerError, match="overlay gazetteer load"):
        Gazetteer.open(folder)
    return folder


def test_a_demonstration_of_an_older_version_starts_again(tmp_path: Path) -> None:
    folder = left_by_an_older_version(tmp_path)
    demo.renew(Settings(data=tmp_path))
    assert Gazetteer.open(folder).count > 1_000


def test_what_can_be_read_and_what_is_real_is_left_alone(tmp_path: Path) -> None:
    Gazetteer.load(tmp_path / "gazetteer", HOMES)
    demo.renew(Settings(data=tmp_path))
    assert Gazetteer.open(tmp_path / "gazetteer").count == 1
    real = tmp_path / "real"
    real.mkdir()
    folder = left_by_an_older_version(real)
    demo.renew(Settings(data=real, area="city_of_london"))
    with pytest.raises(GazetteerError):
        Gazetteer.open(folder)
