"""Names, labels, annotations and owner references (apimachinery 0.36, pkg/util/validation)."""

from __future__ import annotations

import functools
import re
from typing import Any

from serinus.kubernetes_model import failures
from serinus.kubernetes_model.failures import Problem

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_PORT_NAME = re.compile(r"[-a-z0-9]+")
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_ANNOTATIONS_MAX_BYTES = 256 * 1024

SUBDOMAIN_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'"
    ", and must start and end with an alphanumeric character (e.g. 'example.com', regex used for "
    "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL_WORDS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used "
    "for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
LABEL_1035_WORDS = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
    "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_QUALIFIED_WORDS = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_WITH_PREFIX_WORDS = (
    "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used "
    "for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain "
    "prefix and '/' (e.g. 'example.com/MyName')"
)
_VALUE_WORDS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or "
    "'12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_CONFIG_KEY_WORDS = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
    "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)


@functools.lru_cache(maxsize=4096)
def subdomain(text: str) -> tuple[str, ...]:
    """Return what keeps a text from being a DNS subdomain (most names)."""
    problems = ("must be no more than 253 bytes",) if len(text) > 253 else ()
    return problems if _SUBDOMAIN.fullmatch(text) else (*problems, SUBDOMAIN_WORDS)


@functools.lru_cache(maxsize=4096)
def label(text: str) -> tuple[str, ...]:
    """Return what keeps a text from being a DNS label (namespaces, containers)."""
    problems = ("must be no more than 63 bytes",) if len(text) > 63 else ()
    if _LABEL.fullmatch(text):
        return problems
    words = "must not contain dots" if _SUBDOMAIN.fullmatch(text) else LABEL_WORDS
    return (*problems, words)


@functools.lru_cache(maxsize=1024)
def label_1035(text: str) -> tuple[str, ...]:
    """Return what keeps a text from being a DNS-1035 label (Services)."""
    problems = ("must be no more than 63 bytes",) if len(text) > 63 else ()
    return problems if _LABEL_1035.fullmatch(text) else (*problems, LABEL_1035_WORDS)


@functools.lru_cache(maxsize=1024)
def path_segment(text: str) -> tuple[str, ...]:
    """Return what keeps a text from being one segment of a URL path."""
    if text in {".", ".."}:
        return (f"may not be '{text}'",)
    return tuple(f"may not contain '{char}'" for char in "/%" if char in text)


@functools.lru_cache(maxsize=4096)
def qualified(text: str) -> tuple[str, ...]:
    """Return what keeps a text from being a label's key."""
    prefix, slash, name = text.rpartition("/")
    problems: list[str] = []
    if slash:
        if not prefix:
            problems.append("prefix part must be non-empty")
        problems += [f"prefix part {words}" for words in subdomain(prefix) if prefix]
        if "/" in prefix:
            return (_WITH_PREFIX_WORDS,)
    if not name:
        problems.append("name part must be non-empty")
    elif len(name) > 63:
        problems.append("name part must be no more than 63 bytes")
    if not _QUALIFIED.fullmatch(name):
        problems.append(_QUALIFIED_WORDS)
    return tuple(problems)


@functools.lru_cache(maxsize=8192)
def label_value(text: str) -> tuple[str, ...]:
    """Return what keeps a text from being a label's value."""
    problems = ("must be no more than 63 bytes",) if len(text) > 63 else ()
    return problems if _VALUE.fullmatch(text) else (*problems, _VALUE_WORDS)


@functools.lru_cache(maxsize=1024)
def port_name(text: str) -> tuple[str, ...]:
    """Return what keeps a text from being a port's name."""
    problems: list[str] = []
    if len(text) > 15:
        problems.append("must be no more than 15 characters")
    if not _PORT_NAME.fullmatch(text):
        problems.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not any(char.isalpha() for char in text):
        problems.append("must contain at least one letter (a-z)")
    if "--" in text:
        problems.append("must not contain consecutive hyphens")
    if text[:1] == "-" or text[-1:] == "-":
        problems.append("must not begin or end with a hyphen")
    return tuple(problems)


@functools.lru_cache(maxsize=1024)
def config_key(text: str) -> tuple[str, ...]:
    """Return what keeps a text from being a key of a ConfigMap or Secret."""
    problems: list[str] = []
    if len(text) > 253:
        problems.append("must be no more than 253 bytes")
    if not _CONFIG_KEY.fullmatch(text):
        problems.append(_CONFIG_KEY_WORDS)
    if text in {".", ".."} or text.startswith(".."):
        problems.append(
            f"must not be '{text}'" if text in {".", ".."} else "must not start with '..'"
        )
    return tuple(problems)


