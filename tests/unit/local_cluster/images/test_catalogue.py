from __future__ import annotations

from pathlib import Path

import pytest

from serinus.errors import InvalidInput
from serinus.local_cluster.images import reference
from serinus.local_cluster.images.catalogue import Catalogue


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nginx", "nginx:latest"),
        ("nginx:1.7.9", "nginx:1.7.9"),
        ("docker.io/library/nginx:1.7.9", "nginx:1.7.9"),
        ("docker.io/team/shop:2", "team/shop:2"),
        ("registry.local:5000/team/shop", "registry.local:5000/team/shop:latest"),
        ("registry.local:5000/team/shop:3", "registry.local:5000/team/shop:3"),
        ("nginx:1.8.0@sha256:0123abcd", "nginx:1.8.0"),
        ("nginx@sha256:0123abcd", "nginx:latest"),
    ],
)
def test_a_reference_is_read_as_docker_reads_it(text: str, expected: str) -> None:
    assert str(reference.parse(text)) == expected


@pytest.mark.parametrize("image", ["nginx", "nginx:1.7.9", "docker.io/library/nginx:1.8.0"])
def test_nginx_is_played_out_of_the_box(image: str) -> None:
    entry = Catalogue().find(image)
    assert entry is not None
    assert entry.ports == (80,)
    assert "nginx" in entry.note


@pytest.mark.parametrize("image", ["nginxinc/nginx:1", "redis:7", "mynginx"])
def test_an_image_that_no_pattern_takes_is_unknown(image: str) -> None:
    assert Catalogue().find(image) is None


def test_a_users_file_wins_over_the_package_and_a_later_file_over_an_earlier(
    tmp_path: Path,
) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(
        "images:\n- {pattern: 'nginx:*', command: [one]}\n- {pattern: shop, command: [x]}\n"
    )
    second.write_text("images:\n- {pattern: 'nginx:1.*', command: [two]}\n")
    catalogue = Catalogue([first, second])
    commands = {i: catalogue.find(i) for i in ("nginx:1.8.0", "nginx:2.0", "shop:v7", "rude:1")}
    assert {i: e.command[0] for i, e in commands.items() if e} == {
        "nginx:1.8.0": "two",
        "nginx:2.0": "one",
        "shop:v7": "x",
        "rude:1": "$(SERINUS_PYTHON)",
    }


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "images.yaml"
    file.write_text("images: []\n")
    catalogue = Catalogue([file])
    assert catalogue.find("shop:1") is None
    assert not catalogue.refresh()
    file.write_text("images:\n- {pattern: 'shop:*', command: [serve]}\n")
    assert catalogue.refresh()
    assert catalogue.find("shop:1") is not None


def test_a_file_that_breaks_later_leaves_the_catalogue_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "images.yaml"
    file.write_text("images:\n- {pattern: 'shop:*', command: [serve]}\n")
    catalogue = Catalogue([file])
    file.write_text("images: [\n")
    with pytest.raises(InvalidInput):
        catalogue.refresh()
    assert catalogue.find("shop:1") is not None


@pytest.mark.parametrize(
    ("text", "line", "path", "problem"),
    [
        ("images:\n- pattern: shop\n  command: run\n", 3, "images[0].command", "array"),
        ("images:\n- pattern: shop\n  command: []\n", 3, "images[0].command", "length >= 1"),
        ("images:\n- command: [run]\n", 2, "images[0]", "pattern"),
        (
            "images:\n- pattern: a\n  command: [b]\n  ports:\n  - 80\n  - 70000\n",
            6,
            "images[0].ports[1]",
            "65535",
        ),
        ("images:\n- pattern: a\n  command: [b]\n  port: 80\n", 2, "images[0]", "port"),
        ("pictures: []\n", 1, "the file", "pictures"),
        ("images: [\n", 2, "", "YAML"),
        ("- a\n", 1, "the file", "object"),
        ("", 1, "the file", "object"),
    ],
)
def test_a_broken_file_is_refused_with_name_line_and_path(
    tmp_path: Path, text: str, line: int, path: str, problem: str
) -> None:
    file = tmp_path / "images.yaml"
    file.write_text(text)
    with pytest.raises(InvalidInput) as caught:
        Catalogue([file])
    message = str(caught.value)
    assert message.startswith(f"{file}: line {line}: {path}")
    assert problem in message


def test_a_missing_file_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"images\.yaml: cannot be read: No such file"):
        Catalogue([tmp_path / "images.yaml"])
