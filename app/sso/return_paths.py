r"""Where a sign-in may lead: a path of this server, never anywhere else. Pure.

Browsers read `//host`, `/\\host` and paths with tabs or line breaks in them as other hosts; no spelling that
one of them might read so is let through.
"""

import re
from urllib.parse import unquote

# Where somebody lands who asked for no place: what they are signed in as.
HOME = "/sso/me"
MAX_LENGTH = 2_048
_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")


def safe_path(text: str | None, base_url: str) -> str:
    """`text` if it is a path of this server, with or without its root before it, else `HOME`."""
    text = (text or "").removeprefix(base_url)
    if not text or len(text) > MAX_LENGTH or not _PATH.fullmatch(text):
        return HOME
    # An encoded second slash is harmless to browsers, but not to a proxy that decodes before it redirects.
    path = unquote(text.partition("?")[0].partition("#")[0])
    return text if not path.startswith(("//", "/\\")) and path.isprintable() else HOME
