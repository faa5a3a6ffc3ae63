"""What goes to the provider: the browser's way there and back out again, and the request for tokens; pure.

Nonce and code verifier are made from the secret in the browser's cookie and the state, so each is good for
one login of one browser, and neither is stored anywhere.
"""

import hashlib
import hmac
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote_plus, urlencode

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class LoginSecrets:
    """What binds an answer to its login: `nonce` in the ID token, `verifier` at the token endpoint."""

    nonce: str
    verifier: str

    @property
    def challenge(self) -> str:
        """RFC 7636 section 4.2, S256."""
        return _base64url(hashlib.sha256(self.verifier.encode()).digest())


def login_secrets(browser: str, state: str) -> LoginSecrets:
    def derived(purpose: str) -> str:
        text = f"{purpose} {state}".encode()
        return _base64url(hmac.new(browser.encode(), text, hashlib.sha256).digest())

    return LoginSecrets(derived("nonce"), derived("code_verifier"))


@dataclass(frozen=True, slots=True)
class Client:
    """Who we are to a provider; `secret_method` is one of `provider.SECRET_METHODS`."""

    client_id: str
    # Never in what a log shows of this.
    secret: str = field(repr=False)
    secret_method: str
    callback_url: str


def authorization_url(
    endpoint: str,
    *,
    client_id: str,
    callback_url: str,
    scopes: str,
    state: str,
    secrets: LoginSecrets,
    anew: bool,
) -> str:
    """OpenID Connect Core 3.1.2.1 with PKCE; `anew` where a session at the provider is not enough."""
    return with_query(
        endpoint,
        {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": callback_url,
            "scope": scopes,
            "state": state,
            "nonce": secrets.nonce,
            "code_challenge": secrets.challenge,
            "code_challenge_method": "S256",
            **({"prompt": "login"} if anew else {}),
        },
    )


def token_request(client: Client, code: str, verifier: str) -> tuple[Mapping[str, str], bytes]:
    """Headers and body of the request for tokens (RFC 6749 section 4.1.3, RFC 7636 section 4.5)."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.callback_url,
        "code_verifier": verifier,
    }
    headers = {"Content-Type": FORM, "Accept": "application/json"}
    if client.secret_method == "client_secret_basic":  # noqa: S105 - the name of a method
        # RFC 6749 section 2.3.1: both are form-encoded before they are put together.
        pair = f"{quote_plus(client.client_id)}:{quote_plus(client.secret)}"
        headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    else:
        form |= {"client_id": client.client_id, "client_secret": client.secret}
    return headers, urlencode(form).encode()


def end_session_url(endpoint: str, *, client_id: str, back_to: str, id_token: str | None) -> str:
    """OpenID Connect RP-Initiated Logout 1.0 section 2."""
    asked = {"client_id": client_id, "post_logout_redirect_uri": back_to}
    return with_query(endpoint, {**asked, **({} if id_token is None else {"id_token_hint": id_token})})


def with_query(address: str, parameters: Mapping[str, str]) -> str:
    return f"{address}{'&' if '?' in address else '?'}{urlencode(parameters)}"


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")
