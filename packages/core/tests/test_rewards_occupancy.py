"""Penalties for leaving a reference's occupancy: the sheet's numbers (4, 6), a discriminator that learns, its state."""

import dataclasses
import io
import json
import math
import pickle
import random
import zlib

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="a discriminator is a network; the extra guerdon[train] is not installed")

from guerdon.conformance import check_is_a_value  # noqa: E402
from guerdon.errors import ConfigError, RewardError  # noqa: E402
from guerdon.recipes.building import build_reward  # noqa: E402
from guerdon.recipes.schema import RewardSpec  # noqa: E402
from guerdon.rewards import Context, Sum, reward  # noqa: E402
from guerdon.rewards.discriminators import (  # noqa: E402
    Settings,
    cross_fitted,
    discriminator_loss,
    fitted,
    folds_of,
    shrinkage,
)
from guerdon.rewards.features import WIDTH, feature_function, words_of  # noqa: E402
from guerdon.rewards.occupancy import OccupancyPenalty  # noqa: E402
from guerdon.rewards.response_penalty import ResponsePenalty  # noqa: E402
from guerdon.rewards.step_penalties import step_penalties  # noqa: E402
from guerdon.types import Example, Group, Message, Prompt, Rollout, Segment  # noqa: E402


def test_the_penalties_of_the_sheet():
    np.testing.assert_allclose(step_penalties([0, 1, 2]), [0.0, -0.104524, -0.388650], atol=1e-6)


def test_where_the_mean_is_not_above_0_nothing_is_scaled():
    np.testing.assert_allclose(step_penalties([-1, -1]), [0.063212, 0.063212], atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [("kl", [-0.2, 0.1]), ("chi2", [-0.1 * (math.e**2 - 1), 0.1 * (1 - 1 / math.e)]), ("tv", [-0.1, 0.1])],
)
def test_the_other_kinds(kind, wanted):
    np.testing.assert_allclose(step_penalties([2, -1], kind), wanted)


def test_from_100_samples_on_one_in_a_hundred_is_cut_at_each_end():
    """98 logits of log 2 (D = 1), one of 50 and one of -50 that leave the mean: m = 1."""
    found = step_penalties([50.0, *[math.log(2)] * 98, -50.0], coefficient=1.0)
    np.testing.assert_allclose(found[1:-1], -1.0)
    assert found[0] == -1000.0


def test_below_100_nothing_is_cut():
    """99 samples: the mean holds the one of e^5 - 1."""
    found = step_penalties([5.0, *[0.0] * 98], coefficient=1.0)
    assert found[0] == pytest.approx(-math.sqrt(99 * (math.e**5 - 1)))


def test_what_is_not_finite_costs_nothing_and_what_is_large_is_clipped():
    found = step_penalties([math.nan, math.inf, 1e6, 0.0], "chi2", coefficient=1.0, clip=7.0)
    assert found.tolist() == [0.0, 0.0, -7.0, 0.0]
    assert step_penalties([math.nan]).tolist() == [0.0]
    assert step_penalties([]).tolist() == []
    assert step_penalties([1e6, 1e6], coefficient=1.0).tolist() == [-1000.0, -1000.0]


@pytest.mark.parametrize(
    ("policy", "reference", "wanted"), [([0.0, 0.0], [0.0], 1.386294), ([2.0, 1.0], [-1.0, 0.0], 0.723299)]
)
def test_the_discriminators_loss_of_the_sheet(policy, reference, wanted):
    assert float(discriminator_loss(torch.tensor(policy), torch.tensor(reference))) == pytest.approx(wanted, abs=1e-6)


def test_the_loss_for_total_variation():
    """tanh(0) - tanh(1) + 0.01 * (1 + 0) / 2."""
    found = discriminator_loss(torch.tensor([1.0]), torch.tensor([0.0]), "tanh")
    assert float(found) == pytest.approx(-math.tanh(1.0) + 0.005)


