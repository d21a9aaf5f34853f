"""What core itself offers, through the hooks that strangers get. Listing it imports nothing it names."""

from __future__ import annotations

from guerdon.plugins import hookimpl
from guerdon.plugins.catalog import Register

COMMANDS = {
    "list": ("guerdon.cli.listing:command", "List what the installed distributions offer."),
    "doctor": ("guerdon.cli.doctor:command", "Check this machine and its installation."),
    "score": ("guerdon.cli.score:command", "Score completions and explain every number part by part."),
    "audit": ("guerdon.cli.audit:command", "Attack a reward before a policy does."),
    "export": ("guerdon.cli.export:command", "Write a task's prompts and references as a file for another trainer."),
    "serve": ("guerdon.cli.serve:command", "Serve rewards over HTTP, for trainers elsewhere."),
    "train": ("guerdon.cli.train:command", "Train a policy by a recipe."),
    "eval": ("guerdon.cli.eval:command", "Evaluate a recipe's policy or a run's checkpoint."),
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
    register("remote-v1", "guerdon.serve.remote:Remote", summary="what a reward on a `guerdon serve` says")
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
def guerdon_transforms(register: Register) -> None:
    """How values are shaped."""
    transforms = "guerdon.transforms"
    register("center", f"{transforms}:center", summary="subtract the mean of the group, the batch or the run")
    register("clip", f"{transforms}:clip", summary="hold each value within bounds")
    register("gate", f"{transforms}:gate", summary="let values above a threshold through")
    register("scale", f"{transforms}:scale", summary="multiply by a factor and add a shift")
    register("standardize", f"{transforms}:standardize", summary="centre, and divide by the standard deviation")


@hookimpl
def guerdon_tasks(register: Register) -> None:
    """Tasks that are of no domain."""
    school = "guerdon.audit.school_of_reward_hacks.rewards"
    register("school/rows-v1", f"{school}:SchoolRows", summary="messages that name their metric, for audits only")


@hookimpl
def guerdon_claims(register: Register) -> None:
    """The claims of papers that are of no domain."""
    claims = "guerdon.claims"
    school = f"{claims}.school_of_reward_hacks:SchoolOfRewardHacks"
    register("school_of_reward_hacks", school, summary="literal metrics are gamed; text features and a gate tell")


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
