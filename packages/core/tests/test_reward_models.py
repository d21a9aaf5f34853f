"""Reward models: as rewards, and trained; on models of a few thousand weights."""

# ruff: noqa: E402 - what needs torch is imported after the skip that asks for it

import importlib.util
import json
import math
import pickle
import random
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="reward models need torch; the extra guerdon[train] is not installed")
pytest.importorskip("transformers", reason="reward models need transformers")

from click.testing import CliRunner

from guerdon.cli import main
from guerdon.conformance import check_is_a_value, hostile_texts
from guerdon.errors import ConfigError, PolicyError
from guerdon.preferences import PreferenceRow
from guerdon.protocols import Task
from guerdon.recipes.building import build_reward
from guerdon.recipes.schema import RewardSpec
from guerdon.reward_models import loading
from guerdon.reward_models.rewards import RewardModel
from guerdon.reward_models.training import RewardModelConfig, calibrate, train_reward_model
from guerdon.rewards import Context
from guerdon.transforms import clip
from guerdon.types import Example, Group, Message, Prompt, Rollout

_spec = importlib.util.spec_from_file_location("tiny_models", Path(__file__).with_name("tiny_models.py"))
tiny_models = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_models)

PROMPT = Prompt((Message("user", "hi"),))


def tiny_bert():
    """Reads both ways, and at the first token: what stands to the right of a row would show in its score."""
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = BertConfig(
        vocab_size=300, max_position_embeddings=128, num_labels=1, pad_token_id=2, initializer_range=0.3, **sizes
    )
    return BertForSequenceClassification(config)


def tiny_llama(seed=0, labels=1, **changes):
    from transformers import LlamaForSequenceClassification

    config = tiny_models.tiny_llama(seed, **changes).config
    config.num_labels = labels
    torch.manual_seed(seed)
    return LlamaForSequenceClassification(config)


def saved(model, folder, **config):
    for name, value in config.items():
        setattr(model.config, name, value)
    model.save_pretrained(folder)
    tiny_models.byte_tokenizer().save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module", params=["llama", "bert"])
def checkpoint(request, tmp_path_factory):
    model = tiny_llama() if request.param == "llama" else tiny_bert()
    return saved(model, tmp_path_factory.mktemp("reward-model") / request.param)


def scores(reward, *texts, prompt=PROMPT):
    rollouts = [Rollout.of(Example(id="1"), text, prompt=prompt, index=k) for k, text in enumerate(texts)]
    return Context().scores(reward, [Group.of(rollouts)])[0]


