"""The names this package offers. Listing them imports none of what they point at."""

from __future__ import annotations

from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register


@hookimpl
def guerdon_rewards(register: Register) -> None:
    """What plans in words and planned trajectories earn."""
    words = "guerdon_driving.rewards"
    register("driving/alphadrive-v1", f"{words}:AlphaDrive", summary="AlphaDrive's reward of a group of plans, 0 to 3")
    register("driving/format-v1", f"{words}:Format", summary="a think block, then an answer block, 0 or 1")
    register("driving/plan-f1-v1", f"{words}:PlanF1", summary="F1 of the actions named, in [0, 1]")
    register("driving/plan-exact-v1", f"{words}:PlanExact", summary="exactly the true actions, 0 or 1; for reporting")
    metrics = "guerdon_driving.metrics"
    register("driving/class-f1-v1", f"{metrics}:ClassF1", summary="F1 of one action over a data set; for reporting")
    register("driving/reasoning-bleu-v1", f"{metrics}:ReasoningBleu", summary="BLEU-4 of the reasoning; for reporting")
    plans = "guerdon_driving.trajectory_rewards"
    register("driving/pdms-v1", f"{plans}:PdmsReward", summary="NAVSIM's PDMS in a scene, in [0, 1]")
    register("driving/epdms-v1", f"{plans}:EpdmsReward", summary="NAVSIM v2's EPDMS in a scene, in [0, 1]")
    register("driving/collision-v1", f"{plans}:Collision", summary="no collision at fault, or none at all: 0, 0.5 or 1")
    register("driving/comfort-v1", f"{plans}:ComfortReward", summary="six bounds on accelerations and turning, 0 or 1")
    register("driving/l2-v1", f"{plans}:L2", summary="1 - min(L2, 5 m) / 5 m by a named convention; for reporting")
    register("driving/trajectory-v1", f"{plans}:TrajectoryReward", summary="PDMS, L2 and format together, -0.1 to 1.1")


@hookimpl
def guerdon_tasks(register: Register) -> None:
    """Frames to plan from."""
    register("driving/highway-v1", "guerdon_driving.tasks:Highway", summary="frames of highway-env, made on first use")
    paths = "guerdon_driving.trajectory_tasks:HighwayTrajectories"
    register("driving/highway-trajectories-v1", paths, summary="the same frames, answered with six poses")
    register("driving/jsonl-v1", "guerdon_driving.filed_tasks:JsonLines", summary="frames from AlphaDrive's JSON lines")


@hookimpl
def guerdon_policies(register: Register) -> None:
    """What plans from frames without a language model."""
    register("driving/planner-v1", "guerdon_driving.planner:FramePlanner", summary="plans from frames, a small network")


@hookimpl
def guerdon_recipes(register: Register) -> None:
    """The runs that `guerdon train driving`, `driving-words` and `driving-gpu` start."""
    recipes = "guerdon_driving.recipes"
    register("driving", f"{recipes}:driving", summary="planning from frames by a small network, on one core")
    register("driving-words", f"{recipes}:driving_words", summary="planning from frames by a 137M model that reasons")
    register(
        "driving-gpu", f"{recipes}:driving_gpu", summary="planning from frames by a vision-language model, on a GPU"
    )


@hookimpl
def guerdon_claims(register: Register) -> None:
    """AlphaDrive's central claim, and what the checkers are worth."""
    checkers = "guerdon_driving.checkers_claim:DrivingCheckers"
    register("driving_checkers", checkers, summary="PDMS ranks human-like, steady and random driving in that order")
    claim = "guerdon_driving.alphadrive_claim:AlphaDriveClaim"
    register("alphadrive", claim, summary="SFT and then RL beats either alone")


@hookimpl
def guerdon_attacks(register: Register) -> None:
    """What rewards of plans in words, and of trajectories, can be audited with, beside core's."""
    attacks = "guerdon_driving.attacks"
    register("driving/every-action", f"{attacks}:EveryAction", summary="all actions at once, or the likeliest two")
    register("driving/two-plans", f"{attacks}:TwoPlans", summary="both axes over again, in one block or several")
    register("driving/no-plan", f"{attacks}:NoPlan", summary="the layout with no action in it")
    register("driving/words-in-thought", f"{attacks}:WordsInThought", summary="actions in the reasoning alone")
    register("driving/other-layout", f"{attacks}:OtherLayout", summary="the true words, laid out otherwise")
    paths = "guerdon_driving.trajectory_attacks"
    register("driving/standing-still", f"{paths}:StandingStill", summary="a path that goes nowhere, or hardly moves")
    register("driving/constant-velocity", f"{paths}:ConstantVelocity", summary="straight on at the speed of now")
    register("driving/first-step", f"{paths}:FirstStep", summary="the driven path's first step over again")
    register("driving/teleport", f"{paths}:Teleport", summary="leaps, straight on as fast as is allowed, and faster")
    register("driving/reversed-time", f"{paths}:ReversedTime", summary="paths of other scenes, back to front")
    register("driving/no-numbers", f"{paths}:NoNumbers", summary="NaN, infinities, huge, nested and quoted numbers")
    register("driving/other-length", f"{paths}:OtherLength", summary="no point, one, one less, and very many")


@hookimpl
def guerdon_commands(register: Register) -> None:
    """`guerdon driving`."""
    register("driving", "guerdon_driving.commands:command", summary="closed loop: a trained planner drives highway-env")
