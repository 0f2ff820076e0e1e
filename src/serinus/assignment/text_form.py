"""A split as JSON says it: the plan that routers and the middleware read from a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from serinus.assignment.identity import IdCookie, IdentityKind, IdentitySource, SameSite
from serinus.assignment.intervals import TOTAL_BP
from serinus.assignment.split import Split
from serinus.errors import InvalidInput, InvalidRule
from serinus.rules import attributes, parsing, printing
from serinus.rules.tree import Destination, Rule, Source

RULES_MAX = 100
_FIELDS = ("salt", "weight", "rules", "identity", "cookie")
_COOKIE_FIELDS = ("name", "maxAgeSeconds", "path", "domain", "secure", "httpOnly", "sameSite")
_SALT = re.compile(r"[A-Za-z0-9._/:-]{1,512}")
_COOKIE_WORD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ATTRIBUTE_TEXT = re.compile(r"[ -:<-~]*")
_SOURCES = {
    IdentityKind.HEADER: Source.HEADER,
    IdentityKind.COOKIE: Source.COOKIE,
    IdentityKind.QUERY: Source.QUERY,
}
_T = TypeVar("_T")


def split_of(document: object, subject: str = "the plan") -> Split:
    """Return the split that a JSON document says.

    Raises:
        InvalidInput: with all that is wrong, each with its field path.
    """
    reader = _Reader()
    found = reader.split(document)
    if reader.problems or found is None:
        raise InvalidInput(subject, reader.problems)
    return found


def document_of(split: Split) -> dict[str, Any]:
    """Return the JSON document that `split_of` reads as the same split."""
    found: dict[str, Any] = {"salt": split.salt, "weight": _percent(split.weight_bp)}
    if split.rules:
        found["rules"] = [
            {"name": rule.name, "when": printing.text_of(rule.when), "to": rule.to.value}
            for rule in split.rules
        ]
    if split.identity:
        found["identity"] = [{source.kind.value: source.name} for source in split.identity]
    if split.cookie is not None:
        cookie = split.cookie
        found["cookie"] = {
            "name": cookie.name,
            "maxAgeSeconds": cookie.max_age_s,
            "path": cookie.path,
            "domain": cookie.domain,
            "secure": cookie.secure,
            "httpOnly": cookie.http_only,
            "sameSite": cookie.same_site.value,
        }
    return found


def _percent(weight_bp: int) -> int | float:
    return weight_bp // 100 if weight_bp % 100 == 0 else weight_bp / 100


class _Reader:
    """Read on after a problem, so that all are told at once."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def _wrong(self, path: str, problem: str) -> None:
        self.problems.append(f"{path}: {problem}" if path else problem)

    def split(self, document: object) -> Split | None:
        fields = self._object("", document, _FIELDS)
        if fields is None:
            return None
        salt = self._salt(fields.get("salt"))
        weight_bp = self._weight(fields.get("weight"))
        rules = self._list("rules", fields.get("rules"), self._rule)
        if len(rules) > RULES_MAX:
            self._wrong("rules", f"{len(rules)} rules are more than {RULES_MAX}")
        self._twice("rules", [rule.name for rule in rules])
        sources = self._list("identity", fields.get("identity"), self._source)
        self._twice("identity", [f"{source.kind.value} {source.name}" for source in sources])
        cookie = self._cookie(fields.get("cookie"))
        if self.problems or salt is None or weight_bp is None:
            return None
        return Split(salt, weight_bp, rules, sources, cookie)

    def _salt(self, found: object) -> str | None:
        salt = self._typed("salt", found, str, "a text such as namespace/name/revision")
        # Routers write it into expressions of their own, where signs may mean something.
        if salt is not None and not _SALT.fullmatch(salt):
            self._wrong("salt", f"{salt!r} holds more than letters, digits and . _ / : -")
            return None
        return salt

    def _object(self, path: str, found: object, known: tuple[str, ...]) -> Mapping[str, Any] | None:
        if not isinstance(found, Mapping):
            self._wrong(path, f"expected an object, found {_kind(found)}")
            return None
        for name in found:
            if name not in known:
                self._wrong(path, attributes.unknown("field", str(name), known))
        return found

    def _typed(self, path: str, found: object, kind: type[_T], what: str) -> _T | None:
        if isinstance(found, kind) and not (kind is int and isinstance(found, bool)):
            return found
        self._wrong(path, f"expected {what}, found {_kind(found)}")
        return None

    def _list(
        self, path: str, found: object, one: Callable[[str, object], _T | None]
    ) -> tuple[_T, ...]:
        if found is None:
            return ()
        if not isinstance(found, list):
            self._wrong(path, f"expected a list, found {_kind(found)}")
            return ()
        read = [one(f"{path}[{index}]", item) for index, item in enumerate(found)]
        return tuple(item for item in read if item is not None)

    def _twice(self, path: str, names: list[str]) -> None:
        for name in sorted({name for name in names if names.count(name) > 1}):
            self._wrong(path, f"{name!r} stands there twice")

    def _weight(self, found: object) -> int | None:
        if isinstance(found, bool) or not isinstance(found, int | float):
            self._wrong("weight", f"expected a percentage such as 5 or 0.5, found {_kind(found)}")
            return None
        if not 0 <= found <= 100:
            self._wrong("weight", f"{found} is outside 0..100")
            return None
        weight_bp = round(found * TOTAL_BP / 100)
        if abs(weight_bp / 100 - found) > 1e-9:
            self._wrong("weight", f"{found} has more than two decimals")
            return None
        return weight_bp

    def _rule(self, path: str, found: object) -> Rule | None:
        fields = self._object(path, found, ("name", "when", "to"))
        if fields is None:
            return None
        name = self._typed(f"{path}.name", fields.get("name"), str, "a name")
        text = self._typed(f"{path}.when", fields.get("when"), str, "a rule's text")
        to = self._enum(f"{path}.to", fields.get("to"), Destination)
        if name is None or text is None or to is None:
            return None
        try:
            return Rule(name, parsing.parse(text), to)
        except InvalidRule as error:
            self._wrong(f"{path}.when", f"{error}\n{error.caret}")
            return None

    def _enum(self, path: str, found: object, kind: type[_T]) -> _T | None:
        known = {member.value: member for member in kind}  # type: ignore[attr-defined]
        if isinstance(found, str) and found in known:
            return known[found]  # type: ignore[no-any-return]
        self._wrong(path, f"expected {' or '.join(known)}, found {_kind(found)}")
        return None

    def _source(self, path: str, found: object) -> IdentitySource | None:
        kinds = tuple(kind.value for kind in IdentityKind)
        fields = self._object(path, found, kinds)
        if fields is None:
            return None
        if len(fields) != 1 or next(iter(fields)) not in kinds:
            self._wrong(path, f"expected one of {', '.join(kinds)}, as in {{'header': 'x-user'}}")
            return None
        kind, name = IdentityKind(next(iter(fields))), next(iter(fields.values()))
        if kind is IdentityKind.SOURCE_ADDRESS:
            if name != "":
                self._wrong(f"{path}.{kind.value}", "has no name; write ''")
                return None
            return IdentitySource(kind)
        text = self._typed(f"{path}.{kind.value}", name, str, "a name")
        if text is None:
            return None
        text = text.lower() if kind is IdentityKind.HEADER else text
        problem = attributes.key_problem(_SOURCES[kind], text)
        if problem:
            self._wrong(f"{path}.{kind.value}", problem)
            return None
        return IdentitySource(kind, text)

    def _cookie(self, found: object) -> IdCookie | None:
        if found is None:
            return None
        fields = self._object("cookie", found, _COOKIE_FIELDS)
        if fields is None:
            return None
        default = IdCookie()

        def field(name: str, kind: type[_T], otherwise: _T, what: str) -> _T:
            if name not in fields:
                return otherwise
            value = self._typed(f"cookie.{name}", fields[name], kind, what)
            return otherwise if value is None else value

        name = field("name", str, default.name, "a name")
        if not _COOKIE_WORD.fullmatch(name):
            self._wrong("cookie.name", f"{name!r} is no name of a cookie")
        path = field("path", str, default.path, "a path")
        domain = field("domain", str, default.domain, "a domain")
        for part, text in (("path", path), ("domain", domain)):
            if not _ATTRIBUTE_TEXT.fullmatch(text):
                self._wrong(f"cookie.{part}", f"{text!r} cannot stand in a cookie")
        max_age_s = field("maxAgeSeconds", int, default.max_age_s, "a number of seconds")
        if max_age_s < 1:
            self._wrong("cookie.maxAgeSeconds", f"{max_age_s} seconds are no age")
        same_site = (
            self._enum("cookie.sameSite", fields["sameSite"], SameSite)
            if "sameSite" in fields
            else default.same_site
        )
        secure = self._flag(fields, "secure")
        if same_site is SameSite.NONE and not secure:
            self._wrong("cookie.sameSite", "None needs secure: true; browsers drop it otherwise")
        return IdCookie(
            name,
            max_age_s,
            path,
            domain,
            secure,
            self._flag(fields, "httpOnly"),
            same_site or default.same_site,
        )

    def _flag(self, fields: Mapping[str, Any], name: str) -> bool:
        found = fields.get(name, True)
        if not isinstance(found, bool):
            self._wrong(f"cookie.{name}", f"expected true or false, found {_kind(found)}")
            return True
        return found


def _kind(found: object) -> str:
    if isinstance(found, str):
        return repr(found)
    names = {bool: "true or false", int: "a number", float: "a number", list: "a list"}
    if found is None:
        return "nothing"
    return names.get(type(found), "an object")
