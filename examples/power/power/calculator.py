"""Decimal arithmetic within limits; no web in here."""

from __future__ import annotations

import decimal
import re
from decimal import Decimal

LONGEST_NUMBER = 100
SMALLEST_PLAIN = -7  # 0.0000001 is still written plainly, anything smaller as 1E-8
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")


class CalculationError(Exception):
    """There is no answer, or none within the limits; the text is meant for the caller of the service."""


def parse(name: str, text: str) -> Decimal:
    """A decimal number from `text`; `name` is what the caller knows it by. Raises CalculationError."""
    if len(text) > LONGEST_NUMBER:
        raise CalculationError(f"{name} may have at most {LONGEST_NUMBER} characters")
    if not _NUMBER.fullmatch(text):
        raise CalculationError(f"{name} must be a number like 12, -0.5 or 1e3, not {text!r}")
    return Decimal(text)


class Calculator:
    """Adds, and raises to whole powers up to `max_exponent` of either sign, in `precision` significant digits."""

    def __init__(self, precision: int, max_exponent: int) -> None:
        self._precision = precision
        self._max_exponent = max_exponent

    def add(self, a: Decimal, b: Decimal) -> str:
        """The sum, as decimal text."""
        return self._write(self._context().add(a, b))

    def power(self, base: Decimal, exponent: Decimal) -> str:
        """`base` to the power of `exponent`, as decimal text; 0 to the power of 0 is 1. Raises CalculationError."""
        limit = self._max_exponent
        if not -limit <= exponent <= limit or exponent != int(exponent):
            raise CalculationError(f"exponent must be a whole number from -{limit} to {limit}")
        if not exponent:
            return "1"
        if not base and exponent < 0:
            raise CalculationError("0 has no negative power")
        try:
            return self._write(self._context().power(base, int(exponent)))
        except decimal.Overflow:
            raise CalculationError("the result is too large") from None
        except decimal.Underflow:
            raise CalculationError("the result is too small") from None

    def _context(self) -> decimal.Context:
        # A context collects flags, so each calculation gets its own: requests run in threads.
        traps = [decimal.Overflow, decimal.Underflow, decimal.InvalidOperation, decimal.DivisionByZero]
        return decimal.Context(prec=self._precision, Emin=-999_999, Emax=999_999, traps=traps)

    def _write(self, number: Decimal) -> str:
        if not number:
            return "0"
        number = number.normalize(self._context())
        plain = SMALLEST_PLAIN <= number.adjusted() < self._precision
        return format(number, "f") if plain else str(number)
