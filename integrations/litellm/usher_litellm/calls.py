"""What LiteLLM knows of a call, in Usher's words: who, where from, which model, how it failed. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from usher_litellm.settings import SURFACES, Settings
from usher_litellm.usage import estimate

MAX_TEXT_LENGTH = 200
SESSION_HEADER = "x-claude-code-session-id"
REPOSITORY_HEADER = "x-usher-repository"
FEATURE_HEADER = "x-usher-feature"

# What is priced by tokens.
METERED = frozenset(
    {
        *("completion", "acompletion", "text_completion", "atext_completion"),
        *("anthropic_messages", "aanthropic_messages", "responses", "aresponses"),
        *("generate_content", "agenerate_content", "generate_content_stream", "agenerate_content_stream"),
        *("embedding", "aembedding"),
    }
)
# What asks no model. All that is in neither is refused: a way around the meter is no way.
FREE = frozenset(
    {
        *("list_mcp_tools", "call_mcp_tool", "retrieve_batch", "aretrieve_batch"),
        *("create_file", "acreate_file", "moderation", "amoderation"),
    }
)

_NEVER_ARRIVED = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ClientConnectorError"})
_BROKE_OFF = frozenset(
    {
        *("ReadTimeout", "ReadError", "RemoteProtocolError"),
        *("ServerDisconnectedError", "ClientPayloadError", "SocketTimeoutError"),
    }
)
_UNCLEAR = frozenset({"Timeout", "APIConnectionError", "CancelledError"})
# Timed out, the client left, timed out further on.
_UNCLEAR_STATUS = (408, 499, 504)


def person_of(key: Any) -> dict[str, str] | None:
    """The person of a key: its user's e-mail, which is the user name, or what its maker wrote down.

    The e-mail goes first, because people who may make keys for themselves write their metadata.
    """
    if key.user_email:
        return {"user_name": str(key.user_email)}
    named = (key.metadata or {}).get("usher_user")
    if not named:
        return None
    return {"id" if str(named).startswith("user_") else "user_name": str(named)}


def call_of(
    key: Any, person: Mapping[str, str], data: Mapping[str, Any], settings: Settings
) -> dict[str, Any]:
    """Who spends on what, as `/authorizations` and `/usage_events` both want it."""
    surface = (key.metadata or {}).get("usher_surface")
    headers = (data.get("proxy_server_request") or {}).get("headers") or {}
    told = {str(name).lower(): str(value)[:MAX_TEXT_LENGTH] for name, value in headers.items() if value}
    model = str(data["model"])
    return {
        "user": dict(person),
        "surface": surface if surface in SURFACES else settings.surface,
        "model": settings.models.get(model, model.rpartition("/")[2]),
        "repository": told.get(REPOSITORY_HEADER),
        "feature": told.get(FEATURE_HEADER),
        "session_id": told.get(SESSION_HEADER),
    }


def question(call: Mapping[str, Any], data: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    return {**call, "estimate": estimate(data, settings.output_tokens)}


def may_have_cost(error: BaseException) -> bool:
    """Whether a call that failed like this may be billed: it was sent, and nobody knows how it ended.

    A provider that answers with an error bills nothing. The classes are known by name, so that this
    needs neither LiteLLM nor its HTTP clients.
    """
    names = {kind.__name__ for link in _chain(error) for kind in type(link).__mro__}
    if names & _BROKE_OFF:
        return True
    if names & _NEVER_ARRIVED:
        return False
    return bool(names & _UNCLEAR) or getattr(error, "status_code", None) in _UNCLEAR_STATUS


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
