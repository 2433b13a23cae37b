"""What counts as text in a box or a field."""

from __future__ import annotations

_LINE_CONTROLS = "\t\r\n"


def is_plain_text(text: str) -> bool:
    """Whether there are no control characters but tabs and line ends, and no sign of a character that was lost."""
    return not any(
        (ord(letter) < 32 and letter not in _LINE_CONTROLS) or letter in "\x7f\ufffd" or "\ud800" <= letter <= "\udfff"
        for letter in text
    )
