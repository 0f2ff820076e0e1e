"""Evaluate the CEL rules of custom resources; the library is loaded with the first rule.

Standard CEL is there, with its macros. Of Kubernetes' own function libraries (`quantity`, `isURL`,
`sum` ...; https://kubernetes.io/docs/reference/using-api/cel) only `isSorted` is: a rule that uses
another one fails loudly with the name of the function.
"""

from __future__ import annotations

import functools
import itertools
from typing import Any


def evaluate(expression: str, variables: dict[str, Any]) -> bool:
    """Return what a rule says.

    Raises:
        ValueError: it cannot be parsed or evaluated, or says neither true nor false.
    """
    try:
        result = _compile(expression).execute(_context(variables))
    except KeyError as e:
        raise ValueError(f"no such key: {e.args[0]}") from e
    except (RuntimeError, TypeError, OverflowError) as e:
        raise ValueError(str(e)) from e
    if not isinstance(result, bool):
        raise ValueError(f"the rule must say true or false, not {result!r}")
    return result


def _context(variables: dict[str, Any]) -> Any:
    import cel

    context = cel.Context(variables)
    context.add_function("isSorted", _is_sorted)
    return context


def _is_sorted(items: list[Any]) -> bool:
    return all(before <= after for before, after in itertools.pairwise(items))


@functools.lru_cache(maxsize=512)
def _compile(expression: str) -> Any:
    # A fifth of a second to import: most clusters have no rules.
    import cel

    return cel.compile(expression)
