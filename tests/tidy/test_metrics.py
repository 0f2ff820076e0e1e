"""Every metric of the operator stands in the reference, and no other."""

from __future__ import annotations

import re

from serinus.controller.operator.meters import Meters
from serinus.release.model import Phase
from tests.tidy import sources

PAGE = sources.ROOT / "docs" / "reference" / "metrics.md"


def test_every_metric_is_documented_and_no_other() -> None:
    meters = Meters()
    meters.phase(("default", "shop"), Phase.HEALTHY)
    meters.weight(("default", "shop"), 0)
    for counter in (meters.rounds, meters.writes):
        counter.labels("x").inc()
    meters.notes.labels("x", "y").inc()
    served = set(re.findall(r"^# TYPE (serinus_\w+) ", meters.text().decode(), re.M))
    documented = set(re.findall(r"^\| `(serinus_\w+)`", PAGE.read_text(), re.M))
    assert {name for name in served if not name.endswith("_created")} == documented
