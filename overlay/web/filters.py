"""What templates may call beside Jinja's own: times and dates as people read them, and the words of an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from overlay import security
from overlay.feedback import KINDS
from overlay.known_at import known_at
from overlay.viewing import place_words
from overlay.web.marker_words import GRADES, STATES, STEPS, field_text, field_title, not_told
from overlay.web.room_words import raise_words
from overlay.web.times import clock, day, moment, review_words, ring_words
from overlay.web.wording import words_of

if TYPE_CHECKING:
    from flask import Flask


def register(app: Flask) -> None:
    """Give every template of the application these filters and functions."""
    app.jinja_env.filters.update(
        clock=clock,
        day=day,
        known_at=known_at,
        moment=moment,
        review_words=review_words,
        ring_words=ring_words,
        raise_words=raise_words,
        place_words=place_words,
        state_words=STATES.__getitem__,
        step_words=STEPS.__getitem__,
        said_words=KINDS.__getitem__,
        grade_words=GRADES.__getitem__,
        field_text=field_text,
    )
    app.jinja_env.globals.update(words_of=words_of, now=security.now, field_title=field_title, not_told=not_told)
