"""The file of the area a store serves, `config/areas/NAME.toml`: found, read, and its code."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from overlay.settings import Settings, SettingsError


def area_code(settings: Settings) -> str:
    """What names the area's keys in the store. Raises SettingsError naming file and field."""
    path, content = read_area_file(settings)
    return code_in(path, content.get("area", {}))


def code_in(path: Path, area: dict[str, Any]) -> str:
    """The code of an area's table. Raises SettingsError."""
    code = str(area.get("code", "")).lower()
    if not re.fullmatch(r"[a-z][a-z0-9]{1,15}", code):
        raise SettingsError(f"{path}: area.code must be 2 to 16 letters and digits.")
    return code


def area_part(settings: Settings, name: str) -> tuple[Path, dict[str, Any]]:
    """Another table of the area's file, empty where there is none, and the file. Raises SettingsError."""
    path, content = read_area_file(settings)
    part = content.get(name, {})
    if not isinstance(part, dict):
        raise SettingsError(f"{path}: [{name}] is not a table.")
    return path, part


def read_area_file(settings: Settings) -> tuple[Path, dict[str, Any]]:
    folder = settings.config / "areas"
    path = folder / f"{settings.area}.toml"
    try:
        return path, tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        known = ", ".join(sorted(found.stem for found in folder.glob("*.toml"))) or "none"
        raise SettingsError(f"No area {settings.area!r} in {folder}. There is: {known}.") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: {error}.") from error
