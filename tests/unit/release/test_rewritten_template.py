"""An admission rule that changes the canary's template makes no release go round in circles."""

from __future__ import annotations

import copy

import msgspec

from serinus.release.model import Phase
from serinus.traffic.write import Verb, Write
from tests.unit.release.world import ReleaseWorld, a_spec


class RewritingWorld(ReleaseWorld):
    """A cluster that writes the Deployment's name into every template that it creates."""

    created_count = 0

    async def send(self, write: Write) -> None:
        if write.verb is Verb.CREATE:
            self.created_count += 1
            body = copy.deepcopy(write.body)
            template = body["spec"]["template"]["metadata"]
            template["annotations"] = {"owner": body["metadata"]["name"]}
            write = msgspec.structs.replace(write, body=body)
        await super().send(write)


def test_a_canary_that_comes_out_different_is_given_up_once() -> None:
    world = RewritingWorld(spec=a_spec("25,pause"))
    world.play()
    before = world.served_images()
    world.set_image("shop:2")
    last = world.play()
    assert last.decision.status.phase is Phase.ABORTED
    assert "changed the template" in last.decision.status.message
    assert world.created_count == 1
    assert world.canary is None
    assert world.served_images() == before
