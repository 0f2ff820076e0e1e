"""Which part of the server answers which path and method."""

from __future__ import annotations

import msgspec

from serinus import errors
from serinus.kubernetes_model import Object, Resource, failures
from serinus.kubernetes_model.kinds import CUSTOM_RESOURCE_DEFINITIONS
from serinus.local_cluster.server.documents import discovery
from serinus.local_cluster.server.documents.discovery import Discovery
from serinus.local_cluster.server.documents.openapi import OpenAPI
from serinus.local_cluster.server.live_cluster import LiveCluster
from serinus.local_cluster.server.protobuf import openapi_v2
from serinus.local_cluster.server.serving import answers
from serinus.local_cluster.server.serving.call import Call, Reply
from serinus.local_cluster.server.serving.targets import Target, Targets
from serinus.local_cluster.server.tables.render import Tables
from serinus.local_cluster.server.verbs import reviews
from serinus.local_cluster.server.verbs.pod_logs import LogOptions, PodLogs
from serinus.local_cluster.server.verbs.presenting import Presenter
from serinus.local_cluster.server.verbs.reads import Reader
from serinus.local_cluster.server.verbs.watches import Watch
from serinus.local_cluster.server.verbs.writes import Writer

_HEALTH = frozenset({"healthz", "livez", "readyz"})
_TEXT = "text/plain; charset=utf-8"


class Dispatch:
    """Answer a call, or hand out the stream that answers it."""

    def __init__(self, live: LiveCluster, logs: PodLogs) -> None:
        self._live = live
        self._logs = logs
        self._targets = Targets(live)
        self._tables = Tables(self._definition_of)
        presenter = Presenter(live, self._tables)
        self._reader = Reader(live, presenter)
        self._writer = Writer(live, presenter)
        self._discovery = Discovery(live.cluster)
        self._openapi = OpenAPI(live)

    def answer(self, call: Call) -> Reply | Watch | LogOptions:
        """Return the answer, or what describes the stream that is the answer.

        Raises:
            ClusterError: the call is refused.
        """
        segments = call.segments
        if not segments or segments[0] not in {"api", "apis"}:
            return self._document(call)
        if reviews.is_review(segments):
            if call.method != "POST":
                raise errors.Invalid("a review is created, nothing else", code=405, details={})
            return reviews.answer(call)
        if len(segments) <= (2 if segments[0] == "api" else 3):
            return self._discover(call)
        return self._object(call, self._targets.find(segments))

    def _object(self, call: Call, target: Target) -> Reply | Watch | LogOptions:
        match call.method, target.name:
            case "GET", None:
                if call.flag("watch"):
                    return self._watch(call, target)
                return self._reader.list(call, target)
            case "GET", _:
                if call.flag("watch") and target.subresource is None:
                    return self._watch(call, target)
                if target.subresource == "log":
                    return self._logs.options(call, target)
                return self._reader.get(call, target)
            case "POST", None:
                return self._writer.create(call, target)
            case "POST", _ if target.subresource is not None:
                return self._writer.create(call, target)
            case "PUT", str():
                return self._writer.replace(call, target)
            case "PATCH", str():
                return self._writer.patch(call, target)
            case "DELETE", None:
                return self._writer.delete_collection(call, target)
            case "DELETE", _ if target.subresource is None:
                return self._writer.delete(call, target)
            case _:
                raise failures.method_not_allowed(target.resource, call.method.lower())

    def _watch(self, call: Call, target: Target) -> Watch:
        if "watch" not in target.resource.verbs:
            raise failures.method_not_allowed(target.resource, "watch")
        return Watch(self._live, self._tables, call, target)

    def _document(self, call: Call) -> Reply:
        match call.segments:
            case ("version",):
                return answers.encoded(discovery.version(), call)
            case (name, *rest) if name in _HEALTH and len(rest) <= 1:
                return Reply(b"ok", content_type=_TEXT)
            case ("openapi", "v2") if openapi_v2.ASKED_FOR in call.headers.get("accept", ""):
                return Reply(openapi_v2.document(), content_type=openapi_v2.MEDIA_TYPE)
            case ("openapi", "v2"):
                return answers.encoded(self._openapi.version_2(), call)
            case ("openapi", "v3"):
                return answers.encoded(self._openapi.index(), call)
            case ("openapi", "v3", *path):
                return Reply(self._openapi.document("/".join(path)))
            case ():
                return answers.encoded({"paths": ["/api", "/apis", "/openapi/v3"]}, call)
            case _:
                raise self._targets.unknown(call.segments)

    def _discover(self, call: Call) -> Reply:
        segments = call.segments
        core = segments[0] == "api"
        if len(segments) == 1:
            accept = call.headers.get("accept", "")
            if "apidiscovery.k8s.io;v=v2;" in f"{accept};".replace(",", ";"):
                body = msgspec.json.encode(self._discovery.aggregated(core=core))
                return Reply(body, content_type=discovery.AGGREGATED)
            if core:
                return answers.encoded(self._discovery.api_versions(), call)
            return answers.encoded(self._discovery.groups(), call)
        if len(segments) == 2 and not core:
            return answers.encoded(self._discovery.group(segments[1]), call)
        group, version = ("", segments[1]) if core else (segments[1], segments[2])
        return answers.encoded(self._discovery.resources(group, version), call)

    def _definition_of(self, resource: Resource) -> Object | None:
        try:
            return self._live.cluster.get(
                CUSTOM_RESOURCE_DEFINITIONS, f"{resource.plural}.{resource.group}"
            )
        except errors.NotFound:
            return None
