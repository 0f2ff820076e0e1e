"""`serinus router remove`: routers that were kept between releases go."""

from __future__ import annotations

from serinus.cli.options import ClusterOptions
from serinus.cli.release_verbs import commands
from serinus.cli.release_verbs.steering import steering
from serinus.cli.report import Lines
from serinus.cli.session import open_cluster
from serinus.controller import upkeep


async def remove(name: str, options: ClusterOptions, *, limit: str | None) -> int:
    """Take the routers of a release out; return the exit code."""
    name = commands.plain_name(name)
    async with open_cluster(options) as cluster, commands.time_limit(limit):
        commands.say_where(cluster, name, "router remove")
        lines = Lines(name)
        if options.verbose:
            cluster.own.on_write = lines.write
        await upkeep.check_router_goes(cluster, name)
        async with steering(cluster, name, lines) as go:
            await upkeep.let_router_go(cluster, name)
            await go(lambda done: upkeep.is_without_router(done.observation))
        lines.say(f"no router stands in front of the pods of {name} any more")
    return 0
