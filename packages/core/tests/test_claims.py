import io
import json
import math
import random
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
from rich.console import Console

from guerdon.claims import Claim, ClaimResult, Measurement, dumps
from guerdon.errors import ConfigError


@dataclass(frozen=True)
class CoinIsFair(Claim):
    name: ClassVar[str] = "test/coin"
    paper: ClassVar[str] = "none"
    statement: ClassVar[str] = "A coin lands heads half of the time."
    tosses: int = 1000
    bias: float = 0.5

    def run(self, seeds, progress=lambda done, total, what: None):
        shares = []
        for done, seed in enumerate(seeds):
            draw = random.Random(seed)
            shares.append(sum(draw.random() < self.bias for _ in range(self.tosses)) / self.tosses)
            progress(done + 1, len(seeds), "seeds")
        held = all(abs(share - 0.5) < 0.1 for share in shares)
        return self.result(held, [Measurement("heads", tuple(shares), needed="0.5 ± 0.1")], seeds)


def test_a_claim_measures_each_seed_and_can_hold():
    seen = []
    result = CoinIsFair().run([0, 1, 2], lambda done, total, what: seen.append((done, total)))
    assert result.held
    assert result.seeds == (0, 1, 2)
    assert len(result.measurements[0].values) == 3
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_claim_can_fail_without_raising():
    result = CoinIsFair(bias=0.9).run([0, 1])
    assert not result.held
    assert "DID NOT HOLD" in str(result)


def test_mean_and_sample_std_are_over_seeds():
    """Mean of 1 and 3 is 2, sample std sqrt(2)."""
    one = Measurement("x", (1.0, 3.0))
    assert (one.mean, one.finite_mean) == (2.0, 2.0)
    assert one.std == pytest.approx(2**0.5)
    assert math.isnan(Measurement("x", ()).mean)


@pytest.mark.parametrize("gone", [math.nan, math.inf, -math.inf])
def test_a_seed_without_a_finite_number_is_never_averaged_away(gone):
    one = Measurement("x", (1.0, gone, 3.0))
    assert math.isnan(one.mean)
    assert math.isnan(one.std)
    assert one.finite_mean == 2.0
    assert "nan" in str(one)


@pytest.mark.parametrize("gone", [math.nan, math.inf])
def test_a_claim_did_not_hold_where_a_judged_measurement_is_no_number_on_a_seed(gone):
    """Even where the verdict was reached over it: min((0.7, nan)) is 0.7."""
    judged, told = Measurement("margin", (0.7, gone), needed=">= 0.5"), Measurement("colour", (0.7, gone))
    assert min(judged.values) == 0.7
    result = CoinIsFair().result(True, [judged], (0, 1), "a note.")
    assert not result.held
    assert result.notes.startswith("a note. not held, whatever else was found")
    assert result.notes.endswith("margin")
    assert CoinIsFair().result(True, [told], (0, 1), "a note.") == ClaimResult(
        "test/coin", True, (told,), (0, 1), "a note.", CoinIsFair.statement, CoinIsFair.paper
    )


def test_both_printed_forms_show_every_seed():
    result = ClaimResult("c", True, (Measurement("x", (0.125, 0.375), "s", "< 1 [b]", "about 0.2"),), (7, 8), "a note")
    table = shown(result)
    for text in ("0.125", "0.375", "needed", "< 1 [b]", "an earlier trial", "about 0.2", "a note"):
        assert text in str(result)
        assert text in table
    assert "seeds 7 to 8" in table
    assert "x [s]" in table


def shown(result, width=120):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(result)
    return console.export_text()


def test_many_seeds_share_a_column_and_are_all_there():
    values = tuple(n / 8 for n in range(12))
    table = shown(ClaimResult("c", True, (Measurement("x", values, needed="< 2"),), tuple(range(12))))
    assert "seeds 0 to 11" in table
    for value in values:
        assert f"{value:.4g}" in table


def test_no_number_is_cut_on_a_narrow_terminal():
    values = (1.133e-08, -0.8192, 5.61e-15)
    told = Measurement("a share of something or other, by a long name", values, "nats", ">= 0.5 on each", "about 0.62")
    table = shown(ClaimResult("c", True, (told,), (0, 1, 2)), width=80)
    assert all(f"{value:.4g}" in table for value in values)


def test_what_was_not_run_makes_it_hold_in_part_in_every_form():
    whole = ClaimResult("c", True, (Measurement("x", (1.0,)),))
    part = replace(whole, not_run=("part [b]: no data here",))
    failed = replace(part, held=False)
    assert [one.verdict for one in (whole, part, failed)] == ["held", "held in part", "did not hold"]
    assert [one.to_json()["verdict"] for one in (whole, part, failed)] == ["held", "held in part", "did not hold"]
    assert str(whole).splitlines()[0] == "c: held"
    assert str(part).splitlines()[0] == "c: held in part"
    assert "not run: part [b]: no data here" in str(part)
    assert "c: held in part" in shown(part)
    assert "Not run: part [b]: no data here." in " ".join(shown(part).split())


def test_a_column_in_which_nothing_stands_is_left_out():
    assert "needed" not in shown(ClaimResult("c", True, (Measurement("x", (1.0,), earlier="0.9"),)))
    assert "earlier" not in shown(ClaimResult("c", True, (Measurement("x", (1.0,), needed="> 0"),)))
    assert "x" in shown(ClaimResult("c", True, (Measurement("x", (1.0,)),)))


def test_a_result_survives_json():
    result = ClaimResult(
        "c", True, (Measurement("x", (0.1, math.nan), "", "> 0", "0.2"),), (0, 1), "n", "s", "p", ("b",)
    )
    again = ClaimResult.from_json(json.loads(dumps([result]))[0])
    assert again == replace(result, measurements=again.measurements)  # NaN is not NaN
    assert str(again) == str(result)
    assert again.measurements[0].values[0] == 0.1


def test_a_seed_without_a_value_is_refused():
    with pytest.raises(ConfigError, match="2 values for 3 seeds"):
        ClaimResult("c", True, (Measurement("x", (1.0, 2.0)),), (0, 1, 2))
