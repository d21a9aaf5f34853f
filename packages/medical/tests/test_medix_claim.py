"""The claim of MediX-R1: its world, its policy's gradient, and that it can fail."""

import numpy as np
import pytest

from guerdon.errors import ConfigError
from guerdon.retrieval import Corpus, HashedEncoder, TermEncoder
from guerdon.retrieval.terms import terms
from guerdon_medical.disease_names import families, made_names, real_names
from guerdon_medical.medix_claim import MOST, WEIGHTS, MediXClaim, Policy, Question
from guerdon_medical.open_questions import OpenQuestion

NAMES = made_names(120)
NEAR = families(NAMES)


def test_made_up_names_come_in_families_and_are_each_once():
    assert len(set(NAMES)) == 120
    assert sum(map(bool, NEAR.values())) > 60
    for name, others in NEAR.items():
        assert name not in others
        assert all(
            2 * len({*terms(name)} & {*terms(other)}) >= len({*terms(name)} | {*terms(other)}) for other in others
        )


def test_real_names_are_those_of_the_published_cases(data_dir, monkeypatch):
    monkeypatch.setenv("GUERDON_DATA", str(data_dir.parent))
    assert len(real_names()) == 669
    monkeypatch.delenv("GUERDON_DATA")
    assert real_names() == ()


def test_a_question_has_the_gold_its_family_and_others():
    claim = MediXClaim()
    for one in claim.asked(50, NEAR, np.random.default_rng(0), "q"):
        gold = one.names[one.gold]
        assert len(set(one.names)) == 8
        assert one.example.solution.endswith(f">{gold}")
        assert set(NEAR[gold]) <= set(one.names)


def test_questions_are_about_names_with_a_family_unless_told_otherwise():
    rng = np.random.default_rng(0)
    asked = [one.names[one.gold] for one in MediXClaim().asked(60, NEAR, rng, "q")]
    assert all(NEAR[gold] for gold in asked)
    of_all = [one.names[one.gold] for one in MediXClaim(golds="all").asked(60, NEAR, rng, "q")]
    assert not all(NEAR[gold] for gold in of_all)
    with pytest.raises(ConfigError, match=r"medix_r1\.golds"):
        MediXClaim(golds="some")


def question(evidence):
    example = OpenQuestion(id="q", question="?", solution="<X_RAY>a")
    return Question(example, tuple("abcdefgh"), 0, evidence, 1)


def log_probability(weights, evidence, count, listed, layout, tag):
    """By hand: of a count, of candidates one after another without putting back, of the layout and of the tag."""
    many = weights[:MOST] - np.log(np.exp(weights[:MOST]).sum())
    total = many[count - 1]
    left = list(range(8))
    scores = evidence @ weights[MOST : MOST + 2]
    for pick in listed[:count]:
        total += scores[pick] - np.log(np.exp(scores[left]).sum())
        left.remove(pick)
    total += -np.log1p(np.exp(-weights[MOST + 2] if layout else weights[MOST + 2]))
    row = weights[MOST + 3 :].reshape(3, 3)[1]
    return total + row[tag] - np.log(np.exp(row).sum())


def test_the_policys_gradient_is_that_of_its_log_probability():
    rng = np.random.default_rng(0)
    policy = Policy(0.3, 0.5)
    policy.weights = policy.weights + rng.normal(0.0, 0.3, len(policy.weights))
    evidence = rng.normal(0.0, 1.0, (8, 2))
    drawn = policy.draw([question(evidence)], 6, rng)
    for place in range(6):
        chosen = (
            int(drawn.count[0, place]),
            drawn.listed[0, place].tolist(),
            drawn.layout[0, place],
            drawn.tag[0, place],
        )
        for weight in range(len(policy.weights)):
            moved = np.zeros_like(policy.weights)
            moved[weight] = 1e-6
            values = [log_probability(policy.weights + way * moved, evidence, *chosen) for way in (1, -1)]
            assert drawn.gradient[0, place, weight] == pytest.approx((values[0] - values[1]) / 2e-6, abs=1e-6)


def test_answers_are_scored_by_the_packages_reward_as_released():
    """ "d, a" for a, in the layout with the right tag: .5175 + .10 + .045; the cosine .707 is below .8."""
    claim = MediXClaim()
    reward = claim.reward("composite", TermEncoder(Corpus.of(NAMES)))
    assert reward.reading == "released"
    assert {arm: claim.reward(arm, TermEncoder()).part_names for arm in WEIGHTS} == {
        "judge only": ("judge",),
        "embedding only": ("embedding",),
        "0.6 judge + 0.4 embedding": ("judge", "embedding"),
        "composite": ("judge", "embedding", "format", "modality"),
    }
    drawn = Policy(0.3, 0.5).draw([question(np.zeros((8, 2)))], 1, np.random.default_rng(0))
    drawn.listed[0, 0, :2], drawn.count[0, 0], drawn.layout[0, 0], drawn.tag[0, 0] = (3, 0), 2, True, 0
    (value,) = claim.scored(reward, [question(np.zeros((8, 2)))], drawn).tolist()
    assert value[0] == pytest.approx(0.6625)


def test_training_that_does_not_happen_does_not_hold(monkeypatch):
    monkeypatch.delenv("GUERDON_DATA", raising=False)
    result = MediXClaim(steps=1, test_questions=40, made=60).run((0,))
    assert not result.held
    assert "60 made-up names" in result.notes


def test_the_same_seed_measures_the_same_numbers():
    claim = MediXClaim(steps=4, test_questions=20)
    first, again = (claim.trained("composite", HashedEncoder(), 0, NEAR) for _ in range(2))
    assert (first.reward, first.truth, first.listed) == (again.reward, again.truth, again.listed)


@pytest.mark.claim
def test_the_claim_holds_on_one_seed_with_made_up_names(monkeypatch):
    monkeypatch.delenv("GUERDON_DATA", raising=False)
    result = MediXClaim().run((0,))
    assert result.held, str(result)


@pytest.mark.claim
def test_the_claim_holds_on_real_names(data_dir, monkeypatch):
    monkeypatch.setenv("GUERDON_DATA", str(data_dir))
    result = MediXClaim().run()
    assert result.held, str(result)
