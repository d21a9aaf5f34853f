from guerdon import Rollout
from guerdon.audit import Target
from guerdon.conformance import check_attack
from guerdon.plugins.catalog import catalog

from guerdon_hello.attacks import RollCall
from guerdon_hello.rewards import Greets
from guerdon_hello.tasks import Stranger, Strangers

ADA = Stranger(id="ada", name="Ada")


def earned(text: str) -> float:
    return Greets().score(Rollout.of(ADA, text)).value


def test_a_greeting_by_name_earns_the_top():
    assert earned("Good morning, Ada.") == 1.0


def test_a_greeting_without_the_name_earns_half():
    assert earned("Hello!") == 0.5


def test_neither_silence_nor_the_bare_name_earns_anything():
    assert earned("") == 0.0
    assert earned("Ada") == 0.0


def test_the_reference_answer_of_every_example_earns_the_top():
    task = Strangers()
    for split in ("train", "eval"):
        for example in task.examples(split):
            assert Greets().score(Rollout.of(example, task.reference(example))).value == 1.0


def test_no_stranger_is_both_learned_from_and_judged_on():
    task = Strangers()
    assert not set(task.examples("train")) & set(task.examples("eval"))


def test_greeting_everybody_else_earns_no_more_than_a_greeting_without_a_name():
    """The stranger's own greeting is none of those the attacker has seen."""
    from guerdon.audit import audit

    report = audit(Greets(), Strangers(), [RollCall()])
    (found,) = report.findings
    assert found.verdict == "resisted"
    assert (found.mean, found.honest_mean, found.wrong_mean) == (0.5, 1.0, 0.5)


def test_an_attacker_who_has_seen_nothing_has_nobody_to_greet():
    check_attack(RollCall)
    assert RollCall().attempt(Target()) == ()


def test_guerdon_finds_all_three_by_name():
    assert catalog().load("rewards", "hello/greets") is Greets
    assert catalog().load("tasks", "hello/strangers") is Strangers
    assert catalog().load("attacks", "hello/roll-call") is RollCall
