"""From turn to turn an engine reads what is new alone, and draws what it would have drawn."""

# ruff: noqa: E402 - what needs torch is imported after the skip that asks for it

import importlib.util
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import ClassVar

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

_spec = importlib.util.spec_from_file_location("tiny_models", Path(__file__).with_name("tiny_models.py"))
tiny_models = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_models)

from guerdon.engines import decoders
from guerdon.engines.decoders import PlainDecoder, SharedDecoder
from guerdon.engines.llama_decode import LlamaDecoder
from guerdon.engines.memory import Memory
from guerdon.engines.transformers import TransformersEngine, disagreement, tolerance
from guerdon.policies.language import LanguagePolicy
from guerdon.protocols import Sampling, Task, Turn
from guerdon.types import Example, Message, Prompt

PROMPTS = [[5, 9, 100, 41, 7], [8, 8, 250], [11, 12, 13, 14, 15, 16, 17, 18, 19]]
REPLIES = ([21], [22, 23, 24], [25, 26])
DRAWN = Sampling(max_tokens=12)


@pytest.fixture
def read(monkeypatch):
    """How many tokens each reading of prompts took."""
    counts: list[int] = []
    forward = decoders.hidden_states

    def counted(model, ids, *given, **named):
        if ids.shape[0] == 1 and ids.shape[1] > 1:  # prompts are laid end to end
            counts.append(ids.shape[1])
        return forward(model, ids, *given, **named)

    monkeypatch.setattr(decoders, "hidden_states", counted)
    return counts


def engine_of(build=LlamaDecoder, **limits):
    """One that ends a completion at every fourth token of the vocabulary."""
    model = tiny_models.tiny_llama()
    engine = TransformersEngine(model, **limits)
    engine._decoder, engine.end_ids = build(model), frozenset(range(0, 300, 4))
    return engine


def talked(engine, turns=3, n=2):
    """Completions of `turns` turns: n of each prompt, then one of each that was ended by its own token."""
    said = []
    open_ = [list(prompt) for prompt in PROMPTS]
    for turn in range(turns):
        drawn = engine.generate(open_, 1 if turn else n, DRAWN, seed=turn)
        said.append(drawn)
        open_ = [
            [*prompt, *one.token_ids, *REPLIES[place % 3]]
            for prompt, group in zip(open_, drawn, strict=True)
            for place, one in enumerate(group)
            if one.stop == "stop"
        ]
    return said


@pytest.mark.parametrize("build", [LlamaDecoder, SharedDecoder, PlainDecoder])
@pytest.mark.parametrize("limits", [{}, {"max_rows": 2}, {"max_tokens_kept": 30}])
def test_what_is_remembered_changes_no_completion(build, limits):
    engine = engine_of(build, **limits)
    plain = talked(engine)
    with engine.remembering():
        remembered = talked(engine)
    for before, after in zip(plain, remembered, strict=True):
        for one, other in zip(chain(*before), chain(*after), strict=True):
            assert (one.token_ids, one.stop) == (other.token_ids, other.stop)
            assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)


def test_a_turn_reads_its_reply_and_the_last_token_of_what_was_said(read):
    """The last token drawn was never read: with it each reply of 1, 3 or 2 tokens is one longer."""
    engine = engine_of()
    with engine.remembering():
        said = talked(engine)
    assert read[0] == sum(map(len, PROMPTS))
    for turn in (1, 2):
        ended = [place % 3 for group in said[turn - 1] for place, one in enumerate(group) if one.stop == "stop"]
        assert read[turn] == sum(1 + len(REPLIES[place]) for place in ended) > 0


def test_without_it_each_turn_reads_everything(read):
    said = talked(engine_of(), turns=2)
    ended = [(p, k, one) for p, group in enumerate(said[0]) for k, one in enumerate(group) if one.stop == "stop"]
    assert read[1] == sum(len(PROMPTS[p]) + len(one.token_ids) + len(REPLIES[k % 3]) for p, k, one in ended)


def test_nothing_is_remembered_beyond_its_end_or_with_no_room(read):
    engine = engine_of()
    with engine.remembering():
        (drawn,) = engine.generate(PROMPTS[:1], 1, DRAWN, seed=1)
    longer = [[*PROMPTS[0], *drawn[0].token_ids, 21]]
    engine.generate(longer, 1, DRAWN, seed=1)
    assert read == [5, len(longer[0])]
    read.clear()
    none = engine_of(max_tokens_kept=0)
    with none.remembering():
        none.generate(PROMPTS[:1], 1, DRAWN, seed=1)
        none.generate(longer, 1, DRAWN, seed=1)
    assert read == [5, len(longer[0])]


def test_within_another_it_leaves_that_as_it_was(read):
    engine = engine_of()
    with engine.remembering():
        (drawn,) = engine.generate(PROMPTS[:1], 1, DRAWN, seed=1)
        with engine.remembering():
            pass
        engine.generate([[*PROMPTS[0], *drawn[0].token_ids, 21]], 1, DRAWN, seed=1)
    assert read == [5, 2]


