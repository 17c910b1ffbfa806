"""The service as its callers see it."""

from __future__ import annotations

from typing import Callable

import pytest
from flask.testing import FlaskClient

Refused = Callable[..., str]


def test_health_tells_version_and_environment(client: FlaskClient) -> None:
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.get_json() == {"status": "ok", "version": "1.2.3", "environment": "testing"}


def test_settings_are_the_environments_own(client: FlaskClient) -> None:
    expected = {"version": "1.2.3", "environment": "testing", "max_exponent": 64, "precision": 12, "port": 8000}
    assert client.get("/settings").get_json() == expected


@pytest.mark.parametrize(
    ("a", "b", "total"),
    [
        ("1", "2", "3"),
        ("0.1", "0.2", "0.3"),
        ("-5", "+5", "0"),
        ("-0.0", "0", "0"),
        ("1e3", "1", "1001"),
        ("1.50", "0.50", "2"),
        ("999999999999", "1", "1E+12"),
        ("1e-9", "0", "1E-9"),
        ("1e-7", "0", "0.0000001"),
        ("1", "1e-12", "1"),
    ],
)
def test_adds_in_decimal(client: FlaskClient, a: str, b: str, total: str) -> None:
    answer = client.get("/add", query_string={"a": a, "b": b})
    assert answer.status_code == 200
    assert answer.get_json() == {"operation": "add", "result": total}


@pytest.mark.parametrize(
    ("base", "exponent", "result"),
    [
        ("2", "10", "1024"),
        ("2", "-2", "0.25"),
        ("-2", "3", "-8"),
        ("1.5", "2.0", "2.25"),
        ("10", "64", "1E+64"),
        ("3", "-1", "0.333333333333"),
        ("0", "5", "0"),
        ("0", "0", "1"),
        ("7", "0", "1"),
        ("-1", "64", "1"),
    ],
)
def test_raises_to_powers(client: FlaskClient, base: str, exponent: str, result: str) -> None:
    answer = client.get("/power", query_string={"base": base, "exponent": exponent})
    assert answer.status_code == 200
    assert answer.get_json() == {"operation": "power", "result": result}


@pytest.mark.parametrize("exponent", ["65", "-65", "1e999", "1e-999", "0.5", "2.0000000000001"])
def test_bounds_the_exponent(refused: Refused, exponent: str) -> None:
    assert refused("/power", base="2", exponent=exponent) == "exponent must be a whole number from -64 to 64"


def test_tells_what_has_no_answer(refused: Refused) -> None:
    assert refused("/power", base="0", exponent="-1") == "0 has no negative power"


@pytest.mark.parametrize(
    "text", ["", " ", "one", "1,5", "1 2", "0x10", "1_000", "inf", "nan", "1e1000", ".5", "5.", "\u0663"]
)
def test_refuses_what_is_not_a_number(refused: Refused, text: str) -> None:
    assert refused("/add", a=text, b="1") == f"a must be a number like 12, -0.5 or 1e3, not {text!r}"


def test_bounds_the_length(client: FlaskClient, refused: Refused) -> None:
    assert client.get("/add", query_string={"a": "1" * 100, "b": "1"}).status_code == 200
    assert refused("/add", a="1" * 101, b="1") == "a may have at most 100 characters"


def test_tells_everything_that_is_wrong(refused: Refused) -> None:
    assert refused("/add") == "a is missing; b is missing"
    assert refused("/power", base="x") == "base must be a number like 12, -0.5 or 1e3, not 'x'; exponent is missing"


def test_other_errors_are_json_too(client: FlaskClient) -> None:
    missing = client.get("/nothing")
    assert (missing.status_code, list(missing.get_json())) == (404, ["error"])
    forbidden = client.post("/add")
    assert (forbidden.status_code, list(forbidden.get_json())) == (405, ["error"])
    assert "GET" in forbidden.headers["Allow"]
