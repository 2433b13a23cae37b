"""The shipped configuration with the demo area's way of signing in changed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from overlay.settings import SHIPPED_CONFIG


def config_with(folder: Path, sign_in: str = "", more: str = "") -> Path:
    """A copy in `folder` whose `[sign_in]` says `sign_in` instead, with further tables behind."""
    shutil.copytree(SHIPPED_CONFIG, folder)
    area = folder / "areas" / "quillmarket.toml"
    text = area.read_text(encoding="utf-8")
    if sign_in:
        text = re.sub(r"\[sign_in\]\n(?:\w+ = .*\n)+", f"[sign_in]\n{sign_in}\n", text)
    area.write_text(f"{text}\n{more}\n", encoding="utf-8")
    return folder
