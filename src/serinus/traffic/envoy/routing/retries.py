"""When a request is tried again: only unsent, unless it may be repeated and that is asked for."""

from __future__ import annotations

from serinus.traffic.envoy.messages import Json, duration, message, set_header
from serinus.traffic.envoy.plan import RetryOnStable

# The request has not reached a server, so nobody can have acted on it.
_UNSENT = "connect-failure,refused-stream,reset-before-request"
_FAILED = "5xx,reset,connect-failure,refused-stream"
_UNSENT_RETRY_COUNT = 2
_BACK_OFF = {"base_interval": "0.002s", "max_interval": "0.020s"}
_MUTATION = "envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute"
_PREDICATE = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"


def unsent() -> Json:
    """Return the policy for every request: try another pod when the first could not be reached."""
    return {
        "retry_on": _UNSENT,
        "num_retries": _UNSENT_RETRY_COUNT,
        "retry_back_off": _BACK_OFF,
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": message(_PREDICATE),
            }
        ],
        "host_selection_retry_max_attempts": 3,
    }


def on_stable(wish: RetryOnStable) -> Json:
    """Return the part of a route to the canary that asks stable when the canary failed."""
    return {
        "retry_policy": {
            "retry_on": _FAILED,
            "num_retries": wish.retry_count_max,
            "per_try_timeout": duration(wish.per_try_timeout_ms),
            "retry_back_off": _BACK_OFF,
        },
        "hedge_policy": {"hedge_on_per_try_timeout": True},
    }


def on_stable_by_headers(wish: RetryOnStable) -> Json:
    """Return the same for the canary's entry of a split, so that stable's own failures stay as is.

    A policy belongs to a whole route; the headers, which the router reads and takes away, are added
    only after the canary was drawn. Clients cannot send them: they are taken from what comes in.
    """
    words = {
        "x-envoy-retry-on": _FAILED,
        "x-envoy-max-retries": str(wish.retry_count_max),
        "x-envoy-upstream-rq-per-try-timeout-ms": str(wish.per_try_timeout_ms),
        "x-envoy-hedge-on-per-try-timeout": "true",
    }
    mutations = [set_header(name, value) for name, value in words.items()]
    return message(_MUTATION, mutations={"request_mutations": mutations})
