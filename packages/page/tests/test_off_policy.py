"""Off-policy estimates: by hand, how often their intervals hold the truth, and what is refused."""

import json
import math

import numpy as np
import pytest
from click.testing import CliRunner

from guerdon.errors import ConfigError, TaskError
from guerdon_page.bandit_logs import read_decisions, read_open_bandit, target_of, uniform_policy
from guerdon_page.off_policy import doubly_robust, ips, snips

REWARD, PROPENSITY, TARGET = [1.0, 0.0, 0.0, 1.0], [0.5, 0.25, 0.8, 0.5], [0.25, 0.5, 0.2, 1.0]
"""Weights .5, 2, .25, 2."""


def test_estimates_by_hand():
    """IPS (.5 + 2) / 4; SNIPS 2.5 / 4.75; effective size 4.75^2 / (.25 + 4 + .0625 + 4)."""
    assert ips(REWARD, PROPENSITY, TARGET).value == pytest.approx(0.625)
    found = snips(REWARD, PROPENSITY, TARGET)
    assert found.value == pytest.approx(2.5 / 4.75)
    assert found.effective_size == pytest.approx(4.75**2 / 8.3125)
    assert (found.mean_weight, found.largest_weight, found.rows) == (pytest.approx(1.1875), 2.0, 4)


def test_the_interval_is_the_standard_errors():
    """Terms .5, 0, 0, 2: variance over n - 1 is .890625 * ... by hand: mean .625, squares sum 2.6875."""
    found = ips(REWARD, PROPENSITY, TARGET)
    error = math.sqrt(2.6875 / 3 / 4)
    assert found.std_error == pytest.approx(error)
    assert found.high - found.value == pytest.approx(1.959964 * error, rel=1e-6)


def test_clipping_cuts_weights_and_says_how_many():
    found = ips(REWARD, PROPENSITY, TARGET, clip=1.0)
    assert (found.value, found.clipped, found.largest_weight) == (pytest.approx(1.5 / 4), 2, 1.0)


def test_a_right_model_leaves_nothing_to_weigh():
    found = doubly_robust(REWARD, PROPENSITY, TARGET, REWARD, [0.7] * 4)
    assert (found.value, found.std_error) == (pytest.approx(0.7), pytest.approx(0.0))


def test_one_row_has_a_value_and_no_error():
    found = ips([1.0], [0.5], [0.5])
    assert found.value == 1.0
    assert math.isnan(found.std_error)
    assert str(found) == "1, and one row tells no interval, effective size 1.0 of 1"


def test_a_policy_that_the_log_never_shows_has_no_self_normalised_value():
    assert math.isnan(snips(REWARD, PROPENSITY, [0.0] * 4).value)
    assert ips(REWARD, PROPENSITY, [0.0] * 4).effective_size == 0.0
    why = "no row of 4 has a weight, as the policy takes no action that was logged"
    assert str(snips(REWARD, PROPENSITY, [0.0] * 4)) == f"none: {why}"
    assert str(ips(REWARD, PROPENSITY, [0.0] * 4)) == f"0: {why}"


@pytest.mark.parametrize("estimate", [ips, snips])
@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ((REWARD, [0.5, 0.0, 0.5, 0.5], TARGET), "propensity of row 2 is 0.0.*cannot have been impossible"),
        ((REWARD, [0.5, 0.5, math.nan, 0.5], TARGET), "propensity of row 3 is nan"),
        ((REWARD, [0.5, 0.5, 0.5, 1.5], TARGET), "propensity of row 4 is 1.5"),
        ((REWARD, PROPENSITY, [0.5, -0.1, 0.5, 0.5]), "target of row 2 is -0.1; a chance from 0 to 1 is needed$"),
        (([1.0, math.inf, 0.0, 0.0], PROPENSITY, TARGET), "reward of row 2 is inf"),
        (([], [], []), "no row"),
        ((REWARD, PROPENSITY[:3], TARGET), "one number for each of the 4 rows"),
    ],
)
def test_rows_that_cannot_be_are_named(estimate, columns, said):
    with pytest.raises(ConfigError, match=said):
        estimate(*columns)


