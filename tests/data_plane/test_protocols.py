"""What is not a short HTTP/1.1 request passes as through a plain Service."""

from __future__ import annotations

import asyncio

from tests.data_plane import http2
from tests.data_plane.asking import Question, ask
from tests.data_plane.pods import pod
from tests.data_plane.router import a_plan, a_port, routing

RETRY = {"perTryTimeoutMs": 200}


async def test_a_websocket_stays_open_through_changes_and_beyond_every_timeout() -> None:
    handshake = Question(
        headers=[
            *(("x-user", "a"), ("upgrade", "websocket"), ("connection", "Upgrade")),
            *(("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="), ("sec-websocket-version", "13")),
        ]
    )
    async with pod("stable") as stable, pod("canary") as canary:
        plan = a_plan(
            a_port(), [stable.address], [canary.address], split={"weight": 100}, retryOnStable=RETRY
        )
        async with routing(plan) as router:
            reader, writer = await asyncio.open_connection("127.0.0.1", router.port)
            writer.write(handshake.to_bytes())
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 ")
            for weight in (0, 50, 100):
                await router.split(weight=weight)
                writer.write(b"ping %d" % weight)
                assert await reader.readexactly(len(b"ping %d" % weight)) == b"ping %d" % weight
            # Longer than a try of a request may take.
            await asyncio.sleep(0.5)
            writer.write(b"still")
            assert await reader.readexactly(5) == b"still"
            writer.close()
        assert stable.count == 0
        assert canary.count == 1


async def test_a_grpc_call_keeps_its_protocol_its_messages_and_its_trailers() -> None:
    stable, canary = list[http2.Message](), list[http2.Message]()
    request = [
        *((":method", "POST"), (":scheme", "http"), (":path", "/shop.Cart/Add")),
        *((":authority", "shop"), ("content-type", "application/grpc"), ("te", "trailers")),
    ]
    async with http2.grpc_pod(stable) as old, http2.grpc_pod(canary) as new:
        plan = a_plan(a_port(), [old], [new], retryOnStable=RETRY)
        async with routing(plan) as router:
            for weight, heard in ((0, stable), (100, canary)):
                await router.split(weight=weight)
                answer = await http2.call(
                    router.port, [*request, ("x-user", "a")], [b"one", b"two"]
                )
                assert dict(answer.headers)[":status"] == "200"
                assert answer.body == b"onetwo"
                assert answer.trailers == [("grpc-status", "0")]
                assert dict(heard[-1].headers)["te"] == "trailers"
                assert dict(heard[-1].headers)[":path"] == "/shop.Cart/Add"
    assert dict(stable[0].headers)["x-serinus-version"] == "stable"
    assert dict(canary[0].headers)["x-serinus-version"] == "canary"


async def test_an_old_client_that_speaks_http_1_0_is_answered() -> None:
    async with pod("stable") as stable:
        plan = a_plan(a_port(), [stable.address], [])
        async with routing(plan) as router:
            reader, writer = await asyncio.open_connection("127.0.0.1", router.port)
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            assert (await reader.read()).split(b"\r\n")[0].endswith(b" 200 OK")
            writer.close()


async def test_a_request_with_hundreds_of_headers_and_a_long_one_passes() -> None:
    many = [(f"x-{n}", "v") for n in range(300)]
    async with pod("stable") as stable:
        async with routing(a_plan(a_port(), [stable.address], [])) as router:
            answer = await ask(router.port, Question(headers=[*many, ("x-long", "a" * 200_000)]))
        assert answer.status == 200
        assert len(stable.heard[0].headers["x-long"]) == 200_000


async def test_each_port_of_a_service_has_its_own_pods_and_the_same_weight() -> None:
    listens = {"http": a_port(), "admin": a_port()}
    async with pod("1") as one, pod("2") as two, pod("3") as three, pod("4") as four:
        plan = a_plan(0, [], [])
        plan["spec"] |= {
            "ports": [{"name": name, "listen": port} for name, port in listens.items()],
            "stable": {"endpoints": {"http": [one.address], "admin": [two.address]}},
            "canary": {"endpoints": {"http": [three.address], "admin": [four.address]}},
        }
        async with routing(plan) as router:
            for weight, expected in ((0, ["1", "2"]), (100, ["3", "4"])):
                await router.split(weight=weight)
                found = [(await ask(port)).version for port in listens.values()]
                assert found == expected
