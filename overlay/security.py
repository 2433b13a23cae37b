"""Who may reach which route, and what every response carries.

Each view bears its guard: a permission, or the reason it is public. One hook enforces them before any view
runs, so a view without a guard answers nobody. A cookie never authenticates /api; a bearer token never
authenticates a page.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar, cast

from flask import Flask, Request, Response, current_app, g, request, session
from flask.sessions import SecureCookieSessionInterface
from flask_wtf.csrf import CSRFError, CSRFProtect

from markers.ledger import Via
from overlay.feed import Mark
from overlay.identity import Browser, is_locked
from overlay.roles import PERMISSIONS, Actor
from overlay.services import Services

View = TypeVar("View", bound=Callable[..., Any])

LARGEST_BODY = 64 * 1024  # bytes
LARGEST_FILE = 32 * 1024 * 1024  # of a list sent with a form: 100,000 markers are 25 MB as CSV
DEVICE_LASTS = timedelta(days=90)
API = "/api/"

_FEATURES = (
    "accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "fullscreen", "geolocation",
    "gyroscope", "magnetometer", "microphone", "midi", "payment", "picture-in-picture", "publickey-credentials-get",
    "screen-wake-lock", "usb", "xr-spatial-tracking",
)  # fmt: skip
_FIXED_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _FEATURES),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class SignInFirst(Exception):
    """The request comes from nobody known."""


class Locked(Exception):
    """The session is locked: nothing is shown until its person has proved again who they are."""


class Forbidden(Exception):
    """The role does not hold the permission."""

    def __init__(self, role_title: str, permission: str) -> None:
        super().__init__(permission)
        self.role_title = role_title
        self.permission = permission


class CrossSite(Exception):
    """A form was sent from another site, or without this site's own mark."""


class Unguarded(Exception):
    """A route without a guard: a fault of this program, answered like one."""


@dataclass(frozen=True, slots=True)
class Guard:
    """What a route asks for: a permission, or nothing for the reason given.

    `by_itself` says that pages ask for it by themselves: it is no sign of a person; `takes_file` that a list is sent.
    """

    permission: str | None
    reason: str | None
    by_itself: bool = False
    takes_file: bool = False


def requires(permission: str, *, by_itself: bool = False, takes_file: bool = False) -> Callable[[View], View]:
    """Guard a view by a permission of overlay/roles.py."""
    if permission not in PERMISSIONS:
        raise ValueError(f"unknown permission {permission!r}")
    return _bearing(Guard(permission, None, by_itself, takes_file))


def public(reason: str) -> Callable[[View], View]:
    """Open a view to anybody, and say why."""
    return _bearing(Guard(None, reason))


def guard_of(app: Flask, endpoint: str) -> Guard | None:
    """The guard recorded on an endpoint's view."""
    return getattr(app.view_functions[endpoint], "overlay_guard", None)


def services() -> Services:
    """The services of the running application."""
    return cast(Services, current_app.extensions["overlay"])


def now() -> datetime:
    """This request's moment: the clock is read once."""
    if "now" not in g:
        g.now = services().now()
    return cast(datetime, g.now)


def actor() -> Actor:
    """Who is asking, in a view that is guarded."""
    return cast(Actor, g.actor)


def whoever() -> Actor | None:
    """Who is asking, on a page that may be asked for by nobody known."""
    if g.get("actor") is None:
        g.actor = _who()
    return cast("Actor | None", g.actor)


def known_at() -> Mark:
    """How far this process was when the request began: what a page shows is at least that new."""
    if "known_at" not in g:
        g.known_at = services().sight().mark
    return cast(Mark, g.known_at)


def csp_nonce() -> str:
    """The nonce of this response's own scripts and styles."""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    return cast(str, g.csp_nonce)


def is_api(req: Request) -> bool:
    """Whether a program is asking: it gets JSON, and signs in by bearer token only."""
    return req.path.startswith(API) or req.path in ("/healthz", "/readyz", "/metrics")


def session_secret() -> str | None:
    """The secret in the sign-in cookie, if any."""
    return cookie("session")


def give_session(response: Response, secret: str) -> None:
    """Hand the sign-in cookie to the browser, and take back that of a sign-in half done."""
    give_cookie(response, "session", secret, services().policy.shift)
    take_cookie(response, "pending")


def take_session(response: Response) -> None:
    """Take the sign-in cookie back."""
    take_cookie(response, "session")


def browser() -> Browser:
    """Where the request comes from, for counting tries."""
    return Browser(request.remote_addr or "", cookie("device") or "")


def is_locked_now() -> bool:
    """Whether the session that came with this request is locked."""
    secret = session_secret()
    session_kept = services().access.session(secret) if secret else None
    return session_kept is not None and is_locked(services().door, session_kept, now())


def cookie(name: str) -> str | None:
    """The value of one of this site's own cookies."""
    return request.cookies.get(_cookie_name(name))


def give_cookie(
    response: Response, name: str, value: str, lasts: timedelta, same_site: Literal["Strict", "Lax"] = "Strict"
) -> None:
    """Hand a cookie to the browser, out of reach of scripts."""
    response.set_cookie(
        _cookie_name(name),
        value,
        max_age=int(lasts.total_seconds()),
        secure=request.is_secure,
        httponly=True,
        samesite=same_site,
        path="/",
    )


