"""How two spellings of a name are found equal, the same on every database."""

import unicodedata


def fold(text: str) -> str:
    """Case-folded NFC form, computed here because databases fold differently."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
