"""An attempt that goes on behind its end: what is kept was sampled, what is added is given, one turn more is said."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from guerdon.errors import ConfigError, PolicyError
from guerdon.policies.language import LanguagePolicy
from guerdon.policies.tabular import TabularPolicy
from guerdon.protocols import Resumes, Resumption, Sampling, Split, Task
from guerdon.types import Example, Message, Prompt, Rollout, Segment

_spec = importlib.util.spec_from_file_location("tiny_sighted", Path(__file__).with_name("tiny_sighted.py"))
tiny_sighted = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_sighted)
tiny_models, noise = tiny_sighted.tiny_models, tiny_sighted.noise

SAMPLING = Sampling(max_tokens=6)


class Asking(Task):
    name = "asking"

    def examples(self, split: Split) -> list[Example]:
        return [Example(id="a")]

    def prompt(self, example: Example) -> Prompt:
        return Prompt((Message("user", "Hi"),))


def blind() -> LanguagePolicy:
    return LanguagePolicy(tiny_models.tiny_llama(), tiny_models.byte_tokenizer())


def said(policy: Any, text: str) -> Rollout:
    """As if it had been sampled, with made-up log-probs."""
    rollout = policy.reference_rollout(Asking(), Example(id="a"), text)
    (segment,) = rollout.segments
    logprobs = tuple(-0.125 * place for place in range(len(segment.token_ids)))
    return replace(rollout, segments=(replace(segment, logprobs=logprobs), Segment("environment", "done")), index=3)


def test_what_is_kept_is_what_was_sampled_and_the_rest_is_given():
    """A token a letter: of "I say B" six are kept; the template's turns stand behind them."""
    policy = blind()
    first = said(policy, "I say B")
    (rollout,) = policy.resumed([Resumption(first, 6, "no: ", "a hint")], SAMPLING, seed=0)
    kept, forced, shown, new = rollout.segments
    assert (kept.author, kept.text, len(kept.token_ids)) == ("policy", "I say ", 6)
    assert kept.logprobs == first.segments[0].logprobs[:6]
    assert (forced.author, forced.text) == ("forced", "no: ")
    assert (shown.author, shown.text) == ("environment", "a hint")
    assert (new.author, rollout.index, rollout.prompt_ids) == ("policy", 3, first.prompt_ids)
    ids = [*rollout.prompt_ids, *(token for one in (kept, forced, shown) for token in one.token_ids)]
    assert policy.tokenizer.decode(ids) == "[user]Hi<end>[assistant]I say no: <end>[user]a hint<end>[assistant]"
    assert isinstance(policy, Resumes)


def test_the_new_turn_has_the_log_probs_that_it_is_scored_with():
    policy = blind()
    rollouts = policy.resumed(
        [Resumption(said(policy, text), 2, "", "hm") for text in ("abc", "xyz")], SAMPLING, seed=4
    )
    for rollout in rollouts:
        new = rollout.segments[-1]
        scored = policy.logprobs([rollout], grad=False).logprobs_N[-len(new.token_ids) :]
        torch.testing.assert_close(scored, torch.tensor(new.logprobs), atol=1e-4, rtol=0)
        assert rollout.steps == 2 + len(new.token_ids)


def test_a_token_that_is_kept_in_part_was_not_chosen_for_it_and_its_beginning_is_forced():
    """A letter of two tokens is kept whole; tokens whose text is not the turn's (a server's may be so) are not kept."""
    policy = blind()
    first = said(policy, "aé")
    (rollout,) = policy.resumed([Resumption(first, 2, "!", "hm")], SAMPLING, seed=0)
    assert [(one.author, one.text) for one in rollout.segments[:2]] == [("policy", "aé"), ("forced", "!")]
    whole = replace(first.segments[0], token_ids=(5, *first.segments[0].token_ids[1:]), text="zé")  # 5 is no "z"
    (rollout,) = policy.resumed([Resumption(replace(first, segments=(whole,)), 1, "!", "hm")], SAMPLING, seed=0)
    assert [(one.author, one.text) for one in rollout.segments[:2]] == [("forced", "z!"), ("environment", "hm")]


def test_a_picture_is_shown_within_the_rollout():
    policy = tiny_sighted.llava()
    first = said(policy, "I say B")
    (rollout,) = policy.resumed([Resumption(first, 6, "", "a case", (noise(1),))], SAMPLING, seed=0)
    assert rollout.prompt == first.prompt
    assert rollout.segments[1].images == (noise(1),)
    new = rollout.segments[-1]
    scored = policy.logprobs([rollout], grad=False).logprobs_N[-len(new.token_ids) :]
    torch.testing.assert_close(scored, torch.tensor(new.logprobs), atol=1e-4, rtol=0)
    with pytest.raises(PolicyError, match="reads text only"):
        blind().resumed([Resumption(said(blind(), "a"), 1, "", "", (noise(1),))], SAMPLING, seed=0)


