"""What the middleware brings into a service."""

from __future__ import annotations

import json
import subprocess
import sys

OWN = ("serinus", "serinus.rules", "serinus.assignment", "serinus.errors", "serinus.middleware")
COUNT = """
import sys
before = set(sys.modules)
import serinus.middleware
loaded = sorted(set(sys.modules) - before)
import json
print(json.dumps(loaded))
"""


def loaded() -> list[str]:
    done = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True)
    found: list[str] = json.loads(done.stdout)
    return found


def test_importing_it_loads_rules_assignment_errors_the_standard_library_and_xxhash() -> None:
    modules = loaded()
    own = [name for name in modules if name.partition(".")[0] == "serinus"]
    assert [
        n for n in own if not n.startswith(tuple(f"{o}." for o in OWN[1:])) and n not in OWN
    ] == []
    others = {name.partition(".")[0] for name in modules} - {"serinus"}
    assert others - sys.stdlib_module_names == {"xxhash"}
    print(f"{len(own)} modules of serinus, {len(modules) - len(own)} others")
    assert len(own) <= 40
    assert len(modules) <= 150


def test_importing_it_starts_no_event_loop_and_opens_no_network() -> None:
    assert {"asyncio", "socket", "ssl", "http.client", "subprocess"}.isdisjoint(loaded())
