"""Those who wait are answered together, each with its own answer or its own error."""

import threading
from concurrent.futures import Future

import pytest

from guerdon.adapters.batching import Batching


def test_each_caller_gets_its_own_answer_and_those_who_wait_share_a_batch():
    """While the first call is held up, nine more arrive; they are then answered as one batch."""
    batches, busy, go = [], threading.Event(), threading.Event()

    def answer(items):
        batches.append(list(items))
        busy.set()
        assert go.wait(30)
        return [10 * item for item in items]

    batching = Batching(answer)
    found = {}

    def ask(item):
        found[item] = batching(item)

    threads = [threading.Thread(target=ask, args=(item,)) for item in range(10)]
    threads[0].start()
    assert busy.wait(30)
    for thread in threads[1:]:
        thread.start()
    while len(batching._waiting) < 9:
        pass
    go.set()
    for thread in threads:
        thread.join(30)
    assert found == {item: 10 * item for item in range(10)}
    assert [sorted(batch) for batch in batches] == [[0], list(range(1, 10))]


def test_what_one_item_raises_is_not_the_others_affair():
    go, busy = threading.Event(), threading.Event()

    def answer(items):
        busy.set()
        assert go.wait(30)
        return [1 / item for item in items]

    batching = Batching(answer)
    found = {}

    def ask(item):
        try:
            found[item] = batching(item)
        except ZeroDivisionError:
            found[item] = "raised"

    threads = [threading.Thread(target=ask, args=(item,)) for item in (4, 0, 2)]
    threads[0].start()
    assert busy.wait(30)
    for thread in threads[1:]:
        thread.start()
    while len(batching._waiting) < 2:
        pass
    go.set()
    for thread in threads:
        thread.join(30)
    assert found == {4: 0.25, 0: "raised", 2: 0.5}


def test_a_wrong_number_of_answers_is_a_bug_and_not_a_shifted_list():
    with pytest.raises(AssertionError, match="2 answers to 1 items"):
        Batching(lambda items: [0, 0])(1)


def test_more_than_the_most_are_answered_in_turn():
    sizes = []

    def answer(items):
        sizes.append(len(items))
        return items

    batching = Batching(answer, most=2)
    batching._waiting = [(item, Future()) for item in range(4)]
    assert batching("mine") == "mine"
    assert sizes == [2, 2, 1]