def test_where_there_is_no_room_the_known_beginning_stays(read):
    """The first turn fits (5 tokens and what was said), the second does not, and the third goes on behind the first."""
    (drawn,) = engine_of().generate(PROMPTS[:1], 1, DRAWN, seed=1)
    first = [*PROMPTS[0], *drawn[0].token_ids]
    engine = engine_of(max_tokens_kept=len(first) - 1)
    read.clear()
    with engine.remembering():
        engine.generate(PROMPTS[:1], 1, DRAWN, seed=1)
        (again,) = engine.generate([[*first, 21]], 1, DRAWN, seed=2)
        assert again[0].stop == "stop"
        engine.generate([[*first, 21, *again[0].token_ids, 22]], 1, DRAWN, seed=3)
    assert read == [5, 2, 2 + len(again[0].token_ids) + 1]


def test_several_go_on_from_one_beginning(read):
    engine = engine_of()
    with engine.remembering():
        (drawn,) = engine.generate(PROMPTS[:1], 1, DRAWN, seed=1)
        longer = [[*PROMPTS[0], *drawn[0].token_ids, reply] for reply in (21, 22)] + [PROMPTS[2]]
        remembered = engine.generate(longer, 3, DRAWN, seed=2)
    assert read == [5, 2 + 2 + 9]
    anew = engine.generate(longer, 3, DRAWN, seed=2)
    tokens = [[[one.token_ids for one in group] for group in drawn] for drawn in (remembered, anew)]
    assert tokens[0] == tokens[1]


def test_positions_that_depend_on_the_length_are_read_anew(read):
    scaled = {"rope_type": "dynamic", "factor": 4.0, "rope_theta": 10_000.0}
    model = tiny_models.tiny_llama(rope_parameters=scaled, max_position_embeddings=64)
    engine = TransformersEngine(model)
    engine.end_ids = frozenset(range(0, 300, 4))
    engine.decoder()
    read.clear()
    with engine.remembering():
        (drawn,) = engine.generate(PROMPTS[:1], 1, DRAWN, seed=1)
        longer = [[*PROMPTS[0], *drawn[0].token_ids, 21]]
        engine.generate(longer, 1, DRAWN, seed=1)
    assert read == [5, len(longer[0])]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_decoder_that_misplaces_what_it_remembers_is_not_chosen(dtype):
    """What is read behind a beginning is placed one token too early."""

    class Misplaced(SharedDecoder):
        def forward(self, ids, positions, attention):
            pasts = getattr(attention, "pasts", ())
            return super().forward(ids, positions - int(any(pasts)), attention)

    model = tiny_models.tiny_llama().to(dtype)
    right, wrong = (disagreement(model, build(model)) for build in (SharedDecoder, Misplaced))
    assert right < tolerance(model) < wrong


def test_memory_keeps_the_longest_beginning_and_counts_each_token_once():
    def part(tokens):
        return {0: (torch.zeros(2, tokens, 4), torch.zeros(2, tokens, 4))}

    memory, prompt = Memory(most=10), part(3)
    memory.keep((1, 2, 3, 4, 5), None, prompt, part(2))
    memory.keep((1, 2, 3, 6), None, prompt, part(1))
    assert memory.held == 6
    assert memory.room(4)
    assert not memory.room(5)
    first, second, third = memory.taken([(1, 2, 3, 4, 5, 7), (1, 2, 3, 4, 5), (9,) * 6])
    assert (first.length, second, third) == (5, None, None)
    assert first.before(0, torch.zeros(1, 2, 1, 4), torch.zeros(1, 2, 1, 4))[0].shape == (1, 2, 6, 4)
    assert memory.held == 5
    memory.keep((1, 2, 3, 4, 5, 7), first, part(1))
    assert memory.held == 6
    assert memory.taken([(1, 2, 3, 4, 5, 7, 8)])[0].length == 6
    assert memory.taken([(1, 2, 3, 4, 5, 7, 8)]) == [None]


@dataclass(frozen=True)
class Echo(Task):
    """Three turns, whatever is said."""

    name: ClassVar[str] = "test/echo"

    def examples(self, split):
        return [Example(id=f"{split}-{number}") for number in range(2)]

    def prompt(self, example):
        return Prompt((Message("user", f"Say something about {example.id}, and go on when you are asked to."),))

    def environment(self, example):
        return Replies()


class Replies:
    def reset(self, *, seed):
        self.turns = 0
        return ""

    def step(self, segments):
        self.turns += 1
        return Turn(f"And then, number {self.turns}?", terminated=self.turns == 3)


def test_attempts_in_many_turns_are_the_same_and_read_once(read):
    model = tiny_models.tiny_llama(max_position_embeddings=2048)
    policy = LanguagePolicy(model, tiny_models.byte_tokenizer())
    policy.engine.end_ids = frozenset(range(0, 300, 4))
    sampling = Sampling(max_tokens=16)

    def attempts():
        read.clear()
        groups = policy.sample(Echo(), Echo().examples("train"), 3, sampling, seed=4)
        return [rollout for group in groups for rollout in group.rollouts], sum(read)

    remembered, once = attempts()
    policy.engine.remembering = nullcontext
    forgotten, again = attempts()
    said, other = ([[one.token_ids for one in each.segments] for each in all_] for all_ in (remembered, forgotten))
    assert said == other
    assert max(len(rollout.turns) for rollout in remembered) == 3
    assert once < 0.6 * again
