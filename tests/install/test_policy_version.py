"""At which version a cluster obeys mutating policies, by what it serves and says of itself."""

from __future__ import annotations

import pytest

from serinus.install.cluster.applying import is_off

# The first sample is what kube-apiserver 1.35.4 prints; the others stand for those around it.
METRICS = """\
# TYPE kubernetes_feature_enabled gauge
kubernetes_feature_enabled{name="MutatingAdmissionPolicy",stage="BETA"} %d
kubernetes_feature_enabled{name="MutablePVNodeAffinity",stage="ALPHA"} 0
kubernetes_feature_enabled{name="ValidatingAdmissionPolicy",stage=""} 1
process_cpu_seconds_total 12.5
"""


@pytest.mark.parametrize(("value", "off"), [(0, True), (1, False)])
def test_a_feature_that_is_off_is_known_by_the_metrics(value: int, off: bool) -> None:
    assert is_off(METRICS % value, "MutatingAdmissionPolicy") is off


def test_a_feature_that_nobody_speaks_of_is_not_taken_for_off() -> None:
    assert not is_off(METRICS % 0, "MutatingAdmission")
