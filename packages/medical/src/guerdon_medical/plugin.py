"""The names this package offers. Listing them imports none of what they point at."""

from __future__ import annotations

from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register


@hookimpl
def guerdon_rewards(register: Register) -> None:
    """What medical agents earn."""
    router = "guerdon_medical.router_metrics"
    register(
        "medical/router-step-v1",
        "guerdon_medical.router_rewards:RouterStepReward",
        summary="R1-Router's reward of one step: similarity and routing of a plan, recall of an answer",
    )
    register("medical/router-answer-v1", f"{router}:FinalAnswer", summary="recall of a final answer; for reporting")
    register("medical/router-look-ups-v1", f"{router}:LookUps", summary="look-ups, those beyond need, malformed plans")
    register("medical/router-base-share-v1", f"{router}:BaseShare", summary="one base's share of the look-ups")


@hookimpl
def guerdon_tasks(register: Register) -> None:
    """Made-up tasks, and those of files."""
    router = "guerdon_medical.router_tasks"
    register(
        "medical/router-steps-v1", f"{router}:RouterSteps", summary="R1-Router's steps from a file of trajectories"
    )
    register("medical/made-router-v1", f"{router}:MadeRouter", summary="R1-Router's steps over three made-up bases")
    register(
        "medical/made-router-questions-v1",
        f"{router}:MadeRouterQuestions",
        summary="whole questions over them, on the policy's own history",
    )


@hookimpl
def guerdon_claims(register: Register) -> None:
    """What the papers claim, shrunk."""
    register(
        "r1_router",
        "guerdon_medical.router_claim:RouterClaim",
        summary="step rewards teach routing, the outcome rarely",
    )


@hookimpl
def guerdon_recipes(register: Register) -> None:
    """The runs that `guerdon train NAME` starts."""
    register(
        "medical-router",
        "guerdon_medical.router_recipe:medical_router",
        summary="R1-Router's steps on 135M: SFT on references, then Step-GRPO",
    )
