"""The hold by policy: CEL inside the API server, no webhook, no certificate.

The label `serinus.dev/release` on the user's Deployment has three values. `managed`: a write by
anyone else that changes the template pauses the Deployment and makes it `held`. `held`: every such
write keeps it paused, whatever it says. `off`: anyone may set it, and is left alone from then on.
A label that was dropped is put back. serinus is known by its field manager.
"""

from __future__ import annotations

from serinus.install.settings import Manifest, Settings, metadata
from serinus.release.holding import HELD, HOLD_POLICY, MANAGED, OFF, OUR_MANAGER, RELEASE_LABEL

WARNING_NAME = "serinus-held-warning"
GROUP = "admissionregistration.k8s.io"

_BY_OTHERS = {
    "name": "by-others",
    "expression": f"request.options.?fieldManager.orValue('') != '{OUR_MANAGER}'",
}


def objects(settings: Settings) -> list[Manifest]:
    """Return the two policies, each with the binding that puts it in force."""
    return [
        _hold(settings),
        _binding(settings, "Mutating", HOLD_POLICY, settings.policy_version),
        _warning(settings),
        _binding(settings, "Validating", WARNING_NAME, "v1", validationActions=["Warn"]),
    ]


def _hold(settings: Settings) -> Manifest:
    return {
        "apiVersion": f"{GROUP}/{settings.policy_version}",
        "kind": "MutatingAdmissionPolicy",
        "metadata": metadata(settings, HOLD_POLICY),
        "spec": {
            "matchConstraints": _updates_labelled(MANAGED, HELD),
            "matchConditions": [
                _BY_OTHERS,
                {
                    "name": "was-ours",
                    "expression": f"{_label('oldObject')} in ['{MANAGED}', '{HELD}']",
                },
                {"name": "not-let-go", "expression": f"{_label('object')} != '{OFF}'"},
            ],
            "variables": [
                {
                    "name": "changed",
                    "expression": "object.spec.template != oldObject.spec.template",
                },
                {"name": "held", "expression": f"{_label('oldObject')} == '{HELD}'"},
            ],
            # Without an answer nothing may be rolled out: the write is refused.
            "failurePolicy": "Fail",
            "reinvocationPolicy": "IfNeeded",
            "mutations": [
                {
                    "patchType": "ApplyConfiguration",
                    "applyConfiguration": {
                        "expression": "variables.changed || variables.held"
                        f" ? Object{{spec: Object.spec{{paused: true}}, {_labelled(HELD)}}}"
                        f" : Object{{{_labelled(MANAGED)}}}"
                    },
                }
            ],
        },
    }


def _warning(settings: Settings) -> Manifest:
    name = "object.metadata.name"
    words = (
        f"'Deployment ' + {name} + ' is held by serinus: see serinus status / promote / undo ' + "
        f"{name} + ' -n ' + object.metadata.namespace + '; to let it go: kubectl label "
        f"--overwrite deployment ' + {name} + ' -n ' + object.metadata.namespace + "
        f"' {RELEASE_LABEL}={OFF}'"
    )
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": metadata(settings, WARNING_NAME),
        "spec": {
            "matchConstraints": _updates_labelled(HELD),
            "matchConditions": [_BY_OTHERS],
            "failurePolicy": "Ignore",
            "validations": [
                {"expression": f"{_label('object')} != '{HELD}'", "messageExpression": words}
            ],
        },
    }


def _binding(settings: Settings, kind: str, name: str, version: str, **more: list[str]) -> Manifest:
    return {
        "apiVersion": f"{GROUP}/{version}",
        "kind": f"{kind}AdmissionPolicyBinding",
        "metadata": metadata(settings, name),
        "spec": {"policyName": name, **more},
    }


def _updates_labelled(*values: str) -> Manifest:
    """Match updates of Deployments whose label has one of the values, before or after."""
    rule = {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "operations": ["UPDATE"],
        "resources": ["deployments"],
    }
    selector = {"key": RELEASE_LABEL, "operator": "In", "values": list(values)}
    return {"resourceRules": [rule], "objectSelector": {"matchExpressions": [selector]}}


def _label(of: str) -> str:
    return f"{of}.metadata.?labels['{RELEASE_LABEL}'].orValue('')"


def _labelled(value: str) -> str:
    return f'metadata: Object.metadata{{labels: {{"{RELEASE_LABEL}": "{value}"}}}}'