@pytest.mark.parametrize("options", [{"clip": 0.0}, {"clip": math.nan}, {"confidence": 1.0}])
def test_options_that_cannot_be_are_refused(options):
    with pytest.raises(ConfigError, match="is needed"):
        ips(REWARD, PROPENSITY, TARGET, **options)


def bandit(seed, rows=1500, arms=5):
    """A log of a skewed policy over arms whose rates are known; the uniform policy's value is their mean."""
    random = np.random.default_rng(seed)
    rates, logging = np.linspace(0.1, 0.5, arms), np.array([0.4, 0.3, 0.15, 0.1, 0.05])
    arm = random.choice(arms, rows, p=logging)
    reward = (random.random(rows) < rates[arm]).astype(float)
    return arm, reward, logging[arm], np.full(rows, 1 / arms), rates


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    held = {"ips": 0, "snips": 0, "dr": 0}
    for seed in range(200):
        arm, *logged, rates = bandit(seed)
        model = np.full(5, 0.3)
        found = {
            "ips": ips(*logged),
            "snips": snips(*logged),
            "dr": doubly_robust(*logged, model[arm], np.full(len(arm), 0.3)),
        }
        for name, one in found.items():
            held[name] += one.low <= rates.mean() <= one.high
    assert all(0.90 <= count / 200 <= 0.99 for count in held.values()), held


def test_a_wrong_model_does_not_bias_the_doubly_robust_estimate_and_a_right_one_narrows_it():
    errors = {"ips": [], "wrong": [], "right": []}
    for seed in range(100):
        arm, *logged, rates = bandit(seed)
        for name, model in (("wrong", np.linspace(0.9, 0.0, 5)), ("right", rates)):
            found = doubly_robust(*logged, model[arm], np.full(len(arm), model.mean()))
            errors[name].append(found.value - rates.mean())
        errors["ips"].append(ips(*logged).value - rates.mean())
    spread = {name: np.std(values) for name, values in errors.items()}
    assert abs(np.mean(errors["wrong"])) < 3 * spread["wrong"] / 10
    assert spread["right"] < spread["ips"] < spread["wrong"]


def test_the_made_shops_click_rate_is_estimated_from_pages_of_another_policy():
    """Uniform pages logged; in question: the seemingly best item on top, else uniform."""
    from guerdon_page.worlds import World, logs

    reward, target, truth = [], [], []
    for one in logs(World(), 600):
        best = max(one.items, key=lambda item: item.features[0])
        reward.append(float(one.engagement[0] > 0))
        target.append(float(one.shown[0] == best.id))
        truth.append(one.attraction[one.place[best.id]])
    found = snips(reward, [1 / 9] * 600, target)
    assert found.low <= np.mean(truth) <= found.high
    assert found.value > np.mean(reward) + 0.15


