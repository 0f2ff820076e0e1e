"""Who am I, and what may I do: the holder of the token may do everything that there is.

There are no roles to consult: Roles and bindings are stored, and bind nobody.
"""

from __future__ import annotations

from typing import Any

from serinus.local_cluster.server.serving import bodies
from serinus.local_cluster.server.serving.call import Call, Reply, json_reply

_PLURALS = frozenset({"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"})
_GROUPS = frozenset({"authorization.k8s.io", "authentication.k8s.io"})
USER = "serinus-admin"


def is_review(segments: tuple[str, ...]) -> bool:
    """Tell whether a path asks a question about the caller."""
    return (
        len(segments) == 4
        and segments[0] == "apis"
        and segments[1] in _GROUPS
        and segments[3] in _PLURALS
    )


def answer(call: Call) -> Reply:
    """Return the question with its answer in `status`."""
    question = bodies.manifest(call)
    return json_reply({**question, "status": _status(call.segments[3], call.user)}, 201)


def _status(plural: str, user: str) -> dict[str, Any]:
    if plural == "selfsubjectaccessreviews":
        return {"allowed": True, "reason": "the holder of the token may do everything"}
    if plural == "selfsubjectrulesreviews":
        return {
            "resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": False,
        }
    groups = ["system:masters", "system:authenticated"]
    return {"userInfo": {"username": user, "groups": groups}}
