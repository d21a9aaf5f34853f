import json
import math
import random
from dataclasses import dataclass
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
        return self.result(held, [Measurement("heads", tuple(shares), expected="0.5 ± 0.1")], seeds)


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


def test_mean_and_sample_std_are_over_seeds_that_gave_numbers():
    """Mean of 1 and 3 is 2, sample std sqrt(2)."""
    one = Measurement("x", (1.0, math.nan, 3.0))
    assert one.mean == 2.0
    assert one.std == pytest.approx(2**0.5)
    assert math.isnan(Measurement("x", ()).mean)


def test_both_printed_forms_show_every_seed():
    result = ClaimResult("c", True, (Measurement("x", (0.125, 0.375), "s", "< 1 [sheet]"),), (7, 8), "a note")
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115 - lives as long as the test
    console.print(result)
    shown = console.export_text()
    for text in ("0.125", "0.375", "< 1 [sheet]", "a note"):
        assert text in str(result)
        assert text in shown
    assert "seed 7" in shown
    assert "x [s]" in shown


def test_a_result_survives_json():
    result = ClaimResult("c", False, (Measurement("x", (0.1, math.nan)),), (0, 1), "n", "s", "p")
    again = ClaimResult.from_json(json.loads(dumps([result]))[0])
    assert str(again) == str(result)
    assert again.measurements[0].values[0] == 0.1


def test_a_seed_without_a_value_is_refused():
    with pytest.raises(ConfigError, match="2 values for 3 seeds"):
        ClaimResult("c", True, (Measurement("x", (1.0, 2.0)),), (0, 1, 2))
