"""Checklist definition files: what each is called, its version, and when it is shown.

A definition is data a force approves and versions; a file with an error is refused with its name and field.
"""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

SHIPPED_DEFINITIONS = Path(__file__).resolve().parent / "definitions"


class DefinitionError(ValueError):
    """A definition file that can't be used, in one line."""


class ShowWhen(BaseModel):
    """Any one of these opens the checklist."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    any_incident: bool = False
    incident_types: tuple[str, ...] = ()
    marker_categories: tuple[str, ...] = ()


class Definition(BaseModel):
    """One checklist: `id` and `version` identify what a person was asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str = Field(min_length=1)
    version: int = Field(ge=1)
    show_when: ShowWhen


def load_definitions(folder: Path = SHIPPED_DEFINITIONS) -> tuple[Definition, ...]:
    """Every definition of a folder, by file name. Raises DefinitionError."""
    definitions: list[Definition] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            definitions.append(Definition.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise DefinitionError(f"{path.name}: can't be read: {error}") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            raise DefinitionError(f"{path.name}: {where}: {first['msg']}.") from error
    repeated = {d.id for d in definitions if sum(other.id == d.id for other in definitions) > 1}
    if repeated:
        raise DefinitionError(f"{folder}: two definitions are called {min(repeated)}.")
    return tuple(definitions)
