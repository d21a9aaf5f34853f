"""The calibration set and what it says of judges and encoders."""

import math
import re

import pytest

from guerdon.errors import ConfigError
from guerdon.judges import StandIn
from guerdon.retrieval import HashedEncoder, TermEncoder
from guerdon_medical.judge_calibration import Pair, calibration_pairs, encoder_calibration, judge_calibration
from guerdon_medical.medix_judging import SynonymJudge, WordsJudge

SYNONYMS = {
    "myocardial infarction": ["heart attack", "MI", "Myocardial Infarction"],
    "mitral insufficiency": ["MI", "mitral regurgitation"],
    "influenza": ["flu"],
}
PARENTS = {
    "myocardial infarction": ["heart disease"],
    "mitral insufficiency": ["heart disease"],
    "influenza": ["infection"],
    "measles": ["infection"],
    "flu": ["infection"],
}


def test_the_set_has_matches_and_three_kinds_of_others():
    pairs = calibration_pairs(SYNONYMS, PARENTS)
    by_kind = {kind: [one for one in pairs if one.kind == kind] for kind in ("synonym", "sibling", "side", "negation")}
    assert {(one.answer, one.gold) for one in by_kind["synonym"]} == {
        ("heart attack", "myocardial infarction"),
        ("mitral regurgitation", "mitral insufficiency"),
        ("flu", "influenza"),
    }  # MI is a name of two things, and a name in capitals is the name
    for one in by_kind["sibling"]:
        assert set(PARENTS[one.answer]) & set(PARENTS[one.gold])
        assert {one.answer, one.gold} != {"flu", "influenza"}
    assert all(one.answer == one.gold.replace("right", "left", 1) for one in by_kind["side"])
    assert all(one.answer == f"no {one.gold}" for one in by_kind["negation"])
    assert [one.match for one in pairs] == [one.kind == "synonym" for one in pairs]


def test_a_seed_draws_the_same_set_again():
    assert calibration_pairs(SYNONYMS, PARENTS, seed=3) == calibration_pairs(SYNONYMS, PARENTS, seed=3)
    assert len(calibration_pairs(SYNONYMS, PARENTS, count=1)) == 4
    with pytest.raises(ConfigError, match="0 names"):
        calibration_pairs({}, {})


def test_the_judge_by_synonyms_knows_its_own_set():
    found = judge_calibration(SynonymJudge(SYNONYMS), calibration_pairs(SYNONYMS, PARENTS))
    assert (found.accuracy["synonym"], found.balanced, found.auc, found.unscored) == (1.0, 1.0, 1.0, 0)


def test_a_judge_that_looks_for_words_takes_a_negation_for_a_match():
    found = judge_calibration(WordsJudge(), calibration_pairs(SYNONYMS, PARENTS))
    assert found.accuracy == {"synonym": 0.0, "sibling": 1.0, "side": 1.0, "negation": 0.0}


def test_vectors_of_words_are_blind_to_a_negation_and_to_a_side_of_a_long_name():
    """Four words of five: .8. By words left and right differ, by pieces of words hardly."""
    pairs = [Pair("left a b c d", "right a b c d", False, "side"), Pair("no a b c d", "a b c d", False, "negation")]
    assert encoder_calibration(TermEncoder(), pairs).accuracy == {"side": 0.0, "negation": 0.0}
    assert encoder_calibration(TermEncoder(), pairs, threshold=0.95).accuracy == {"side": 1.0, "negation": 1.0}


def test_auc_is_the_share_of_pairs_in_order_with_ties_by_half():
    """Cosines: matching 1 and 0; others 1 and 0.5 (of a b and a c). (.5 + 1 + 0 + 0) / 4."""
    pairs = [
        Pair("a", "a", True, "synonym"),
        Pair("a", "b", True, "synonym"),
        Pair("a", "a", False, "sibling"),
        Pair("a b", "a c", False, "sibling"),
    ]
    assert encoder_calibration(TermEncoder(), pairs).auc == pytest.approx(1.5 / 4)


def test_failures_are_counted_and_in_no_figure():
    pairs = calibration_pairs(SYNONYMS, PARENTS)
    found = judge_calibration(StandIn(answers=("perhaps",)), pairs)
    assert found.unscored == found.count == len(pairs)
    assert math.isnan(found.auc)
    assert math.isnan(found.balanced)
    assert all(map(math.isnan, found.accuracy.values()))
    assert encoder_calibration(HashedEncoder(), []).count == 0


def test_on_the_disease_ontology_spelling_is_no_guide_to_meaning(data_dir):
    """Real names: encoders of spelling find few synonyms, and take sides and negations for matches."""
    synonyms, parents, labels = {}, {}, {}
    text = (data_dir / "DO_rare_slim.obo").read_text(encoding="utf-8")
    terms = [block for block in text.split("\n\n") if block.startswith("[Term]") and "is_obsolete" not in block]
    for block in terms:
        labels[re.search(r"^id: (\S+)", block, re.M)[1]] = re.search(r"^name: (.+)$", block, re.M)[1]
    for block in terms:
        name = re.search(r"^name: (.+)$", block, re.M)[1]
        synonyms[name] = re.findall(r'^synonym: "(.*?)" EXACT', block, re.M)
        parents[name] = [labels.get(one, one) for one in re.findall(r"^is_a: (\S+)", block, re.M)]
    pairs = calibration_pairs(synonyms, parents, count=100)
    assert len(pairs) == 400
    assert judge_calibration(SynonymJudge(synonyms), pairs).balanced > 0.99
    by_words = encoder_calibration(TermEncoder(), pairs)
    assert by_words.accuracy["synonym"] < 0.5
    assert encoder_calibration(HashedEncoder(), pairs).accuracy["negation"] < 0.2
