"""A shop that tries a new price on some of its customers, with Flask.

flask --app examples/middleware-flask/shop.py run
"""

from __future__ import annotations

from pathlib import Path

from flask import Flask, request

from serinus.middleware import Plan, WsgiMiddleware, by_version, version

app = Flask(__name__)
app.wsgi_app = WsgiMiddleware(  # type: ignore[method-assign]
    app.wsgi_app, Plan.from_file(Path(__file__).with_name("plan.json"))
)


@by_version
def price(amount: int) -> int:
    """Return the price in cents."""
    return 100 * amount


@price.canary
def _(amount: int) -> int:
    return 95 * amount if amount >= 10 else 100 * amount


@app.get("/price")
def show() -> dict[str, object]:
    """Answer with the price for the present customer."""
    return {"version": version(), "cents": price(int(request.args["amount"]))}
