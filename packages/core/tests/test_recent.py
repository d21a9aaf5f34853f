"""A bounded memory: what is held, what goes first, and what travels."""

import pickle

from guerdon.recent import Recent


def test_what_was_asked_for_last_is_held_longest():
    held = Recent(2)
    held.keep({"a": 1, "b": 2})
    held.known(["a"])
    held.keep({"c": 3})
    assert held.known(["a", "b", "c"]) == {"a": 1, "c": 3}


def test_what_does_not_fit_is_not_held():
    held = Recent(1)
    held.keep({"a": 1, "b": 2, "c": 3})
    assert held.known(["a", "b", "c"]) == {"c": 3}


def test_it_pickles_empty_and_keeps_its_size():
    held = Recent(7)
    held.keep({"a": 1})
    travelled = pickle.loads(pickle.dumps(held))
    assert (travelled.size, travelled.known(["a"])) == (7, {})


def test_what_is_cleared_is_forgotten():
    held = Recent(2)
    held.keep({"a": 1})
    held.clear()
    assert held.known(["a"]) == {}
