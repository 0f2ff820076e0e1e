"""Services that call each other: gateway, cart, prices, stock; each with another client."""

from __future__ import annotations

import json
import os
from typing import Any

import aiohttp
import httpx
import requests
from fastapi import FastAPI
from flask import Flask

from serinus.middleware import AsgiMiddleware, Plan, WsgiMiddleware, outgoing, version

NEXT = os.environ.get("NEXT_SERVICE", "")

gateway = FastAPI()
gateway.add_middleware(AsgiMiddleware, plan=Plan.from_environment())


@gateway.get("/")
async def buy() -> dict[str, str]:
    async with httpx.AsyncClient(event_hooks={"request": [outgoing.httpx_async_hook]}) as client:
        answer = await client.get(NEXT)
    return {"gateway": version(), **answer.json()}


cart = Flask(__name__)
cart.wsgi_app = WsgiMiddleware(  # type: ignore[method-assign]
    cart.wsgi_app, Plan.from_environment(), trust_tag=True
)


@cart.get("/")
def fill() -> dict[str, str]:
    with outgoing.tag_requests(requests.Session()) as session:
        answer = session.get(NEXT, timeout=10)
    return {"cart": version(), **answer.json()}


async def _prices(scope: Any, _receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    found = {"prices": version()}
    if NEXT:
        async with (
            aiohttp.ClientSession(middlewares=[outgoing.aiohttp_middleware]) as session,
            session.get(NEXT) as answer,
        ):
            found |= await answer.json(content_type=None)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(found).encode()})


prices = AsgiMiddleware(_prices, Plan.from_environment(), trust_tag=True)


async def _stock(scope: Any, _receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps({"stock": version()}).encode()})


stock = AsgiMiddleware(_stock, Plan.from_environment(), trust_tag=True)
