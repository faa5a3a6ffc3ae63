"""Which prefix an id wears at the REST edge."""

from collections.abc import Mapping
from typing import Any

from app.core.errors import NotFoundError
from app.core.ids import edge_id, is_uuid, parse_edge_id

USER = "user"
GROUP = "group"
ROLE = "role"
MAPPING = "gmap"
MAPPING_VERSION = "gmapver"
JOB = "job"
SEAT = "seat"
ORGANIZATION = "org"
SCIM_TOKEN = "scimtok"  # noqa: S105 - a prefix, no secret
API_KEY = "apikey"
EVENT = "evt"
SCIM_REQUEST = "scimreq"
DOMAIN = "domain"
CONNECTION = "conn"
SESSION = "sess"
LOGIN_TRACE = "trace"
SPEND_LIMIT = "spl"
LIMIT_INCREASE = "linc"
HELD_CHANGE = "held"
AUTHORIZATION = "auth"
PRICE = "price"
CONTRACT = "contract"
APPLICATION = "app"

# The parameters of paths; a text that is no such id is not found.
PATH_IDS = {
    "user_id": USER,
    "group_id": GROUP,
    "role_id": ROLE,
    "mapping_id": MAPPING,
    "job_id": JOB,
    "scim_token_id": SCIM_TOKEN,
    "api_key_id": API_KEY,
    "scim_request_id": SCIM_REQUEST,
    "domain_id": DOMAIN,
    "connection_id": CONNECTION,
    "session_id": SESSION,
    "spend_limit_id": SPEND_LIMIT,
    "limit_increase_id": LIMIT_INCREASE,
    "held_change_id": HELD_CHANGE,
    "authorization_id": AUTHORIZATION,
    "price_id": PRICE,
    "contract_id": CONTRACT,
    "application_id": APPLICATION,
}

# The types that the audit log names, as REST shows them. Credentials are of one of two kinds.
_LOGGED = {
    "user": ("user", USER),
    "group": ("group", GROUP),
    "role": ("role", ROLE),
    "org": ("organization", ORGANIZATION),
    "domain": ("domain", DOMAIN),
    "connection": ("connection", CONNECTION),
    "session": ("session", SESSION),
    "scim_token": ("scim_token", SCIM_TOKEN),
    "api_key": ("api_key", API_KEY),
    "held_change": ("held_change", HELD_CHANGE),
    "price": ("price", PRICE),
    "contract": ("contract", CONTRACT),
    "application": ("application", APPLICATION),
}


def reference(type_: str, id_: str, data: Mapping[str, Any]) -> dict[str, str]:
    """`{"type", "id"}` of an actor or target in the log; the operator and the worker have plain names."""
    stored = data["kind"] if type_ == "credential" else type_
    if stored not in _LOGGED:
        return {"type": stored, "id": id_}
    shown, prefix = _LOGGED[stored]
    return {"type": shown, "id": edge_id(prefix, id_)}


def parse_actor_id(text: str) -> str:
    """The id of any actor as the log stores it: a plain name stays, a prefixed id becomes bare."""
    return text if text.isalpha() else parse_any_id(text)


def parse_any_id(text: str) -> str:
    prefix, _, bare = text.partition("_")
    if prefix not in {prefix for _, prefix in _LOGGED.values()} or not is_uuid(bare):
        raise NotFoundError(f"There is nothing with the id {text[:80]!r}.")
    return parse_edge_id(prefix, text)
