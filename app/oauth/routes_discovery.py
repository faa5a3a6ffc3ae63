"""What applications read of us by themselves: our addresses and our public keys."""

from flask import Blueprint, Response

from app.core.urls import PublicUrls
from app.oauth.discovery import metadata
from app.oauth.routes_answers import json_response
from app.oauth.signing_keys import SigningKeys
from app.web.context import service

blueprint = Blueprint("openid_discovery", __name__)


@blueprint.get("/.well-known/openid-configuration")
@blueprint.get("/.well-known/oauth-authorization-server")
def show_metadata() -> Response:
    return json_response(metadata(service(PublicUrls).base_url))


@blueprint.get("/oauth/jwks")
def show_keys() -> Response:
    return json_response({"keys": service(SigningKeys).published()})
