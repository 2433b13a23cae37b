"""YAML as a definition file may use it: plain data with the line of every part, and no surprises.

Refused are tabs, anchors and aliases, tags, several documents, keys given twice, keys that YAML reads as anything but
text, and whatever looks like one thing and is read as another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import yaml

LARGEST_FILE: Final = 256 * 1024
_DEEPEST: Final = 20
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WHOLE: Final = re.compile(r"-?(0|[1-9][0-9]{0,14})")
# Control characters, line ends few editors count, what has no width, and marks that make text read otherwise than it is
# written.
_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ud800-\udfff\ufeff"
    "\ufffd-\uffff]"
)
_TABS: Final = "holds a tab; use spaces"

Place = tuple[str | int, ...]


@dataclass(slots=True)
class Reading:
    """What a file holds. `lines` says where each place begins, `written` how a plain value stands in the file."""

    value: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    written: dict[Place, str] = field(default_factory=dict)
    faults: list[tuple[int, Place, str]] = field(default_factory=list)

    def line(self, place: Place) -> int:
        """The line of a place, or of the nearest part above it that is there."""
        while place not in self.lines and place:
            place = place[:-1]
        return self.lines.get(place, 1)


def read(raw: bytes) -> Reading:
    """The content of one file, with every fault that could be found; `value` is of use only where there is none."""
    reading = Reading()
    if len(raw) > LARGEST_FILE:
        reading.faults.append((0, (), f"is over {LARGEST_FILE // 1024} KiB; split it into several files"))
        return reading
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        reading.faults.append((line, (), "is not UTF-8 text; save it as UTF-8"))
        return reading
    for number, line_text in enumerate(text.split("\n"), start=1):
        reading.faults.extend((number, (), reason) for reason in _unusable(line_text.removesuffix("\r")))
    if reading.faults:
        return reading
    try:
        reading.faults.extend(_forbidden(text))
        if not reading.faults:
            node = yaml.compose(text, Loader=_LOADER)
            if node is None:
                reading.faults.append((1, (), "holds nothing"))
            else:
                reading.lines[()] = node.start_mark.line + 1
                reading.value = _built(node, (), reading)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = ", ".join(part for part in (error.context, error.problem) if part)
        reading.faults.append((mark.line + 1 if mark else 1, (), f"is not valid YAML: {words}"))
    return reading


def _unusable(line: str) -> Iterator[str]:
    if "\t" in line:
        yield _TABS
    if found := _HIDDEN.search(line):
        yield f"holds a character that can't be seen (U+{ord(found[0]):04X}); take it out"


def _forbidden(text: str) -> Iterator[tuple[int, Place, str]]:
    """What is refused before any of it is built."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_LOADER):
        line = event.start_mark.line + 1 if event.start_mark is not None else 0
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                yield line, (), "begins a second document; put it in a file of its own"
        if isinstance(event, yaml.AliasEvent):
            yield line, (), f"uses an alias (*{event.anchor}); write out what is meant"
        elif isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            yield line, (), f"sets an anchor (&{event.anchor}); write out what is meant"
        if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
            yield line, (), f"has a tag ({event.tag}); take it out"
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _DEEPEST:
                yield line, (), f"is nested more than {_DEEPEST} deep"
                return
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _built(node: yaml.Node, place: Place, reading: Reading) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _table(node, place, reading)
    if isinstance(node, yaml.SequenceNode):
        items = []
        for number, child in enumerate(node.value):
            below = (*place, number)
            reading.lines[below] = child.start_mark.line + 1
            items.append(_built(child, below, reading))
        return items
    assert isinstance(node, yaml.ScalarNode)  # noqa: S101 - for the type: there is no fourth kind
    value, reason = _scalar(node)
    reading.written[place] = node.value
    if reason:
        reading.faults.append((node.start_mark.line + 1, place, reason))
    return value


def _table(node: yaml.MappingNode, place: Place, reading: Reading) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key_node, child in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            reading.faults.append((line, place, "has a key that is not text"))
            continue
        key, below = key_node.value, (*place, key_node.value)
        if below in reading.lines:
            reading.faults.append((line, below, f"stands here twice, first in line {reading.lines[below]}"))
            continue
        reading.lines[below] = line
        value, _ = _scalar(key_node)
        if not isinstance(value, str):
            reading.faults.append((line, below, f"{key} as a key is read as {_kind(key_node)}; put it in quotes"))
        table[key] = _built(child, below, reading)
    return table


def _scalar(node: yaml.ScalarNode) -> tuple[Any, str]:
    """The value, and what is wrong with how it is written."""
    text, kind = node.value, node.tag.rpartition(":")[2]
    if kind == "null":
        return None, ""
    if kind == "bool":
        return text.lower() in ("true", "yes", "on"), ""
    if kind == "int" and _WHOLE.fullmatch(text):
        return int(text), ""
    if kind == "timestamp" and len(text) == len("2026-01-31"):
        try:
            return date.fromisoformat(text), ""
        except ValueError:
            return None, f"{text} is no date; put text in quotes"
    if kind != "str":
        read_as = _NUMBERS.get(kind, "something else")
        return None, f"{text} is read as {read_as}; write a whole number or put it in quotes"
    if not text.strip():
        return text, "is blank; give it words"
    if "\t" in text:
        return text, _TABS
    if found := _HIDDEN.search(text):
        return text, f"holds a character that can't be seen (U+{ord(found[0]):04X})"
    return text, ""


_NUMBERS: Final = {"int": "a number in an unusual form", "float": "a number with a fraction", "timestamp": "a time"}


def _kind(node: yaml.ScalarNode) -> str:
    kind = node.tag.rpartition(":")[2]
    if kind == "bool":
        return "true" if _scalar(node)[0] else "false"
    return {"int": "a number", "float": "a number", "timestamp": "a date", "null": "nothing"}.get(
        kind, "something else"
    )