def test_a_discriminator_learns_the_log_ratio():
    """Three outcomes, one-hot: policy .6 .3 .1, reference .2 .3 .5."""
    settings = Settings(hidden=(16,), steps=400, learning_rate=1e-2)
    policy, base = (np.eye(3)[np.repeat(np.arange(3), n)] for n in ([600, 300, 100], [200, 300, 500]))
    found = fitted(policy, base, settings).logits(np.eye(3))
    np.testing.assert_allclose(found, np.log([3.0, 1.0, 0.2]), atol=0.2)
    owners = range(1000), range(1000)
    assert 0.55 < cross_fitted(policy, base, owners, settings).accuracy < 0.8


def test_the_same_fit_is_the_same_each_time_and_draws_nothing_from_others():
    settings = Settings(hidden=(8,), steps=5, batch_size=8)
    draw = np.random.default_rng(0)
    policy, base = draw.normal(size=(40, 3)), draw.normal(size=(40, 3))
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    first, again, other = (fitted(policy, base, settings, fit).logits(policy) for fit in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert first.tolist() == again.tolist() != other.tolist()


def test_no_sample_is_judged_by_a_network_that_saw_its_owner():
    """One owner's samples share a fold, on both sides; each fold has samples of each side."""
    policy, base = "aabbccdde", "xxcyyab"
    folds = folds_of(policy, base)
    by_owner = {}
    for owner, fold in [*zip(policy, folds[0], strict=True), *zip(base, folds[1], strict=True)]:
        assert by_owner.setdefault(owner, fold) == fold
    assert set(folds[0]) == set(folds[1]) == {0, 1, 2, 3}


def test_logits_that_mislead_on_held_out_samples_are_shrunk_to_nothing():
    """Twice the log-ratio log 3 of shares 3/4 and 1/4 is worth half of itself."""
    twice = 2 * math.log(3.0)
    assert shrinkage(np.array([-1.0, 1.0, -2.0]), np.array([1.0, 0.5])) == 0.0
    told = np.array([twice] * 3 + [-twice])
    assert shrinkage(told, -told) == pytest.approx(0.5)


@pytest.mark.parametrize("bad", [{"hidden": (0,)}, {"steps": 0}, {"batch_size": 0}, {"learning_rate": math.nan}])
def test_settings_that_cannot_train_are_refused(bad):
    with pytest.raises(ConfigError, match=next(iter(bad))):
        Settings(**bad)


def group(*texts, id_="1"):
    example = Example(id=id_)
    return Group.of([Rollout.of(example, text, index=place) for place, text in enumerate(texts)])


def penalty(**fields):
    return OccupancyPenalty(**{"hidden": (32,), "steps": 40, "learning_rate": 1e-2, **fields})


def learned(one, groups, step=0):
    scores = Context(step, 10).scores(one, groups)
    one.update(groups, scores, Context(step, 10))
    return scores


PLAIN = [group(*["the sum is four"] * 12, *["it is four"] * 12)]
ODD = [group(*["bucket bucket bucket"] * 16, *["the sum is four", "it is four"] * 4)]


def test_the_first_batch_is_the_reference_and_what_leaves_it_costs():
    one = penalty()
    first = learned(one, PLAIN)
    assert {score.status for score in first[0]} == {"abstain"}
    second = learned(one, ODD, 1)
    values = [score.value for score in second[0]]
    assert max(values[:16]) < min(values[16:])
    assert values[0] < 0.0 < values[16]
    assert second[0][0].parts["logit"].value > 0.0 > second[0][16].parts["logit"].value


WORDS = ("select", "from", "where", "name", "city", "star", "mass", "count", "avg", "price", "=", "<", "1", "2", "3")


def drawn(samples, seed, drifted=False, own=False):
    """Groups of 8 answers of 6 to 14 words. `drifted`: a new word before each. `own`: words of the group's own too."""
    draw, groups = random.Random(seed), []
    for number in range(samples // 8):
        key = f"{seed}/{number}" if own else str(number)
        texts = []
        for _ in range(8):
            said = [*(["bucket"] if drifted else []), *draw.choices(WORDS, k=draw.randint(6, 14))]
            said += [f"q{zlib.crc32(f'{key}/{one}'.encode())}" for one in range(3)] if own else []
            texts.append(" ".join(said))
        groups.append(group(*texts, id_=key))
    return groups


def charged(samples, seed, *, steps=3, **drift):
    """The mean value of batches after one without drift, the reference; at default settings, coefficient 1."""
    one = OccupancyPenalty(coefficient=1.0)
    learned(one, drawn(samples, 1000 * seed, own=drift.get("own", False)))
    values = []
    for step in range(1, steps + 1):
        scores = learned(one, drawn(samples, 1000 * seed + step, **drift), step)
        values += [score.value for row in scores for score in row]
    return np.mean(values)


@pytest.mark.parametrize(("samples", "seed"), [(128, 0), (128, 1), (128, 2), (512, 0)])
def test_no_drift_costs_about_nothing(samples, seed):
    """At one fixed reference and by the released procedure it was 15 to 60 here (coefficient 1)."""
    assert abs(charged(samples, seed)) < 0.1


@pytest.mark.parametrize("samples", [128, 512])
def test_a_drift_is_charged_all_the_same(samples):
    assert charged(samples, 0, drifted=True) < -0.4


def test_that_a_batch_has_other_prompts_than_the_reference_is_no_drift():
    """Each prompt has words of its own, which its eight answers share: networks by rollout would know them."""
    assert abs(charged(128, 0, own=True)) < 0.1
    assert charged(512, 0, own=True, drifted=True) < -0.2


def test_a_handful_of_samples_is_not_judged():
    one = penalty()
    learned(one, PLAIN)
    (row,) = learned(one, [group(*["bucket"] * 15)], 1)
    assert {score.status for score in row} == {"abstain"}
    assert "15 samples of the policy and 24 of the reference; 16 of each" in row[0].why


def test_a_batch_is_judged_within_itself_and_counted_only_by_an_update():
    one = penalty()
    learned(one, PLAIN)
    assert one.version == 1
    scores = [[score.value for score in Context().scores(one, ODD)[0]] for _ in range(2)]
    assert scores[0] == scores[1]
    assert one.version == 1
    Context().scores(one, ODD)
    one.update(ODD, [], Context())
    assert one.version == 2


def test_what_it_learned_survives_a_checkpoint():
    one, other = penalty(), penalty()
    learned(one, PLAIN)
    learned(one, ODD, 1)
    file = io.BytesIO()
    torch.save(one.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert other.version == one.version == 2
    for _ in range(2):
        assert [s.value for s in learned(one, ODD)[0]] == [s.value for s in learned(other, ODD)[0]]
    fresh = penalty()
    fresh.load_state_dict(penalty().state_dict())
    assert fresh.version == 0


def test_a_batch_that_was_scored_and_not_learned_from_is_none_of_the_restored_states():
    one = penalty()
    Context().scores(one, PLAIN)
    one.load_state_dict(penalty().state_dict())
    one.update(PLAIN, [], Context())
    assert one.version == 0


def test_a_file_is_the_reference_from_the_first_batch_on(tmp_path):
    file = tmp_path / "base.jsonl"
    texts = ["it is four", "it is\u2028four"] * 10  # a line separator within a text ends no line of the file
    file.write_text(
        "".join(json.dumps({"example": "1", "completion": text}, ensure_ascii=False) + "\n" for text in texts),
        encoding="utf-8",
    )
    one = penalty(reference=str(file))
    values = [score.value for score in learned(one, ODD)[0]]
    assert values[0] < values[17]
    assert [score.status for score in Context().scores(one, ODD)[0]] == ["ok"] * 24


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "no completions"), ("{", "line 1"), ('{"example": "1"}', "completion"), ("[1]", "row 1 is int")],
)
def test_a_reference_that_is_none_is_refused_with_its_line(tmp_path, text, said):
    file = tmp_path / "base.jsonl"
    file.write_text(text)
    with pytest.raises(ConfigError, match=said):
        Context().scores(penalty(reference=str(file)), ODD)


