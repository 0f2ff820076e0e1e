"""What a decision costs, and what the middleware adds to a request; no framework is in it.

All of it is computing, so the process's own CPU time is counted: it stays the same while others use
the machine.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from benchmarks import measure
from serinus.assignment.identity import IdCookie, IdentityKind, IdentitySource
from serinus.assignment.split import Assignment, Split
from serinus.middleware import AsgiMiddleware, Plan, WsgiMiddleware
from serinus.middleware.choosing import new_id
from serinus.rules.parsing import parse
from serinus.rules.tree import Destination, Request, Rule

CALL_COUNT = 50_000
AIM = "aim < 2"
ONE_RULE = Rule("region", parse("request.headers['x-region'] in ['cn', 'sg']"), Destination.CANARY)
TWENTY = tuple(
    Rule(f"rule-{n}", parse(f"request.headers['x-{n}'] == 'yes'"), Destination.CANARY)
    for n in range(20)
)
USER = (IdentitySource(IdentityKind.HEADER, "x-user"),)
LINES = {
    "host": "shop.example.com",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "accept-language": "en-US,en;q=0.5",
    "accept-encoding": "gzip, deflate, br, zstd",
    "cookie": "session=8f14e45fceea167a5a36dedd4bea2543; theme=dark; consent=1",
    "referer": "https://shop.example.com/cart",
    "x-region": "de",
    "x-user": "wang.wei@example.com",
    "x-request-id": "7b1c0f0e-7f0e-4d8f-9d62-1de1d4a1c3a0",
}


def split(*rules: Rule) -> Split:
    return Split("shop/web/7d9f", 500, rules, USER, IdCookie())


def cost_us(call: Callable[[], object]) -> Callable[[], Awaitable[float]]:
    """Return what measures one call in microseconds."""

    async def side() -> float:
        began = time.process_time()
        for _ in range(CALL_COUNT):
            call()
        return (time.process_time() - began) * 1e6 / CALL_COUNT

    return side


def decisions() -> dict[str, Callable[[], Awaitable[float]]]:
    """Return decisions on a request of whom the user is known, but for the last."""
    asked = Request(headers={name: (value,) for name, value in LINES.items()})
    hit = asked._replace(headers={**asked.headers, "x-region": ("cn",)})
    nobody = asked._replace(headers={"x-region": ("de",)})
    one, twenty, none = Assignment(split(ONE_RULE)), Assignment(split(*TWENTY)), Assignment(split())
    return {
        "decide, one header rule that hits": cost_us(lambda: one.decide(hit, new_id)),
        "decide, one header rule that misses": cost_us(lambda: one.decide(asked, new_id)),
        "decide, no rule": cost_us(lambda: none.decide(asked, new_id)),
        "decide, twenty header rules that miss": cost_us(lambda: twenty.decide(asked, new_id)),
        "decide, a user whom nobody knows": cost_us(lambda: one.decide(nobody, new_id)),
    }


async def _answer(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def _wsgi_answer(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"ok"]


async def _nothing(_message: object = None) -> None:
    return None


def asgi(app: Callable[..., Awaitable[None]]) -> Callable[[], Awaitable[float]]:
    """Return what measures one request of an ASGI application in microseconds."""
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/cart",
        "raw_path": b"/cart",
        "query_string": b"a=1",
        "client": ("127.0.0.1", 5),
        "headers": [(name.encode(), value.encode()) for name, value in LINES.items()],
    }

    async def side() -> float:
        began = time.process_time()
        for _ in range(CALL_COUNT):
            await app(scope, _nothing, _nothing)
        return (time.process_time() - began) * 1e6 / CALL_COUNT

    return side


def wsgi(app: Callable[..., Iterable[bytes]]) -> Callable[[], Awaitable[float]]:
    """Return what measures one request of a WSGI application in microseconds."""
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/cart",
        "QUERY_STRING": "a=1",
        "REMOTE_ADDR": "127.0.0.1",
        **{f"HTTP_{k.upper().replace('-', '_')}": v for k, v in LINES.items()},
    }
    return cost_us(lambda: app(dict(environ), lambda *_: None))


def import_cost() -> tuple[float, int]:
    """Return the milliseconds and the number of modules of the import, in a fresh interpreter."""
    code = (
        "import sys, time\nbefore = len(sys.modules)\nbegan = time.process_time()\n"
        "import serinus.middleware\n"
        "print((time.process_time() - began) * 1e3, len(sys.modules) - before)"
    )
    done = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(measure.ROUND_COUNT)
    ]
    found = [one.stdout.split() for one in done]
    return measure.median([float(ms) for ms, _ in found]), int(found[0][1])


async def main() -> None:
    plan = Plan.of(split(ONE_RULE))
    sides = {
        **decisions(),
        "ASGI without": asgi(_answer),
        "ASGI with": asgi(AsgiMiddleware(_answer, plan)),
        "WSGI without": wsgi(_wsgi_answer),
        "WSGI with": wsgi(WsgiMiddleware(_wsgi_answer, plan)),
    }
    found = await measure.alternating(sides)
    for name in decisions():
        aim = AIM if "one header rule" in name else ""
        measure.row(name, f"{measure.median(found[name]):.2f} us", aim)
    for kind in ("ASGI", "WSGI"):
        pairs = zip(found[f"{kind} with"], found[f"{kind} without"], strict=True)
        added = measure.median([one - other for one, other in pairs])
        measure.row(f"{kind} middleware, one header rule: added to a request", f"{added:.2f} us")
    import_ms, module_count = import_cost()
    measure.row("import serinus.middleware", f"{import_ms:.0f} ms, {module_count} modules")


if __name__ == "__main__":
    asyncio.run(main())
