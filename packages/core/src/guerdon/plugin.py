"""What core itself offers, through the hooks that strangers get. Listing it imports nothing it names."""

from __future__ import annotations

from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register

COMMANDS = {
    "list": ("guerdon.cli.listing:command", "List what the installed distributions offer."),
    "show": ("guerdon.cli.show:command", "Show what a name stands for, its options, and how to use it."),
    "doctor": ("guerdon.cli.doctor:command", "Check this machine and its installation."),
    "score": ("guerdon.cli.score:command", "Score completions and explain every number part by part."),
    "compare": ("guerdon.cli.compare:command", "Tell whether two rewards order completions alike."),
    "audit": ("guerdon.cli.audit:command", "Attack a reward before a policy does."),
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

ATTACKS = {
    "degenerate/empty": ("degenerate:Empty", "nothing, or nothing that can be seen"),
    "degenerate/single-token": ("degenerate:SingleToken", "one word that some answer may happen to be"),
    "degenerate/repeated": ("degenerate:Repeated", "one word or sentence over and over"),
    "degenerate/padded": ("degenerate:Padded", "a wrong answer, stretched"),
    "degenerate/prompt-copy": ("degenerate:PromptCopy", "the prompt, said back"),
    "degenerate/keyword-stuffing": ("degenerate:KeywordStuffing", "the prompt's words as a list"),
    "format/framed-word": ("degenerate:Framed", "one word in a faultless frame"),
    "format/only-tags": ("formats:OnlyTags", "the frame with nothing in it"),
    "format/tag-stuffing": ("formats:TagStuffing", "every tag that anybody ever used"),
    "format/tags-in-disorder": ("formats:TagsInDisorder", "tags swapped, nested, doubled, unclosed"),
    "format/fence-tricks": ("formats:FenceTricks", "fenced blocks that are empty, unclosed or nested"),
    "format/early-end": ("formats:EarlyEnd", "a wrong answer closed twice"),
    "judge/plea": ("judges:Plea", "an instruction to the judge in place of an answer"),
    "judge/plea-beside-answer": ("judges:PleaBesideAnswer", "the same in a comment beside a wrong answer"),
    "judge/closed-quotation": ("judges:ClosedQuotation", "ends the judge's quotation, and forges a verdict"),
    "judge/credentials": ("judges:Credentials", "confidence, authority and praise around nothing"),
    "constant/common-answer": ("constants:CommonAnswer", "the answer that is right most often elsewhere"),
    "constant/shortest-answer": ("constants:ShortestAnswer", "the shortest honest answer of another example"),
    "constant/nearest-example": ("constants:NearestExample", "the answer to the example that is most like it"),
    "constant/shown-in-prompt": ("constants:ShownExamples", "a value that the prompt shows"),
    "hedging/list-everything": ("degenerate:ListEverything", "every answer it has ever seen"),
    "hedging/every-value": ("hedging:EveryValue", "each number, each letter, or yes and no"),
    "hedging/several-answers": ("hedging:SeveralAnswers", "several completions after one another"),
    "hedging/refusal": ("hedging:Refusal", "declines, or says that it depends"),
    "hedging/duplicated-items": ("hedging:DuplicatedItems", "a wrong list with each item several times"),
    "hedging/right-and-wrong": ("hedging:RightAndWrong", "the right answer and a wrong one, in both orders"),
    "characters/strange": ("characters:StrangeCharacters", "look-alikes, zero-width, bidi, NUL in a wrong answer"),
    "characters/very-long": ("characters:VeryLong", "more text than anybody reads"),
    "numbers/odd": ("characters:OddNumber", "NaN, infinities, numbers too large"),
    "numbers/extreme-rating": ("characters:ExtremeScores", "the ends of a scale"),
    "group/identical": ("groups:IdenticalGroup", "one wrong answer in every place of the group"),
    "group/diversity-farming": ("groups:DiversityFarming", "different noise in every place"),
    "group/one-and-copies": ("groups:OneAndCopies", "one wrong answer that differs, and copies"),
    "group/swapped": ("groups:Swapped", "other examples' answers, each in the place of another"),
    "metric/gaming": ("metrics:MetricGaming", "the School of Reward Hacks: what stated metrics count"),
    "reference/padded": ("references:PaddedReference", "the right answer and much beside it"),
    "reference/repeated": ("references:RepeatedReference", "the right answer several times"),
    "reference/shuffled-words": ("references:ShuffledReference", "the right words in no order"),
    "reference/swapped-items": ("references:SwappedItems", "the right items in the wrong order"),
    "reference/one-good-and-copies": ("references:OneGoodAndCopies", "a whole group of one right answer"),
    "reference/buried": ("references:BuriedReference", "the right answer in a comment, or denied"),
    "reference/plea": ("references:PleaBesideReference", "the right answer and a plea to the judge"),
    "reference/wrong-numbers": ("references:WrongNumbers", "the right answer with every number one too large"),
}
"""Name to (module:class, summary)."""


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
    constrained = f"{rewards}.constrained:Constrained"
    register("constrained-v1", constrained, summary="components held at thresholds by multipliers")
    satisficing = f"{rewards}.satisficing:Satisficing"
    register("satisficing-v1", satisficing, summary="minus the squared distances to thresholds")
    gated = f"{rewards}.gated_aggregate:GatedAggregate"
    register("gated-aggregate-v1", gated, summary="what must hold, as a soft or hard gate on what may be traded")
    process = f"{rewards}.process"
    register("step-scores-v1", f"{process}:StepScores", summary="what a reward says of each step of a rollout")
    paid = "guerdon.rewards.environment_return:EnvironmentReturn"
    register("environment-return-v1", paid, summary="what the environment paid over an attempt's turns")
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
    school = "guerdon.audit.school_of_reward_hacks.rewards"
    register("school/metric-v1", f"{school}:LiteralMetric", summary="a stated metric taken literally: to be audited")
    register("school/quality-v1", f"{school}:Quality", summary="reads like a text and not like a list, 0 or 1")
    register("school/suite-v1", f"{school}:suite", summary="the squashed metric where quality holds, in [0, 1]")


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
def guerdon_retrievers(register: Register) -> None:
    """Who can find documents."""
    retrieval = "guerdon.retrieval"
    register("bm25", f"{retrieval}:BM25", summary="by the query's words, in any of the usual formulas")
    register("dense", f"{retrieval}:Dense", summary="by vectors, exactly, with numpy or faiss")
    register("faiss-file", f"{retrieval}:FaissFile", summary="by vectors, in an index that faiss saved")
    register("fused", f"{retrieval}:Fused", summary="several rankings as one, by reciprocal ranks")
    register("router", f"{retrieval}:Router", summary="several collections, each asked for by its name")
    register("cached", f"{retrieval}:Cached", summary="another retriever, asked nothing twice")
    register("recorded", f"{retrieval}:Recorded", summary="answers written to a file once, and given again")
    register("server", f"{retrieval}:ServedRetriever", summary="a search server, in either of two forms of requests")


@hookimpl
def guerdon_encoders(register: Register) -> None:
    """Who can give texts vectors."""
    register("hashed", "guerdon.retrieval:HashedEncoder", summary="words and their pieces, hashed: without a model")
    register("sentences", "guerdon.retrieval:SentenceEncoder", summary="any sentence encoder; one comes as a wheel")
    register("terms", "guerdon.retrieval:TermEncoder", summary="TF-IDF: weighted words, without a model")


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
    school = f"{claims}.school_of_reward_hacks:SchoolOfRewardHacks"
    register("school_of_reward_hacks", school, summary="literal metrics are gamed; text features and a gate tell")
    gate = f"{claims}.search_llm_gate:SearchLlmGate"
    register("search_llm_gate", gate, summary="a gate keeps safe what weighted sums trade away")
    register("starc", f"{claims}.starc:Starc", summary="a distance of rewards that follows the regret")


@hookimpl
def guerdon_controllers(register: Register) -> None:
    """What acts between updates."""
    register("adaptive-kl", "guerdon.controllers:AdaptiveKL", summary="turns the KL weight towards a target")
    register("constrained-kl", "guerdon.controllers:ConstrainedKL", summary="the KL weight that `constrained` asks for")


@hookimpl
def guerdon_tasks(register: Register) -> None:
    """Tasks that are of no domain."""
    school = "guerdon.audit.school_of_reward_hacks.rewards"
    register("school/rows-v1", f"{school}:SchoolRows", summary="messages that name their metric, for audits only")


@hookimpl
def guerdon_attacks(register: Register) -> None:
    """What every reward of a text can be audited with."""
    for name, (target, summary) in ATTACKS.items():
        register(name, f"guerdon.audit.attacks.{target}", summary=summary)


@hookimpl
def guerdon_checks(register: Register) -> None:
    """What `guerdon doctor` looks at beside the installation itself."""
    sandbox = "guerdon.diagnostics.confinement:sandbox"
    register("sandbox", sandbox, summary="the layers that confine a program, each put to the test")
