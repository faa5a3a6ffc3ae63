"""An OpenID provider in this process: it asks for PKCE, gives each code once, signs what a test wants."""

import hashlib
import hmac
import itertools
import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from app.core.guarded_fetch import Answered
from app.sso.oidc.keys import ALGORITHMS
from tests.support.fakes import FakeClock, FakeFetch

CLIENT_ID, CLIENT_SECRET = "usher at acme", "se cret:/+&%"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_numbers = itertools.count(1)

Claims = dict[str, Any]


@cache
def rsa_key(name: str) -> RSAKey:
    """A key of this process, always the same under a name."""
    return RSAKey.generate_key(2048, {"kid": name})


@cache
def ec_key(name: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": name})


def base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def raw_token(header: bytes | Mapping[str, Any], body: bytes | Claims, signature: bytes = b"sig") -> str:
    """A token of these very parts."""
    parts = (part if isinstance(part, bytes) else json.dumps(part).encode() for part in (header, body))
    return ".".join(base64url(part) for part in (*parts, signature))


def hmac_token(header: Mapping[str, Any], claims: Claims, secret: bytes) -> str:
    signed = raw_token(header, claims).rpartition(".")[0]
    return f"{signed}.{base64url(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def signed_raw(key: RSAKey, header: bytes | Mapping[str, Any], body: bytes | Claims) -> str:
    """A token of these very parts with a signature (RS256) that holds."""
    signed = raw_token(header, body).rpartition(".")[0]
    private = key.get_op_key("sign")
    assert isinstance(private, RSAPrivateKey)
    return f"{signed}.{base64url(private.sign(signed.encode(), PKCS1v15(), SHA256()))}"


@dataclass
class Grant:
    """What a code stands for."""

    claims: Claims
    redirect_uri: str
    challenge: str


@dataclass
class OidcIdp:
    """`make_token` and `make_answer` are what a test puts in place of an honest provider's."""

    fetch: FakeFetch
    clock: FakeClock
    issuer: str
    key: RSAKey = field(default_factory=lambda: rsa_key("idp"))
    secret_method: str = "client_secret_basic"
    grants: dict[str, Grant] = field(default_factory=dict)
    make_token: Callable[["OidcIdp", Claims], str] | None = None
    make_answer: Callable[["OidcIdp", Claims], Answered] | None = None
    userinfo: Claims | None = None
    asked: list[dict[str, str]] = field(default_factory=list)

    @property
    def discovery_url(self) -> str:
        return f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"

    def document(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            **{
                f"{name}_endpoint": f"{self.issuer}/{name}" for name in ("authorization", "token", "userinfo")
            },
            "end_session_endpoint": f"{self.issuer}/end?from=usher",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code", "id_token"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "token_endpoint_auth_methods_supported": [self.secret_method, "private_key_jwt"],
            "scopes_supported": ["openid", "groups"],
            "authorization_response_iss_parameter_supported": True,
            "backchannel_logout_supported": True,
        }

    def publish(self, *keys: RSAKey | ECKey, **changes: Any) -> None:
        """Publish the discovery document, with changes, and a key set."""
        document = {
            name: value for name, value in {**self.document(), **changes}.items() if value is not None
        }
        self.fetch.documents[self.discovery_url] = json.dumps(document).encode()
        public = [key.as_dict(private=False) for key in keys or (self.key,)]
        self.fetch.documents[f"{self.issuer}/keys"] = json.dumps({"keys": public}).encode()
        self.fetch.endpoints[f"{self.issuer}/token"] = self._token
        self.fetch.endpoints[f"{self.issuer}/userinfo"] = self._userinfo

    @property
    def now(self) -> int:
        return int(self.clock.now().timestamp())

    def authorize(self, location: str, **claims: Any) -> dict[str, str]:
        """Sign in as the subject of the claims; answers the parameters that the browser brings back."""
        asked = dict(parse_qsl(urlsplit(location).query, strict_parsing=True))
        self.asked.append(asked)
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = f"code-{next(_numbers)}"
        usual = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "exp": self.now + 300,
            "iat": self.now,
            "auth_time": self.now,
            "nonce": asked["nonce"],
        }
        self.grants[code] = Grant({**usual, **claims}, asked["redirect_uri"], asked["code_challenge"])
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    def sign(self, claims: Claims, key: RSAKey | ECKey | None = None, **header: Any) -> str:
        """A token; a claim or member that is null is left out."""
        used = key or self.key
        head = {"alg": "RS256", "kid": used.kid, "typ": "JWT", **header}
        kept = [{name: value for name, value in part.items() if value is not None} for part in (head, claims)]
        registry = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        return jws.serialize_compact(kept[0], json.dumps(kept[1]), used, registry=registry)

    def logout_token(self, key: RSAKey | None = None, header: Claims | None = None, **claims: Any) -> str:
        usual: Claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": self.now,
            "exp": self.now + 120,
            "jti": f"logout-{next(_numbers)}",
            "events": {LOGOUT_EVENT: {}},
        }
        return self.sign({**usual, **claims}, key, **{"typ": "logout+jwt", **(header or {})})

    def _token(self, method: str, headers: Mapping[str, str], body: bytes) -> Answered:
        form = dict(parse_qsl(body.decode(), strict_parsing=True))
        assert (method, form["grant_type"]) == ("POST", "authorization_code")
        if not self._knows_client(headers, form):
            return answered(401, {"error": "invalid_client"})
        grant = self.grants.pop(form["code"], None)
        if grant is None:
            return answered(400, {"error": "invalid_grant", "error_description": "code"})
        verifier = form.get("code_verifier", "")
        if base64url(hashlib.sha256(verifier.encode()).digest()) != grant.challenge:
            return answered(400, {"error": "invalid_grant", "error_description": "code_verifier"})
        if form["redirect_uri"] != grant.redirect_uri:
            return answered(400, {"error": "invalid_grant", "error_description": "redirect_uri"})
        claims = {"at_hash": half_hash("access"), **grant.claims}
        if self.make_answer is not None:
            return self.make_answer(self, claims)
        token = self.sign(claims) if self.make_token is None else self.make_token(self, claims)
        return answered(200, {"access_token": "access", "token_type": "Bearer", "id_token": token})

    def _knows_client(self, headers: Mapping[str, str], form: Mapping[str, str]) -> bool:
        if self.secret_method == "client_secret_post":
            return (form["client_id"], form["client_secret"]) == (CLIENT_ID, CLIENT_SECRET)
        pair = b64decode(headers["Authorization"].removeprefix("Basic ")).decode()
        name, _, secret = pair.partition(":")
        return (unquote_plus(name), unquote_plus(secret)) == (CLIENT_ID, CLIENT_SECRET)

    def _userinfo(self, method: str, headers: Mapping[str, str], _: bytes) -> Answered:
        assert (method, headers["Authorization"]) == ("GET", "Bearer access")
        return answered(404, {}) if self.userinfo is None else answered(200, self.userinfo)


def answered(status: int, body: object) -> Answered:
    return Answered(status, json.dumps(body).encode())


def half_hash(text: str) -> str:
    return base64url(hashlib.sha256(text.encode()).digest()[:16])
