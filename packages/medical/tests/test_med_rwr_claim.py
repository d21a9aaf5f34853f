"""The claim of Med-RwR: its world, that it can fail, and that it holds."""

from __future__ import annotations

import numpy as np
import pytest

from guerdon.errors import ConfigError
from guerdon_medical.med_rwr_claim import ARMS, MedRwRClaim, rewards_of
from guerdon_medical.rwr_claim_policy import Heads, Traces, gradient_of, traced
from guerdon_medical.rwr_claim_world import DISEASES, WORDS, Questions, make_world


def test_every_disease_has_three_findings_of_its_own() -> None:
    world = make_world(0)
    assert len({tuple(row) for row in world.findings.tolist()}) == DISEASES
    assert all(len(set(row)) == 3 for row in world.findings.tolist())
    assert world.vectors.shape == (36, 32)
    assert np.linalg.norm(world.vectors, axis=1) == pytest.approx(np.ones(36))


def test_the_three_findings_find_their_disease_and_idle_words_find_nothing() -> None:
    world = make_world(0)
    flags = world.found(world.findings)
    assert flags[np.arange(DISEASES), np.arange(DISEASES)].all()
    assert (flags.sum(axis=1) == 3).all()
    assert not world.found(np.array([[24, 30, -1], [-1, -1, -1]])).any()


def test_an_untrained_policy_is_right_by_chance() -> None:
    world = make_world(0)
    questions = world.questions(range(40), 4000, np.random.default_rng(0))
    drawn = traced(world, Heads.untrained(), questions, np.random.default_rng(1))
    assert drawn.begin == pytest.approx(np.log(0.25))
    assert abs(float(drawn.queried.mean()) - 0.5) < 0.05


def test_rewards_are_those_of_the_package() -> None:
    """By hand: right with all three findings asked for. Accuracy 5, format 3, length 0; cov 1 + 1, density 1; image
    1 for a noiseless picture; confidence .1 * (log .5 - log .25)."""
    world = make_world(0)
    options = np.array([[0, 1, 2, 3]])
    image = world.vectors[world.findings[0]].sum(axis=0, keepdims=True)
    questions = Questions(image, options, np.array([0]))
    flags = np.zeros((1, DISEASES))
    flags[0, 0] = 1.0  # its document alone, so that the last retrieved text is its own
    begin, end = np.log(np.full((1, 4), 0.25)), np.log(np.array([[0.5, 0.2, 0.2, 0.1]]))
    traces = Traces(np.array([True]), world.findings[:1], flags, begin, end, np.array([0]))
    expected = 5 + 3 + 0 + 3 + 1 + 0.1 * np.log(2)
    assert rewards_of(world, questions, traces, "all parts") == pytest.approx([expected])
    assert rewards_of(world, questions, traces, "accuracy and format") == pytest.approx([8.0])
    assert rewards_of(world, questions, traces, "accuracy") == pytest.approx([1.0])


def test_the_gradient_is_that_of_the_log_probs() -> None:
    """Against finite differences of the log-prob of what was drawn."""
    world, rng = make_world(0), np.random.default_rng(3)
    heads = Heads({name: rng.normal(0.0, 0.3, value.shape) for name, value in Heads.untrained().weights.items()})
    questions = world.questions(range(40), 6, rng)
    traces = traced(world, heads, questions, rng)
    weight = rng.normal(size=6)
    found = gradient_of(heads, questions, traces, weight)

    def total(changed: Heads) -> float:
        value = 0.0
        chance = 1.0 / (1.0 + np.exp(-changed.weights["query"][0]))
        for n in range(6):
            logp = np.log(chance if traces.queried[n] else 1.0 - chance)
            if traces.queried[n]:
                said = [word for word in traces.asked[n].tolist() if word >= 0]
                lengths = changed.weights["length"]
                logp += lengths[len(said) - 1] - np.log(np.exp(lengths).sum())
                scores = changed.weights["words"] @ questions.images[n]
                left = list(range(len(WORDS)))
                for word in said:
                    logp += scores[word] - np.log(np.exp(scores[left]).sum())
                    left.remove(word)
            options = questions.options[n]
            logits = changed.weights["memory"][options] @ questions.images[n]
            logits = logits + changed.weights["document"][0] * traces.flags[n, options]
            logp += logits[traces.chosen[n]] - np.log(np.exp(logits).sum())
            value += weight[n] * logp
        return value

    for name, slope in found.items():
        place = np.unravel_index(int(np.abs(slope).argmax()), slope.shape)
        ends = []
        for step in (1e-5, -1e-5):
            moved = {key: value.copy() for key, value in heads.weights.items()}
            moved[name][place] += step
            ends.append(total(Heads(moved)))
        assert slope[place] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4)


def test_the_claim_fails_without_training() -> None:
    told: list[tuple[int, int, str]] = []
    result = MedRwRClaim(steps=0, measured_on=50).run((0, 1), lambda *args: told.append(args))
    assert not result.held
    assert told[-1] == (2 * len(ARMS), 2 * len(ARMS), "done")


@pytest.mark.claim
def test_the_claim_holds() -> None:
    result = MedRwRClaim().run()
    assert len(result.seeds) == MedRwRClaim.seeds
    assert result.held, result


def test_a_group_of_one_is_refused() -> None:
    """Its spread (ddof 1) is no number, and would train the policy to none."""
    with pytest.raises(ConfigError, match=r"MedRwRClaim\.group is 1"):
        MedRwRClaim(group=1)
