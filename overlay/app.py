"""The web application."""

from __future__ import annotations

from flask import Flask
from jinja2 import ChoiceLoader, PackageLoader, PrefixLoader

from overlay import errors, metrics, proxies, request_ids, request_limits, security, shedding
from overlay.api import checks, description, figures, health
from overlay.api import events as events_api
from overlay.api import incidents as incidents_api
from overlay.services import Services
from overlay.settings import Settings
from overlay.threads import Places
from overlay.web import (
    account,
    accounts,
    board,
    check,
    control_room,
    desk,
    disclosures,
    events,
    feedback,
    filters,
    glass,
    incidents,
    ledger,
    lists,
    lock,
    marker,
    marker_map,
    premises,
    problem,
    reconcile,
    second_factor,
    sign_in,
    single_sign_on,
    tokens,
    uploads,
)


def create_app(services: Services | None = None) -> Flask:
    """The application over `services`; without them, over those the settings of the environment describe."""
    app = Flask(__name__)
    app.extensions["overlay"] = services or _serving()
    app.jinja_loader = ChoiceLoader(
        [
            PackageLoader("overlay"),
            PrefixLoader({"govuk_frontend_jinja": PackageLoader("govuk_frontend_jinja")}),
        ]
    )
    request_ids.install(app)
    metrics.install(app)
    shedding.install(app, Places(security.services_of(app).settings.threads))
    uploads.install(app)
    request_limits.install(app)
    security.install(app)
    errors.install(app, as_page=problem.show)
    filters.register(app)
    pages = (
        check,
        sign_in,
        second_factor,
        single_sign_on,
        lock,
        account,
        accounts,
        tokens,
        glass,
        incidents,
        board,
        events,
        control_room,
        desk,
        lists,
        reconcile,
        marker,
        marker_map,
        feedback,
        premises,
        disclosures,
        ledger,
    )
    for part in (
        *(module.pages for module in pages),
        checks.api,
        incidents_api.api,
        events_api.api,
        health.api,
        description.api,
        figures.api,
    ):
        app.register_blueprint(part)
    app.wsgi_app = proxies.behind(security.services_of(app).settings.trusted, app.wsgi_app)  # type: ignore[method-assign]  # Flask's own way to wrap
    return app


def _serving() -> Services:
    services = Services.start(Settings.read(), from_snapshot=True)
    services.prepare_board(services.now())
    return services
