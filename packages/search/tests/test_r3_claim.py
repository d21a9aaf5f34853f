"""The claim of R3: its world, that it can fail, and that it holds."""

import numpy as np
import pytest

from guerdon_search.r3_claim import EACH, KINDS, R3Claim, make_world, preferred
from guerdon_search.topical import FACTORS


@pytest.fixture(scope="module")
def world():
    return make_world(0)


def test_the_kinds_of_answers_are_what_they_say(world):
    lengths = np.array([[len(text.split()) for text in answers] for answers in world.answers])
    by_kind = dict(zip(KINDS, lengths.reshape(24, len(KINDS), EACH).transpose(1, 0, 2), strict=True))
    assert by_kind["copy"].max() == 8
    assert by_kind["short on topic"].max() <= 5
    assert by_kind["long off topic"].min() >= 34
    assert set(by_kind["repeated"].ravel()) == {60}
    assert sum(world.closed) == 8


def test_gold_quality_by_hand(world):
    """An open query's copy covers no fact; its long off-topic answer covers none and is off in every word."""
    copy, off = KINDS.index("copy") * EACH, KINDS.index("long off topic") * EACH
    assert not world.closed[0]
    assert world.quality[0, copy] == 0.0
    assert world.quality[0, off] == -0.5
    assert world.off_topic[0, off] == 1.0


def test_an_answer_of_the_gold_words_alone_is_worth_1_where_closed(world):
    short = slice(KINDS.index("short on topic") * EACH, KINDS.index("short on topic") * EACH + EACH)
    for query in (2, 5, 8):
        for text, worth in zip(world.answers[query][short], world.quality[query, short], strict=True):
            extra = len(text.split()) - 3
            assert worth == pytest.approx(6 / (6 + extra)) or len(set(text.split())) < len(text.split())


def test_relevance_prefers_the_topic_and_length_does_not(world):
    relevance, length = preferred(world, 100, 0)
    assert relevance > 0.95
    assert length == 0.0


def test_the_claim_fails_without_training():
    told = []
    assert not R3Claim(rounds=0).run((0, 1), lambda *args: told.append(args)).held
    assert told[-1] == (10, 10, "done")


def test_the_claim_holds():
    result = R3Claim().run((0, 1, 2))
    assert result.held, result


def test_wrong_kinds_cost_quality_smoothly(world):
    """Pitfall: a wrong kind flips the incentive. A fifth wrong costs some, half wrong more, and neither costs all."""

    def quality(count):
        flipped = [query < count for query in np.random.default_rng(0).permutation(24)]
        policy = R3Claim().trained(world.rewards(FACTORS, flipped), 0)
        return float((policy * world.quality).sum(axis=1).mean())

    right, fifth, half = map(quality, (0, 5, 12))
    assert right > fifth > half > float(world.quality.mean())
