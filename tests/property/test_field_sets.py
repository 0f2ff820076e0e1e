"""Field sets obey the laws of sets, against a model that is a plain set of paths."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serinus.kubernetes_model.fields import sets
from serinus.kubernetes_model.fields.sets import FieldSet, Path

ELEMENTS = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"'])
PATHS = st.lists(ELEMENTS, min_size=1, max_size=3).map(tuple)
SETS = st.sets(PATHS, max_size=8)


def members(tree: FieldSet) -> set[Path]:
    return set(sets.paths(tree))


@given(SETS)
def test_a_set_holds_the_paths_that_it_was_made_of(a: set[Path]) -> None:
    assert members(sets.of(a)) == a


@given(SETS, SETS)
def test_a_union_holds_what_is_in_either(a: set[Path], b: set[Path]) -> None:
    assert members(sets.union(sets.of(a), sets.of(b))) == a | b


@given(SETS, SETS)
def test_an_intersection_holds_what_is_in_both(a: set[Path], b: set[Path]) -> None:
    assert members(sets.intersection(sets.of(a), sets.of(b))) == a & b


@given(SETS, SETS)
def test_a_difference_takes_members_and_leaves_what_lies_below(a: set[Path], b: set[Path]) -> None:
    assert members(sets.difference(sets.of(a), sets.of(b))) == a - b


@given(SETS, SETS)
def test_a_recursive_difference_takes_what_lies_below_too(a: set[Path], b: set[Path]) -> None:
    expected = {
        path for path in a if not any(path[:length] in b for length in range(1, len(path) + 1))
    }
    assert members(sets.recursive_difference(sets.of(a), sets.of(b))) == expected


@given(SETS, SETS)
def test_no_operation_changes_its_operands(a: set[Path], b: set[Path]) -> None:
    left, right = sets.of(a), sets.of(b)
    for operation in (
        sets.union,
        sets.intersection,
        sets.difference,
        sets.recursive_difference,
    ):
        operation(left, right)
    assert (members(left), members(right)) == (a, b)