def test_a_reference_that_is_not_there_is_noticed_at_once(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        penalty(reference=str(tmp_path / "none.jsonl"))


def test_another_coefficient_is_another_penalty_with_a_memory_of_its_own():
    one = penalty()
    learned(one, PLAIN)
    assert (one.version, dataclasses.replace(one, coefficient=0.5).version) == (1, 0)


def test_held_out_accuracy_is_told_where_there_is_enough_to_hold_out():
    one = penalty()
    learned(one, [group(*["the sum is four"] * 16)])
    scores = learned(one, [group(*["bucket bucket"] * 16)], 1)
    assert scores[0][0].parts["held_out_accuracy"].value == 1.0


def turns_row(rollout):
    return [[float(len(segment.text))] for segment in rollout.turns]


def broken(rollout):
    return [[math.nan]]


def conversation(*lengths):
    said = []
    for length in lengths:
        said += [Segment("policy", "x" * length), Segment("environment", "go on")]
    return Rollout(Example(id="1"), tuple(said), Prompt(observation="start"))


def test_several_steps_add_up_and_stand_in_the_dense_values():
    one = penalty(features=f"{__name__}:turns_row", per="turn")
    base = [Group.of([conversation(1, 2, 1), conversation(2, 1)] * 5)]
    learned(one, base)
    score = learned(one, [Group.of([conversation(1, 9)] * 10)], 1)[0][0]
    stream = score.dense["occupancy"]
    assert (stream.per, len(stream.values)) == ("turn", 2)
    assert math.fsum(stream.values) == pytest.approx(score.value)
    assert stream.values[1] < stream.values[0]


def test_a_rollout_in_which_the_policy_did_nothing_abstains():
    one = penalty(features="words", per="turn")
    learned(one, [Group.of([conversation(1, 2)] * 10)])
    nothing = Rollout(Example(id="1"), (Segment("environment", "over"),))
    both = [*[conversation(1)] * 16, nothing]
    assert [s.status for s in learned(one, [Group.of(both)])[0]] == [*["ok"] * 16, "abstain"]
    assert [s.status for s in learned(one, [Group.of([nothing])])[0]] == ["abstain"]


def test_features_with_odd_numbers_are_a_bug_and_not_a_zero():
    with pytest.raises(RewardError, match="finite numbers"):
        Context().scores(penalty(features=f"{__name__}:broken"), ODD)
    with pytest.raises(RewardError, match="1 rows"):
        Context().scores(penalty(features=f"{__name__}:turns_row"), [Group.of([conversation(1, 2)])])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"features": "letters"}, "'words'"),
        ({"features": "words", "per": "step"}, "per step"),
        ({"features": "no_such_module:f"}, "cannot be imported"),
        ({"features": "math:pi"}, "a function"),
        ({"kind": "js"}, "'tv'"),
        ({"coefficient": -1.0}, "coefficient"),
        ({"clip": math.inf}, "clip"),
        ({"trim": 0.5}, "trim"),
        ({"reference_batches": 0}, "reference_batches"),
        ({"steps": 0}, "steps"),
    ],
)
def test_what_makes_no_penalty_is_refused_at_once(fields, said):
    with pytest.raises(ConfigError, match=said):
        OccupancyPenalty(**fields)


