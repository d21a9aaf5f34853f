"""What core itself offers, through the hooks that strangers get. Listing it imports nothing it names."""

from __future__ import annotations

from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register

COMMANDS = {
    "list": ("guerdon.cli.listing:command", "List what the installed distributions offer."),
    "doctor": ("guerdon.cli.doctor:command", "Check this machine and its installation."),
    "score": ("guerdon.cli.score:command", "Score completions and explain every number part by part."),
    "export": ("guerdon.cli.export:command", "Write a task's prompts and references as a file for another trainer."),
    "serve": ("guerdon.cli.serve:command", "Serve rewards over HTTP, for trainers elsewhere."),
    "train": ("guerdon.cli.train:command", "Train a policy by a recipe."),
    "eval": ("guerdon.cli.eval:command", "Evaluate a recipe's policy or a run's checkpoint."),
    "report": ("guerdon.cli.report:command", "Write a run's report page again."),
    "claims": ("guerdon.cli.claims:command", "List the claims of papers, and put one to the test."),
    "new": ("guerdon.cli.new:command", "Start a plugin distribution of your own, with a passing test."),
}
"""Name to (target, summary). The command line reads this table first: no other plugin can take one of these away."""


@hookimpl
def guerdon_commands(register: Register) -> None:
    """The subcommands of `guerdon`."""
    for name, (target, summary) in COMMANDS.items():
        register(name, target, summary)


@hookimpl
def guerdon_policies(register: Register) -> None:
    """What can be trained."""
    language = "guerdon.policies.language:LanguagePolicy.from_pretrained"
    register("language", language, summary="a causal language model, full weights or LoRA")
    register("tabular", "guerdon.policies.tabular:TabularPolicy", summary="softmax over actions, one row per state")
    register("scripted", "guerdon.policies.scripted:ScriptedPolicy", summary="fixed completions, for tests")


@hookimpl
def guerdon_rewards(register: Register) -> None:
    """Rewards that are of no domain."""
    register("remote-v1", "guerdon.serve.remote:Remote", summary="what a reward on a `guerdon serve` says")
    likely = "guerdon.rewards.likelihood_rewards"
    register("likelihood-v1", f"{likely}:Likelihood", summary="how likely the reference is behind the reasoning")
    register("rlpr-v1", f"{likely}:rlpr", summary="0.9 mean reference probability, debiased, and 0.1 format")
    register(
        "nover-v1", "guerdon.rewards.nover:Nover", summary="ranks by the reference's perplexity, efficiency and format"
    )
    register(
        "tag-format-v1", "guerdon.rewards.tags:TagFormat", summary="1 where each tag stands exactly once, in order"
    )
    register(
        "spread-filter-v1",
        "guerdon.rewards.spread_filter:SpreadFilter",
        summary="another reward, silent where a group hardly differs",
    )


@hookimpl
def guerdon_engines(register: Register) -> None:
    """What a language policy can generate with."""
    register(
        "transformers", "guerdon.engines.transformers:Transformers", summary="the policy's own module; the default"
    )
    register("vllm", "guerdon.engines.vllm:Vllm", summary="vLLM in this process; takes each update's weights")
    register("server", "guerdon.engines.served:Served", summary="any OpenAI-compatible server; for evaluation only")


@hookimpl
def guerdon_judges(register: Register) -> None:
    """Who can answer a judge's questions."""
    register("stand-in", "guerdon.judges:StandIn", summary="deterministic answers without a model, for dry runs")
    register("server", "guerdon.judges:OpenAICompatible", summary="any server that speaks OpenAI's chat completions")
    register("local", "guerdon.judges:LocalModel", summary="a causal language model on this machine")


@hookimpl
def guerdon_scorers(register: Register) -> None:
    """Who can tell how likely a given text is."""
    scorers = "guerdon.scorers"
    register("policy", f"{scorers}:UnderPolicy", summary="the policy being trained, as it is now")
    register("reference", f"{scorers}:UnderReference", summary="a frozen copy of the policy, as RL found it")
    register("moving", f"{scorers}:UnderMoving", summary="a copy that follows the policy, a share of the way at a time")
    register("local", f"{scorers}:LocalScorer", summary="any causal language model on this machine")
    register("server", f"{scorers}:ServedScorer", summary="a model behind a completions server, such as vLLM's")
    register("stand-in", f"{scorers}:StandInScorer", summary="a function or a hash, for dry runs")


@hookimpl
def guerdon_transforms(register: Register) -> None:
    """How values are shaped."""
    transforms = "guerdon.transforms"
    register("center", f"{transforms}:center", summary="subtract the mean of the group, the batch or the run")
    register("clip", f"{transforms}:clip", summary="hold each value within bounds")
    register("gate", f"{transforms}:gate", summary="let values above a threshold through")
    register("scale", f"{transforms}:scale", summary="multiply by a factor and add a shift")
    register("standardize", f"{transforms}:standardize", summary="centre, and divide by the standard deviation")


@hookimpl
def guerdon_claims(register: Register) -> None:
    """The papers whose systems core ships."""
    register(
        "likelihood_rewards",
        "guerdon.claims.likelihood:LikelihoodRewards",
        summary="long references: log-probabilities teach, probabilities vanish (arXiv 2602.03979)",
    )


@hookimpl
def guerdon_checks(register: Register) -> None:
    """What `guerdon doctor` looks at beside the installation itself."""
    sandbox = "guerdon.diagnostics.confinement:sandbox"
    register("sandbox", sandbox, summary="the layers that confine a program, each put to the test")
