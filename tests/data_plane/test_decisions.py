"""Whole decisions: rules, then who the user is, then her bucket. Envoy and Python decide alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from serinus.assignment.identity import IdentityKind, IdentitySource
from serinus.assignment.split import Assignment, Basis, Split
from serinus.assignment.text_form import document_of
from serinus.rules.tree import Destination, Predicate, Request, Rule
from tests.data_plane.test_rules import QUIET, Bench, is_sayable, on_the_wire, question_of
from tests.property.rules import strategies

SALT = "default/shop/7"


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    found = Bench()
    yield found
    found.close()


sources = st.one_of(
    st.builds(IdentitySource, st.just(IdentityKind.HEADER), st.sampled_from(strategies.HEADERS)),
    st.builds(
        IdentitySource,
        st.sampled_from([IdentityKind.COOKIE, IdentityKind.QUERY]),
        st.sampled_from(strategies.NAMES),
    ),
    st.just(IdentitySource(IdentityKind.SOURCE_ADDRESS)),
)
chains = st.lists(sources, max_size=3, unique=True).map(tuple)
rules = st.lists(
    st.tuples(strategies.predicates(depth=1), st.sampled_from(Destination)), max_size=3
)
questions = st.lists(strategies.requests(), min_size=12, max_size=12)


def check(
    bench: Bench,
    split: Split,
    requests: Sequence[Request],
) -> int:
    """Compare all decisions that are not left to chance; return how many."""
    arrived = [
        each
        for each in map(on_the_wire, requests)
        # The same address inside one of IPv6 is another text to Envoy.
        if each is not None and not (each.source_address or "").startswith("::ffff:")
    ]
    assignment = Assignment(split)
    decisions = [assignment.decide(each, lambda: "nobody") for each in arrived]
    found = bench.decide(document_of(split), [question_of(each) for each in arrived])
    for request, decision, version in zip(arrived, decisions, found, strict=True):
        if decision.basis is not Basis.CHANCE:
            assert version == decision.version.value, f"{document_of(split)}\n{request}\n{decision}"
    return sum(decision.basis is not Basis.CHANCE for decision in decisions)


def a_split(
    chain: tuple[IdentitySource, ...], found: list[tuple[Predicate, Destination]], weight_bp: int
) -> Split:
    assume(all(is_sayable(predicate) for predicate, _ in found))
    named = [Rule(f"r{n}", predicate, to) for n, (predicate, to) in enumerate(found)]
    return Split(SALT, weight_bp, tuple(named), chain)


@given(chains, rules, st.integers(0, 10_000), questions)
@settings(max_examples=30, deadline=None, suppress_health_check=QUIET, derandomize=True)
def test_envoy_and_python_decide_alike(
    bench: Bench,
    chain: tuple[IdentitySource, ...],
    found: list[tuple[Predicate, Destination]],
    weight_bp: int,
    requests: list[Request],
) -> None:
    check(bench, a_split(chain, found, weight_bp), requests)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_envoy_and_python_decide_alike_5_000_times(bench: Bench) -> None:
    count = 0

    @given(chains, rules, st.integers(0, 10_000), questions)
    @settings(max_examples=1_500, deadline=None, suppress_health_check=QUIET)
    def agree(
        chain: tuple[IdentitySource, ...],
        found: list[tuple[Predicate, Destination]],
        weight_bp: int,
        requests: list[Request],
    ) -> None:
        nonlocal count
        count += check(bench, a_split(chain, found, weight_bp), requests)

    agree()
    print(f"{count} decisions")
    assert count >= 5_000