def test_words_are_counted_whatever_was_written():
    (row,) = words_of(Rollout.of(Example(id="1"), "a a b"))
    assert len(row) == WIDTH + 1
    assert sorted(value for value in row[:-1] if value) == pytest.approx(
        sorted(np.log([3.0, 2.0]) / np.hypot(np.log(3), np.log(2)))
    )
    assert row[-1] == pytest.approx(math.log(4))
    assert not any(words_of(Rollout.of(Example(id="1"), ""))[0])
    assert np.isfinite(words_of(Rollout.of(Example(id="1"), "\ud800 \x00" + "a " * 10))[0]).all()
    assert feature_function("words", "turn")(conversation(1)) != feature_function("words", "rollout")(conversation(1))


def test_without_blanks_each_character_is_a_word_and_capitals_are_words_of_their_own():
    """The last number is log(1 + words): 4 characters; and a policy that begins to shout has left the reference."""
    (row,) = words_of(Rollout.of(Example(id="1"), "漢字漢字"))
    assert row[-1] == pytest.approx(math.log(5))
    assert sorted(value for value in row[:-1] if value) == pytest.approx([math.sqrt(0.5)] * 2)
    assert words_of(Rollout.of(Example(id="1"), "YES")) != words_of(Rollout.of(Example(id="1"), "yes"))