def test_an_attempt_without_room_is_truncated_and_the_others_go_on():
    """The context is 128 tokens."""
    policy = blind()
    long, short = (Resumption(said(policy, "x" * length), length, "", "y") for length in (90, 5))
    cut, whole = policy.resumed([long, short], SAMPLING, seed=0)
    assert (cut.stop, cut.segments[-1].author) == ("length", "environment")
    assert whole.segments[-1].author == "policy"


def test_a_placeholder_of_the_policys_own_is_not_gone_on_behind():
    policy = tiny_sighted.llava()
    first = said(policy, "ab")
    (segment, _) = first.segments
    token = policy.chat.image_id
    forged = replace(segment, token_ids=(token, *segment.token_ids[1:]), text=f"{policy.tokenizer.decode([token])}b")
    attempt = Resumption(replace(first, segments=(forged,)), len(forged.text), "", "x", (noise(1),))
    (rollout,) = policy.resumed([attempt], SAMPLING, seed=0)
    assert (rollout.stop, rollout.segments[-1].author) == ("stop", "environment")


def test_words_without_tokens_are_given_theirs_where_they_are_only_given():
    """An attempt of a server's that told text alone: its prompt, its opening and its last turn are read again."""
    policy = blind()
    prompt = Prompt((Message("user", "Hi"),), forced="so: ")
    first = Rollout(Example(id="a"), (Segment("forced", "so: "), Segment("policy", "I say B")), prompt)
    (rollout,) = policy.resumed([Resumption(first, 6, "no: ", "a hint")], SAMPLING, seed=0)
    assert [(one.author, one.text) for one in rollout.segments[:3]] == [
        ("forced", "so: "),
        ("forced", "I say no: "),
        ("environment", "a hint"),
    ]
    ids = [*rollout.prompt_ids, *(token for one in rollout.segments[:3] for token in one.token_ids)]
    assert policy.tokenizer.decode(ids) == "[user]Hi<end>[assistant]so: I say no: <end>[user]a hint<end>[assistant]"
    new = rollout.segments[-1]
    scored = policy.logprobs([rollout], grad=False).logprobs_N
    torch.testing.assert_close(scored, torch.tensor(new.logprobs), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("place", "lost"),
    [
        (0, Segment("policy", "ask")),
        (1, Segment("environment", "told")),
        (1, Segment("environment", images=(noise(1),))),
    ],
)
def test_an_earlier_turn_without_tokens_is_refused_by_name(place: int, lost: Segment):
    policy = tiny_sighted.llava()
    turns = [Segment("policy", "ask", (5, 2)), Segment("environment", "told", (6, 7)), Segment("policy", "B", (8, 2))]
    turns[place] = lost
    whole = Rollout(Example(id="a"), tuple(turns), Prompt((Message("user", "Hi"),)), (3, 4))
    with pytest.raises(PolicyError, match=rf"segment {place} \(of the author '{lost.author}'\) of the attempt at 'a'"):
        policy.resumed([Resumption(whole, 1, "", "x")], SAMPLING, seed=0)


def test_a_table_goes_on_from_what_it_is_told():
    policy = TabularPolicy(["a", "hint"], ["B", "C"])
    policy.logits_SA.data[1, 1] = 50.0
    (group,) = policy.sample(Asking(), [Example(id="a")], 1, Sampling(), seed=0)
    (first,) = group.rollouts
    whole, cut = policy.resumed(
        [Resumption(first, 1, "", "hint"), Resumption(first, 0, "so", "hint")], Sampling(), seed=0
    )
    assert [(one.author, one.text) for one in whole.segments] == [
        ("policy", first.segments[0].text),
        ("environment", "hint"),
        ("policy", "C"),
    ]
    assert [(one.author, one.text) for one in cut.segments] == [
        ("forced", "so"),
        ("environment", "hint"),
        ("policy", "C"),
    ]
    both = policy.logprobs([whole, cut], grad=False)
    assert both.lengths == (2, 1)
    assert both.logprobs_N.tolist() == pytest.approx([math.log(0.5), 0.0, 0.0], abs=1e-6)


@pytest.mark.parametrize("kept", [-1, 4])
def test_more_than_was_said_cannot_be_kept(kept: int):
    with pytest.raises(ConfigError, match=f"kept is {kept}; a number from 0 to 3"):
        Resumption(Rollout(Example(id="a"), (Segment("policy", "abc"),)), kept, "", "")