def take_cookie(response: Response, name: str) -> None:
    """Take a cookie back."""
    response.delete_cookie(_cookie_name(name), secure=request.is_secure, httponly=True, samesite="Strict", path="/")


def install(app: Flask) -> None:
    """Put guards, form protection and headers around every route of the application."""
    # The secret signs only the form token's cookie; every process of one installation derives the same.
    app.secret_key = services_of(app).vault.token("cookie", "form")
    app.config.update(
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        MAX_FORM_MEMORY_SIZE=LARGEST_BODY,
        MAX_FORM_PARTS=100,
        PROVIDE_AUTOMATIC_OPTIONS=False,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_PATH="/",
        # A page whose session ended can be sent again once its reader has signed in anew, with what was typed.
        WTF_CSRF_TIME_LIMIT=int(2 * services_of(app).policy.shift.total_seconds()),
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_SSL_STRICT=False,  # it needs a Referer, which our pages never send; Sec-Fetch-Site stands in for it
    )
    app.session_interface = _FormCookie()
    csrf = CSRFProtect(app)
    app.jinja_env.globals["csp_nonce"] = csp_nonce
    app.view_functions["static"] = public("styles, scripts and pictures, the same for everyone")(
        app.view_functions["static"]
    )

    @app.before_request
    def admit() -> None:
        _admit(app, csrf)

    app.after_request(_with_headers)


def services_of(app: Flask) -> Services:
    """The services of an application outside a request."""
    return cast(Services, app.extensions["overlay"])


def forget_form_token() -> None:
    """Pages of whoever signed out can't be sent by whoever signs in next."""
    session.clear()
    g.pop("csrf_token", None)


def _bearing(guard: Guard) -> Callable[[View], View]:
    def bear(view: View) -> View:
        view.overlay_guard = guard  # type: ignore[attr-defined]  # functions carry attributes; typing has no way to say so
        return view

    return bear


def _admit(app: Flask, csrf: CSRFProtect) -> None:
    if request.endpoint is None:
        return  # no such page or method: the routing error that follows says so
    guard = guard_of(app, request.endpoint)
    if guard is None:
        raise Unguarded(request.endpoint)
    if guard.permission is not None:
        known_at()  # before anything is read: what changes meanwhile is told after it
        known = whoever()
        if known is None:
            raise SignInFirst
        if known.via is Via.WEB and is_locked_now():
            raise Locked
        if known.via is Via.API or (is_activity() and not guard.by_itself):
            services().presence.note(known.credential, now())
        roles = services().roles
        if not roles.may(known, guard.permission):
            raise Forbidden(roles.title(known.role), guard.permission)
    if guard.takes_file:
        request.max_content_length = LARGEST_FILE  # not before it is known who asks
    if not is_api(request) and request.method not in ("GET", "HEAD"):
        _own_form(csrf)


def is_activity() -> bool:
    """Whether a person did this: opened a page or sent a form. What a page's script asks for by itself is not."""
    if request.method not in ("GET", "HEAD"):
        return True
    return "HX-Request" not in request.headers and request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"


def _who() -> Actor | None:
    found = _named()
    if found is None and _credential() and "asked_anew" not in g and services().trouble is None:
        g.asked_anew = True
        services().freshen("access")  # let in a moment ago by another process, whose news is still on the way
        found = _named()
    return found


def _credential() -> str:
    """What came with the request to say who asks: a program's bearer token, a browser's session; empty for none."""
    if not is_api(request):
        return session_secret() or ""
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    return bearer.strip() if scheme.casefold() == "bearer" else ""


def _named() -> Actor | None:
    """Whose credential it is, as far as this process knows."""
    book = services().access
    return (book.actor_for_token if is_api(request) else book.actor_for_session)(_credential(), now())


def _own_form(csrf: CSRFProtect) -> None:
    # Browsers say where a request comes from on https and on this machine; where they do not, the token decides alone.
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise CrossSite
    try:
        csrf.protect()
    except CSRFError as error:
        raise CrossSite from error


def _cookie_name(name: str) -> str:
    return f"__Host-overlay-{name}" if request.is_secure else f"overlay-{name}"


class _FormCookie(SecureCookieSessionInterface):
    """Flask's signed cookie, which holds the form token alone; `__Host-` wherever the connection is encrypted."""

    def get_cookie_name(self, app: Flask) -> str:  # noqa: ARG002 - Flask calls it so
        return _cookie_name("form")

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002 - Flask calls it so
        return request.is_secure


def _with_headers(response: Response) -> Response:
    nonce = csp_nonce()
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; img-src 'self'; "
        "font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    for name, value in _FIXED_HEADERS.items():
        response.headers[name] = value
    # Styles and scripts hold nothing secret; they may be kept, and asked after each time.
    is_static = request.endpoint == "static" and response.status_code < 400
    response.headers["Cache-Control"] = "no-cache" if is_static else "no-store"
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    return response
