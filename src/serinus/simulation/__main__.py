"""`python -m serinus.simulation`: play schedules, and say how many and what went wrong."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence

from serinus.simulation import faults, play
from serinus.simulation.choices import Replay
from serinus.simulation.example import EXAMPLES
from serinus.simulation.exhaustive import exhaustion

AMONG = {"calls": (), "machines": faults.MACHINES, "all": faults.ALL}


def main(arguments: Sequence[str]) -> int:
    """Play what is asked for; return 1 when something was violated."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    if asked.replay is not None:
        name, _, draws = asked.replay.partition(":")
        if name not in EXAMPLES or not all(d.isdecimal() for d in draws.split(",") if d):
            parser.error(f"--replay: {asked.replay!r} is not EXAMPLE:0,0,3; see {sorted(EXAMPLES)}")
        return _replay(name, [int(d) for d in draws.split(",") if d], asked.among)
    bad_count = 0
    if asked.seeds:
        bad_count += _random(asked.start, asked.seeds, asked.seconds)
    if asked.exhaustive:
        bad_count += _exhaustive(asked)
    return 1 if bad_count else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m serinus.simulation", description=__doc__)
    add = parser.add_argument
    add("--seeds", type=int, default=0, metavar="N", help="play N random schedules")
    add("--start", type=int, default=0, metavar="S", help="begin with seed S")
    add("--seconds", type=float, default=None, metavar="T", help="stop each part after T seconds")
    add("--exhaustive", action="store_true", help="play all schedules of the examples")
    add("--faults", type=int, default=2, metavar="K", help="with at most K faults (2)")
    add(
        "--among",
        choices=sorted(AMONG),
        default="machines",
        help="faults of calls only, also of machines (the default), also of nodes and people",
    )
    add("--example", action="append", choices=sorted(EXAMPLES), help="only this example")
    add("--replay", metavar="EXAMPLE:DRAWS", help="play one schedule that --exhaustive named")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _show(named: str, happened: Sequence[str], violation: str) -> None:
    _say(f"VIOLATION {named}\n  {violation}")
    for line in happened:
        _say(f"    {line}")


def _seeds(start: int, count: int, seconds: float | None) -> Iterator[int]:
    end = None if seconds is None else time.monotonic() + seconds
    for seed in range(start, start + count):
        if end is not None and time.monotonic() > end:
            return
        yield seed


def _random(start: int, count: int, seconds: float | None) -> int:
    began, used = time.monotonic(), time.process_time()
    bad_count, seed = 0, start - 1
    for seed in _seeds(start, count, seconds):
        outcome = play.seeded(seed)
        if outcome.violation:
            bad_count += 1
            _show(f"--start {seed} --seeds 1", outcome.happened, outcome.violation)
    played = seed - start + 1
    took, cpu = time.monotonic() - began, time.process_time() - used
    _say(
        f"random: {played} schedules (seeds {start} to {seed}) in {took:.1f} s, "
        f"{played / max(cpu, 0.001):.0f} per CPU second; {bad_count} violations"
    )
    return bad_count


def _exhaustive(asked: argparse.Namespace) -> int:
    examples = [e for e in EXAMPLES.values() if asked.example is None or e.name in asked.example]
    began, used = time.monotonic(), time.process_time()
    schedule_count = bad_count = 0
    for index, example in enumerate(examples):
        left = None
        if asked.seconds is not None:
            # What one example leaves over is the others'.
            left = (asked.seconds - (time.monotonic() - began)) / (len(examples) - index)
        found = exhaustion.all_schedules(
            example, faults_max=asked.faults, among=AMONG[asked.among], seconds=left
        )
        for finding in found.findings:
            draws = ",".join(map(str, finding.drawn))
            named = f"--among {asked.among} --replay '{example.name}:{draws}'"
            _show(named, finding.happened, finding.violation)
        how = f"{found.schedule_count} schedules, all" if found.is_complete else "NOT ALL: no time"
        _say(
            f"exhaustive, {example.name}: {how} with at most {asked.faults} faults; "
            f"{found.moment_count} moments, {found.turn_count} turns; "
            f"{len(found.findings)} violations"
        )
        schedule_count += found.schedule_count
        bad_count += len(found.findings)
    cpu = max(time.process_time() - used, 0.001)
    _say(
        f"exhaustive: {schedule_count} schedules in {time.monotonic() - began:.1f} s, "
        f"{schedule_count / cpu:.0f} per CPU second; {bad_count} violations"
    )
    return bad_count


def _replay(name: str, drawn: Sequence[int], among: str) -> int:
    outcome = play.play(EXAMPLES[name], Replay(drawn), among=AMONG[among])
    for line in outcome.happened:
        _say(f"  {line}")
    _say(outcome.violation or f"ends {'' if outcome.phase is None else outcome.phase.value}")
    return 1 if outcome.violation else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
