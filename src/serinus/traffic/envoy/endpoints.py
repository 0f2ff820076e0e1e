"""The pods of each version, tagged with the version that they are."""

from __future__ import annotations

from serinus.assignment.intervals import Version
from serinus.traffic.envoy import names
from serinus.traffic.envoy.clusters import VERSION_METADATA
from serinus.traffic.envoy.messages import Json, address, message
from serinus.traffic.envoy.plan import Endpoint, Endpoints

_ASSIGNMENT = "envoy.config.endpoint.v3.ClusterLoadAssignment"


def assignment(endpoints: Endpoints, port: str, version: Version) -> Json:
    """Return the endpoints of one version.

    An empty stable is filled with the canary's pods: whoever serves is better than nobody, and the
    tag still says which version that is. (An empty canary is passed over by its group.)
    """
    own = endpoints.get((port, version), ())
    filled_from = Version.CANARY if version is Version.STABLE and not own else version
    return message(
        _ASSIGNMENT,
        cluster_name=names.cluster(port, version),
        endpoints=[
            {
                "lb_endpoints": [
                    _endpoint(each, filled_from)
                    for each in sorted(endpoints.get((port, filled_from), ()))
                ]
            }
        ],
    )


def _endpoint(endpoint: Endpoint, version: Version) -> Json:
    namespace, key = VERSION_METADATA
    return {
        "endpoint": {"address": address(endpoint.host, endpoint.port)},
        "metadata": {"filter_metadata": {namespace: {key: version.value}}},
    }
