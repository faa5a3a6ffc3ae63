"""Which codes, tokens and notes of sessions are left behind, and for how long they can serve somebody."""

from datetime import timedelta

from app.core.leftovers import Kinds, Leftover, Leftovers
from app.oauth.models import access_tokens, application_sessions, authorization_codes
from app.oauth.redemption import LIFETIME, TOKEN_LOOKUP

# An application's own session may outlive ours; when its person is taken away, it is told for so long.
SESSIONS_KEPT = timedelta(days=30)


class OAuthLeftovers(Leftovers):
    kinds = Kinds(
        # A code that comes again must still be known while what it gave may be good.
        Leftover(authorization_codes.c.id, authorization_codes.c.expires_at, LIFETIME),
        Leftover(
            access_tokens.c.id,
            access_tokens.c.expires_at,
            found_by=(TOKEN_LOOKUP, access_tokens.c.token_hash),
        ),
        Leftover(application_sessions.c.session_id, application_sessions.c.created_at, SESSIONS_KEPT),
    )