def test_it_is_a_value_prints_and_is_built_by_name():
    made = build_reward(RewardSpec.model_validate({"use": "occupancy-penalty", "with": {"hidden": [8], "kind": "kl"}}))
    assert made == OccupancyPenalty(hidden=(8,), kind="kl")
    check_is_a_value(made)
    learned(made, PLAIN)
    assert pickle.loads(pickle.dumps(made)).version == 1
    assert made.bounds == (-1000.0, 1000.0)
    assert OccupancyPenalty(per="turn").bounds == (-math.inf, math.inf)


@reward(bounds=(0.0, 1.0))
def buckets(rollout):
    return float("bucket" in rollout.completion)


def test_added_to_a_proxy_it_keeps_its_parts_and_its_abstaining_leaves_the_proxy():
    total = buckets + penalty(coefficient=0.5)
    assert isinstance(total, Sum)
    assert [score.value for score in Context().scores(total, PLAIN)[0]] == [0.0] * 24
    one = total.children[1]
    one.update(PLAIN, [], Context())
    score = Context().scores(total, ODD)[0][0]
    assert score.value == pytest.approx(1.0 + score.parts["occupancy-penalty"].value)
    assert "occupancy-penalty/logit" in score.flat()


class Table:
    """A scorer that looks texts up; None for one it does not know."""

    name = "table"

    def __init__(self, **logprobs):
        self.known = logprobs

    def logprobs(self, continuations, *, policy=None):
        self.asked = continuations
        return [self.known.get(each.text) for each in continuations]


def test_a_response_is_charged_by_its_log_ratio():
    """Log-ratios -1 + 2 = 1 and 0: e - 1 and 0, their mean m; D = (e - 1) / sqrt(m)."""
    one = ResponsePenalty(Table(a=(-0.5, -0.5), b=(-1.0,)), Table(a=(-2.0,), b=(-0.5, -0.5)), coefficient=0.1)
    scores = Context().scores(one, [group("a", "b", "unknown")])[0]
    grown = math.e - 1.0
    assert scores[0].value == pytest.approx(-0.1 * grown / math.sqrt(grown / 2))
    assert scores[0].parts["log_ratio"].value == pytest.approx(1.0)
    assert scores[1].value == 0.0
    assert (scores[2].status, one.bounds) == ("infra", (-1000.0, 1000.0))
    assert not one.needs_policy


def test_the_scorers_are_asked_for_what_the_policy_said_behind_what_was_given():
    scorer = Table(four=(-1.0,))
    prompt = Prompt(messages=(Message("user", "2 + 2?"),), forced="It is ")
    rollout = Rollout(Example(id="1"), (Segment("forced", "It is "), Segment("policy", "four")), prompt)
    Context().scores(ResponsePenalty(scorer, scorer), [Group.of([rollout])])
    (asked,) = scorer.asked
    assert (asked.messages, asked.prefix, asked.text) == (prompt.messages, "It is ", "four")


def test_a_response_in_turns_abstains_and_the_others_keep_their_places():
    scorer = Table(a=(-1.0,), b=(-2.0,))
    base = Table(a=(-1.0,), b=(-1.0,))
    a, b = (Rollout.of(Example(id="1"), text) for text in "ab")
    scores = Context().scores(ResponsePenalty(scorer, base, kind="kl"), [Group.of([a, conversation(1), b])])[0]
    assert [score.status for score in scores] == ["ok", "abstain", "ok"]
    assert scores[2].value == pytest.approx(0.1)
