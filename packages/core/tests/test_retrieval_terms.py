"""TF-IDF vectors of words: weights by hand, and texts that no corpus knows."""

import math
import pickle

import numpy as np
import pytest

from guerdon.errors import ConfigError
from guerdon.retrieval import Corpus, TermEncoder

NAMES = Corpus.of(["cardiomyopathy dilated", "cardiomyopathy hypertrophic", "retinitis"])


def cosine(encoder, left, right):
    one, other = encoder.encode([left, right])
    return float(one @ other)


def test_rare_words_count_for_more():
    """N 3: cardiomyopathy ln(4/3) + 1 = 1.287682, dilated and hypertrophic ln(4/2) + 1 = 1.693147."""
    common, rare = math.log(4 / 3) + 1, math.log(4 / 2) + 1
    expected = common**2 / (common**2 + rare**2)
    assert cosine(TermEncoder(NAMES), *[one.text for one in NAMES.documents[:2]]) == pytest.approx(expected, abs=1e-6)


def test_without_a_corpus_every_word_weighs_alike():
    assert cosine(TermEncoder(), "left lung fibrosis", "right lung fibrosis") == pytest.approx(2 / 3)


def test_an_unknown_word_moves_a_text():
    """ln 4 + 1 = 2.386294 beside 1.693147: what is appended cannot be free."""
    known, unknown = math.log(4 / 2) + 1, math.log(4) + 1
    assert cosine(TermEncoder(NAMES), "retinitis", "retinitis zzz") == pytest.approx(
        known / math.hypot(known, unknown), abs=1e-6
    )


def test_repeated_words_count_once_or_each_time():
    """`each`: (2, 1) and (1, 1) are 3 / sqrt(10) apart."""
    assert cosine(TermEncoder(), "a a b", "a b") == pytest.approx(1.0)
    assert cosine(TermEncoder(count="each"), "a a b", "a b") == pytest.approx(3 / math.sqrt(10))


def test_texts_without_words_are_zero_and_finite():
    vectors = TermEncoder(NAMES).encode(["", "...", "\ud800", "dilated"])
    assert np.isfinite(vectors).all()
    assert vectors.dtype == np.float32
    assert (np.linalg.norm(vectors, axis=1) > 0).tolist() == [False, False, False, True]
    assert TermEncoder().encode([]).shape == (0, 4096)


def test_it_is_a_value_and_its_name_tells_the_corpus():
    encoder = TermEncoder(NAMES)
    assert pickle.loads(pickle.dumps(encoder)) == encoder
    assert encoder.name != TermEncoder(Corpus.of(["another"])).name


def test_a_corpus_may_be_a_file(tmp_path):
    (tmp_path / "names.txt").write_text("".join(f"{one.text}\n" for one in NAMES.documents))
    texts = ["dilated cardiomyopathy", "retinitis"]
    of_file, of_corpus = TermEncoder(str(tmp_path / "names.txt")).encode(texts), TermEncoder(NAMES).encode(texts)
    assert (of_file == of_corpus).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [({"count": "twice"}, "count"), ({"dimensions": 0}, "dimensions"), ({"corpus": "nowhere.txt"}, "no such file")],
)
def test_an_option_that_cannot_be_is_named(options, said):
    with pytest.raises(ConfigError, match=said):
        TermEncoder(**options)
