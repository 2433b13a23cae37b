"""Definition files -> definitions, whole or not at all; and the bytes an open checklist keeps of its definition."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from checklists.complaints import complaint, stands
from checklists.definition import Definition, DefinitionError, Fault
from checklists.references import Known, misfits
from checklists.strict_yaml import LARGEST_FILE, Place, Reading, read

SHIPPED_DEFINITIONS: Final = Path(__file__).resolve().parent / "definitions"


def load_definitions(folder: Path = SHIPPED_DEFINITIONS, known: Known | None = None) -> tuple[Definition, ...]:
    """Every definition of a folder's `*.yaml`, by file name. Raises DefinitionError with every fault of every file."""
    misnamed = sorted(path.name for path in folder.glob("*.yml"))
    if misnamed:
        raise DefinitionError(Fault(name, 0, "", "is not read; call it *.yaml") for name in misnamed)
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise DefinitionError([Fault(str(folder), 0, "", "holds no definitions; put *.yaml files there")])
    return _all(((path.name, path) for path in paths), known or Known())


def read_files(paths: Iterable[Path], known: Known | None = None) -> tuple[Definition, ...]:
    """The definitions of these files together. Raises DefinitionError with every fault of every file."""
    return _all(((str(path), path) for path in paths), known or Known())


def as_plain(definition: Definition) -> bytes:
    """The definition as JSON, one form for one content. Options and items stay in their order, which is content."""
    return json.dumps(definition.model_dump(mode="json"), ensure_ascii=False, separators=(",", ":")).encode()


def from_plain(plain: bytes) -> Definition:
    """The inverse of `as_plain`. Raises DefinitionError."""
    try:
        return Definition.model_validate_json(plain)
    except ValidationError as error:
        raise DefinitionError(
            Fault("definition", 0, ".".join(map(str, found["loc"])), found["msg"])
            for found in error.errors(include_url=False)
        ) from error


def fingerprint(definition: Definition) -> str:
    """SHA-256 of `as_plain`, in hex: the same for the same wording and rules, wherever they were read."""
    return sha256(as_plain(definition)).hexdigest()


def _all(files: Iterable[tuple[str, Path]], known: Known) -> tuple[Definition, ...]:
    definitions: list[Definition] = []
    faults: list[Fault] = []
    where: dict[str, str] = {}
    for name, path in files:
        try:
            with path.open("rb") as file:
                reading = read(file.read(LARGEST_FILE + 1))
        except OSError as error:
            faults.append(Fault(name, 0, "", f"can't be read ({error.strerror})"))
            continue
        found = [(line, place, reason) for line, place, reason in reading.faults]
        if not found or reading.value is not None:
            for top, value in _each(reading.value):
                definition, wrong = _definition(value, top, reading, known)
                found += wrong
                found += _again(value, top, reading, where, name)
                if definition is not None:
                    definitions.append(definition)
        faults += _tidy(name, found)
    if faults:
        raise DefinitionError(faults)
    return tuple(definitions)


def _each(value: Any) -> Iterator[tuple[Place, Any]]:
    """The one definition of a file, or those of its list."""
    listed = value.get("definitions") if isinstance(value, dict) and len(value) == 1 else None
    if isinstance(listed, list) and listed:
        yield from ((("definitions", number), item) for number, item in enumerate(listed))
    else:
        yield (), value


def _definition(
    value: Any, top: Place, reading: Reading, known: Known
) -> tuple[Definition | None, list[tuple[int, Place, str]]]:
    complaints: list[tuple[Place, str]] = []
    definition = None
    try:
        definition = Definition.model_validate(value)
    except ValidationError as error:
        complaints += [complaint(found, top, reading) for found in error.errors(include_url=False) if stands(found)]
    complaints += [((*top, *place), reason) for place, reason in misfits(value, known)]
    return definition, [(reading.line(place), place, reason) for place, reason in complaints]


def _again(
    value: Any, top: Place, reading: Reading, where: dict[str, str], name: str
) -> Iterator[tuple[int, Place, str]]:
    """Whether another definition read before has the same id; `where` is added to."""
    identity = value.get("id") if isinstance(value, dict) else None
    if isinstance(identity, str):
        place = (*top, "id")
        line = reading.line(place)
        if identity in where:
            yield line, place, f"{identity} is the id of another definition ({where[identity]})"
        where.setdefault(identity, f"{name}:{line}")


def _tidy(name: str, found: Iterable[tuple[int, Place, str]]) -> Iterator[Fault]:
    """In the order of the file; of several faults at one place the first, which the others follow from."""
    first: dict[tuple[int, Place], str] = {}
    for line, place, reason in found:
        first.setdefault((line, place), reason)
    for (line, place), reason in sorted(first.items(), key=lambda item: item[0][0]):
        yield Fault(name, line, _visible(".".join(map(str, place))), _visible(reason))


def _visible(words: str) -> str:
    """With what a screen would not show, or would obey, spelt out."""
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in words)
