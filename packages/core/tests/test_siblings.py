"""A group's attempts meet: one of them is given all rows, the others are told, and nobody waits for ever."""

import asyncio

from guerdon.adapters.verl.siblings import Siblings, Told
from guerdon.types import Score


def meeting(play, wait_s=0.2, deadline_s=1.0):
    """Run a coroutine of the meeting place, in one event loop, for at most a minute."""

    async def run():
        return await asyncio.wait_for(play(Siblings(wait_s, deadline_s)), 60)

    return asyncio.run(run())


async def attend(place, key, session, of, text):
    """A worker: whoever is given the rows scores them by their lengths."""
    told = await place.join(key, session, of, {"text": text})
    if told.kind == "score":
        scores = {session: Score(float(len(row["text"]))) for session, row in told.rows.items()}
        await place.settle(key, scores)
        return scores[session].value, len(told.rows)
    return (told.score.value if told.score else told.why), 0


def test_the_last_to_come_scores_all_and_every_attempt_gets_its_own_score():
    async def play(place):
        return await asyncio.gather(*(attend(place, "g", session, 3, "x" * session) for session in (2, 0, 1)))

    assert meeting(play) == [(2.0, 0), (0.0, 0), (1.0, 3)]


def test_groups_do_not_mix():
    async def play(place):
        calls = [(key, session) for session in (0, 1) for key in ("a", "bb")]
        found = await asyncio.gather(*(attend(place, key, s, 2, key * (s + 1)) for key, s in calls))
        return [value for value, _ in found]

    assert meeting(play) == [1.0, 2.0, 2.0, 4.0]


def test_without_a_sibling_that_never_comes_the_others_are_compared():
    async def play(place):
        return await asyncio.gather(attend(place, "g", 0, 3, "a"), attend(place, "g", 2, 3, "ccc"))

    assert meeting(play) == [(1.0, 0), (3.0, 2)]


def test_one_that_comes_after_the_comparison_has_no_score():
    async def play(place):
        first = await attend(place, "g", 0, 2, "a")
        return first, await place.join("g", 1, 2, {"text": "late"})

    (value, compared), late = meeting(play)
    assert (value, compared) == (1.0, 1)
    assert late.kind == "lost"
    assert "compared without it" in late.why


def test_an_attempt_that_comes_again_takes_its_own_place():
    async def play(place):
        again = asyncio.ensure_future(place.join("g", 0, 2, {"text": "a"}))
        await asyncio.sleep(0)
        found = await asyncio.gather(attend(place, "g", 0, 2, "aa"), attend(place, "g", 1, 2, "b"))
        return await again, found

    assert meeting(play) == (Told("lost", why="the same attempt came again"), [(2.0, 0), (1.0, 2)])


def test_when_whoever_scores_fails_the_others_are_told_why():
    async def play(place):
        waiting = asyncio.ensure_future(place.join("g", 0, 2, {}))
        await asyncio.sleep(0)
        assert (await place.join("g", 1, 2, {})).kind == "score"
        await place.settle("g", {}, "its sandbox was gone")
        return await waiting

    assert meeting(play) == Told("lost", why="its sandbox was gone")


def test_when_whoever_scores_dies_the_others_do_not_wait_for_ever(monkeypatch):
    from guerdon.adapters.verl import siblings

    monkeypatch.setattr(siblings, "SETTLE_S", 0.1)

    async def play(place):
        waiting = asyncio.ensure_future(place.join("g", 0, 2, {}))
        await asyncio.sleep(0)
        assert (await place.join("g", 1, 2, {})).kind == "score"
        return await waiting

    assert "did not answer within 0.3 s" in meeting(play, deadline_s=0.1).why


def test_one_that_waits_no_more_is_not_the_one_that_is_asked_to_score():
    """The last to come is cancelled while it waits for a third: the first then scores what is there."""

    async def play(place):
        first = asyncio.ensure_future(attend(place, "g", 0, 3, "a"))
        await asyncio.sleep(0)
        gone = asyncio.ensure_future(place.join("g", 1, 3, {"text": "bb"}))
        await asyncio.sleep(0)
        gone.cancel()
        return await first

    assert meeting(play) == (1.0, 2)


def test_a_group_in_which_nobody_waits_is_over():
    async def play(place):
        gone = asyncio.ensure_future(place.join("g", 0, 2, {"text": "a"}))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0.5)
        return await place.join("g", 1, 2, {"text": "late"}), place._scored

    late, scored = meeting(play)
    assert "compared without it" in late.why
    assert scored == {}
