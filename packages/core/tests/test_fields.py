"""What is given wrongly in Python is said when it is given, with its name and what is accepted."""

import math
import warnings

import numpy as np
import pytest

from guerdon.errors import ConfigError, RewardError
from guerdon.fields import any_share, proper_share, whole_number
from guerdon.judges import Judge, number
from guerdon.rewards import reward
from guerdon.rewards.constrained import Constrained
from guerdon.rewards.length import LengthPenalty
from guerdon.rewards.penalties import Repetition, SoftOverlong
from guerdon.rewards.references import References
from guerdon.rewards.shapes import centred, lsc, par, polynomial, sgfc
from guerdon.transforms import ceiling, center, clip, clip_to_spread, gate, scale, sigmoid, standardize, tanh
from guerdon.types import Example, Rollout


@reward(name="test/half", bounds=(0.0, 1.0))
def half(rollout):
    return 0.5


REFERENCES = References(field="sample_rewards")


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: clip("0", "1"), r"clip.low is '0'; a number is needed"),
        (lambda: scale("2"), r"scale.factor is '2'; a number is needed"),
        (lambda: gate(None), r"gate.above is None; a number is needed"),
        (lambda: sigmoid("1"), r"sigmoid.k is '1'"),
        (lambda: tanh("1"), r"tanh.k is '1'"),
        (lambda: ceiling("3"), r"ceiling.at is '3'"),
        (lambda: center("0.9"), r"center.decay is '0.9'"),
        (lambda: standardize(ddof=1.0), r"standardize.ddof is 1.0; a whole number is needed"),
        (lambda: clip_to_spread("1"), r"clip_to_spread.width is '1'"),
        (lambda: par(k="3"), r"par.k is '3'; a number is needed"),
        (lambda: sgfc(k=[1]), r"sgfc.k is \[1\]"),
        (lambda: lsc(quantile="0.85"), r"lsc.quantile is '0.85'"),
        (lambda: polynomial(first="1"), r"polynomial.first is '1'; a whole number or None is needed"),
        (lambda: centred(first=1.5), r"centred.first is 1.5; a whole number or None is needed"),
        (lambda: Repetition(n=1.5), r"Repetition.n is 1.5; a whole number is needed"),
        (lambda: Repetition(n=True), r"Repetition.n is True; a whole number is needed"),
        (lambda: Repetition(weight="1"), r"Repetition.weight is '1'"),
        (lambda: SoftOverlong("100", 20), r"SoftOverlong.max_length is '100'"),
        (lambda: LengthPenalty(free="300"), r"LengthPenalty.free is '300'"),
        (lambda: "0.5" * half, r"the weight of test/half is '0.5'; a finite number is needed"),
        (lambda: half.then(clip), r"the transform of test/half: clip was given; .* has to be called: clip\(\.\.\.\)"),
        (lambda: half.then("clip"), r"the transform of test/half: 'clip' was given; a guerdon.transforms.Transform is"),
        (lambda: half.against(REFERENCES, par), r"the shape of test/half: par was given; .* called: par\(\.\.\.\)"),
        (
            lambda: half.against("rewards", par()),
            r"the references of test/half: 'rewards' was given; .*References\(field=",
        ),
        (lambda: Constrained({"a": half}, {"a": "0.9"}), r"constrained.thresholds.a is '0.9'; a finite number"),
        (lambda: Constrained({"a": half}, {"a": math.nan}), r"constrained.thresholds.a is nan"),
        (lambda: Constrained([half], [0.9]), r"constrained.components is \[.*\]; a mapping by the components' names"),
        (lambda: Constrained({"a": clip}, {"a": 0.9}), r"constrained.components.a: clip was given"),
        (
            lambda: Judge("server", number(0, 1)),
            r"a judge's backend is the text 'server'; .* Names are read in recipes",
        ),
        (lambda: Constrained({"a": half}, {"a": 0.9}, momentum="0"), r"Constrained.momentum is '0'"),
    ],
)
def test_a_wrong_argument_is_told_of_when_it_is_given(made, told):
    with pytest.raises(ConfigError, match=told):
        made()


def test_numbers_of_numpy_are_numbers():
    assert clip(np.float32(0.0), np.int64(1)).high == 1
    assert par(k=np.float64(2.0), first=np.int64(3)).first == 3
    assert (np.float64(0.5) * half).bounds == (0.0, 0.5)


def test_a_text_is_no_score():
    texted = reward(lambda rollout: "0.5", name="test/text")
    with pytest.raises(RewardError, match=r"it gave the text '0.5'; a number or a Score is needed"):
        texted(Rollout.of(Example(id="1"), "x"))


def test_a_threshold_that_no_mean_can_reach_is_warned_of():
    with pytest.warns(RuntimeWarning, match=r"thresholds.a is 5, and test/half lies in \[0, 1\]: no mean reaches it"):
        Constrained({"a": half}, {"a": 5.0})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Constrained({"a": half}, {"a": 1.0})


@pytest.mark.parametrize("value", [1, 7, np.int64(7)])
def test_a_whole_number_in_range_passes(value):
    whole_number("X.k", value, 1)
    whole_number("X.k", value, 1, 7)


@pytest.mark.parametrize("value", [0, -1, True, 2.0, "2", None, math.nan, np.float64(2.0)])
def test_anything_else_is_told_with_its_field(value):
    with pytest.raises(ConfigError, match=r"^X.k is .*; a whole number >= 1 is needed$"):
        whole_number("X.k", value, 1)
    with pytest.raises(ConfigError, match=r"; a whole number from 3 to 5 is needed$"):
        whole_number("X.k", 6, 3, 5)


@pytest.mark.parametrize("value", [1e-9, 0.5, np.float32(0.25)])
def test_a_share_passes(value):
    any_share("X.part", value)
    proper_share("X.part", value)


def test_none_and_all_are_shares_and_no_proper_ones():
    """Held out are some examples: with none, or all, one of the splits would be empty."""
    for value in (0, 1, 0.0, 1.0):
        any_share("X.part", value)
        with pytest.raises(ConfigError, match=rf"^X.part is {value}; a number above 0 and below 1 is needed$"):
            proper_share("X.part", value)


@pytest.mark.parametrize("value", [-1e-9, 1.1, math.nan, math.inf, True, False, "0.5", None])
def test_what_is_no_share_is_told_with_its_field(value):
    for check, needed in ((any_share, "from 0 to 1"), (proper_share, "above 0 and below 1")):
        with pytest.raises(ConfigError, match=rf"^X.part is .*; a number {needed} is needed$"):
            check("X.part", value)
