"""The hold by an admission policy: at rest nothing is paused, and the next template waits."""

from __future__ import annotations

from serinus.kubernetes_model.kinds import DEPLOYMENTS
from serinus.release.holding import HELD, MANAGED, OFF, RELEASE_LABEL, label_of
from serinus.release.model import CommandVerb, Phase, Promotion
from serinus.release.observation import HoldBy
from tests.unit.release.world import ReleaseWorld, a_spec


def under_policy(steps: str = "25,pause", **spec: object) -> ReleaseWorld:
    world = ReleaseWorld(spec=a_spec(steps, **spec))
    world.hold_by = HoldBy.POLICY
    world.play()
    return world


def hold_of(world: ReleaseWorld) -> tuple[str, bool]:
    shop = world.get(DEPLOYMENTS, "shop")
    return label_of(shop), bool(shop["spec"].get("paused"))


def test_at_rest_the_deployment_is_marked_and_not_paused() -> None:
    assert hold_of(under_policy()) == (MANAGED, False)


def test_a_promoted_release_ends_marked_and_not_paused() -> None:
    for promotion in Promotion:
        world = under_policy("25", promotion=promotion)
        world.set_image("shop:2")
        assert hold_of(world) == (HELD, True)
        assert world.play().decision.status.phase is Phase.HEALTHY
        assert hold_of(world) == (MANAGED, False)
        assert world.ready() == {"shop:2": 3}


def test_an_aborted_release_stays_held_and_its_undo_lifts_the_hold() -> None:
    world = under_policy()
    world.set_image("shop:2")
    world.play_until(Phase.PAUSED)
    world.give(CommandVerb.ABORT)
    assert world.play().decision.status.phase is Phase.ABORTED
    assert hold_of(world) == (HELD, True)
    world.give(CommandVerb.UNDO)
    assert world.play().decision.status.phase is Phase.HEALTHY
    assert hold_of(world) == (MANAGED, False)
    assert world.ready() == {"shop:1": 3}


def test_the_hold_by_the_field_is_taken_over_without_a_restart() -> None:
    world = ReleaseWorld(spec=a_spec())
    world.play()
    assert hold_of(world) == ("", True)
    before = [pod["metadata"]["uid"] for pod in world.pods()]
    world.hold_by = HoldBy.POLICY
    world.play()
    assert hold_of(world) == (MANAGED, False)
    assert [pod["metadata"]["uid"] for pod in world.pods()] == before


def test_where_the_policy_was_taken_away_the_field_holds_again() -> None:
    world = under_policy()
    world.hold_by = HoldBy.FIELD
    world.play()
    assert hold_of(world)[1]


def test_a_pause_of_a_person_at_rest_stays() -> None:
    world = under_policy()
    world.change(DEPLOYMENTS, "shop", paused=True)
    world.play()
    assert hold_of(world) == (MANAGED, True)


def test_who_switched_the_hold_off_is_let_roll_out() -> None:
    world = under_policy()
    world.relabel(DEPLOYMENTS, "shop", **{RELEASE_LABEL: OFF})
    world.play()
    world.set_image("shop:2")
    world.quiet()
    assert world.play().decision.status.phase is Phase.HEALTHY
    assert world.ready() == {"shop:2": 3}
    assert hold_of(world) == (OFF, False)
    findings = world.rounds[-1].observation.findings
    assert [f.reason for f in findings] == ["HoldOff"]


def test_a_template_that_lost_its_hold_is_held_again_before_its_trial() -> None:
    world = under_policy()
    world.relabel(DEPLOYMENTS, "shop", **{RELEASE_LABEL: OFF})
    world.set_image("shop:2")
    world.round()
    done = world.rounds[-1]
    assert [write.why.split(":")[0] for write in done.sent][:1] == ["hold"]
    world.play_until(Phase.PAUSED)
    assert hold_of(world) == (HELD, True)


def test_a_hold_that_was_switched_off_in_the_midst_leaves_no_pause_behind() -> None:
    world = under_policy()
    world.set_image("shop:2")
    world.play_until(Phase.PAUSED)
    world.relabel(DEPLOYMENTS, "shop", **{RELEASE_LABEL: OFF})
    world.give(CommandVerb.PROMOTE)
    assert world.play().decision.status.phase is Phase.HEALTHY
    assert hold_of(world) == (OFF, False)


def test_a_pause_of_a_person_who_switched_the_hold_off_stays() -> None:
    world = under_policy()
    world.relabel(DEPLOYMENTS, "shop", **{RELEASE_LABEL: OFF})
    world.change(DEPLOYMENTS, "shop", paused=True)
    world.play()
    assert hold_of(world) == (OFF, True)


def test_a_policy_that_comes_in_the_midst_guards_what_the_field_holds() -> None:
    for verb in (None, CommandVerb.ABORT):
        world = ReleaseWorld(spec=a_spec("25,pause"))
        world.play()
        world.set_image("shop:2")
        world.play_until(Phase.PAUSED)
        if verb is not None:
            world.give(verb)
            world.play()
        world.hold_by = HoldBy.POLICY
        world.play(lambda done: not done.sent)
        assert hold_of(world) == (HELD, True)
        world.change(DEPLOYMENTS, "shop", paused=False)
        assert hold_of(world) == (HELD, True)


def test_an_undo_after_the_promotion_is_tried_as_any_template() -> None:
    world = under_policy("25")
    world.set_image("shop:2")
    assert world.play().decision.status.phase is Phase.HEALTHY
    world.give(CommandVerb.UNDO)
    world.play(lambda done: any("set the template back" in write.why for write in done.sent))
    assert hold_of(world) == (HELD, True)
    assert world.play().decision.status.phase is Phase.HEALTHY
    assert hold_of(world) == (MANAGED, False)
    assert world.ready() == {"shop:1": 3}
