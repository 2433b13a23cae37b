"""A problem as a person reads it."""

from __future__ import annotations

from flask import Response, make_response, redirect, render_template, request
from jinja2 import TemplateError
from markupsafe import escape

from overlay.errors import Problem, fault
from overlay.web.chrome import chrome_for_anyone
from overlay.web.views import ProblemPage


def show(problem: Problem) -> Response:
    """The problem's page; somebody not signed in who asked for a page is taken to the sign-in form instead."""
    # A page sent for by script keeps what was typed and says in its own words that nobody is signed in.
    if request.method in ("GET", "HEAD") and "HX-Request" not in request.headers:
        if problem.sign_in:
            return make_response(redirect("/sign-in", 303))
        if problem.kind == "locked":
            return make_response(redirect("/unlock", 303))
    try:
        page = ProblemPage(
            chrome=chrome_for_anyone(),
            status=problem.status,
            title=problem.title,
            happened=problem.happened,
            kept=problem.kept,
            to_do=problem.to_do,
            error_id=problem.error_id,
            sign_in=problem.sign_in,
        )
        return make_response(render_template("pages/problem.html", page=page), problem.status)
    except TemplateError as error:
        return make_response(f"<!doctype html><title>Problem</title><p>{escape(fault(error).words())}</p>", 500)