def check_labels(labels: dict[str, str], field: str) -> list[Problem]:
    """Return what is wrong with a set of labels."""
    problems: list[Problem] = []
    for key, value in labels.items():
        problems += [failures.invalid(field, key, words) for words in qualified(key)]
        problems += [failures.invalid(field, value, words) for words in label_value(value)]
    return problems


def check_metadata(
    metadata: dict[str, Any], *, namespaced: bool, rule: Any = path_segment
) -> list[Problem]:
    """Return what is wrong with an object's metadata; `rule` judges the name."""
    problems: list[Problem] = []
    name, base = metadata.get("name", ""), metadata.get("generateName", "")
    if base:
        # What ends in a dash may be followed by what ends well.
        whole = f"{base[:-1]}a" if base[-1] == "-" else base
        problems += [failures.invalid("metadata.generateName", base, w) for w in rule(whole)]
    if not name:
        problems.append(failures.required("metadata.name", "name or generateName is required"))
    else:
        problems += [failures.invalid("metadata.name", name, words) for words in rule(name)]
    if namespaced and not metadata.get("namespace"):
        problems.append(failures.required("metadata.namespace"))
    if "labels" in metadata:
        problems += check_labels(metadata["labels"], "metadata.labels")
    if "annotations" in metadata:
        problems += _check_annotations(metadata["annotations"])
    if "ownerReferences" in metadata:
        problems += _check_owners(metadata["ownerReferences"])
    for index, finalizer in enumerate(metadata.get("finalizers", ())):
        field = f"metadata.finalizers[{index}]"
        problems += [failures.invalid(field, finalizer, words) for words in qualified(finalizer)]
    if {"orphan", "foregroundDeletion"} <= set(metadata.get("finalizers", ())):
        words_ = "finalizer orphan and foregroundDeletion cannot be both set"
        problems.append(failures.invalid("metadata.finalizers", metadata["finalizers"], words_))
    return problems


def check_bare_finalizers(metadata: dict[str, Any]) -> list[Problem]:
    """Refuse finalizers without a domain on new objects of built-in kinds, but for the known."""
    return [
        failures.invalid(f"metadata.finalizers[{index}]", finalizer, _BARE_WORDS)
        for index, finalizer in enumerate(metadata.get("finalizers", ()))
        if "/" not in finalizer and finalizer not in _BARE_FINALIZERS
    ]


_BARE_FINALIZERS = {"orphan", "foregroundDeletion", "kubernetes"}
_BARE_WORDS = "name is neither a standard finalizer name nor is it fully qualified"


def check_metadata_update(new: dict[str, Any], old: dict[str, Any]) -> list[Problem]:
    """Return which immutable parts of the metadata changed."""
    problems: list[Problem] = []
    if "deletionTimestamp" in old:
        extra = sorted(set(new.get("finalizers", ())) - set(old.get("finalizers", ())))
        if extra:
            shown = ", ".join(f'"{name}"' for name in extra)
            problems.append(
                failures.forbidden_field(
                    "metadata.finalizers",
                    "no new finalizers can be added if the object is being deleted, found new "
                    f"finalizers []string{{{shown}}}",
                )
            )
    for key in ("name", "namespace", "uid", "creationTimestamp"):
        if new.get(key) != old.get(key):
            words = "field is immutable"
            problems.append(failures.invalid(f"metadata.{key}", new.get(key), words))
    return problems


def _check_annotations(annotations: dict[str, str]) -> list[Problem]:
    problems: list[Problem] = []
    size = 0
    for key, value in annotations.items():
        words = qualified(key.lower())
        problems += [failures.invalid("metadata.annotations", key, w) for w in words]
        size += len(key) + len(value)
    if size > _ANNOTATIONS_MAX_BYTES:
        problems.append(failures.too_long("metadata.annotations", _ANNOTATIONS_MAX_BYTES))
    return problems


def _check_owners(owners: list[dict[str, Any]]) -> list[Problem]:
    problems: list[Problem] = []
    controller = None
    field = "metadata.ownerReferences"
    for owner in owners:
        for key in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(key):
                words = "version must not be empty" if key == "apiVersion" else "must not be empty"
                problems.append(failures.invalid(f"{field}.{key}", "", words))
        if owner.get("controller"):
            if controller is not None:
                words = (
                    'Only one reference can have Controller set to true. Found "true" in '
                    f"references for {controller} and {owner.get('kind')}/{owner.get('name')}"
                )
                problems.append(failures.invalid(field, owners, words))
            controller = f"{owner.get('kind')}/{owner.get('name')}"
    return problems
