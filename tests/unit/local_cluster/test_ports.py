from __future__ import annotations

from pathlib import Path

from serinus.local_cluster import ports


def test_every_port_of_the_range_is_a_candidate_once() -> None:
    found = ports.candidates(Path("/home/bird/state"))
    assert sorted(found) == list(ports.RANGE)


def test_two_folders_begin_at_different_ports_and_each_at_its_own() -> None:
    one, two = Path("/home/bird/one"), Path("/home/bird/two")
    assert ports.candidates(one)[0] != ports.candidates(two)[0]
    assert ports.candidates(one) == ports.candidates(one)


def test_the_range_lies_below_the_node_ports_and_ephemeral_ports() -> None:
    assert min(ports.RANGE) > 1024
    assert max(ports.RANGE) < 30000
