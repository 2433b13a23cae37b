"""The web application."""

from __future__ import annotations

from flask import Flask
from jinja2 import ChoiceLoader, PackageLoader, PrefixLoader

from overlay import errors, security
from overlay.api import checks, description, health
from overlay.services import Services
from overlay.settings import Settings
from overlay.web import check, filters, ledger, problem, sign_in


def create_app(services: Services | None = None) -> Flask:
    """The application over `services`; without them, over those the settings of the environment describe."""
    app = Flask(__name__)
    app.extensions["overlay"] = services or Services.start(Settings.read())
    app.jinja_loader = ChoiceLoader(
        [
            PackageLoader("overlay"),
            PrefixLoader({"govuk_frontend_jinja": PackageLoader("govuk_frontend_jinja")}),
        ]
    )
    security.install(app)
    errors.install(app, as_page=problem.show)
    filters.register(app)
    for part in (check.pages, ledger.pages, sign_in.pages, checks.api, health.api, description.api):
        app.register_blueprint(part)
    return app
