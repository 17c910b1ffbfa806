"""The web side: routes, reading of parameters, errors as JSON."""

from __future__ import annotations

from decimal import Decimal

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from power.calculator import CalculationError, Calculator, parse
from power.settings import Settings


def _operands(*names: str) -> list[Decimal]:
    """The request's parameters as numbers; raises CalculationError that tells about every missing or wrong one."""
    numbers: list[Decimal] = []
    problems: list[str] = []
    for name in names:
        text = request.args.get(name)
        try:
            if text is None:
                raise CalculationError(f"{name} is missing")
            numbers.append(parse(name, text))
        except CalculationError as exc:
            problems.append(str(exc))
    if problems:
        raise CalculationError("; ".join(problems))
    return numbers


def _refused(exc: CalculationError) -> tuple[Response, int]:
    return jsonify(error=str(exc)), 400


def _http_error(exc: HTTPException) -> tuple[Response, int, list[tuple[str, str]]]:
    # The exception's own headers say what the status demands, like Allow with 405; its HTML body is replaced.
    headers = [(key, value) for key, value in exc.get_headers() if key.lower() != "content-type"]
    return jsonify(error=exc.description), exc.code or 500, headers


def create_app(settings: Settings) -> Flask:
    """The WSGI application with the given settings."""
    app = Flask("power", static_folder=None)
    calculator = Calculator(settings.precision, settings.max_exponent)
    app.register_error_handler(CalculationError, _refused)
    app.register_error_handler(HTTPException, _http_error)

    @app.get("/health")
    def health() -> Response:
        return jsonify(status="ok", version=settings.version, environment=settings.environment)

    @app.get("/settings")
    def show_settings() -> Response:
        return jsonify(settings)

    @app.get("/add")
    def add() -> Response:
        a, b = _operands("a", "b")
        return jsonify(operation="add", result=calculator.add(a, b))

    @app.get("/power")
    def power() -> Response:
        base, exponent = _operands("base", "exponent")
        return jsonify(operation="power", result=calculator.power(base, exponent))

    return app
