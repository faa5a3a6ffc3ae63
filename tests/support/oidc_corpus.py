"""Attacks on a relying party of OpenID Connect, one case each, with the verdict that is right.

DOMAIN in a text stands for the verified domain of the connection.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.core.guarded_fetch import Answered, FetchRefusedError
from tests.support.oidc_idp import (
    CLIENT_ID,
    CLIENT_SECRET,
    Claims,
    OidcIdp,
    answered,
    hmac_token,
    raw_token,
    rsa_key,
    signed_raw,
)

ACCEPTED = "accepted"
Query = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Case:
    """`claims` change an honest token, `token` and `answer` take its place, `back` changes the callback."""

    name: str
    expected: str
    claims: Claims = field(default_factory=dict)
    token: Callable[[OidcIdp, Claims], str] | None = None
    answer: Callable[[OidcIdp, Claims], Answered] | None = None
    back: Callable[[dict[str, str]], Query] | None = None
    # Claims whose values depend on the moment, as seconds from now.
    moments: Mapping[str, int] = field(default_factory=dict)
    userinfo: Claims | None = None


def _public_pem(idp: OidcIdp) -> bytes:
    return idp.key.as_pem(private=False)


def _foreign(**header: Any) -> Callable[[OidcIdp, Claims], str]:
    """Signed by a key that is none of the provider's."""
    return lambda idp, claims: idp.sign(claims, rsa_key("attacker"), **header)


def _own(**header: Any) -> Callable[[OidcIdp, Claims], str]:
    return lambda idp, claims: idp.sign(claims, **header)


def _changed(idp: OidcIdp, claims: Claims) -> str:
    head, _, signature = idp.sign(claims).split(".")
    body = raw_token({}, {**claims, "sub": "sub-boss"}).split(".")[1]
    return f"{head}.{body}.{signature}"


def _reshaped(change: Callable[[list[str]], list[str]]) -> Callable[[OidcIdp, Claims], str]:
    return lambda idp, claims: ".".join(change(idp.sign(claims).split(".")))


def _raw_body(change: Callable[[bytes], bytes]) -> Callable[[OidcIdp, Claims], str]:
    """The claims as text, changed, under a signature that holds."""

    def make(idp: OidcIdp, claims: Claims) -> str:
        return signed_raw(idp.key, {"alg": "RS256", "kid": idp.key.kid}, change(json.dumps(claims).encode()))

    return make


def _unreachable(text: str) -> Callable[[OidcIdp, Claims], Answered]:
    def refuse(*_: object) -> Answered:
        raise FetchRefusedError(text)

    return refuse


def _answering(status: int, body: bytes) -> Callable[[OidcIdp, Claims], Answered]:
    return lambda *_: Answered(status, body)


def _with(**changes: str) -> Callable[[dict[str, str]], Query]:
    return lambda query: {**query, **changes}


def _without(*names: str) -> Callable[[dict[str, str]], Query]:
    return lambda query: {name: value for name, value in query.items() if name not in names}


def _twice(name: str) -> Callable[[dict[str, str]], Query]:
    return lambda query: [*query.items(), (name, query[name])]


