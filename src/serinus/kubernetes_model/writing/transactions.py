"""Creates and updates: from a body to a committed object.

Follows Kubernetes 1.36: apiserver pkg/endpoints/handlers, pkg/registry/generic/registry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec
import xxhash

from serinus import errors
from serinus.clock import Instant
from serinus.kubernetes_model import failures, timestamps
from serinus.kubernetes_model.fields.managers import Writer
from serinus.kubernetes_model.kinds import Resource
from serinus.kubernetes_model.requests import FieldValidation, Object, WriteOptions, Written
from serinus.kubernetes_model.schema import reading
from serinus.kubernetes_model.store import Store
from serinus.kubernetes_model.writing import deletion, ownership, patching, strategies
from serinus.kubernetes_model.writing.addresses import ServiceAddresses
from serinus.kubernetes_model.writing.behaviour import Behaviour, Manifest, refuse_unreadable

_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH = 5
_GENERATED_MAX = 63 - _SUFFIX_LENGTH
_GENERATE_TRIES = 8

Admit: TypeAlias = Callable[[str, Object, Manifest], Manifest]
"""A mutating admission: field manager, object before, object to be -> what comes of the write."""


class Call(msgspec.Struct, frozen=True):
    """What is the same for all steps of one write."""

    behaviour: Behaviour
    namespace: str | None
    now: Instant
    options: WriteOptions
    subresource: str | None = None

    @property
    def writer(self) -> Writer:
        """Return who writes, as managedFields names it."""
        return Writer(
            self.options.field_manager,
            self.behaviour.resource.api_version,
            self.subresource or "",
            timestamps.time(self.now),
        )


class Transactions:
    """Commit creates and updates to a store."""

    def __init__(
        self,
        store: Store,
        addresses: ServiceAddresses,
        new_id: Callable[[], str],
        admit: Admit | None = None,
    ) -> None:
        self._store = store
        self._admit = admit
        self._addresses = addresses
        self._new_id = new_id

    def read(self, call: Call, body: Any) -> tuple[Manifest, tuple[str, ...]]:
        """Return the body as an object with defaults, and warnings about unknown fields.

        Raises:
            Invalid: it cannot be read, or has unknown fields and validation is strict.
        """
        resource = call.behaviour.resource
        if not isinstance(body, dict):
            raise refuse_unreadable(resource, ValueError("the object provided is no JSON object"))
        version, kind = body.get("apiVersion"), body.get("kind")
        if (version or resource.api_version) != resource.api_version or (
            kind or resource.kind
        ) != resource.kind:
            raise _unregistered(resource, version or resource.api_version, kind or resource.kind)
        try:
            item, unknown = call.behaviour.read(body)
        except ValueError as error:
            raise refuse_unreadable(resource, error) from error
        warnings = _judge_unknown(call, unknown)
        call.behaviour.default(item)
        _keep_reset(body, item)
        return item, warnings

    def create(self, call: Call, item: Manifest, warnings: tuple[str, ...] = ()) -> Written:
        """Create an object that `read` returned."""
        metadata = item["metadata"]
        self._place(call, metadata)
        if metadata.pop("resourceVersion", None):
            raise failures.unexplained("resourceVersion should not be set on objects to be created")
        for key in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
            metadata.pop(key, None)
        generates = "generateName" in metadata and not metadata.get("name")
        if generates:
            metadata["name"] = self._generated_name(call, metadata["generateName"])
            call.behaviour.default(item)
        ownership.track_update(call.behaviour, None, item, call.writer)
        return self._finish_create(call, item, warnings)

    def _finish_create(self, call: Call, item: Manifest, warnings: tuple[str, ...]) -> Written:
        behaviour, metadata = call.behaviour, item["metadata"]
        resource, name = behaviour.resource, metadata.get("name", "")
        metadata["uid"] = self._new_id()
        metadata["creationTimestamp"] = timestamps.time(call.now)
        behaviour.prepare_create(item)
        problems = behaviour.problems(item, None, None)
        if not problems and resource.kind == "Service":
            problems = self._addresses.allocate(_key(item), item, None)
        if problems:
            raise failures.invalid_object(resource, name, problems)
        if self._store.get(resource, name, call.namespace) is not None:
            raise failures.already_exists(resource, name)
        warnings += behaviour.warnings(item, None)
        if call.options.dry_run:
            return Written(item, warnings, created=True)
        stored = self._store.put(resource, behaviour.stored(item), None)
        return Written(behaviour.served(stored), warnings, created=True, changed=True)

    def apply_create(self, call: Call, name: str, config: Manifest) -> Written:
        """Create the object that an apply patch describes."""
        if (config.get("metadata") or {}).get("uid"):
            uid = config["metadata"]["uid"]
            raise failures.conflict(
                call.behaviour.resource,
                name,
                f"uid mismatch: the provided object specified uid {uid}, and no existing object "
                "was found",
            )
        merged = ownership.apply(
            call.behaviour, None, config, call.writer, force=call.options.force
        )
        entries = merged["metadata"].pop("managedFields", None)
        patching.check_name(merged, name)
        item, warnings = self._reread(call, merged)
        metadata = item["metadata"]
        self._place(call, metadata)
        if metadata.pop("resourceVersion", None):
            # An apply at a version means an object that is there.
            raise failures.conflict(call.behaviour.resource, name)
        if entries:
            metadata["managedFields"] = entries
        return self._finish_create(call, item, warnings)

    def update(
        self, call: Call, old: Object, item: Manifest, warnings: tuple[str, ...] = ()
    ) -> Written:
        """Replace an object by one that `read` returned."""
        metadata, before = item["metadata"], old["metadata"]
        uid = metadata.get("uid")
        if uid and uid != before["uid"]:
            raise failures.conflict(
                call.behaviour.resource,
                before["name"],
                "StorageError: invalid object, Code: 4, Key: /registry/"
                f"{call.behaviour.resource.plural}/{_key(old)}, ResourceVersion: 0, "
                f"AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, "
                f"UID in object meta: {before['uid']}",
            )
        ownership.track_update(call.behaviour, old, item, call.writer)
        return self.finish_update(call, old, item, warnings)

    def apply(self, call: Call, old: Object, config: Manifest) -> Written:
        """Apply a configuration to an object that is there."""
        merged = ownership.apply(call.behaviour, old, config, call.writer, force=call.options.force)
        entries = merged["metadata"].pop("managedFields", None)
        patching.check_name(merged, old["metadata"]["name"])
        item, warnings = self._reread(call, merged)
        if entries:
            item["metadata"]["managedFields"] = entries
        return self.finish_update(call, old, item, warnings)

    def patch(
        self, call: Call, old: Object, patched: Manifest, shown: str | None = None
    ) -> Written:
        """Replace an object by the result of a patch; `shown` stands for it in refusals."""
        patching.check_name(patched, old["metadata"]["name"])
        item, warnings = self._reread(call, patched, shown)
        ownership.track_update(call.behaviour, old, item, call.writer)
        return self.finish_update(call, old, item, warnings)

    def finish_update(
        self, call: Call, old: Object, item: Manifest, warnings: tuple[str, ...] = ()
    ) -> Written:
        """Check an update whose field ownership is settled, and commit it."""
        behaviour = call.behaviour
        resource, name = behaviour.resource, old["metadata"]["name"]
        self._check_version(call, old, item)
        if self._admit is not None and call.subresource is None:
            item = copied(self._admit(call.options.field_manager, old, item))
        _restore_metadata(item, old)
        behaviour.prepare_update(item, old, call.subresource)
        if call.subresource != "status":
            generation = strategies.next_generation(behaviour.strategy, item, old)
            if generation is not None:
                item["metadata"]["generation"] = generation
        if resource.kind == "Service" and call.subresource is None:
            self._carry_addresses(item, old)
        problems = behaviour.problems(item, old, call.subresource)
        if not problems and resource.kind == "Service" and call.subresource is None:
            problems = self._addresses.allocate(_key(item), item, old)
        if problems:
            raise failures.invalid_object(resource, name, problems)
        if call.subresource is None:
            warnings += behaviour.warnings(item, old)
        if ownership.same_but_for_times(item, old):
            unchanged = not deletion.ends_with_update(old, old)
            if unchanged:
                return Written(old, warnings)
        return self.commit(call, old, item, warnings)

    def commit(
        self, call: Call, old: Object, item: Manifest, warnings: tuple[str, ...] = ()
    ) -> Written:
        """Commit a checked update; the object goes when nothing keeps it any more."""
        behaviour = call.behaviour
        ends = deletion.ends_with_update(item, old)
        if call.options.dry_run:
            return Written(item, warnings, deleted=ends)
        if ends:
            self._store.remove(behaviour.resource, behaviour.stored(old))
            return Written(item, warnings, changed=True, deleted=True)
        stored = self._store.put(behaviour.resource, behaviour.stored(item), behaviour.stored(old))
        return Written(behaviour.served(stored), warnings, changed=True)

    def _reread(
        self, call: Call, patched: Manifest, shown: str | None = None
    ) -> tuple[Manifest, tuple[str, ...]]:
        """Read and default the result of a patch."""
        behaviour = call.behaviour
        try:
            item, unknown = behaviour.read(patched)
        except ValueError as error:
            raise failures.invalid_patch(shown or patched, str(error)) from error
        if unknown and call.options.field_validation is FieldValidation.STRICT:
            words = ", ".join(f'unknown field "{field}"' for field in sorted(unknown))
            raise failures.invalid_patch(shown or patched, f"strict decoding error: {words}")
        behaviour.default(item)
        _keep_reset(patched, item)
        return item, _judge_unknown(call, sorted(unknown))

    def _check_version(self, call: Call, old: Object, item: Manifest) -> None:
        resource, name = call.behaviour.resource, old["metadata"]["name"]
        version = item["metadata"].get("resourceVersion")
        if version in {None, "", "0"}:
            if call.behaviour.strategy.needs_version:
                words = "must be specified for an update"
                problem = failures.invalid("metadata.resourceVersion", 0, words)
                by_plural = msgspec.structs.replace(resource, kind=resource.plural)
                raise failures.invalid_object(by_plural, name, [problem])
        elif version != old["metadata"]["resourceVersion"]:
            raise failures.conflict(resource, name)
        item["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]

    def _place(self, call: Call, metadata: Manifest) -> None:
        """Check that the object belongs where it is written."""
        namespace = call.namespace if call.behaviour.resource.namespaced else None
        given = metadata.get("namespace")
        if given and given != (namespace or ""):
            raise failures.bad_request(
                "the namespace of the provided object does not match the namespace sent on the "
                "request"
            )
        if namespace:
            metadata["namespace"] = namespace

    def _generated_name(self, call: Call, base: str) -> str:
        resource = call.behaviour.resource
        name = ""
        for _ in range(_GENERATE_TRIES):
            name = base[:_GENERATED_MAX] + _suffix(self._new_id())
            if self._store.get(resource, name, call.namespace) is None:
                return name
        raise errors.AlreadyExists(
            f'{resource.qualified_name} "{name}" already exists, the server was not able to '
            "generate a unique name for the object",
            code=409,
        )

    @staticmethod
    def _carry_addresses(item: Manifest, old: Object) -> None:
        """Keep what was allocated where an update leaves it open."""
        spec, before = item["spec"], old["spec"]
        if spec["type"] == "ExternalName":
            return
        if not spec.get("clusterIP") and not spec.get("clusterIPs") and "clusterIP" in before:
            spec["clusterIP"] = before["clusterIP"]
            spec["clusterIPs"] = before.get("clusterIPs", [before["clusterIP"]])
        elif spec.get("clusterIP") and (
            not spec.get("clusterIPs") or spec["clusterIPs"] == before.get("clusterIPs")
        ):
            spec["clusterIPs"] = [spec["clusterIP"]]
        for key in ("ipFamilies", "ipFamilyPolicy"):
            if key in before:
                spec.setdefault(key, before[key])


def _keep_reset(body: Manifest, item: Manifest) -> None:
    """Keep an empty list of managedFields, which asks for a reset; reading drops empty lists."""
    metadata = body.get("metadata")
    if isinstance(metadata, dict) and metadata.get("managedFields") == []:
        item["metadata"]["managedFields"] = []


def _unregistered(resource: Resource, version: str, kind: str) -> errors.Invalid:
    return failures.bad_request(
        f'{kind} in version "{version.rpartition("/")[2]}" cannot be handled as a '
        f'{resource.kind}: no kind "{kind}" is registered for version "{version}" in scheme '
        '"pkg/runtime/scheme.go:111"'
    )


def _judge_unknown(call: Call, unknown: list[str]) -> tuple[str, ...]:
    if not unknown or call.options.field_validation is FieldValidation.IGNORE:
        return ()
    words = [f'unknown field "{field}"' for field in unknown]
    if call.options.field_validation is FieldValidation.STRICT:
        problem = ValueError(f"strict decoding error: {', '.join(words)}")
        raise refuse_unreadable(call.behaviour.resource, problem)
    return tuple(words)


def _restore_metadata(item: Manifest, old: Object) -> None:
    """Put back what an update cannot change without being told."""
    metadata, before = item["metadata"], old["metadata"]
    if not metadata.get("uid"):
        metadata["uid"] = before["uid"]
    metadata["creationTimestamp"] = before["creationTimestamp"]
    metadata.setdefault("name", before["name"])
    if "namespace" in before:
        metadata.setdefault("namespace", before["namespace"])
    for key in ("generation", "deletionTimestamp"):
        if key in before:
            metadata[key] = before[key]
        else:
            metadata.pop(key, None)
    if "deletionGracePeriodSeconds" in before:
        metadata.setdefault("deletionGracePeriodSeconds", before["deletionGracePeriodSeconds"])
    else:
        metadata.pop("deletionGracePeriodSeconds", None)


def _suffix(seed: str) -> str:
    number = xxhash.xxh64_intdigest(seed.encode())
    letters = []
    for _ in range(_SUFFIX_LENGTH):
        number, place = divmod(number, len(_SUFFIX_LETTERS))
        letters.append(_SUFFIX_LETTERS[place])
    return "".join(letters)


def _key(item: Manifest) -> str:
    return f"{item['metadata'].get('namespace', '')}/{item['metadata']['name']}"


def copied(item: Object) -> Manifest:
    """Return an object whose metadata may be changed."""
    return {**item, "metadata": dict(item["metadata"])}


def plain(body: Any) -> Any:
    """Return a body without nulls, as a configuration to apply."""
    return reading.copy(body)
