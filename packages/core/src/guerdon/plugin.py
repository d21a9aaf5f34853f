"""What core itself offers, through the hooks that strangers get. Listing it imports nothing it names."""

from __future__ import annotations

from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register

COMMANDS = {
    "list": ("guerdon.cli.listing:command", "List what the installed distributions offer."),
    "doctor": ("guerdon.cli.doctor:command", "Check this machine and its installation."),
    "score": ("guerdon.cli.score:command", "Score completions and explain every number part by part."),
    "compare": ("guerdon.cli.compare:command", "Tell whether two rewards order completions alike."),
    "export": ("guerdon.cli.export:command", "Write a task's prompts and references as a file for another trainer."),
    "serve": ("guerdon.cli.serve:command", "Serve rewards over HTTP, for trainers elsewhere."),
    "train": ("guerdon.cli.train:command", "Train a policy by a recipe."),
    "eval": ("guerdon.cli.eval:command", "Evaluate a recipe's policy or a run's checkpoint."),
    "mine": ("guerdon.cli.mine:command", "Make preference pairs: the best and the worst attempts at each prompt."),
    "reward-model": ("guerdon.cli.reward_model:command", "Train a reward model on preference pairs."),
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
    rewards = "guerdon.rewards"
    register("remote-v1", "guerdon.serve.remote:Remote", summary="what a reward on a `guerdon serve` says")
    register("against-v1", f"{rewards}.references:Against", summary="shaped by the rewards of reference answers")
    register("every-v1", f"{rewards}.conjunction:every", summary="a sum that is unscored where any term is")
    register("length-penalty-v1", f"{rewards}.length:LengthPenalty", summary="so much per token beyond an allowance")
    register("log-and-v1", f"{rewards}.conjunction:log_and", summary="log-probability of being good in every property")
    register("par-pipeline-v1", f"{rewards}.par_pipeline:par_pipeline", summary="PAR's shapings, in PAR's order")
    constrained = f"{rewards}.constrained"
    register("constrained-v1", f"{constrained}:Constrained", summary="components held at thresholds by multipliers")
    register("satisficing-v1", f"{constrained}:Satisficing", summary="minus the squared distances to thresholds")
    gated = f"{rewards}.gated_aggregate:GatedAggregate"
    register("gated-aggregate-v1", gated, summary="what must hold, as a soft or hard gate on what may be traded")
    process = f"{rewards}.process"
    register("step-scores-v1", f"{process}:StepScores", summary="what a reward says of each step of a rollout")
    register("process-v1", f"{process}:ProcessReward", summary="step scores by Clip, Delta or both: a bounded sum")
    register("ensemble-v1", f"{rewards}.ensembles:Ensemble", summary="the worst, mean, ... of several rewards")
    uncertainty = f"{rewards}.uncertainty:UncertaintyWeighted"
    register("uncertainty-v1", uncertainty, summary="a reward that tells how far it is to be believed")
    penalties = f"{rewards}.penalties"
    register("soft-overlong-v1", f"{penalties}:SoftOverlong", summary="0 down to -1 as a completion nears its limit")
    register("repetition-v1", f"{penalties}:Repetition", summary="minus the share of repeated n-grams, -1 to 0")
    followups = f"{rewards}.followups:FollowUpLikelihood"
    register("follow-up-likelihood-v1", followups, summary="is praise likelier than complaint as the user's next turn")
    reward_model = "guerdon.reward_models.rewards:RewardModel"
    register("reward-model-v1", reward_model, summary="the score of a sequence-classification checkpoint")
    occupancy = f"{rewards}.occupancy:OccupancyPenalty"
    register("occupancy-penalty-v1", occupancy, summary="a charge for leaving what a reference policy does (learns)")
    response = f"{rewards}.response_penalty:ResponsePenalty"
    register("response-penalty-v1", response, summary="a charge for responses likelier than under a reference")
    likely = f"{rewards}.likelihood_rewards"
    register("likelihood-v1", f"{likely}:Likelihood", summary="how likely the reference is behind the reasoning")
    register("rlpr-v1", f"{likely}:rlpr", summary="0.9 mean reference probability, debiased, and 0.1 format")
    register("nover-v1", f"{rewards}.nover:Nover", summary="ranks by the reference's perplexity, efficiency and format")
    register("tag-format-v1", f"{rewards}.tags:TagFormat", summary="1 where each tag stands exactly once, in order")
    spread = f"{rewards}.spread_filter:SpreadFilter"
    register("spread-filter-v1", spread, summary="another reward, silent where a group hardly differs")


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
    register("ceiling", f"{transforms}:ceiling", summary="nothing is gained beyond a number")
    register("center", f"{transforms}:center", summary="subtract the mean of the group, the batch or the run")
    register("clip", f"{transforms}:clip", summary="hold each value within bounds")
    register("clip_to_spread", f"{transforms}:clip_to_spread", summary="hold within so many running stds of the mean")
    register("gate", f"{transforms}:gate", summary="let values above a threshold through")
    register("min_max", f"{transforms}:min_max", summary="to [0, 1] by the run's extremes")
    register("scale", f"{transforms}:scale", summary="multiply by a factor and add a shift")
    register("sigmoid", f"{transforms}:sigmoid", summary="to [0, 1] by a sigmoid, not centred")
    register("standardize", f"{transforms}:standardize", summary="centre, and divide by the standard deviation")
    register("tanh", f"{transforms}:tanh", summary="to [-1, 1] by a hyperbolic tangent, not centred")


@hookimpl
def guerdon_shapes(register: Register) -> None:
    """How values are shaped by those of reference answers."""
    shapes = "guerdon.rewards.shapes"
    register("centred", f"{shapes}:centred", summary="the reward above the mean reference")
    register("lsc", f"{shapes}:lsc", summary="log sigmoid of the reward above a quantile of the references")
    register("par", f"{shapes}:par", summary="the probability to beat a reference: a sigmoid of the difference")
    register("polynomial", f"{shapes}:polynomial", summary="as par, by a fitted polynomial")
    register("sgfc", f"{shapes}:sgfc", summary="slow growth, fast convergence: PAR's counter-example")
    register("tanh_centred", f"{shapes}:tanh_centred", summary="a hyperbolic tangent of the difference")


@hookimpl
def guerdon_claims(register: Register) -> None:
    """Claims of papers whose systems are core's own."""
    claims = "guerdon.claims"
    register("clip_delta", f"{claims}.clip_delta:ClipDelta", summary="clipped, differenced step scores are safe")
    constrained = f"{claims}.constrained_rlhf:ConstrainedRlhf"
    register("constrained_rlhf", constrained, summary="multipliers hold correlated proxies where plain sums overshoot")
    register("correlated_proxies", f"{claims}.correlated_proxies:CorrelatedProxies", summary="chi-squared, not KL")
    register("ctrl_u", f"{claims}.ctrl_u:CtrlU", summary="doubtful rewards weighed down, where looks disagree")
    register("flr", f"{claims}.flr:Flr", summary="praise as the next remark tells good answers from bad ones")
    likelihood = f"{claims}.likelihood:LikelihoodRewards"
    register("likelihood_rewards", likelihood, summary="long references: log-probabilities teach, probabilities do not")
    register("lsc", f"{claims}.lsc:Lsc", summary="a sum of log-probabilities is an AND, a sum of rewards is not")
    register("par", f"{claims}.par:Par", summary="a bounded reward centred on references withstands hacking")
    ensembles = f"{claims}.reward_ensembles:RewardEnsembles"
    register("reward_ensembles", ensembles, summary="ensembles help, and not against what all members share")
    gate = f"{claims}.search_llm_gate:SearchLlmGate"
    register("search_llm_gate", gate, summary="a gate keeps safe what weighted sums trade away")
    register("starc", f"{claims}.starc:Starc", summary="a distance of rewards that follows the regret")


@hookimpl
def guerdon_controllers(register: Register) -> None:
    """What acts between updates."""
    register("adaptive-kl", "guerdon.controllers:AdaptiveKL", summary="turns the KL weight towards a target")
    register("constrained-kl", "guerdon.controllers:ConstrainedKL", summary="the KL weight that `constrained` asks for")


@hookimpl
def guerdon_checks(register: Register) -> None:
    """What `guerdon doctor` looks at beside the installation itself."""
    sandbox = "guerdon.diagnostics.confinement:sandbox"
    register("sandbox", sandbox, summary="the layers that confine a program, each put to the test")
