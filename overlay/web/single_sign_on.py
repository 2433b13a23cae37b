"""Leaving for the provider of single sign-on and coming back.

The session's cookie is Strict, and the way back from the provider begins on another site: a redirect from there would
arrive without it. So the return answers with a page of its own, whose next step begins here.
"""

from __future__ import annotations

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request
from flask.typing import ResponseReturnValue

from overlay import identity, security
from overlay.identity.openid import OpenId
from overlay.identity.provider import RETURN
from overlay.identity.sign_on import QUESTION_LASTS, come_back, leave
from overlay.security import public
from overlay.web.chrome import chrome_for, chrome_for_nobody
from overlay.web.refusals import status_of, with_wait
from overlay.web.views import SignedOnPage, SignInPage

pages = Blueprint("single_sign_on", __name__)


@pages.get("/sign-in/single-sign-on")
@public("nobody is signed in yet; it only sends the browser to the provider")
def go() -> ResponseReturnValue:
    """Send the browser to the provider, with what it must bring back in a cookie."""
    again = security.whoever() if request.args.get("again") == "1" else None
    try:
        address, question = leave(security.services().door, _provider(), security.now(), again)
    except (identity.ProviderAway, identity.SignInBusy) as away:
        return _refused(away)
    response = make_response(redirect(address, 303))
    # Lax: the one cookie that has to come along when another site sends the browser back.
    security.give_cookie(response, "sign-on", question, QUESTION_LASTS, same_site="Lax")
    return response


@pages.get(RETURN)
@public("nobody is signed in yet; what the provider says is checked in full")
def come() -> ResponseReturnValue:
    """Let in whoever the provider vouches for."""
    services = security.services()
    answer = {name: request.args.get(name, "") for name in ("state", "code", "error", "iss") if name in request.args}
    try:
        signed_on = come_back(services.door, _provider(), security.cookie("sign-on") or "", answer, security.now())
    except (identity.SignInRefused, identity.ProviderAway, identity.SignInBusy, identity.StartAgain) as refused:
        response = _refused(refused)
    else:
        actor = services.access.actor_for_session(signed_on.secret, security.now())
        if actor is None:
            raise identity.StartAgain
        page = SignedOnPage(chrome_for(actor), again=signed_on.again)
        response = make_response(render_template("pages/signed_on.html", page=page))
        security.give_session(response, signed_on.secret)
    security.take_cookie(response, "sign-on")
    return response


def _provider() -> OpenId:
    provider = security.services().sign_on
    if provider is None:
        abort(404)
    return provider


def _refused(problem: identity.IdentityError) -> Response:
    page = SignInPage(chrome_for_nobody(), problem=str(problem), provider=_provider().provider.title)
    status = 503 if isinstance(problem, identity.ProviderAway) else status_of(problem)
    return with_wait(make_response(render_template("pages/sign_in.html", page=page), status), problem)
