"""US dollars as integers of nano-dollars inside and as decimal strings at the edge."""

from decimal import Decimal, InvalidOperation

NANOUSD_PER_USD = 1_000_000_000
MAX_USD = Decimal(1_000_000_000)
_PLACES = Decimal(1).scaleb(-9)


def parse_usd(text: str) -> int:
    """Nano-dollars of `"12.50"`; raises `ValueError` with a sentence for the caller."""
    try:
        amount = Decimal(text) if text.strip() == text else Decimal("NaN")
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise ValueError('Give dollars as a decimal string such as "12.50".')
    if amount < 0 or amount > MAX_USD:
        raise ValueError(f"Give an amount from 0 to {MAX_USD} US dollars.")
    if amount != amount.quantize(_PLACES):
        raise ValueError("Give at most nine decimal places.")
    return int(amount.scaleb(9))


def format_usd(nanousd: int) -> str:
    """`"50"`, `"12.5"`: the shortest exact decimal."""
    whole, fraction = divmod(abs(nanousd), NANOUSD_PER_USD)
    digits = f"{fraction:09d}".rstrip("0")
    sign = "-" if nanousd < 0 else ""
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"
