"""A shop that tries a new price on some of its customers, with FastAPI.

uvicorn shop:app --app-dir examples/middleware-fastapi
"""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI

from serinus.middleware import AsgiMiddleware, Plan, by_version, version

app = FastAPI()
app.add_middleware(AsgiMiddleware, plan=Plan.from_file(Path(__file__).with_name("plan.json")))


@by_version
async def price(amount: int) -> int:
    """Return the price in cents."""
    return 100 * amount


@price.canary
async def _(amount: int) -> int:
    return 95 * amount if amount >= 10 else 100 * amount


@app.get("/price")
async def show(amount: int) -> dict[str, object]:
    """Answer with the price for the present customer."""
    return {"version": version(), "cents": await price(amount)}
