"""How the store's durability is set."""

from __future__ import annotations

from pathlib import Path

import pytest

from overlay.settings import Settings, SettingsError


@pytest.mark.parametrize(
    "text",
    [
        'store_durability = "replicated"\nstore_replicas = 2\nstore_url = "redis://host"\n',
        '[store]\ndurability = "replicated"\nreplicas = 2\nurl = "redis://host"\n',
    ],
)
def test_a_table_of_the_file_is_another_way_to_write_its_names(tmp_path: Path, text: str) -> None:
    (tmp_path / "overlay.toml").write_text(text, encoding="utf-8")
    settings = Settings.read({}, data=tmp_path)
    assert (settings.store_durability, settings.confirming, settings.store_url) == ("replicated", 2, "redis://host")
    local = Settings.read({"OVERLAY_STORE_DURABILITY": "local"}, data=tmp_path)
    assert local.confirming == 0
    child = Settings.read(settings.environment())
    assert child == settings


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('[store]\ndurability = "somewhat"\n', "store_durability"),
        ("[store]\nreplicas = 0\n", "store_replicas"),
        ('[store]\ncolour = "red"\n', "store_colour"),
        ("[store]\n", "store"),
    ],
)
def test_what_can_not_be_used_is_named(tmp_path: Path, text: str, name: str) -> None:
    (tmp_path / "overlay.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=rf"Setting {name} \(OVERLAY_{name.upper()}\)"):
        Settings.read({}, data=tmp_path)
