"""What a cluster may lack, in the words of the page that says what the local cluster leaves out."""

from __future__ import annotations

from collections.abc import Mapping

FEATURES: Mapping[str, str] = {
    "answers": "the form of answers to requests, such as the Status of a deletion",
    "autoscaler": "a controller that acts on HorizontalPodAutoscalers "
    "(the objects can be written and read)",
    "kubectl": "kubectl",
    "mutating-policies": "MutatingAdmissionPolicy and its binding",
    "quotas": "ResourceQuota: the kind, its controller, and the refusals",
    "validating-policies": "ValidatingAdmissionPolicy and its binding",
}
"""Each feature that some conformance case needs and some cluster lacks, with its meaning."""

_ONLY_REAL = frozenset({"autoscaler", "mutating-policies", "quotas", "validating-policies"})
LACKS: Mapping[str, frozenset[str]] = {
    "model": _ONLY_REAL | {"answers", "kubectl"},
    "local": _ONLY_REAL,
    "kubernetes": frozenset(),
}
"""What each of the clusters that `--cluster` names leaves out."""
