"""The interface's own description (OpenAPI 3.1), made from the models; behind a token like the rest."""

from __future__ import annotations

import copy
from collections.abc import Callable
from threading import Lock
from typing import Any

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from spectree import SecurityScheme, SpecTree
from spectree.models import SecureType, SecuritySchemeData

from overlay.api.models import ProblemOut, StreamEventOut
from overlay.security import View, requires

api = Blueprint("description", __name__, url_prefix="/api/v1")

# Its documentation pages are never registered: they load scripts from other hosts.
_tree = SpecTree(
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


_waiting: list[tuple[Callable[..., Any], dict[str, Any]]] = []
_lock = Lock()


def described(**how: Any) -> Callable[[View], View]:
    """How a view stands in the description, as `SpecTree.validate` takes it.

    Written down when the description is first asked for: most processes never are, and it takes a fifth of a second.
    Nothing is put around the view: reading and refusing bodies is overlay/api/body.py's.
    """

    def describe(view: View) -> View:
        _waiting.append((view, how))
        return view

    return describe


def _description() -> dict[str, Any]:
    with _lock:
        while _waiting:
            view, how = _waiting.pop()
            # spectree looks for what it knows of a view along what the view wraps.
            view.__wrapped__ = _tree.validate(**how, skip_validation=True)(lambda: None)  # type: ignore[attr-defined]
        return _with_problems(_tree.spec)


@api.get("/openapi.json")
@requires("api.describe")
def openapi() -> ResponseReturnValue:
    """The description of every route under /api/v1 and the two health routes."""
    return jsonify(_description())


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
