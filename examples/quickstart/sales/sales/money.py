"""Amounts of money."""

from decimal import ROUND_HALF_UP, Decimal


def cents(amount: str) -> int:
    """An amount as it is written, `12.50`, in hundredths."""
    return int((Decimal(amount) * 100).quantize(Decimal(1), ROUND_HALF_UP))
