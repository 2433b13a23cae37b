"""The interface's own description (OpenAPI 3.1), made from the models; behind a token like the rest."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from spectree import SecurityScheme, SpecTree
from spectree.models import SecureType, SecuritySchemeData

from overlay.api.models import ProblemOut, StreamEventOut
from overlay.security import View, requires

api = Blueprint("description", __name__, url_prefix="/api/v1")

# Only describes: reading and refusing bodies is overlay/api/body.py's. Its documentation pages are never
# registered: they load scripts from other hosts.
described = SpecTree(
    "flask",
    title="Warning marker overlay",
    version="v1",
    mode="strict",
    annotations=False,
    naming_strategy=lambda model: model.__name__,
    nested_naming_strategy=lambda _parent, child: child,
    validation_error_model=ProblemOut,
    page_templates={},
    security_schemes=[
        SecurityScheme(name="bearer", data=SecuritySchemeData(type=SecureType.HTTP, scheme="bearer")),
    ],
    security={"bearer": []},
)


def described_only(**how: Any) -> Callable[[View], View]:
    """As `described.validate`, around nothing: that reads an answer to its end, which a stream has not."""

    def describe(view: View) -> View:
        # spectree looks for what it knows of a view along what the view wraps.
        view.__wrapped__ = described.validate(**how, skip_validation=True)(lambda: None)  # type: ignore[attr-defined]
        return view

    return describe


@api.get("/openapi.json")
@requires("api.describe")
def openapi() -> ResponseReturnValue:
    """The description of every route under /api/v1 and the two health routes."""
    return jsonify(_with_problems(described.spec))


def _with_problems(spec: dict[str, Any]) -> dict[str, Any]:
    """The description with refusals and streams under their own content type, which spectree has no way to say."""
    spec = copy.deepcopy(spec)
    for name, path in spec["paths"].items():
        for operation in path.values():
            for status, response in operation["responses"].items():
                content = response.get("content", {})
                if name.endswith("/events") and status == "200":
                    response["content"] = {"text/event-stream": {"schema": StreamEventOut.model_json_schema()}}
                if int(status) >= 400 and "ProblemOut" in str(content.get("application/json")):
                    response["content"] = {"application/problem+json": content["application/json"]}
    return spec
