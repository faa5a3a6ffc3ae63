"""The key set of an OpenID provider, read (RFC 7517): only public keys that sign are kept; pure."""

from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey, import_key

from app.core import strict_json
from app.core.errors import UnprocessableError

# Asymmetric ones only: with HMAC the client's secret, or a public key taken for one, would sign.
ALGORITHMS = ("RS256", "ES256", "PS256", "RS384", "ES384", "PS384", "RS512", "ES512", "PS512")
MAX_KEYS = 100
MIN_RSA_BITS, MAX_RSA_BITS = 2_048, 8_192
# Beside these a key set may hold certificates and more, which nobody here believes.
_MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y")}
_COMMON = ("kty", "kid", "alg")
_CURVE_OF = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}

Jwk = Mapping[str, str]


class DiscoveryError(UnprocessableError):
    """What a provider publishes cannot make a connection; the text may be shown to an administrator."""

    code = "discovery_invalid"


def read_keys(body: bytes) -> list[Jwk]:
    """The usable keys of a set; raises `DiscoveryError` when there is none."""
    try:
        document = strict_json.loads(body)
    except strict_json.InvalidJsonError as error:
        raise DiscoveryError(
            f"There is no key set at jwks_uri: {error.detail}", code="keys_invalid"
        ) from error
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise DiscoveryError(
            f"There is no key set of at most {MAX_KEYS} keys at jwks_uri.", code="keys_invalid"
        )
    found = [key for one in listed if isinstance(one, dict) and (key := _usable(one)) is not None]
    if not found:
        raise DiscoveryError(
            "No key at jwks_uri can check signatures; RSA from 2,048 bits and P-256, P-384, P-521 can.",
            code="keys_invalid",
        )
    return found


def _usable(given: Mapping[str, Any]) -> Jwk | None:
    kty = given.get("kty")
    operations = given.get("key_ops")
    if kty not in _MEMBERS or given.get("use", "sig") != "sig":
        return None
    if operations is not None and not (isinstance(operations, list) and "verify" in operations):
        return None
    kept = {name: given[name] for name in (*_COMMON, *_MEMBERS[kty]) if name in given}
    if not all(isinstance(value, str) for value in kept.values()):
        return None
    return kept if _is_strong(kept) else None


def _is_strong(key: Jwk) -> bool:
    try:
        if not _is_long(key):
            return False
        imported(key)
    except (JoseError, ValueError, TypeError, KeyError):
        # Whatever is wrong with a foreign key, it is no key.
        return False
    return True


def _is_long(key: Jwk) -> bool:
    if key["kty"] == "EC":
        return key["crv"] in _CURVE_OF.values()
    modulus = urlsafe_b64decode(key["n"] + "=" * (-len(key["n"]) % 4))
    return MIN_RSA_BITS <= int.from_bytes(modulus).bit_length() <= MAX_RSA_BITS


def imported(key: Jwk) -> RSAKey | ECKey:
    made = import_key(dict(key))
    if not isinstance(made, RSAKey | ECKey):
        raise TypeError(f"A {key.get('kty')} key signs no token here.")
    return made


def candidates(keys: Sequence[Jwk], alg: str, kid: object) -> list[Jwk]:
    """The keys that may have signed: of the right kind and name; without a name, the only one of its kind."""
    kind, curve = ("EC", _CURVE_OF[alg]) if alg.startswith("ES") else ("RSA", None)
    fitting = [
        key for key in keys if key["kty"] == kind and key.get("crv") == curve and key.get("alg", alg) == alg
    ]
    if kid is None:
        return fitting if len(fitting) == 1 else []
    return [key for key in fitting if key.get("kid") == kid]
