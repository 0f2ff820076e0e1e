"""However an answer is cut into pieces, the reader finds the same in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serinus.load.http1 import Progress, ResponseReader

TOKEN = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12).map(
    lambda name: f"x-{name}".encode()
)
VALUE = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20).map(str.encode)
END = st.sampled_from([b"\r\n", b"\n"])


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, bytes, int]:
    """Draw the bytes of a whole answer, its body, and its status."""
    status = draw(st.sampled_from([200, 201, 301, 404, 500]))
    body = draw(st.binary(max_size=200))
    end = draw(END)
    fields = draw(st.dictionaries(TOKEN, VALUE, max_size=4))
    head = [b"HTTP/1.1 %d Reason given" % status]
    head += [name + b": " + value for name, value in fields.items()]
    if draw(st.booleans()):
        cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=5)))
        parts = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True) if a < b]
        coded = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        head.append(b"Transfer-Encoding: chunked")
    else:
        coded = body
        head.append(b"Content-Length: %d" % len(body))
    return end.join([*head, b"", b""]) + coded, body, status


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({min(cut, len(data)) for cut in cuts})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


@given(answer=answers(), cuts=st.lists(st.integers(0, 600), max_size=12))
def test_a_whole_answer_is_complete_with_its_last_byte_and_not_before(
    answer: tuple[bytes, bytes, int], cuts: list[int]
) -> None:
    data, body, status = answer
    reader = ResponseReader(body_max=1_000)
    *first, last = [piece for piece in cut(data, cuts) if piece]
    for piece in first:
        assert reader.feed(piece) is Progress.MORE
    assert reader.feed(last) is Progress.COMPLETE
    assert (reader.status, bytes(reader.body)) == (status, body)
    assert reader.reusable


@given(answer=answers(), keep=st.integers(0, 600))
def test_a_part_of_an_answer_is_never_complete(answer: tuple[bytes, bytes, int], keep: int) -> None:
    part = answer[0][: min(keep, len(answer[0]) - 1)]
    reader = ResponseReader()
    assert reader.feed(part) is Progress.MORE
    assert reader.end() is Progress.MORE


@given(
    data=st.one_of(
        st.binary(max_size=80),
        st.binary(max_size=80).map(lambda tail: b"HTTP/1.1 200 OK\r\n" + tail),
        st.binary(max_size=40).map(
            lambda tail: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + tail
        ),
    ),
    cuts=st.lists(st.integers(0, 120), max_size=8),
)
def test_any_bytes_are_judged_alike_however_they_are_cut(data: bytes, cuts: list[int]) -> None:
    def judge(pieces: list[bytes]) -> tuple[Progress, int, bytes, bool]:
        reader = ResponseReader(body_max=1_000)
        progress = Progress.MORE
        for piece in pieces:
            progress = reader.feed(piece)
        if progress is Progress.MORE:
            progress = reader.end()
        return progress, reader.status, bytes(reader.body), reader.reusable

    whole, pieces = judge([data]), judge(cut(data, cuts))
    assert whole[0] is pieces[0]
    if whole[0] is Progress.COMPLETE:
        assert whole == pieces
