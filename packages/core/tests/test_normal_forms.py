"""The compatibility form: what it makes equal, and that no text makes it slow or long."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guerdon.parsing.normal_forms import nfkc
from guerdon.retrieval.terms import terms

ABOVE, BELOW = "\u0301", "\u0323"


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("plain", "plain"),
        ("ﬁ ½ ２ ㎏", "fi 1⁄2 2 kg"),
        ("e\u0301", "é"),
        ("a" + ABOVE + BELOW, "ạ\u0301"),  # marks in canonical order, and the first composed
        ("ｶﾞ", "ガ"),
        ("㌖", "キロメートル"),
        ("\ud800", "\ud800"),
    ],
)
def test_characters_of_one_meaning_become_one(text, form):
    assert nfkc(text) == form


@given(st.text(max_size=30))
def test_of_a_text_without_long_runs_it_is_unicodes_own(text):
    text = text.replace("\ufdfa", "").replace("\ufdfb", "")
    assert nfkc(text) == unicodedata.normalize("NFKC", text)


def test_thirty_marks_stay_and_more_are_cut():
    """No x has a composed form: 1 + 30 characters."""
    assert [len(nfkc("x" + ABOVE * count + "y")) for count in (29, 30, 31, 500)] == [31, 32, 32, 32]


def test_a_sign_for_a_phrase_stays_one_sign_wherever_it_stands():
    assert nfkc("ﬁ\ufdfa\ufdfbﬁ\ufdfa") == "fi\ufdfa\ufdfbfi\ufdfa"


@pytest.mark.parametrize(
    "pair",
    [
        ABOVE + BELOW,
        "\u0f73" + ABOVE,  # of class 0 itself, and two marks when taken apart
        "\uff9e" + ABOVE,  # a voiced mark of half width, which becomes a combining one
        "\u0344" + BELOW,
        "\ufdfa\ufdfb",
        "é" + BELOW,
    ],
)
def test_no_text_makes_it_slow_or_long(pair):
    """200,000 characters: quadratic sorting takes most of a minute."""
    text = "a" + pair * 100_000
    started = time.process_time()
    assert len(nfkc(text)) <= 6 * len(text)
    terms(text)
    assert time.process_time() - started < 5.0
