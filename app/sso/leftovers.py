"""What signing in leaves behind, and for how long it can serve somebody."""

from app.core.leftovers import Kinds, Leftover, Leftovers
from app.sso.break_glass import LOOKUP as CODE_LOOKUP
from app.sso.models import break_glass_codes
from app.sso.models_sign_in import consumed_assertions, login_requests, login_traces, sessions
from app.sso.session_recognition import SESSION_LOOKUP
from app.sso.traces import KEPT


class SignInLeftovers(Leftovers):
    kinds = Kinds(
        Leftover(sessions.c.id, sessions.c.expires_at, found_by=(SESSION_LOOKUP, sessions.c.secret_hash)),
        # The audit log knows who used a code.
        Leftover(
            break_glass_codes.c.id,
            break_glass_codes.c.used_at,
            found_by=(CODE_LOOKUP, break_glass_codes.c.code_hash),
        ),
        Leftover(login_requests.c.id, login_requests.c.expires_at),
        Leftover(consumed_assertions.c.assertion_hash, consumed_assertions.c.expires_at),
        Leftover(login_traces.c.id, login_traces.c.occurred_at, KEPT),
    )
