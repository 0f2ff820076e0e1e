"""Look for a violation where a planted bug is expected to show."""

from __future__ import annotations

from serinus.simulation import faults, play
from serinus.simulation.example import EXAMPLES
from serinus.simulation.exhaustive import exhaustion
from serinus.simulation.watch import Violation
from tests.simulation.mutants import Hunt


def violation(hunt: Hunt) -> str:
    """Return the first violation, or nothing."""
    play.forget_starts()
    try:
        if hunt.seeds:
            return next(filter(None, (play.seeded(seed).violation for seed in hunt.seeds)), "")
        walk = exhaustion.Exhaustion(
            EXAMPLES[hunt.example], faults_max=hunt.faults_max, among=among(hunt)
        )
        walk.run(lambda: not walk.findings)
    except Violation as error:
        # Not even the Deployment that is released comes to rest.
        return str(error)
    finally:
        play.forget_starts()
    return walk.findings[0].violation if walk.findings else ""


def among(hunt: Hunt) -> tuple[faults.Fault, ...]:
    return tuple(f for f in faults.ALL if any(f.name.startswith(name) for name in hunt.faults))
