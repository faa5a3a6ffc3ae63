"""What an identity provider says of a sign-in, once it is believed: alike for every protocol; pure data."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Asserted:
    """Absent texts are empty.

    `subject` tells people of the connection apart for good, `subject_source` says what it is taken from;
    `name_id` is what a logout calls them, `name` and `external_id` what provisioning may call them. `groups`
    is null when they are unknown, which is not the same as none. `login_id` is the login that is answered,
    null for an answer that nobody asked for. `replay_key` is not to be believed again until `replay_until`.
    `sent` names the attributes that came, and `id_token` is what to remind the provider by at a sign-out.
    """

    login_id: str | None
    replay_key: str
    replay_until: datetime
    issued_at: datetime
    subject: str
    subject_source: str
    name_id: str
    name_id_format: str
    name: str
    external_id: str
    email: str
    is_email_verified: bool
    first_name: str
    last_name: str
    display_name: str
    groups: Sequence[str] | None
    authenticated_at: datetime
    session_index: str
    session_ends_at: datetime | None
    sent: Sequence[str]
    id_token: str | None = None
