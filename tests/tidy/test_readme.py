"""The two READMEs say the same, and no page points to what is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.tidy import sources

ENGLISH, CHINESE = sources.ROOT / "README.md", sources.ROOT / "README.zh-CN.md"
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def code_of(page: Path) -> list[tuple[str, str]]:
    return _FENCE.findall(text_of(page))


def heading_levels(page: Path) -> list[int]:
    prose = _FENCE.sub("", text_of(page))
    return [len(marks) for marks in re.findall(r"^(#+) ", prose, re.MULTILINE)]


def links_of(page: Path) -> list[str]:
    return _LINK.findall(_CODE.sub("", _FENCE.sub("", text_of(page))))


def test_both_readmes_have_the_same_headings() -> None:
    assert heading_levels(ENGLISH) == heading_levels(CHINESE)
    assert len(heading_levels(ENGLISH)) > 2


def test_both_readmes_have_the_same_code() -> None:
    assert code_of(ENGLISH) == code_of(CHINESE)
    assert code_of(ENGLISH)


def test_both_readmes_point_to_the_same_pages_and_to_each_other() -> None:
    other = {"README.md", "README.zh-CN.md"}
    english, chinese = links_of(ENGLISH), links_of(CHINESE)
    assert [x for x in english if x not in other] == [x for x in chinese if x not in other]
    assert CHINESE.name in english
    assert ENGLISH.name in chinese


def test_the_chinese_readme_is_chinese() -> None:
    prose = _FENCE.sub("", text_of(CHINESE))
    assert len(re.findall(r"[\u4e00-\u9fff]", prose)) > 200


@pytest.mark.parametrize("page", sources.documents(), ids=sources.shown)
def test_every_link_within_the_repository_leads_somewhere(page: Path) -> None:
    dead = [
        link
        for link in links_of(page)
        if not re.match(r"[a-z]+:|#", link)
        and not (page.parent / link.partition("#")[0]).resolve().exists()
    ]
    assert dead == []
