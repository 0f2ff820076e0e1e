"""Ask a router: one request after the other on a connection, or many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

Headers = Sequence[tuple[str, str]]


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def version(self) -> str:
        return self.headers.get("x-serinus-version", "")


@dataclass(frozen=True)
class Question:
    """A request to be sent."""

    target: str = "/"
    headers: Headers = ()
    method: str = "GET"
    body: bytes = b""

    def to_bytes(self) -> bytes:
        lines = [f"{self.method} {self.target} HTTP/1.1"]
        if all(name.lower() != "host" for name, _ in self.headers):
            lines.append("host: shop")
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.body:
            lines.append(f"content-length: {len(self.body)}")
        head = "\r\n".join(lines) + "\r\n\r\n"
        return head.encode("utf-8", "surrogateescape") + self.body


class Connection:
    """A keep-alive connection that is opened when it is needed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, question: Question) -> Answer:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(question.to_bytes())
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection") == "close":
            self.close()
        return Answer(int(first.split(" ")[1]), headers, body)

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def ask(port: int, question: Question = Question(), *, timeout_s: float = 20.0) -> Answer:
    """Ask once, on a connection of its own."""
    connection = Connection(port)
    try:
        async with asyncio.timeout(timeout_s):
            return await connection.ask(question)
    finally:
        connection.close()


async def ask_all(
    port: int, questions: Sequence[Question], *, connection_count: int = 16
) -> list[Answer]:
    """Ask all of them, some at a time; return the answers in the order of the questions."""
    answers: dict[int, Answer] = {}
    left = iter(enumerate(questions))

    async def one_after_the_other() -> None:
        connection = Connection(port)
        try:
            for index, question in left:
                answers[index] = await connection.ask(question)
        finally:
            connection.close()

    await asyncio.gather(*(one_after_the_other() for _ in range(connection_count)))
    return [answers[index] for index in range(len(questions))]


def user(name: str) -> Question:
    return Question(headers=[("x-user", name)])
