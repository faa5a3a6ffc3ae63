"""How messages come in and go out of requests here."""

from urllib.parse import parse_qsl

from flask import Response, request

from app.sso.routes_pages import onward
from app.sso.saml.bindings import post_form, redirect_url
from app.sso.trusted_connections import Outgoing
from app.web.context import state

MAX_FIELDS = 100


def form_fields() -> list[tuple[str, str]]:
    """The form as it was sent: a repeated field stays repeated. What is no form has none."""
    return fields_of(request.get_data())


def fields_of(raw: bytes) -> list[tuple[str, str]]:
    """The fields of a form or a query, as they were sent."""
    try:
        return parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return []


def send(message: Outgoing, relay_state: str) -> Response:
    """Take the browser to the identity provider with a message."""
    sent = (message.destination, message.parameter, message.xml)
    if message.binding == "post":
        return onward(post_form(*sent, relay_state=relay_state, key=message.key))
    return see_other(redirect_url(*sent, relay_state=relay_state, key=message.key))


def see_other(address: str) -> Response:
    return Response(status=303, headers={"Location": address})


def pause() -> None:
    """Let go of the transaction, which has only read so far, before something slow."""
    services = state().services
    if services is not None:
        services.uow.pause()