_AUDIENCE = "token_audience_mismatch"
CLAIMS = (
    Case("sound", ACCEPTED),
    Case("one-audience-in-a-list", ACCEPTED, {"aud": [CLIENT_ID]}),
    Case("several-audiences-with-us-as-party", ACCEPTED, {"aud": [CLIENT_ID, "other"], "azp": CLIENT_ID}),
    Case("several-audiences-without-party", _AUDIENCE, {"aud": [CLIENT_ID, "other"]}),
    Case("several-audiences-with-another-party", _AUDIENCE, {"aud": [CLIENT_ID, "other"], "azp": "other"}),
    Case("our-audience-with-another-party", _AUDIENCE, {"azp": "other"}),
    Case("party-of-another-kind", _AUDIENCE, {"azp": [CLIENT_ID]}),
    Case("other-audience", _AUDIENCE, {"aud": "other"}),
    Case("longer-audience", _AUDIENCE, {"aud": f"{CLIENT_ID}s"}),
    Case("no-audience", _AUDIENCE, {"aud": None}),
    Case("empty-audiences", _AUDIENCE, {"aud": []}),
    Case("audience-of-another-kind", _AUDIENCE, {"aud": [CLIENT_ID, 5], "azp": CLIENT_ID}),
    Case("audience-as-object", _AUDIENCE, {"aud": {CLIENT_ID: True}}),
    Case("other-issuer", "token_issuer_mismatch", {"iss": "https://evil.example"}),
    Case("no-issuer", "token_issuer_mismatch", {"iss": None}),
    Case("issuers-in-a-list", "token_issuer_mismatch", {"iss": ["https://evil.example"]}),
    Case("expired", "token_expired", moments={"exp": -200}),
    Case("expired-within-the-skew", ACCEPTED, moments={"exp": -100}),
    Case("no-end", "token_time_malformed", {"exp": None}),
    Case("end-as-text", "token_time_malformed", {"exp": "9999999999"}),
    Case("end-beyond-all-time", "token_time_malformed", {"exp": 1e300}),
    Case("end-before-all-time", "token_time_malformed", {"exp": -1}),
    Case("not-yet-valid", "token_not_yet_valid", moments={"nbf": 200}),
    Case("soon-valid", ACCEPTED, moments={"nbf": 100}),
    Case("start-as-text", "token_time_malformed", {"nbf": "0"}),
    Case("issued-far-in-the-future", "token_not_yet_valid", moments={"iat": 3_600, "exp": 7_200}),
    Case("never-issued", "token_time_malformed", {"iat": None}),
    Case("issued-truly", "token_time_malformed", {"iat": True}),
    Case("authenticated-in-the-future", "token_not_yet_valid", moments={"auth_time": 3_600}),
    Case("no-nonce", "token_nonce_mismatch", {"nonce": None}),
    Case("empty-nonce", "token_nonce_mismatch", {"nonce": ""}),
    Case("other-nonce", "token_nonce_mismatch", {"nonce": "n-0S6_WzA2Mj"}),
    Case("nonce-in-a-list", "token_nonce_mismatch", {"nonce": ["n"]}),
    Case("no-hash-of-the-access-token", ACCEPTED, {"at_hash": None}),
    Case("other-hash-of-the-access-token", "token_hash_mismatch", {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}),
    Case("hash-of-another-kind", "token_hash_mismatch", {"at_hash": 5}),
    Case("empty-hash", "token_hash_mismatch", {"at_hash": ""}),
    Case("other-hash-of-the-code", "token_hash_mismatch", {"c_hash": "AAAAAAAAAAAAAAAAAAAAAA"}),
    Case("no-subject", "token_subject_malformed", {"sub": None}),
    Case("empty-subject", "token_subject_malformed", {"sub": ""}),
    Case("blank-subject", "token_subject_malformed", {"sub": " "}),
    Case("subject-of-another-kind", "token_subject_malformed", {"sub": 5}),
    Case("longest-subject", ACCEPTED, {"sub": "s" * 255}),
    Case("too-long-subject", "token_subject_malformed", {"sub": "s" * 256}),
    Case("session-of-another-kind", "token_subject_malformed", {"sid": 5}),
)
PEOPLE = (
    Case("verified-address-of-nobodys-domain", "domain_not_verified", {"email": "ada@nobody.example"}),
    Case("unverified-foreign-address", "email_unverified", {"email": "a@x.example", "email_verified": None}),
    Case("unverified-own-address", "email_unverified", {"email_verified": False}),
    Case("verified-as-the-text-true", "email_unverified", {"email_verified": "true"}),
    Case("verified-as-the-text-false", "email_unverified", {"email_verified": "false"}),
    Case("verified-as-a-number", "email_unverified", {"email_verified": 1}),
    Case("nothing-said-of-the-address", "email_unverified", {"email_verified": None}),
    Case("no-address", "userinfo_failed", {"email": None}),
    Case("no-address-anywhere", "email_missing", {"email": None}, userinfo={"sub": "sub-ada"}),
    Case(
        "userinfo-about-somebody-else",
        "userinfo_subject_mismatch",
        {"email": None},
        userinfo={"sub": "sub-boss", "email": "boss@DOMAIN", "email_verified": True},
    ),
    Case(
        "userinfo-does-not-overrule-the-token",
        "email_unverified",
        {"email": None, "email_verified": False},
        userinfo={"sub": "sub-ada", "email": "ada@DOMAIN", "email_verified": True},
    ),
    Case("empty-address", "email_missing", {"email": ""}),
    Case("address-without-a-domain", "email_malformed", {"email": "ada"}),
    Case("two-addresses", "claim_malformed", {"email": ["ada@DOMAIN", "boss@DOMAIN"]}),
    Case("address-of-mixed-scripts", "email_malformed", {"email": "ada@\u0430cme.example"}),
    Case("groups-as-an-object", "claim_malformed", {"groups": {"Sales": True}}),
    Case("groups-of-another-kind", "claim_malformed", {"groups": ["Sales", 5]}),
    Case("name-of-another-kind", "claim_malformed", {"given_name": {"ja": "Ada"}}),
)
_PART = 70_000
TOKENS = (
    Case("no-algorithm", "token_algorithm", token=lambda _, c: raw_token({"alg": "none"}, c)),
    Case("no-signature", "token_malformed", token=lambda _, c: raw_token({"alg": "none"}, c, b"")),
    Case("none-in-capitals", "token_algorithm", token=lambda _, c: raw_token({"alg": "NONE"}, c)),
    Case("algorithm-missing", "token_algorithm", token=lambda _, c: raw_token({}, c)),
    Case("algorithms-in-a-list", "token_algorithm", token=lambda _, c: raw_token({"alg": ["RS256"]}, c)),
    Case(
        "hmac-with-the-public-key",
        "token_algorithm",
        token=lambda idp, c: hmac_token({"alg": "HS256", "kid": idp.key.kid}, c, _public_pem(idp)),
    ),
    Case(
        "hmac-with-the-client-secret",
        "token_algorithm",
        token=lambda _, c: hmac_token({"alg": "HS256"}, c, CLIENT_SECRET.encode()),
    ),
    Case("foreign-key", "token_key_unknown", token=_foreign()),
    Case("foreign-key-under-a-known-name", "token_signature_invalid", token=_foreign(kid="idp")),
    Case("foreign-key-without-a-name", "token_signature_invalid", token=_foreign(kid=None)),
    Case(
        "key-in-the-header",
        "token_signature_invalid",
        token=_foreign(kid="idp", jwk=rsa_key("attacker").as_dict(private=False)),
    ),
    Case(
        "named-key-in-the-header",
        "token_key_unknown",
        token=_foreign(jwk=rsa_key("attacker").as_dict(private=False)),
    ),
    Case("keys-by-address", "token_key_unknown", token=_foreign(jku="https://evil.example/keys")),
    Case("certificate-by-address", "token_key_unknown", token=_foreign(x5u="https://evil.example/c")),
    Case("certificate-in-the-header", "token_signature_invalid", token=_foreign(kid="idp", x5c=["MIIB"])),
    Case("key-name-as-a-path", "token_key_unknown", token=_foreign(kid="../../../../dev/null")),
    Case(
        "another-algorithm-of-the-key", "token_key_unknown", token=lambda _, c: raw_token({"alg": "ES256"}, c)
    ),
    Case("probabilistic-signature", ACCEPTED, token=_own(alg="PS256")),
    Case(
        "critical-header",
        "token_malformed",
        token=lambda idp, c: signed_raw(idp.key, {"alg": "RS256", "crit": ["exp"], "exp": 1}, c),
    ),
    Case(
        "unencoded-body",
        "token_malformed",
        token=lambda idp, c: signed_raw(idp.key, {"alg": "RS256", "b64": False}, c),
    ),
    Case("unknown-header", ACCEPTED, token=_own(x5t="AAAA", nonce="x")),
    Case("logout-token", "token_type", token=lambda idp, c: idp.logout_token(**c)),
    Case("access-token", "token_type", token=_own(typ="at+jwt")),
    Case(
        "type-of-another-kind",
        "token_type",
        token=lambda idp, c: signed_raw(idp.key, {"alg": "RS256", "typ": 5}, c),
    ),
    Case("type-with-its-prefix", ACCEPTED, token=_own(typ="application/JWT")),
    Case("changed-after-signing", "token_signature_invalid", token=_changed),
    Case("shorter-signature", "token_signature_invalid", token=_reshaped(lambda p: [*p[:2], p[2][:-8]])),
    Case("two-parts", "token_malformed", token=_reshaped(lambda p: p[:2])),
    Case("encrypted", "token_malformed", token=_reshaped(lambda p: [*p, *p[:2]])),
    Case("padded", "token_malformed", token=_reshaped(lambda p: [*p[:2], p[2] + "=="])),
    Case("other-alphabet", "token_malformed", token=_reshaped(lambda p: [*p[:2], "+" + p[2][1:]])),
    Case("white-space", "token_malformed", token=_reshaped(lambda p: [*p[:2], p[2] + "\n"])),
    Case("nothing", "token_malformed", token=lambda *_: ""),
    Case("too-large", "token_malformed", {"padding": "x" * _PART}),
    Case(
        "claim-twice",
        "token_malformed",
        token=_raw_body(lambda body: b'{"sub": "sub-boss", ' + body[1:]),
    ),
    Case(
        "header-member-twice",
        "token_malformed",
        token=lambda idp, c: signed_raw(idp.key, b'{"alg": "none", "alg": "RS256"}', c),
    ),
    Case("claims-in-a-list", "token_malformed", token=_raw_body(lambda body: b"[" + body + b"]")),
    Case("no-json", "token_malformed", token=_raw_body(lambda body: body[:-1])),
    Case("not-a-number", "token_malformed", token=_raw_body(lambda body: b'{"exp": NaN, ' + body[1:])),
    Case("no-text", "token_malformed", token=_raw_body(lambda body: body + b"\xff")),
    Case(
        "deep", "token_malformed", token=_raw_body(lambda b: b'{"x":' + b"[" * 99 + b"]" * 99 + b"," + b[1:])
    ),
    Case(
        "large-header",
        "token_malformed",
        token=lambda idp, c: signed_raw(idp.key, {"alg": "RS256", "x": "x" * 9_000}, c),
    ),
)
ANSWERS = (
    Case("refused", "token_request_refused", answer=lambda *_: answered(400, {"error": "invalid_grant"})),
    Case("out-of-order", "token_request_failed", answer=_answering(502, b"<html>")),
    Case("redirect", "token_request_failed", answer=_unreachable("The address redirects.")),
    Case("huge", "token_request_failed", answer=_unreachable("The document is larger than 1048576 bytes.")),
    Case("no-token", "token_answer_malformed", answer=lambda *_: answered(200, {"access_token": "access"})),
    Case("token-of-another-kind", "token_answer_malformed", answer=lambda *_: answered(200, {"id_token": 5})),
    Case("no-json", "token_answer_malformed", answer=_answering(200, b"<html>")),
    Case("refused-without-json", "token_answer_malformed", answer=_answering(404, b"Not Found")),
    Case("a-list", "token_answer_malformed", answer=_answering(200, b"[]")),
    Case("nothing", "token_answer_malformed", answer=_answering(200, b"")),
    Case(
        "member-twice",
        "token_answer_malformed",
        answer=_answering(200, b'{"id_token": "a.b.c", "id_token": "d.e.f"}'),
    ),
    Case(
        "access-token-of-another-kind",
        "token_answer_malformed",
        answer=lambda idp, c: answered(200, {"id_token": idp.sign(c), "access_token": {}}),
    ),
    Case(
        "hash-without-access-token",
        "token_hash_mismatch",
        answer=lambda idp, c: answered(200, {"id_token": idp.sign(c)}),
    ),
)
_UUID = "00000000-0000-7000-8000-000000000000"
CALLBACKS = (
    Case("no-state", "callback_malformed", back=_without("state")),
    Case("empty-state", "callback_malformed", back=_with(state="")),
    Case("state-twice", "callback_malformed", back=_twice("state")),
    Case("code-twice", "callback_malformed", back=_twice("code")),
    Case("issuer-twice", "callback_malformed", back=_twice("iss")),
    Case("neither-code-nor-error", "callback_malformed", back=_without("code")),
    Case("code-and-error", "callback_malformed", back=_with(error="access_denied")),
    Case("too-long-code", "callback_malformed", back=_with(code="x" * 9_000)),
    Case("unknown-parameters", ACCEPTED, back=_with(session_state="x")),
    Case("state-of-nobody", "request_unknown", back=_with(state=f"{_UUID}.usher_relay_x")),
    Case("state-of-another-kind", "request_unknown", back=_with(state="../x")),
    Case("state-with-nul", "request_unknown", back=_with(state="\x00")),
    Case("state-without-its-secret", "request_unknown", back=lambda q: {**q, "state": q["state"][:36]}),
    Case("state-cut", "request_unknown", back=lambda q: {**q, "state": q["state"][:-1]}),
    Case("no-issuer-though-promised", "response_issuer_missing", back=_without("iss")),
    Case("other-issuer", "response_issuer_mismatch", back=_with(iss="https://evil.example")),
    Case("empty-issuer", "response_issuer_mismatch", back=_with(iss="")),
    Case("issuer-with-a-slash", "response_issuer_mismatch", back=lambda q: {**q, "iss": q["iss"] + "/"}),
    Case("code-of-nobody", "token_request_refused", back=_with(code="code-x")),
    Case("code-with-nul", "token_request_refused", back=_with(code="\x00")),
    Case(
        "denied",
        "provider_refused",
        back=lambda q: {"error": "access_denied", "state": q["state"], "iss": q["iss"]},
    ),
)
FAMILIES = {"claims": CLAIMS, "people": PEOPLE, "token": TOKENS, "answer": ANSWERS, "callback": CALLBACKS}


def corpus() -> list[tuple[str, Case]]:
    return [(family, case) for family, cases in FAMILIES.items() for case in cases]