def test_the_command_prints_each_estimate(tmp_path):
    from guerdon_page.commands import command

    path = tmp_path / "log.jsonl"
    rows = [
        {"reward": r, "propensity": p, "target": t, "modelled": 0.5, "expected": 0.5}
        for r, p, t in zip(REWARD, PROPENSITY, TARGET, strict=True)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    ran = CliRunner().invoke(command, ["off-policy", str(path)])
    assert ran.exit_code == 0, ran.output
    assert [line.split()[0] for line in ran.output.splitlines()] == ["ips", "snips", "doubly"]
    assert "0.625 [" in ran.output


DECISION = {"reward": 1, "propensity": 0.5, "target": 0.5}
MODELLED = {"modelled": 0.5, "expected": 0.25}


def decisions(tmp_path, *rows):
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"target": None}, "'target' is None; a chance from 0 to 1"),
        ({"reward": True}, "'reward' is True"),
        ({"reward": math.nan}, "'reward' is nan; a finite number"),
        ({"reward": 10**400}, "'reward'"),
        ({"propensity": 0}, "'propensity' is 0; a chance above 0"),
        ({"propensity": 1.5}, "'propensity' is 1.5"),
        ({"propensity": math.nan}, "'propensity' is nan"),
        ({"target": -0.1}, "'target' is -0.1"),
        ({"modelled": math.inf, "expected": 0.5}, "unlike the rows before"),
    ],
)
def test_a_decision_that_is_not_in_order_is_named_with_its_file_and_line(tmp_path, changes, said):
    path = decisions(tmp_path, DECISION, DECISION | changes)
    with pytest.raises(TaskError, match=f"log.jsonl', line 2.*{said}"):
        read_decisions(path)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([DECISION, DECISION | MODELLED], "line 2 has 'modelled' and 'expected', unlike"),
        ([DECISION | MODELLED, DECISION], "line 2 has no 'modelled' and 'expected', unlike"),
        ([DECISION | {"modelled": 0.5}], "line 1: field 'expected' is missing"),
        ([DECISION | MODELLED | {"expected": math.nan}], "line 1: field 'expected' is nan"),
        ([], "holds no logged decisions"),
    ],
)
def test_a_model_speaks_of_each_row_or_of_none(tmp_path, rows, said):
    with pytest.raises(TaskError, match=said):
        read_decisions(decisions(tmp_path, *rows))
    found = read_decisions(decisions(tmp_path, DECISION | MODELLED))
    assert (found.modelled_N.tolist(), found.expected_N.tolist()) == ([0.5], [0.25])
    assert read_decisions(decisions(tmp_path, DECISION)).modelled_N is None


def test_a_propensity_too_small_for_a_weight_is_named_unless_weights_are_clipped():
    with pytest.raises(ConfigError, match=r"row 2 is 1e-320, too small .* set clip"):
        ips([1.0, 1.0], [0.5, 1e-320], [0.5, 1.0])
    assert ips([1.0, 1.0], [0.5, 1e-320], [0.5, 1.0], clip=3.0).value == 2.0


def test_where_nothing_was_earned_the_interval_has_no_width():
    """As the module says: 200 rows without a click do not show that there are none."""
    found = ips([0.0] * 200, [0.5] * 200, [0.5] * 200)
    assert (found.low, found.value, found.high) == (0.0, 0.0, 0.0)


# -- Open Bandit's files --------------------------------------------------------------------------------------------

HEAD = ",timestamp,item_id,position,click,propensity_score,user_feature_0,user-item_affinity_0\n"
ROWS = "0,2019-11-24,1,1,1,0.5,abc,0.0\n1,2019-11-24,0,3,0,0.25,,0.0\n"


