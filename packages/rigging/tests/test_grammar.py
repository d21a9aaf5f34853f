"""What may follow a prefix, one by one and in batches."""

import numpy as np
import pytest

from guerdon.errors import ConfigError
from guerdon_rigging.grammar import Grammar, Phase
from guerdon_rigging.tokens import TokenError, Vocabulary, detokenise

SMALL = Vocabulary(bins=4, codes=3, length=2)
"""branch 4, bos 5, eos_skeleton 6, pad 7, parts 8-10, classes 11-14, codes 15-17, eos_final 18."""
COORDINATES, PARTS, CLASSES, CODES = set(range(4)), {8, 9, 10}, {11, 12, 13, 14}, {15, 16, 17}
JOINT = [0, 1, 2]


def ids(prefix, **options):
    return set(np.flatnonzero(Grammar(SMALL, **options).next_ids(prefix)).tolist())


@pytest.mark.parametrize(
    ("prefix", "allowed"),
    [
        ([], {5}),
        ([5], CLASSES | PARTS | COORDINATES),
        ([5, 14], PARTS | COORDINATES),
        ([5, 14, 9], COORDINATES),
        ([5, 14, 0], COORDINATES),
        ([5, 14, 0, 1], COORDINATES),
        ([5, 14, *JOINT], COORDINATES | PARTS | {4, 6}),
        ([5, 14, *JOINT, 4], COORDINATES),
        ([5, 14, *JOINT, 4, *JOINT], COORDINATES),
        ([5, 14, *JOINT, 4, *JOINT, 3, 3], COORDINATES),
        ([5, 14, *JOINT, 4, *JOINT, 3, 3, 3], COORDINATES | PARTS | {4, 6}),
        ([5, 14, *JOINT, 8], COORDINATES | {4}),
        ([5, 14, *JOINT, 6], CODES),
        ([5, 14, *JOINT, 6, 15], CODES),
        ([5, 14, *JOINT, 6, 15, 16], {18}),
        ([5, 14, *JOINT, *JOINT, 6, 15, 16, 15], CODES),
        ([5, 14, *JOINT, *JOINT, 6, 15, 16, 15, 15], {18}),
        ([5, 14, *JOINT, 6, 15, 16, 18], {7}),
        ([5, 5], {7}),
        ([99], {7}),
        ([-1], {7}),
    ],
)
def test_what_may_follow_is_what_the_sheet_says(prefix, allowed):
    assert ids(prefix) == allowed


def test_an_empty_skeleton_is_allowed_only_where_released_behaviour_is_asked_for():
    assert ids([5, 14], fewest=0) == PARTS | COORDINATES | {6}
    assert ids([5, 14, 6], fewest=0) == {18}


def test_joints_are_as_many_as_they_may_be():
    two = [5, 14, *JOINT, *JOINT]
    assert ids(two, most=2) == {6}
    assert ids(two, most=3) == COORDINATES | PARTS | {4, 6}
    assert ids(two, fewest=3) == COORDINATES | PARTS | {4}
    assert ids([*two, *JOINT], fewest=3, most=3) == {6}
    assert Grammar(SMALL, most=3).longest() == 4 + 4 + 8 + 8 + 6


@pytest.mark.parametrize("wrong", [{"most": 0}, {"fewest": 3, "most": 2}, {"fewest": -1}, {"ending": "early"}])
def test_impossible_limits_are_refused(wrong):
    with pytest.raises(ConfigError):
        Grammar(SMALL, **wrong)


def test_the_released_faults_are_there_on_demand():
    """One code short, and pad, parts and classes open among the codes."""
    assert ids([5, 14, *JOINT, 6], ending="released") == CODES | PARTS | CLASSES | {7}
    assert ids([5, 14, *JOINT, 6, 15], ending="released") == {18}


def drawn(grammar, count, seed, steps=400):
    """Sequences sampled uniformly under the mask, all at once."""
    rng = np.random.default_rng(seed)
    states, tokens = grammar.start(count), []
    for _ in range(steps):
        noise = rng.gumbel(size=(count, grammar.vocabulary.size)) + grammar.tables.penalty[states.phase]
        tokens.append(noise.argmax(axis=1))
        states = grammar.advance(states, tokens[-1])
    return np.array(tokens).T, states


@pytest.mark.parametrize("length", [0, 1, 3])
def test_whatever_is_sampled_under_the_mask_is_a_rig(length):
    words = Vocabulary(bins=4, codes=3 * (length > 0), length=length)
    grammar = Grammar(words, most=12)
    tokens, states = drawn(grammar, 64, seed=length)
    assert states.done.all()
    assert (states.phase == Phase.DONE).all()
    for row, joints in zip(tokens, states.joints, strict=True):
        decoded = detokenise(words, row)
        assert len(decoded.skeleton) == joints <= 12
        assert decoded.codes.shape == (joints, length)
        assert np.flatnonzero(row == words.eos_final)[0] < grammar.longest()


def test_released_samples_are_read_as_released():
    grammar = Grammar(SMALL, most=4, ending="released")
    rows, _ = drawn(grammar, 32, seed=5)
    clean = [row for row in rows if not np.isin(row[: (row == 18).argmax()], [7]).any()]
    read = 0
    for row in clean:
        skin = row[(row == 6).argmax() + 1 : (row == 18).argmax()]
        if np.isin(skin, list(CODES)).all():
            assert detokenise(SMALL, row, ending="released").codes[-1, -1] == 0
            read += 1
    assert read


def test_the_mask_and_the_reader_agree_token_by_token():
    """After each prefix of a rig, the reader rejects exactly those ids at that place that the mask closes."""
    grammar = Grammar(SMALL, most=3)
    rows, _ = drawn(Grammar(SMALL, most=2), 8, seed=1)
    for row in rows:
        end = int((row == 18).argmax())
        for place in range(end + 1):
            allowed = grammar.next_ids(row[:place])
            for token in range(SMALL.size):
                try:
                    detokenise(SMALL, [*row[:place].tolist(), token])
                    rejected = False
                except TokenError as error:
                    rejected = error.index == place
                assert rejected != allowed[token], (row[:place].tolist(), token)


def test_a_batch_moves_like_its_rows_alone():
    grammar = Grammar(SMALL, most=5)
    tokens, states = drawn(grammar, 16, seed=3, steps=17)
    for place, row in enumerate(tokens):
        alone = grammar.after(row)
        assert [int(part[0]) for part in alone] == [int(part[place]) for part in states]


def test_penalties_are_the_masks_in_numbers():
    tables = Grammar(SMALL).tables
    assert ((tables.penalty == 0) == tables.allowed).all()
    assert np.isneginf(tables.penalty[~tables.allowed]).all()
    assert tables.allowed.any(axis=1).all()  # no phase is a dead end


@pytest.mark.parametrize("prefix", [[0.5], [[5]]])
def test_a_prefix_is_a_flat_list_of_ids(prefix):
    with pytest.raises(ValueError, match="flat list"):
        Grammar(SMALL).next_ids(prefix)


@pytest.mark.model
def test_tables_of_torch_move_the_same_way():
    torch = pytest.importorskip("torch")
    grammar = Grammar(SMALL, fewest=2, most=5)
    tables = grammar.put(torch.as_tensor)
    tokens, states = drawn(grammar, 16, seed=4, steps=60)
    moved = grammar.start(16, torch.as_tensor)
    for column in torch.as_tensor(tokens).T:
        moved = grammar.advance(moved, column, tables)
    assert [part.tolist() for part in moved] == [part.tolist() for part in states]
