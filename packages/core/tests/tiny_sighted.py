"""Random vision-language models of a few thousand weights, one per way in which transformers' models see."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from guerdon.policies.embedded_vision import with_vision
from guerdon.policies.language import LanguagePolicy
from guerdon.policies.processors import ImageTextProcessor
from guerdon.types import Image

_spec = importlib.util.spec_from_file_location("tiny_models", Path(__file__).with_name("tiny_models.py"))
tiny_models = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_models)

_TEXT = {
    "vocab_size": 320,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "eos_token_id": tiny_models.END,
}
_TEMPLATE = (
    "{% for m in messages %}[{{ m['role'] }}]{% for p in m['content'] %}"
    "{% if p['type'] == 'image' %}PLACEHOLDER{% else %}{{ p['text'] }}{% endif %}{% endfor %}<end>{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
_QWEN = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
_ROPE = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}


def noise(seed: int, width: int = 84, height: int = 56) -> Image:
    """A picture of random pixels."""
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    written = io.BytesIO()
    PIL.Image.fromarray(pixels).save(written, "PNG")
    return Image(data=written.getvalue())


def _tokenizer(*special: str, placeholder: str) -> Any:
    tokenizer = tiny_models.byte_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": list(special)})
    tokenizer.chat_template = _TEMPLATE.replace("PLACEHOLDER", placeholder)
    return tokenizer


def _policy(model: Any, tokenizer: Any, processor: Any) -> LanguagePolicy:
    import torch

    torch.manual_seed(0)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data.normal_(std=0.2)
    return LanguagePolicy(model.eval(), tokenizer, processor=ImageTextProcessor(processor))


def smolvlm() -> LanguagePolicy:
    """Tiles and a pixel shuffle: what the embedded model is, in small."""
    from guerdon.policies import embedded_vision

    tokenizer = tiny_models.byte_tokenizer()
    processor = embedded_vision._processor(tokenizer)
    return _policy(with_vision(tiny_models.tiny_llama(vocab_size=320), tokenizer, seed=0), tokenizer, processor)


def llava() -> LanguagePolicy:
    """A CLIP tower, one feature per placeholder."""
    from transformers import LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    tokenizer = _tokenizer("<image>", placeholder="<image>")
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlavaConfig(
        text_config={"model_type": "llama", **_TEXT},
        vision_config={"model_type": "clip_vision_model", "image_size": 56, "patch_size": 14, **tower},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
    )
    pictures = CLIPImageProcessorPil(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56})
    processor = LlavaProcessor(
        pictures,
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=tokenizer.chat_template,
    )
    return _policy(LlavaForConditionalGeneration(config), tokenizer, processor)


def _qwen(folder: Path, kind: str) -> LanguagePolicy:
    import transformers
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    from guerdon.policies.processors import processor_from

    tokenizer = _tokenizer(*_QWEN, placeholder="<|vision_start|><|image_pad|><|vision_end|>")
    known = {
        f"{name}_token_id": tokenizer.convert_tokens_to_ids(f"<|{token}|>")
        for name, token in (("image", "image_pad"), ("video", "video_pad"))
    } | {f"vision_{end}_token_id": tokenizer.convert_tokens_to_ids(f"<|vision_{end}|>") for end in ("start", "end")}
    if kind == "Qwen2VL":
        config = transformers.Qwen2VLConfig(
            text_config={**_TEXT, "rope_parameters": _ROPE},
            vision_config={"depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "patch_size": 14},
            **known,
        )
        model = transformers.Qwen2VLForConditionalGeneration(config)
    else:
        tower = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "patch_size": 14}
        config = transformers.Qwen3VLConfig(
            text_config={**_TEXT, "head_dim": 8, "rope_parameters": {**_ROPE, "mrope_interleaved": True}},
            vision_config={**tower, "out_hidden_size": 32, "deepstack_visual_indexes": [0, 1]},
            **known,
        )
        model = transformers.Qwen3VLForConditionalGeneration(config)
    # As a folder from a hub has it: the class by its name, and no torchvision here for its videos.
    tokenizer.save_pretrained(folder)
    Qwen2VLImageProcessorPil(patch_size=14, min_pixels=28 * 28, max_pixels=28 * 28 * 16).save_pretrained(folder)
    (folder / "processor_config.json").write_text('{"processor_class": "Qwen2VLProcessor"}')
    config.save_pretrained(folder)
    read = processor_from(str(folder), tokenizer, config, local_files_only=True)
    return _policy(model, tokenizer, read.processor)


def qwen2_vl(folder: Path) -> LanguagePolicy:
    """Positions of three axes (M-RoPE)."""
    return _qwen(folder, "Qwen2VL")


def qwen3_vl(folder: Path) -> LanguagePolicy:
    """Features that enter deeper layers too: no prompt of it can be shared."""
    return _qwen(folder, "Qwen3VL")
