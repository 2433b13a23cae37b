"""What the README says exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from overlay.cli import main
from overlay.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"^(overlay [^\n#|]+)", README, re.MULTILINE)))


def test_every_setting_is_named_and_every_name_is_a_setting() -> None:
    named = set(re.findall(r"OVERLAY_([A-Z_]+[A-Z])", README))
    assert named == {name.upper() for name in Settings.model_fields}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_in_the_readme_can_be_given(command: str) -> None:
    words = shlex.split(command)[1:]
    step: click.Command = main
    while isinstance(step, click.Group):
        below = step.get_command(click.Context(step), words.pop(0))
        assert below is not None
        step = below
    options = {name for parameter in step.params for name in parameter.opts if name.startswith("--")}
    assert {word for word in words if word.startswith("--")} <= options


def test_the_map_names_modules_that_exist() -> None:
    tree = README.split("## The map of the code")[1].split("```")[1]
    package = ""
    for line in tree.strip().splitlines():
        if match := re.match(r"([a-z]+)/", line):
            package = match[1]
            assert (ROOT / package).is_dir()
            continue
        for name in re.split(r"\s{3,}", line.strip())[0].split():
            found = ROOT / package / name
            assert found.is_dir() or found.with_suffix(".py").is_file(), f"{package}/{name}"


def test_pictures_and_local_links_are_there() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert link.startswith("https://") or (ROOT / link).is_file(), link
