"""Limits of the arithmetic that the web cannot reach with small settings."""

from __future__ import annotations

from decimal import Decimal

import pytest
from power.calculator import CalculationError, Calculator


@pytest.fixture
def calculator() -> Calculator:
    return Calculator(precision=28, max_exponent=100_000)


def test_keeps_the_precision(calculator: Calculator) -> None:
    assert calculator.power(Decimal(2), Decimal(90)) == "1237940039285380274899124224"
    assert calculator.power(Decimal(2), Decimal(100)) == "1.267650600228229401496703205E+30"


def test_refuses_a_result_out_of_range(calculator: Calculator) -> None:
    with pytest.raises(CalculationError, match="too large"):
        calculator.power(Decimal("1e999"), Decimal(100_000))
    with pytest.raises(CalculationError, match="too small"):
        calculator.power(Decimal("1e999"), Decimal(-100_000))


def test_takes_an_enormous_exponent_apart_quickly(calculator: Calculator) -> None:
    with pytest.raises(CalculationError, match="from -100000 to 100000"):
        calculator.power(Decimal(2), Decimal("1e999999"))
