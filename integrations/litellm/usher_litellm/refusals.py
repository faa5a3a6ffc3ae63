"""What a person is told when their call is refused. Pure."""

from collections.abc import Mapping
from typing import Any

_WHOSE = {"user": "your", "group": "your group's", "organization": "your organization's"}
# A 404 would read as an unknown model, a 422 as a fault of the client's.
_SHOWN_AS = {404: 403, 422: 400}
_OWN_FAULTS = ("unauthenticated", "scope_missing")


class RefusedError(Exception):
    """LiteLLM answers the client with `status_code` and `message`."""

    def __init__(self, status_code: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.code = code
        self.message = self.detail = message


def refusal(status: int, body: Mapping[str, Any]) -> RefusedError:
    """The refusal for the client, from Usher's problem."""
    code = str(body.get("code", "refused"))
    if status == 401 or code in _OWN_FAULTS:  # noqa: PLR2004 - HTTP
        return RefusedError(
            503, "usher_key_refused", "Usher refuses this gateway's key. Tell who runs the gateway."
        )
    text = str(body.get("detail", "Usher refuses this call."))
    if code == "spend_limit_reached":
        text = _limit_text(body)
    return RefusedError(_SHOWN_AS.get(status, status), code, text)


def _limit_text(body: Mapping[str, Any]) -> str:
    whose = _WHOSE.get((body.get("scope") or {}).get("type", ""), "a")
    left = f"${body.get('remaining_usd')} of ${body.get('amount_usd')} is left"
    parts = [f"This call does not fit {whose} {body.get('window')} limit: {left}."]
    if body.get("resets_at"):
        parts.append(f"It resets at {body['resets_at']}.")
    if body.get("affordable_output_tokens"):
        parts.append(f"An answer of at most {body['affordable_output_tokens']} tokens still fits.")
    parts.append("Whoever manages your limits can raise it; that counts at once.")
    return " ".join(parts)
