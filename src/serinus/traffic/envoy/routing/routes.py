"""The routes of a port: a trusted tag, then the rules in order, then each user's own bucket."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from serinus.assignment.intervals import TOTAL_BP, Version
from serinus.rules.tree import Destination
from serinus.traffic.envoy import names
from serinus.traffic.envoy.messages import Json, duration, message
from serinus.traffic.envoy.plan import RouterPlan
from serinus.traffic.envoy.routing import retries
from serinus.traffic.envoy.routing.conditions import alternatives
from serinus.traffic.envoy.routing.identity import User, users
from serinus.traffic.envoy.routing.match import (
    EVERYTHING,
    Computed,
    Match,
    exact,
    header,
    quoted,
    regex,
)

_UNCOUNTABLE = re.compile("[^A-Za-z0-9_-]")
_ROUTES = "envoy.config.route.v3.RouteConfiguration"
_STRIP = "envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute"
_CONDITIONS = "envoy.extensions.filters.http.set_filter_state.v3.Config"


class _Route(msgspec.Struct, frozen=True):
    """A route before it is written: who, where to, and under which name it is counted."""

    match: Match
    to: Version | None
    """None: where the user's bucket says."""
    user: User = User()
    name: str = ""


def routes(plan: RouterPlan, port: str) -> Json:
    """Return the route configuration of a port.

    Raises:
        InvalidInput: a rule asks what Envoy cannot answer; all such rules, each with the reason.
    """
    found = list(_routes(plan))
    needs = _for_everybody(plan, found)
    host: Json = {
        "name": port,
        "domains": ["*"],
        "routes": list(_written(plan, port, found, needs)),
    }
    filters = {}
    if plan.edge.strip_headers:
        removed = [{"remove": name.lower()} for name in plan.edge.strip_headers]
        filters[names.STRIP_FILTER] = message(_STRIP, mutations={"request_mutations": removed})
    if needs or plan.edge.strip_headers:
        filters[names.CONDITIONS_FILTER] = _computing(needs)
    if filters:
        host["typed_per_filter_config"] = filters
    return message(_ROUTES, name=port, virtual_hosts=[host])


def _for_everybody(plan: RouterPlan, found: Sequence[_Route]) -> tuple[Computed, ...]:
    """Return what is computed for each request, whichever route it is on at first.

    What rules read is. Who a new user is costs more, and is computed on her own routes alone,
    unless a request may come there only once rules are known or headers are gone.
    """
    of_rules = [need for route in found for need in route.match.needs]
    of_users = [need for route in found for need in route.user.needs]
    late = plan.edge.strip_headers or any(r.match.needs and r.user.needs for r in found)
    return tuple(dict.fromkeys([*of_rules, *(of_users if late else ())]))


def _routes(plan: RouterPlan) -> Iterator[_Route]:
    if plan.edge.trusts_tag:
        for version in Version:
            tagged = header(plan.tag_header, exact(version.value))
            yield _Route(tagged, version, name=f"tag.{version.value}")
    chain = users(plan.split)
    for rule, matches in alternatives(plan.split.rules):
        for match in matches:
            if rule.to is Destination.PERCENTAGE:
                yield from _bucketed(chain, match, name=f"rule.{rule.name}")
            else:
                version = Version(rule.to.value)
                yield _Route(match, version, name=f"rule.{rule.name}")
    yield from _bucketed(chain, EVERYTHING, name="split")


def _bucketed(chain: Sequence[User], match: Match, *, name: str) -> Iterator[_Route]:
    for user in chain:
        yield _Route(match.also(user.match), None, user, name)


def _written(
    plan: RouterPlan, port: str, found: Sequence[_Route], needs: Sequence[Computed]
) -> Iterator[Json]:
    """Yield all routes, twice where requests that may be repeated are treated otherwise.

    Theirs come first, all of them: a request that may be repeated then passes each rule once.
    """
    if plan.retry_on_stable is not None or plan.mirror is not None:
        methods = "|".join(quoted(method) for method in plan.repeatable_methods)
        repeatable = header(":method", regex(methods))
        for route in found:
            narrowed = msgspec.structs.replace(route, match=route.match.also(repeatable))
            yield _one(plan, port, narrowed, needs, repeatable=True)
    for route in found:
        yield _one(plan, port, route, needs, repeatable=False)


def _one(
    plan: RouterPlan, port: str, route: _Route, needs: Sequence[Computed], *, repeatable: bool
) -> Json:
    action: Json = {
        "timeout": duration(plan.timeouts.request_ms),
        "retry_policy": retries.unsent(),
    }
    wish = plan.retry_on_stable if repeatable else None
    if route.to is Version.CANARY:
        action["cluster"] = names.canary_group(port)
        if wish is not None:
            action |= retries.on_stable(wish)
    elif route.to is Version.STABLE:
        action["cluster"] = names.cluster(port, Version.STABLE)
    else:
        action["weighted_clusters"] = _weighted(plan, port, route, repeatable=repeatable)
        if route.user.hash_policy is not None:
            action["hash_policy"] = [route.user.hash_policy]
    if plan.mirror is not None and repeatable and route.to is not Version.CANARY:
        action["request_mirror_policies"] = [_mirror(port, plan.mirror.weight_bp)]
    found: Json = {"match": route.match.to_json(), "route": action}
    if route.name:
        found |= {"name": route.name, "stat_prefix": _UNCOUNTABLE.sub("_", route.name)}
    if route.user.set_cookie:
        found["response_headers_to_add"] = [_added("set-cookie", route.user.set_cookie)]
    own = [need for need in route.user.needs if need not in needs]
    if own:
        # Beside what the whole host computes, not in its place.
        found["typed_per_filter_config"] = {names.CONDITIONS_FILTER: _computing(own)}
    return found


def _weighted(plan: RouterPlan, port: str, route: _Route, *, repeatable: bool) -> Json:
    """Return the split; the canary's interval begins at 0, as in `serinus.assignment`.

    The weights here count only until the runtime layer is read, and were it ever to be unreadable.
    """
    canary: Json = {"name": names.canary_group(port), "weight": 0}
    if plan.retry_on_stable is not None and repeatable:
        by_headers = retries.on_stable_by_headers(plan.retry_on_stable)
        canary["typed_per_filter_config"] = {names.RETRY_FILTER: by_headers}
    stable = {"name": names.cluster(port, Version.STABLE), "weight": TOTAL_BP}
    found: Json = {"clusters": [canary, stable], "runtime_key_prefix": names.WEIGHTS}
    if route.user.hash_policy is not None:
        found["use_hash_policy"] = True
    return found


def _mirror(port: str, weight_bp: int) -> Json:
    share = {"numerator": weight_bp, "denominator": "TEN_THOUSAND"}
    return {
        "cluster": names.cluster(port, Version.CANARY),
        "runtime_fraction": {"default_value": share},
        "disable_shadow_host_suffix_append": True,
    }


def _added(name: str, value: str) -> Json:
    return {"header": {"key": name, "value": value}, "append_action": "APPEND_IF_EXISTS_OR_ADD"}


def _computing(needs: Sequence[Computed]) -> Json:
    """Return what is computed before a route is chosen for good."""
    values = [
        {
            "object_key": each.key,
            "factory_key": each.factory,
            "format_string": {"text_format_source": {"inline_string": each.text}},
        }
        for each in needs
    ]
    return message(_CONDITIONS, on_request_headers=values)
