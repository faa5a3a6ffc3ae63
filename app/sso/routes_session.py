"""The session of the browser at hand: shown to apps and to its person, and ended."""

import json

from flask import Blueprint, Response

from app.core.clock import rfc3339
from app.core.context import Actor
from app.core.errors import UnauthenticatedError
from app.core.ids import edge_id, parse_edge_id
from app.sso.routes_cookies import SESSION, Cookies
from app.sso.routes_logout import lead_to_idp
from app.sso.routes_pages import SUBMIT_SCRIPT, form, page
from app.sso.routes_same_origin import FIELD, csrf_token, require_same_origin
from app.sso.session_recognition import SessionRecognition, SignedIn
from app.sso.sessions import SessionService
from app.sso.waiting_places import WaitingPlaces
from app.web.context import Services, identify, service, state

MAX_SHOWN = 100
SESSION_PREFIX = "sess"

blueprint = Blueprint("session", __name__, url_prefix="/sso")


class NotSignedInError(UnauthenticatedError):
    code = "not_signed_in"
    headers = {}  # noqa: RUF012 - as declared in the tree of errors


def signed_in() -> SignedIn | None:
    """Whose live session the request's cookie names, if any; the transaction is then in its organization."""
    found = service(SessionRecognition).recognize(service(Cookies).read(SESSION))
    if found is not None:
        identify(Actor("user", found.user_id), found.org_id)
        if found.is_stale:
            _mark_seen(found)
    return found


def require_signed_in() -> SignedIn:
    found = signed_in()
    if found is None:
        raise NotSignedInError("Nobody is signed in. Sign in at /sso/login.")
    return found


@blueprint.get("/session")
def show_session() -> Response:
    """Tell an app who is signed in and what they may use."""
    person = require_signed_in()
    body = {
        "user": {
            "id": edge_id("user", person.user_id),
            "user_name": person.user_name,
            "email": person.email,
        },
        "organization": {"id": edge_id("org", person.org_id), "slug": person.org_slug},
        "role": person.role,
        "surfaces": list(person.surfaces),
        "seat_state": person.seat_state,
        "waiting_place": service(WaitingPlaces).of(person),
        "expires_at": rfc3339(person.expires_at),
    }
    return Response(json.dumps(body, ensure_ascii=False), content_type="application/json")


@blueprint.get("/me")
def show_me() -> Response:
    """The person's own page: who they are here, their seat, and where else they are signed in."""
    person = require_signed_in()
    rows = service(SessionService).page(limit=MAX_SHOWN, user_id=person.user_id)
    hidden = {FIELD: csrf_token()}
    name, address = person.display_name or person.user_name, person.email or person.user_name
    parts: list[str] = [
        f"You are {name} ({address}) at {person.org_name}.",
        _seat_sentence(person, service(WaitingPlaces).of(person)),
    ]
    for row in rows:
        here = " (this browser)" if row.id == person.session_id else ""
        since = f"Signed in {row.authenticated_at:%Y-%m-%d %H:%M} UTC from {row.address or 'unknown'}"
        parts.append(f"{since}, {row.user_agent or 'unknown browser'}{here}")
        if not here:
            action = f"/sso/me/sessions/{edge_id(SESSION_PREFIX, row.id)}/end"
            parts.append(form(action, hidden, "End this session"))
    return page("Signed in", *parts, form("/sso/logout", hidden, "Sign out"))


@blueprint.post("/me/sessions/<session_id>/end")
def end_my_session(session_id: str) -> Response:
    """End another session of the same person."""
    person = require_signed_in()
    require_same_origin()
    bare = parse_edge_id(SESSION_PREFIX, session_id)
    service(SessionService).revoke(bare, "user", user_id=person.user_id)
    return Response(status=303, headers={"Location": "/sso/me"})


@blueprint.get("/logout")
def confirm_logout() -> Response:
    """Ask before ending the session: a mere link ends nothing."""
    if signed_in() is None:
        return page("Signed out", "You are not signed in.")
    return page("Sign out?", form("/sso/logout", {FIELD: csrf_token()}, "Sign out"))


@blueprint.post("/logout")
def log_out() -> Response:
    """End the session here, and at the identity provider where that is set up."""
    person = signed_in()
    if person is None:
        response = page("Signed out", "You are not signed in.")
    else:
        require_same_origin()
        onward = lead_to_idp(person)
        service(SessionService).revoke(person.session_id, "logout")
        response = onward or page("Signed out", "You are signed out.")
    service(Cookies).take(response, SESSION)
    return response


@blueprint.get("/submit.js")
def submit_script() -> Response:
    return Response(SUBMIT_SCRIPT, content_type="text/javascript; charset=utf-8")


def _seat_sentence(person: SignedIn, place: int | None) -> str:
    if place is not None:
        return f"No seat is free. You are number {place} in the waiting list."
    if person.seat_state == "assigned":
        return f"You have a seat: {', '.join(person.surfaces) or 'no surfaces'}."
    if person.seat_state == "suspended":
        return "Your seat is suspended."
    return "You have no seat; ask your administrator."


def _mark_seen(found: SignedIn) -> None:
    def mark(services: Services) -> None:
        services.uow.enter(found.org_id)
        services.get(SessionRecognition).mark_seen(found.session_id)

    state().afterwards.append(mark)
