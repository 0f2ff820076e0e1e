"""Image references: `[registry/]name[:tag][@digest]`."""

from __future__ import annotations

import msgspec

_DOCKER_HUB = ("docker.io/library/", "docker.io/", "index.docker.io/library/")


class ImageReference(msgspec.Struct, frozen=True):
    """An image's name, without what Docker Hub's names may leave out, and its tag."""

    name: str
    tag: str

    def __str__(self) -> str:
        return f"{self.name}:{self.tag}"


def parse(text: str) -> ImageReference:
    """Split a reference; a digest is dropped, and a missing tag is `latest`."""
    text = text.strip().partition("@")[0]
    folder, slash, last = text.rpartition("/")
    last, _, tag = last.partition(":")
    name = f"{folder}{slash}{last}"
    for prefix in _DOCKER_HUB:
        if name.startswith(prefix):
            name = name.removeprefix(prefix)
            break
    return ImageReference(name, tag or "latest")
