"""The command's parts and refusals are known by name, so that one is loaded only when it is asked for."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import click
import pytest

from markers.tables import TableError
from overlay.cli import main
from overlay.cli.group import PARTS, REFUSALS, refuses


@pytest.mark.parametrize("name", sorted(REFUSALS))
def test_every_refusal_is_an_exception_of_that_name(name: str) -> None:
    module, _, kind = name.rpartition(".")
    found = getattr(import_module(module), kind)
    assert issubclass(found, Exception)
    assert f"{found.__module__}.{found.__qualname__}" == name


def test_a_refusal_is_one_whatever_it_was_derived_from() -> None:
    class NearerError(TableError):
        pass

    assert refuses(NearerError("line 3"))
    assert not refuses(ValueError("a fault of ours"))


@pytest.mark.parametrize("name", sorted(PARTS))
def test_every_part_is_a_command_of_its_name(name: str) -> None:
    found = main.get_command(click.Context(main), name)
    assert found is not None
    assert found.name == name
    assert found.help


def test_no_part_is_loaded_before_it_is_asked_for() -> None:
    said = "import sys, overlay.cli; print(*(name for name in sys.modules if name.startswith('overlay.cli.')))"
    loaded = subprocess.run([sys.executable, "-c", said], check=True, capture_output=True, text=True).stdout.split()
    assert not {part.split(":")[0] for part in PARTS.values()} & set(loaded)
