"""A JSON body read into its model, or refused with the place and the reason and none of its content."""

from __future__ import annotations

from typing import Any, TypeVar

from flask import request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from overlay.errors import BodyRefused, FieldError

Model = TypeVar("Model", bound=BaseModel)

_MOST_ERRORS = 20
_WORDS = {
    "missing": "is missing.",
    "string_type": "must be text.",
    "string_pattern_mismatch": "is not written as it should be; the interface's description gives the pattern.",
    "float_type": "must be a number.",
    "finite_number": "must be a finite number.",
    "model_type": "must be an object.",
    "model_attributes_type": "must be an object.",
    "extra_forbidden": "holds a field that this interface does not know. Nothing unknown is passed over in silence.",
}


def read_body(model: type[Model]) -> Model:
    """The request's JSON as `model`. Raises `BodyRefused`, 415 for another content type, 413 when too large."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    raw = request.get_data(cache=False)
    if len(raw) >= (request.max_content_length or 0):
        raise RequestEntityTooLarge  # a body without a length is cut off at the limit
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise refusal(error) from None


def refusal(error: ValidationError) -> BodyRefused:
    """A validation error without the values that caused it."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return BodyRefused(
        tuple(_said(detail) for detail in found[:_MOST_ERRORS]),
        malformed=any(detail["type"] == "json_invalid" for detail in found),
    )


def _said(detail: ErrorDetails) -> FieldError:
    place: tuple[Any, ...] = detail["loc"]
    if detail["type"] == "extra_forbidden":
        place = place[:-1]  # its name is the sender's own text
    return FieldError(".".join(str(part) for part in place) or "body", _WORDS.get(detail["type"], f"{detail['msg']}."))
