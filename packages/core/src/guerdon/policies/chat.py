"""Between text and tokens: prompts through a model's chat template, turns of an environment, references.

Everything a rollout holds in tokens is made here, once; nothing later re-tokenises text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from guerdon.engines.wording import Wording
from guerdon.errors import PolicyError
from guerdon.protocols import Continuation
from guerdon.types import Image, Message, Prompt

if TYPE_CHECKING:
    import torch

    from guerdon.engines.multimodal import Pictures
    from guerdon.policies.processors import ImageTextProcessor

_SENTINEL = "\x1aguerdon\x1a"
"""Marks a place in a rendered conversation; no chat template and no text contains it."""


class Chat:
    """One tokenizer and its chat template; without a template, messages are joined by blank lines."""

    def __init__(self, tokenizer: Any, processor: ImageTextProcessor | None = None) -> None:
        """
        Args:
            tokenizer: of transformers.
            processor: of a model that sees; without one, prompts with images are refused.
        """
        self.tokenizer, self.processor = tokenizer, processor
        own = None if processor is None else getattr(processor.processor, "chat_template", None)
        self.template = own or tokenizer.chat_template
        placeholder = None if processor is None else getattr(processor.processor, "image_token", None)
        self.wording = Wording(tokenizer, [placeholder] if isinstance(placeholder, str) else [])

    @property
    def end_id(self) -> int:
        """The token that ends the policy's turn.

        Raises:
            PolicyError: the tokenizer has no end token.
        """
        end = self.tokenizer.eos_token_id
        if end is None:
            raise PolicyError("the tokenizer has no eos_token; set it to the token that ends a turn")
        return int(end)

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids of text that a template or a task wrote, nothing added; special tokens written out in it are
        recognised. A lone surrogate, which no tokenizer takes, becomes a question mark.
        """
        return tuple(self.tokenizer.encode(_whole(text), add_special_tokens=False)) if text else ()

    def said_ids(self, text: str) -> tuple[int, ...]:
        """Token ids of what a policy says, or is to say: as `encode`, and none of them special. A policy that means to
        end its turn does so by a token, not by its spelling.
        """
        return self.wording.tokens(_whole(text))

    def _rendered_ids(self, text: str) -> tuple[int, ...]:
        """Token ids of rendered messages: the special tokens in them are the template's; without one there are none."""
        return self.encode(text) if self.template else self.said_ids(text)

    def read(self, prompt: Prompt) -> tuple[tuple[int, ...], Pictures]:
        """A prompt's token ids, and what the model is given beside them for its images.

        Raises:
            PolicyError: the prompt has no messages, the template refuses them, or there are images and the model does
                not see.
            TaskError: an image cannot be read.
        """
        images = prompt.images
        if not images:
            return self.prompt_ids(prompt), {}
        processor = self._seeing("the prompt shows", images)
        return processor.read(prompt.messages, lambda: _whole(self._render(prompt.messages, speak=True)))

    @property
    def image_id(self) -> int | None:
        """The token that stands for a picture's states; None where the model does not see, or does not say."""
        return None if self.processor is None else self.processor.image_id

    def pictures(self, images: tuple[Image, ...], ids: Sequence[int]) -> Pictures:
        """What the model is given beside tokens in which images stand anywhere: in a prompt, in an environment's words.

        The processor reads them side by side, as it would the pictures of one prompt.

        Args:
            images: at least one, in the order of their placeholders.
            ids: the tokens, placeholders expanded.

        Raises:
            PolicyError: the model does not see; or the tokens hold another number of placeholders than the images fill.
            TaskError: an image cannot be read.
        """
        shown = (Message("user", "", images),)
        processor = self._seeing("a rollout shows", images)
        read, given = processor.read(shown, lambda: self._render(shown, speak=True))
        if self.image_id is not None and read.count(self.image_id) != (there := list(ids).count(self.image_id)):
            raise PolicyError(
                f"{len(images)} image(s) fill {read.count(self.image_id)} placeholder tokens, and the rollout has "
                f"{there}: its tokens were made of other images, or by another processor"
            )
        return {
            name: _told_of(ids, read, tensor) if tensor.shape == (1, len(read)) else tensor
            for name, tensor in given.items()
        }

    def _seeing(self, who: str, images: Sequence[Image]) -> ImageTextProcessor:
        if self.processor is None or not self.template:
            raise PolicyError(
                f"{who} {len(images)} image(s), and this model reads text only; choose a vision-language "
                "one (`model: smollm2-135m-vision` is there without a hub)"
            )
        return self.processor

    def prompt_ids(self, prompt: Prompt) -> tuple[int, ...]:
        """Token ids of the rendered messages, ready for the assistant to speak.

        Raises:
            PolicyError: the prompt has no messages, or the template refuses them; or as in `read`, of images.
        """
        if not prompt.messages:
            raise PolicyError("a language policy needs a prompt with messages; this task's prompts have none")
        if prompt.images:
            return self.read(prompt)[0]
        ids = self._rendered_ids(self._render(prompt.messages, speak=True))
        if not self.template and self.tokenizer.bos_token_id is not None:
            ids = (int(self.tokenizer.bos_token_id), *ids)
        return ids

    def conversation_ids(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Token ids of complete turns, after which nobody is about to speak.

        Raises:
            PolicyError: the template refuses them, or one shows images, which would be lost.
        """
        if any(message.images for message in messages):
            raise PolicyError("the messages show images, and what reads them here is handed text alone")
        ids = self._rendered_ids(self._render(messages, speak=False))
        if not self.template and self.tokenizer.bos_token_id is not None:
            ids = (int(self.tokenizer.bos_token_id), *ids)
        return ids

    def reply_ids(self, text: str, images: tuple[Image, ...] = (), *, ended: bool) -> tuple[int, ...]:
        """Tokens that carry an environment's words and images between two turns of the policy.

        Args:
            text: what the environment says; it speaks as the user.
            images: shown before the text, as a prompt's; their placeholders are expanded.
            ended: whether the policy's turn closed with its end token, or still has to be closed.

        Raises:
            PolicyError: there are images, and the model does not see.
            TaskError: an image cannot be read.
        """
        said = Message("user", text, images)
        if not images:
            return self._rendered_ids(self._glue(said, ended=ended))
        processor = self._seeing("the environment shows", images)
        return processor.read(
            (said,), lambda: _whole(self._glue(said, ended=ended)), "reply" if ended else "late reply"
        )[0]

    def _glue(self, said: Message, *, ended: bool) -> str:
        rendered = self._render((Message("user", "."), Message("assistant", _SENTINEL), said), speak=True)
        glue = rendered.rpartition(_SENTINEL)[2]
        end = self.tokenizer.eos_token or ""
        return glue[len(end) :] if ended and end and glue.startswith(end) else glue

    def given(self, continuation: Continuation) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """The tokens of the turns before, of the prefix, and of the text, each as it is in its place.

        An assistant's turn is what a policy says behind its prompt: those tokens first, then prefix and text as one.
        Anybody else's turn is content within the rendered conversation, and tokenised with it.

        Raises:
            PolicyError: the template refuses the messages; or they show images, and the text is not the assistant's.
        """
        if continuation.role != "assistant" and any(message.images for message in continuation.messages):
            raise PolicyError(
                f"a text of the {continuation.role}'s is to be scored behind messages that show images; only the "
                "assistant's can be"
            )
        if continuation.role == "assistant":
            said = continuation.prefix + continuation.text
            before, head, start = self._before(continuation.messages), "", len(continuation.prefix)
        else:
            text = self._inert(continuation.text)
            said = self._inert(continuation.prefix + continuation.text)
            marked = (*continuation.messages, Message(continuation.role, _SENTINEL))
            before, head = (), self._render(marked, speak=False).rpartition(_SENTINEL)[0]
            if not self.template and self.tokenizer.bos_token_id is not None:
                before = (int(self.tokenizer.bos_token_id),)
            start = len(head) + len(said) - len(text)
        ids = self.encode(head + said)
        first = self._token_at(head + said, ids, start)
        glue = self._token_at(head + said, ids, len(head)) if head else 0
        return (*before, *ids[:glue]), ids[glue:first], ids[first:]

    def _before(self, messages: Sequence[Message]) -> tuple[int, ...]:
        if messages:
            return self.prompt_ids(Prompt(tuple(messages)))
        start = self.tokenizer.bos_token_id
        if start is None or self.template:
            raise PolicyError("a text can be scored only behind something: give it at least one message before")
        return (int(start),)

    def _token_at(self, text: str, ids: Sequence[int], start: int) -> int:
        """How many tokens end at or before character `start`."""
        if start == 0:
            return 0
        if self.tokenizer.is_fast:
            told = self.tokenizer(_whole(text), add_special_tokens=False, return_offsets_mapping=True)
            ends = [end for _, end in told["offset_mapping"]]
            if tuple(told["input_ids"]) == tuple(ids):
                return next((place for place, end in enumerate(ends) if end > start), len(ids))
        # No offsets: what the beginning alone is cut into, as far as that agrees with the whole.
        alone = self.encode(text[:start])
        return next(
            (place for place, (a, b) in enumerate(zip(alone, ids, strict=False)) if a != b), min(len(alone), len(ids))
        )

    def _inert(self, content: str) -> str:
        """Content in which no special token is spelt out: a question or a tool's answer must not end a turn."""
        return self.wording.inert(content)

    def _content(self, message: Message) -> str | list[dict[str, str]]:
        """As templates expect it: parts for a model that sees, else the text."""
        text = self._inert(message.content)
        if self.processor is None:
            return text
        return [*({"type": "image"} for _ in message.images), {"type": "text", "text": text}]

    def _render(self, messages: Sequence[Message], *, speak: bool) -> str:
        if not self.template:
            return "\n\n".join(message.content for message in messages) + ("\n\n" if speak else "")
        chat = [{"role": message.role, "content": self._content(message)} for message in messages]
        try:
            return str(
                self.tokenizer.apply_chat_template(
                    chat, chat_template=self.template, tokenize=False, add_generation_prompt=speak
                )
            )
        except Exception as error:  # a template is a foreign program; jinja's errors have no common root we depend on
            roles = [message.role for message in messages]
            raise PolicyError(f"the model's chat template refused messages with roles {roles!r}: {error}") from error


def _told_of(ids: Sequence[int], read: Sequence[int], values_1P: torch.Tensor) -> torch.Tensor:
    """What a processor says of each token, for other tokens: of placeholders as there, of all others 0."""
    told = {token: value for token, value in zip(read, values_1P[0].tolist(), strict=True) if value}
    return values_1P.new_tensor([[told.get(token, 0) for token in ids]])


def _whole(text: str) -> str:
    """The text with "?" for each half of a character (a lone surrogate, as JSON can hold): tokenizers refuse those."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def with_observation(prompt: Prompt, observation: str) -> Prompt:
    """The prompt followed by an environment's first words, in the last user message where there is one."""
    if not observation:
        return prompt
    *before, last = prompt.messages or (Message("user", ""),)
    if last.role == "user":
        last = Message("user", f"{last.content}\n\n{observation}".strip(), last.images)
        return Prompt((*before, last), prompt.observation, prompt.forced)
    return Prompt((*prompt.messages, Message("user", observation)), prompt.observation, prompt.forced)
