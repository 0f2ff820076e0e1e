"""The catalogue: which command plays which image.

A catalogue file is YAML: `images:` is a list of entries with a `pattern`, a `command` and,
where wanted, `ports`, `env`, `workingDir` and a `note`. Files given later win over earlier
ones, and all of them over what comes with the package; within a file the first match wins.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml

from serinus import errors
from serinus.local_cluster.images import reference

BUILT_IN = Path(__file__).with_name("catalogue.yaml")

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
_Words = Annotated[str, msgspec.Meta(min_length=1)]


class Entry(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What plays the images that a pattern takes."""

    pattern: _Words
    """A shell pattern for `name:tag`, without `docker.io/library/`; a missing tag is `latest`."""
    command: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    """As a container's `command`: `$(NAME)` stands for an environment variable."""
    ports: tuple[Port, ...] = ()
    """The TCP ports that the image listens on, whether or not a pod declares them."""
    env: dict[str, str] = {}
    working_dir: str = ""
    note: str = ""
    """Said in an Event when a container starts: what it is that runs in place of the image."""
    notifies: bool = False
    """Whether the program writes a byte to the descriptor SERINUS_READY_FD once it listens."""

    def takes(self, image: reference.ImageReference) -> bool:
        """Return whether the entry is for this image."""
        pattern = self.pattern if ":" in self.pattern.rpartition("/")[2] else f"{self.pattern}:*"
        return fnmatch.fnmatchcase(str(image), pattern)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    images: tuple[Entry, ...]


class Catalogue:
    """All entries of the given files and of the package; files are read again when they change."""

    def __init__(self, files: Sequence[Path] = ()) -> None:
        """Read the files.

        Raises:
            InvalidInput: a file is not a catalogue; with its name, the line and the path.
        """
        self._files = (*files, BUILT_IN)
        self._entries: tuple[Entry, ...] = ()
        self._stamps: tuple[int, ...] = ()
        self.refresh()

    def refresh(self) -> bool:
        """Read the files again if one has changed; return whether one had."""
        stamps = tuple(_stamp(f) for f in self._files)
        if stamps == self._stamps:
            return False
        groups = [read(f) for f in self._files]
        *given, built_in = groups
        self._entries = tuple(e for group in [*reversed(given), built_in] for e in group)
        self._stamps = stamps
        return True

    def find(self, image: str) -> Entry | None:
        """Return the entry that plays this image, or None."""
        parsed = reference.parse(image)
        return next((e for e in self._entries if e.takes(parsed)), None)

    @property
    def patterns(self) -> tuple[str, ...]:
        """The patterns of all entries, the first to be asked first."""
        return tuple(e.pattern for e in self._entries)


def read(path: Path) -> tuple[Entry, ...]:
    """Return the entries of one catalogue file.

    Raises:
        InvalidInput: it is not a catalogue; with its name, the line and the path.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise errors.InvalidInput(str(path), [f"cannot be read: {_reason(e)}"]) from e
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
        content = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as e:
        mark = getattr(e, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        raise errors.InvalidInput(
            str(path), [f"{line}not YAML: {getattr(e, 'problem', None) or e}"]
        ) from e
    try:
        return msgspec.convert(content, _File).images
    except msgspec.ValidationError as e:
        problem, _, where = str(e).rpartition(" - at `")
        steps = where.rstrip("`").removeprefix("$") if problem else ""
        problem = problem or str(e)
        line_number = _line(root, steps)
        raise errors.InvalidInput(
            str(path), [f"line {line_number}: {steps.lstrip('.') or 'the file'}: {problem}"]
        ) from e


def _line(node: Any, steps: str) -> int:
    """Return the line of the value that a path such as `.images[0].ports` leads to."""
    for step in steps.replace("[", ".[").split("."):
        if isinstance(node, yaml.SequenceNode) and step.startswith("["):
            digits = step.strip("[]")
            if digits.isdigit() and int(digits) < len(node.value):
                node = node.value[int(digits)]
        elif isinstance(node, yaml.MappingNode):
            node = next((v for k, v in node.value if k.value == step), node)
    return node.start_mark.line + 1 if node is not None else 1


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return -1


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