def test_files_are_read_plain_gzipped_from_a_folder_and_from_a_wheel(tmp_path):
    import gzip
    import zipfile

    folder = tmp_path / "men"
    folder.mkdir()
    (folder / "men.csv").write_text(HEAD + ROWS)
    packed = tmp_path / "men.csv.gz"
    packed.write_bytes(gzip.compress((HEAD + ROWS).encode()))
    with zipfile.ZipFile(tmp_path / "obp.whl", "w") as wheel:
        wheel.writestr("obp/dataset/obd/bts/men/men.csv", HEAD + ROWS)
    logs = [
        read_open_bandit(folder),
        read_open_bandit(folder / "men.csv"),
        read_open_bandit(packed),
        read_open_bandit(tmp_path / "obp.whl", "bts/men"),
    ]
    for log in logs:
        assert (log.item_N.tolist(), log.position_N.tolist(), log.click_N.tolist()) == ([1, 0], [1, 3], [1.0, 0.0])
        assert log.propensity_N.tolist() == [0.5, 0.25]
        assert log.context == {"user_feature_0": ("abc", "")}
    with pytest.raises(TaskError, match="0 files for the member 'bts/women'"):
        read_open_bandit(tmp_path / "obp.whl", "bts/women")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD, "no rows"),
        (HEAD.replace("click", "clique") + ROWS, "no column 'click'"),
        (HEAD + ROWS.replace("0.25", "0"), "line 3: propensity_score is '0'"),
        (HEAD + ROWS.replace("0.25", "nan"), "line 3: propensity_score is 'nan'"),
        (HEAD + ROWS.replace("0.25", "1.01"), "line 3: propensity_score is '1.01'"),
        (HEAD + ROWS.replace("1,1,1,0.5", "1,1,2,0.5"), "line 2: click is '2'"),
        (HEAD + ROWS.replace("1,1,1,0.5", "x,1,1,0.5"), "line 2: item_id is 'x'"),
        (HEAD + ROWS.replace("1,1,1,0.5", "1.5,1,1,0.5"), "line 2: item_id is '1.5'; a whole number"),
        (HEAD + ROWS.replace("1,1,1,0.5", "9e9,1,1,0.5"), "line 2: item_id is '9e9'"),
        (HEAD + ROWS.replace("1,1,1,0.5", "1,,1,0.5"), "line 2: position is ''"),
        (HEAD + ROWS + "2,2019-11-24,0,3\n", "line 4: the row has not as many fields as the head, which names 8"),
        (HEAD + ROWS.replace("abc,0.0", "abc,0.0,7"), "line 2: the row has not as many fields"),
        (HEAD + ROWS.replace("abc,0.0", 'abc,"0.0'), "is no CSV: unexpected end of data"),
    ],
)
def test_a_file_that_is_not_in_order_is_named(tmp_path, text, said):
    path = tmp_path / "men.csv"
    path.write_text(text)
    with pytest.raises(TaskError, match=said):
        read_open_bandit(path)


def test_a_gzipped_file_that_was_cut_or_damaged_is_named(tmp_path):
    import gzip

    whole = gzip.compress((HEAD + ROWS).encode())
    path = tmp_path / "men.csv.gz"
    for broken in (whole[:-12], b"no gzip", whole[:12] + b"\xff\xff\xff" + whole[15:]):
        path.write_bytes(broken)
        with pytest.raises(TaskError, match=r"no Open Bandit log can be read from .*men\.csv\.gz"):
            read_open_bandit(path)


def test_a_missing_file_and_an_empty_folder_are_named(tmp_path):
    for path in (tmp_path, tmp_path / "men.csv", tmp_path / "x.whl"):
        with pytest.raises(TaskError, match=r"neither|can be read"):
            read_open_bandit(path)


def test_rare_clicks_are_drawn_towards_the_rate_of_their_position(tmp_path):
    """Item 1 was shown once at position 1 and clicked; 9 others were not: (1 + 10 * .1) / (1 + 10)."""
    path = tmp_path / "men.csv"
    rows = [f"{n},t,{int(n == 0)},1,{int(n == 0)},0.5,a,0.0\n" for n in range(10)]
    path.write_text(HEAD + "".join(rows))
    log = read_open_bandit(path)
    assert log.click_rates(prior=10.0)[1, 0] == pytest.approx(2 / 11)
    assert log.click_rates(prior=0.0)[:, 0] == pytest.approx([0.0, 1.0])
    assert log.click_rates(prior=0.5)[1, 0] == pytest.approx((1 + 0.5 * 0.1) / 1.5)
    assert log.policy().sum(0) == pytest.approx([1.0])
    for refused in (lambda: log.click_rates(-1.0), lambda: log.policy(0.0), lambda: log.policy(math.nan)):
        with pytest.raises(ConfigError, match="prior is"):
            refused()
    with pytest.raises(ConfigError, match=r"shape \(1, 1\); the log has 2 items at 1 positions"):
        target_of(log, uniform_policy(log)[:1])
    assert target_of(log, uniform_policy(log)) == pytest.approx([0.5] * 10)
