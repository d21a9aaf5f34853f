"""What turns pictures and text into a vision-language model's inputs: its own processor, without torchvision.

Pictures go through PIL. A processor that also knows videos is built without that part, whose reader wants torchvision.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import torch

from guerdon.errors import PolicyError
from guerdon.parsing.images import opened
from guerdon.types import Message

KEPT_BYTES = 2 << 30
"""Bytes of processed pictures kept: a batch is sampled from, scored and trained on with the same ones, and small models
see each picture of their data more than once. Processing one takes longer than a small vision tower's look at it. The
6,000 pictures of `driving`, in float32, take 1.3e9: with less, each epoch would find the last one's dropped."""

ReadPrompt = tuple[tuple[int, ...], Mapping[str, torch.Tensor]]
"""A prompt's token ids, placeholders expanded, and what the model is given beside them."""

Form = Literal["prompt", "reply", "late reply"]
"""What the rendered text is of the messages: the whole of them; or what stands behind a turn that the policy closed, or
left open."""


class ImageTextProcessor:
    """A processor of transformers, and what it made of the prompts of late."""

    def __init__(self, processor: Any, dtype: torch.dtype = torch.float32) -> None:
        """
        Args:
            processor: of transformers.
            dtype: what the model computes in; pictures are rounded to it here, and kept so.
        """
        self.processor, self.dtype = processor, dtype
        self._kept: OrderedDict[tuple[Form, tuple[Message, ...]], ReadPrompt] = OrderedDict()
        self._bytes = 0

    @property
    def image_id(self) -> int | None:
        """The token that stands for a picture's states; None where the processor does not say."""
        told = getattr(self.processor, "image_token_id", None)
        return told if isinstance(told, int) else None

    def read(self, messages: tuple[Message, ...], render: Callable[[], str], form: Form = "prompt") -> ReadPrompt:
        """A prompt as the model takes it.

        Args:
            messages: with at least one image.
            render: gives their text by the chat template, with one placeholder per image.
            form: what that text is of them.

        Raises:
            TaskError: an image cannot be read.
            PolicyError: the processor refuses them.
        """
        kept = (form, messages)
        if kept in self._kept:
            self._kept.move_to_end(kept)
            return self._kept[kept]
        pictures = [opened(image) for message in messages for image in message.images]
        text = render()
        try:
            read = dict(
                self.processor(text=[text], images=pictures, return_tensors="pt", add_special_tokens=False).items()
            )
        except Exception as error:  # foreign code of a hundred models; whatever it raises, it did not read the prompt
            name = type(self.processor).__name__
            raise PolicyError(f"{name} could not read a prompt with {len(pictures)} image(s): {error}") from error
        ids = tuple(read.pop("input_ids")[0].tolist())
        read.pop("attention_mask", None)
        given = {name: self._rounded(value) for name, value in read.items() if isinstance(value, torch.Tensor)}
        self._kept[kept] = ids, given
        self._bytes += _size(given)
        while self._bytes > KEPT_BYTES and len(self._kept) > 1:
            _, (_, oldest) = self._kept.popitem(last=False)
            self._bytes -= _size(oldest)
        return ids, given

    def _rounded(self, value: torch.Tensor) -> torch.Tensor:
        """In the model's type; a mask at one eighth of its size, made whole where the model is given it."""
        if value.is_floating_point():
            return value.to(self.dtype)
        return value.to(torch.int8) if value.numel() and int(value.min()) >= 0 and int(value.max()) <= 1 else value

    def save_pretrained(self, path: Path) -> None:
        """Write it beside the weights, so that transformers finds it there."""
        self.processor.save_pretrained(path)


def _size(given: Mapping[str, torch.Tensor]) -> int:
    return sum(value.numel() * value.element_size() for value in given.values())


def sees(config: Any) -> bool:
    """Whether a configuration is that of a model which reads pictures and text and writes text."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

    return config.model_type in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES and hasattr(config, "vision_config")


def processor_from(source: str, tokenizer: Any, config: Any, *, local_files_only: bool = False) -> ImageTextProcessor:
    """The processor beside a model's weights.

    Args:
        source: a folder or hub id.
        tokenizer: already loaded from there.
        config: the model's.
        local_files_only: ask no hub.

    Raises:
        OSError, ValueError: there is none.
        ImportError: it needs a package that is not installed.
    """
    from transformers import AutoImageProcessor, AutoProcessor

    try:
        return ImageTextProcessor(AutoProcessor.from_pretrained(source, local_files_only=local_files_only))
    except ImportError:  # of torchvision, for videos
        kind = _without_videos(source, config, local_files_only=local_files_only)
        pictures = AutoImageProcessor.from_pretrained(source, backend="pil", local_files_only=local_files_only)
        return ImageTextProcessor(
            kind(
                image_processor=pictures,
                tokenizer=tokenizer,
                video_processor=None,
                chat_template=tokenizer.chat_template,
            )
        )


def _without_videos(source: str, config: Any, *, local_files_only: bool) -> Any:
    """The model's processor class, which takes None for its part that reads videos."""
    import transformers
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING_NAMES
    from transformers.utils import cached_file

    named = cached_file(
        source, "processor_config.json", local_files_only=local_files_only, _raise_exceptions_for_missing_entries=False
    )
    told = json.loads(Path(named).read_text(encoding="utf-8")).get("processor_class") if named else None
    parent = getattr(transformers, told or PROCESSOR_MAPPING_NAMES[config.model_type])

    class WithoutVideos(parent):  # type: ignore[misc, valid-type]
        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            return None if argument is None else super().check_argument_for_proper_class(argument_name, argument)

        def save_pretrained(self, path: Path, **_: Any) -> None:
            self.image_processor.save_pretrained(path)
            self.tokenizer.save_pretrained(path)
            told = json.dumps({"processor_class": parent.__name__})
            (Path(path) / "processor_config.json").write_text(told, encoding="utf-8")

    return WithoutVideos