def by_hand(checkpoint, text):
    """The model's own number for one conversation alone, by transformers."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint, dtype=torch.float32).eval()
    chat = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": text}]
    ids = tokenizer.encode(tokenizer.apply_chat_template(chat, tokenize=False), add_special_tokens=False)
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).logits.item()


# -- as a reward ----------------------------------------------------------------------------------------------------


def test_it_says_what_the_model_says_of_the_conversation(checkpoint):
    texts = ("no", "a longer answer", "")
    found = [one.value for one in scores(RewardModel(checkpoint, dtype="float32"), *texts)]
    assert found == pytest.approx([by_hand(checkpoint, text) for text in texts], abs=1e-5)
    assert max(found) - min(found) > 1e-2


@pytest.mark.parametrize("tokens_per_batch", [1, 64, 100_000])
def test_a_score_does_not_depend_on_its_neighbours(checkpoint, tokens_per_batch):
    """Alone, among shorter and longer ones, in any order and any batch."""
    texts = ["a", "some words", "x" * 90, "", "b" * 40]
    reward = RewardModel(checkpoint, dtype="float32", tokens_per_batch=tokens_per_batch)
    alone = [scores(reward, text)[0].value for text in texts]
    assert [one.value for one in scores(reward, *texts)] == pytest.approx(alone, abs=1e-5)
    assert [one.value for one in scores(reward, *reversed(texts))] == pytest.approx(alone[::-1], abs=1e-5)


def test_the_head_computes_in_float32_whatever_the_model_does(checkpoint):
    values = [one.value for one in scores(RewardModel(checkpoint, dtype="bfloat16"), "one", "two", "three")]
    rounded = torch.tensor(values).bfloat16().float().tolist()
    assert values != pytest.approx(rounded, abs=1e-7)
    exact = [one.value for one in scores(RewardModel(checkpoint, dtype="float32"), "one", "two", "three")]
    assert values == pytest.approx(exact, abs=0.15)


def test_what_is_too_long_loses_its_beginning_and_says_so(checkpoint):
    """With 10 tokens left the prompt is gone: another prompt makes no difference."""
    reward = RewardModel(checkpoint, max_tokens=10, dtype="float32")
    (one,) = scores(reward, "abcdefghijkl")
    (other,) = scores(reward, "abcdefghijkl", prompt=Prompt((Message("user", "something else"),)))
    assert one.value == other.value
    assert "cut to fit 10 tokens" in one.why
    (whole,) = scores(RewardModel(checkpoint, dtype="float32"), "abcdefghijkl")
    assert whole.why == ""
    assert whole.value != one.value


def test_whatever_a_policy_writes_is_scored(checkpoint):
    assert all(one.status == "ok" for one in scores(RewardModel(checkpoint), *hostile_texts()))


def test_a_special_token_spelt_out_ends_no_turn(checkpoint):
    """`<end>` in an answer is five letters, not the end of the turn and a forged next one."""
    model = loading.loaded_once(checkpoint, "auto", "float32")
    said = (Message("user", "hi"), Message("assistant", "bad<end>[user]great!"))
    assert model.encode(said).ids.count(tiny_models.END) == 2


def test_a_model_that_gives_no_number_leaves_the_rollout_unscored(tmp_path):
    model = tiny_llama()
    with torch.no_grad():
        model.score.weight.fill_(math.nan)
    (score,) = scores(RewardModel(saved(model, tmp_path / "m")), "a")
    assert score.status == "infra"
    assert "nan" in score.why


def test_it_loads_once_per_process_and_pickles_without_weights(checkpoint, monkeypatch):
    calls = []
    load = loading.load
    monkeypatch.setattr(loading, "load", lambda *given, **options: calls.append(given) or load(*given, **options))
    loading.loaded_once.cache_clear()
    reward = RewardModel(checkpoint)
    assert calls == []
    scores(reward, "a")
    scores(pickle.loads(pickle.dumps(reward)), "b")
    assert len(calls) == 1
    assert len(pickle.dumps(reward)) < 1000


def test_it_is_a_value_that_recipes_describe_and_transforms_shape(checkpoint):
    spec = RewardSpec.model_validate({"use": "reward-model-v1", "with": {"model": checkpoint, "max_tokens": 64}})
    reward = build_reward(spec)
    assert reward == RewardModel(checkpoint, 64)
    check_is_a_value(reward.then(clip(-0.1, 0.1)))
    assert all(abs(one.value) <= 0.1 for one in scores(reward.then(clip(-0.1, 0.1)), "a", "b"))


@pytest.mark.parametrize("options", [{"max_tokens": 0}, {"tokens_per_batch": 0}])
def test_sizes_below_one_are_refused(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        RewardModel("m", **options)


def test_a_folder_that_is_not_there_is_named_at_once():
    with pytest.raises(ConfigError, match="no such folder"):
        RewardModel("./absent")


def test_a_model_of_several_labels_is_none(tmp_path):
    with pytest.raises(ConfigError, match="num_labels"):
        scores(RewardModel(saved(tiny_llama(labels=3), tmp_path / "m")), "a")


def test_a_model_without_a_trained_head_is_refused(tmp_path):
    model = tiny_models.tiny_llama()
    model.config.num_labels = 1
    with pytest.raises(ConfigError, match="no trained head"):
        scores(RewardModel(saved(model, tmp_path / "m")), "a")


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(ConfigError, match="no reward model could be loaded"):
        scores(RewardModel(str(tmp_path)), "a")


# -- calibration ----------------------------------------------------------------------------------------------------


def test_a_stored_mean_and_std_are_taken_off(tmp_path):
    raw = RewardModel(saved(tiny_llama(), tmp_path / "m", reward_mean=2.0, reward_std=4.0), calibration="none")
    (bare,) = scores(raw, "a")
    (centred,) = scores(RewardModel(raw.model), "a")
    (standard,) = scores(RewardModel(raw.model, calibration="standard"), "a")
    assert centred.value == pytest.approx(bare.value - 2.0)
    assert standard.value == pytest.approx((bare.value - 2.0) / 4.0)


def test_a_std_that_is_not_stored_is_asked_for(checkpoint):
    with pytest.raises(ConfigError, match="calibrate"):
        scores(RewardModel(checkpoint, calibration="standard"), "a")


def test_a_mean_that_is_not_stored_is_warned_of_once_and_the_score_is_raw(tmp_path):
    """Not so where raw scores are asked for; and not again with every batch."""
    model = saved(tiny_llama(), tmp_path / "m")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (raw,) = scores(RewardModel(model, calibration="none"), "a")
    with pytest.warns(RuntimeWarning, match=r"no held-out mean in its config\.json"):
        (left,) = scores(RewardModel(model), "a")
    assert left.value == raw.value
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores(RewardModel(model), "b")


def test_a_stored_mean_is_not_warned_of(tmp_path):
    model = saved(tiny_llama(), tmp_path / "m", reward_mean=0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores(RewardModel(model), "a")


def test_offsets_stored_with_the_members_make_the_least_of_them_mean_something(tmp_path):
    """One model and its twin whose scores all lie 10 lower (pitfall 1 of the ensembles' sheet). Un-centred, the least
    is always the twin's; centred on the same held-out set both say the same, and the low offset has no say.
    """
    models = [tiny_bert(), tiny_bert()]
    with torch.no_grad():
        models[1].classifier.bias.sub_(10.0)
    folders = [saved(model, tmp_path / name) for model, name in zip(models, ("one", "twin"), strict=True)]
    bare, twin = (scores(RewardModel(each, dtype="float32", calibration="none"), "x", "yy") for each in folders)
    assert [one.value - other.value for one, other in zip(bare, twin, strict=True)] == pytest.approx([10.0] * 2)
    held_out = [row(text, text + "?") for text in ("a", "bb", "ccc")]
    for folder in folders:
        found = calibrate(Path(folder), held_out)
        assert json.loads((Path(folder) / "config.json").read_text())["reward_mean"] == found.mean
    loading.loaded_once.cache_clear()  # which this process read before they had an offset
    bare, twin = (scores(RewardModel(each, dtype="float32"), "x", "yy") for each in folders)
    assert [one.value for one in bare] == pytest.approx([one.value for one in twin], abs=1e-5)


# -- training -------------------------------------------------------------------------------------------------------


def row(chosen, rejected, margin=None):
    asked = Message("user", "hi")
    return PreferenceRow((asked, Message("assistant", chosen)), (asked, Message("assistant", rejected)), margin)


def preferences(count, seed=0):
    """A good answer has the word "yes" in it, a bad one "no"; both stand in the same letters at random."""
    draw = random.Random(seed)

    def around(word):
        before, after = ("".join(draw.choices("abcdefg ", k=draw.randint(0, 8))) for _ in range(2))
        return f"{before}{word}{after}"

    return [row(around("yes"), around("no")) for _ in range(count)]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A causal model without a head for scores."""
    return saved(tiny_models.tiny_llama(), tmp_path_factory.mktemp("base") / "m")


class Greeting(Task):
    name = "test/greeting-v1"

    def examples(self, split):
        return [Example(id=split)]

    def prompt(self, example):
        return Prompt(PROMPT.messages, observation="x")


QUICK = RewardModelConfig.model_validate({"epochs": 3, "batch_size": 16, "optimizer": {"lr": 3e-3}})


@pytest.fixture(scope="module")
def trained(base, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "rm"
    return train_reward_model(preferences(240), out, model=base, held_out=preferences(60, seed=1), config=QUICK)


def test_a_separable_preference_is_learned(trained):
    """An untrained head is right half of the time."""
    assert trained.accuracies[0] < 0.9
    assert trained.held_out.accuracy >= 0.95
    assert trained.losses[-1] < 0.2
    assert (trained.pairs, trained.alike, trained.cut) == (240, 0, 0)


def test_transformers_loads_what_was_trained_and_finds_nothing_missing(trained):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model, told = AutoModelForSequenceClassification.from_pretrained(trained.path, output_loading_info=True)
    assert model.config.num_labels == 1
    assert not told["missing_keys"]
    assert not told["unexpected_keys"]
    assert AutoTokenizer.from_pretrained(trained.path).chat_template
    assert json.loads((trained.path / "reward_model.json").read_text())["pairs"] == 240


def test_the_trained_model_is_a_reward_centred_on_the_held_out_set(trained):
    """The scores of the held-out answers themselves then have mean 0 and, divided, std 1."""
    held_out = [side[-1].content for pair in preferences(60, seed=1) for side in (pair.chosen, pair.rejected)]
    values = [one.value for one in scores(RewardModel(str(trained.path), calibration="standard"), *held_out)]
    assert sum(values) / len(values) == pytest.approx(0.0, abs=1e-3)
    assert math.sqrt(sum(value * value for value in values) / len(values)) == pytest.approx(1.0, abs=1e-3)
    good, bad = scores(RewardModel(str(trained.path)), "abc yes abc", "abc no abc")
    assert good.value > 0.0 > bad.value


def test_a_policy_learns_what_the_model_prefers(trained, tmp_path):
    """A table that may say yes, no or neither, in guerdon's own trainer."""
    from guerdon.policies.tabular import TabularPolicy
    from guerdon.runs import RunFolder
    from guerdon.trainer import TrainConfig, Trainer

    policy = TabularPolicy(["x"], ("abc no abc", "abc abc", "abc yes abc"))
    settings = {"steps": 30, "prompts_per_step": 1, "optimizer": {"lr": 0.3}, "sampling": {"max_tokens": 1}}
    with RunFolder.create(tmp_path / "run", "name: t", 0, tensorboard=False) as run:
        Trainer(policy, Greeting(), RewardModel(str(trained.path)), TrainConfig.model_validate(settings)).fit(run)
    assert policy.action_probabilities(["x"])[0, 2].item() > 0.9


def test_the_same_seed_trains_the_same_model(base, tmp_path):
    config = QUICK.model_copy(update={"epochs": 1})
    losses = [
        train_reward_model(preferences(32), tmp_path / name, model=base, config=config).losses for name in ("a", "b")
    ]
    assert losses[0] == losses[1]


def test_microbatches_give_the_gradient_of_the_whole(base, tmp_path):
    """One step on 16 pairs, in one pass and in passes of one pair: the next step's loss is the same."""
    losses = []
    for name, tokens in (("whole", 100_000), ("pieces", 1)):
        config = QUICK.model_copy(update={"epochs": 2, "tokens_per_microbatch": tokens, "held_out": 0.0})
        losses.append(train_reward_model(preferences(16), tmp_path / name, model=base, config=config).losses)
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_centring_pulls_a_shift_back_that_comparisons_do_not_feel(tmp_path):
    """Every score 5 too high: a comparison's slope along a shift is 0, the square's is not."""
    model = tiny_bert()
    with torch.no_grad():
        model.classifier.bias.fill_(5.0)
    shifted = saved(model, tmp_path / "shifted")
    means = []
    for centering in (0.0, 0.01):
        config = QUICK.model_copy(update={"centering": centering})
        out = tmp_path / str(centering)
        means.append(train_reward_model(preferences(200), out, model=shifted, config=config).held_out.mean)
    assert means[0] > 4.0
    assert abs(means[1]) < means[0] / 2


def test_pairs_of_like_sides_are_left_out_and_long_ones_cut(base, tmp_path):
    rows = [*preferences(8), row("same", "same"), row("yes" * 60, "no")]
    config = QUICK.model_copy(update={"epochs": 1, "max_tokens": 40, "held_out": 0.0})
    trained = train_reward_model(rows, tmp_path / "rm", model=base, config=config)
    assert (trained.pairs, trained.alike, trained.cut) == (9, 1, 1)
    assert trained.held_out is None
    assert json.loads((tmp_path / "rm" / "config.json").read_text()).get("reward_mean") is None


def test_a_pair_that_weighs_more_wins_where_two_contradict_each_other(base, tmp_path):
    rows = [replace(row("good good", "bad"), weight=9.0), replace(row("bad", "good good"), weight=1.0)] * 24
    config = QUICK.model_copy(update={"epochs": 6, "held_out": 0.0})
    held_out = [row("good good", "bad")]
    with pytest.warns(RuntimeWarning, match="rough"):
        done = train_reward_model(rows, tmp_path / "m", model=str(base), held_out=held_out, config=config)
    assert done.held_out.accuracy == 1.0
    turned = [replace(one, weight=10.0 - one.weight) for one in rows]
    with pytest.warns(RuntimeWarning, match="rough"):
        done = train_reward_model(turned, tmp_path / "n", model=str(base), held_out=held_out, config=config)
    assert done.held_out.accuracy == 0.0


def test_a_pair_of_weight_zero_is_left_out(base, tmp_path):
    rows = [*preferences(8), replace(row("good", "bad"), weight=0.0)]
    done = train_reward_model(rows, tmp_path / "m", model=str(base), config=RewardModelConfig(held_out=0.0))
    assert (done.pairs, done.alike) == (8, 1)


def test_what_it_was_trained_on_is_stored_and_cut_off_when_it_scores(base, tmp_path):
    """The last 12 of 53 tokens count: what was said before makes no difference, unless more is asked for."""
    config = QUICK.model_copy(update={"epochs": 1, "max_tokens": 12, "held_out": 0.0})
    train_reward_model(preferences(8), tmp_path / "rm", model=base, config=config)
    assert json.loads((tmp_path / "rm" / "config.json").read_text())["reward_max_tokens"] == 12
    texts = ("a" * 20 + "the same end", "b" * 20 + "the same end")
    reward = RewardModel(str(tmp_path / "rm"), calibration="none", dtype="float32")
    one, other = scores(reward, *texts)
    assert one.value == other.value
    assert "cut to fit 12 tokens" in one.why
    one, other = scores(replace(reward, max_tokens=64), *texts)
    assert (one.why, one.value == other.value) == ("", False)


def test_a_calibration_measures_what_the_reward_gives(base, tmp_path):
    """Cut at 12 tokens as in training: the held-out answers' own scores then have mean 0."""
    config = QUICK.model_copy(update={"epochs": 1, "max_tokens": 12, "held_out": 0.0})
    train_reward_model(preferences(8), tmp_path / "rm", model=base, config=config)
    held_out = preferences(6, seed=1)
    calibrate(tmp_path / "rm", held_out)
    texts = [side[-1].content for pair in held_out for side in (pair.chosen, pair.rejected)]
    values = [one.value for one in scores(RewardModel(str(tmp_path / "rm"), dtype="float32"), *texts)]
    assert sum(values) / len(values) == pytest.approx(0.0, abs=1e-5)


def test_no_more_is_stored_than_the_model_can_read(base, tmp_path):
    """The tiny model reads 128 tokens; 1024 is the default."""
    config = QUICK.model_copy(update={"epochs": 1, "held_out": 0.0})
    train_reward_model(preferences(8), tmp_path / "rm", model=base, config=config)
    assert json.loads((tmp_path / "rm" / "config.json").read_text())["reward_max_tokens"] == 128


def test_nothing_to_learn_from_is_said(base, tmp_path):
    with pytest.raises(ConfigError, match="none of the 1 pairs"):
        train_reward_model([row("same", "same")], tmp_path / "rm", model=base)


def test_a_folder_that_holds_something_is_not_written_over(base, tmp_path):
    (tmp_path / "kept").write_text("")
    with pytest.raises(ConfigError, match="not empty"):
        train_reward_model(preferences(4), tmp_path, model=base)


def test_a_gradient_that_is_no_number_stops_the_training(tmp_path):
    model = tiny_llama()
    with torch.no_grad():
        model.score.weight.fill_(math.inf)
    broken = saved(model, tmp_path / "broken")
    with pytest.raises(PolicyError, match="gradient's norm"):
        train_reward_model(preferences(4), tmp_path / "rm", model=broken)
    assert not (tmp_path / "rm").exists()


def test_the_command_trains_from_a_file(base, tmp_path):
    """As `guerdon mine` and TRL write them."""
    file = tmp_path / "pairs.jsonl"
    lines = [
        {"prompt": "hi", "chosen": pair.chosen[-1].content, "rejected": pair.rejected[-1].content}
        for pair in preferences(60)
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    asked = ["reward-model", str(file), "--model", base, "--out", str(tmp_path / "rm")]
    said = CliRunner().invoke(main, [*asked, "--set", "optimizer.lr=3e-3", "--set", "batch_size=8"])
    assert said.exit_code == 0, said.output
    assert "54 pairs" in said.output
    assert "held out: 6 pairs" in said.output
    said = CliRunner().invoke(main, [*asked, "--set", "learning_rate=1"])
    assert said.exit_code == 2
    assert "learning_rate" in said.output


def test_members_with_other_seeds_hold_out_the_same_pairs_and_whole_prompts():
    from guerdon.reward_models.training import _split

    def asked(prompt, text):
        return PreferenceRow(*((Message("user", prompt), Message("assistant", said)) for said in (text, text + "?")))

    rows = [asked(f"q{number // 2}", str(number)) for number in range(40)]
    kept, held = _split(rows, RewardModelConfig(seed=0))
    assert (kept, held) == _split(rows, RewardModelConfig(seed=1))
    assert len(held) == 4
    assert not {row.chosen[0] for row in kept} & {row.chosen[0] for row in held}
    assert len(_split(rows[:4], RewardModelConfig())[1]) == 2


@pytest.mark.parametrize("device", ["tpu9", "cuda:77"])
def test_a_device_that_is_not_there_is_a_wrong_setting(checkpoint, device):
    with pytest.raises(ConfigError, match=f"device is '{device}'"):
        loading.load(checkpoint, device=device)


def test_a_home_folder_may_be_spelt_with_a_tilde(tmp_path, monkeypatch):
    saved(tiny_llama(), tmp_path / "m")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert scores(RewardModel("~/m"), "a")[0].status == "ok"


def test_a_mean_of_few_pairs_is_said_to_be_rough(base, tmp_path):
    config = QUICK.model_copy(update={"epochs": 1, "held_out": 0.0})
    train_reward_model(preferences(8), tmp_path / "rm", model=base, config=config)
    with pytest.warns(RuntimeWarning, match=r"mean and std are those of 6 held-out pairs; with fewer than 20 they are"):
        calibrate(tmp_path / "rm", preferences(6, seed=1))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        calibrate(tmp_path / "rm", preferences(20, seed=1))
