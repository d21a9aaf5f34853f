"""TRL's own trainer with our rewards: what it logs is what `guerdon score` says, alone, resumed, and on two processes.

Needs `trl`: nox -s "adapters(trl)". The model is random and tiny, so what it would write is worthless; most tests put
words into its mouth (`Scripted`), and all that follows generation is the trainer's own.
"""

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("trl", reason="TRL is not installed: nox -s 'adapters(trl)' runs these")
pytest.importorskip("guerdon_sql", reason="guerdon-sql is not installed")

from guerdon import Example, Message, Prompt, Reward, Score
from guerdon.adapters import trl as adapter
from guerdon.errors import ConfigError
from guerdon.grading import Grader
from guerdon.protocols import Task, Turn
from guerdon.rewards.constrained import Constrained
from guerdon.transforms import center

ROOT = Path(__file__).parents[1]
TASK = "sql/generated[train_size=6,eval_size=4,tables_max=1,levels=[filter],layout=plain]"
GROUP = 3

_spec = importlib.util.spec_from_file_location("tiny_models", ROOT / "packages/core/tests/tiny_models.py")
tiny_models = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny_models)


def config(folder, kind=None, **changes):
    from trl import GRPOConfig

    settings = {
        "output_dir": str(folder),
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "per_device_train_batch_size": 2 * GROUP,
        "num_generations": GROUP,
        "max_completion_length": 24,
        "max_steps": 2,
        "logging_steps": 1,
        "log_completions": True,
        "report_to": "none",
        "save_strategy": "no",
        "disable_tqdm": True,
        "seed": 3,
    }
    return (kind or GRPOConfig)(**{**settings, **changes})


def trainer_of(functions, folder, words=None, data=None, rollout_func=None, **changes):
    from trl import GRPOTrainer

    class Scripted(GRPOTrainer):
        """Says `words(step, place)` where there are words, and what the model draws where there are none."""

        def _generate_single_turn(self, prompt_ids, *others, **options):
            if words is None:
                return super()._generate_single_turn(prompt_ids, *others, **options)
            tokenizer, first = self.processing_class, self.accelerator.process_index * len(prompt_ids)
            said = [words(self.state.global_step, first + place) for place in range(len(prompt_ids))]
            return [[*tokenizer.encode(text, add_special_tokens=False), tokenizer.eos_token_id] for text in said], None

    return Scripted(
        model=tiny_models.tiny_llama(max_position_embeddings=2048),
        reward_funcs=functions,
        args=config(folder, **changes),
        train_dataset=adapter.dataset(functions) if data is None else data,
        processing_class=tiny_models.byte_tokenizer(),
        callbacks=[adapter.RewardState(functions)],
        rollout_func=rollout_func,
    )


def completions_table(folder):
    import pandas

    tables = [pandas.read_parquet(path) for path in sorted(Path(folder, "completions").glob("*.parquet"))]
    return pandas.concat(tables, ignore_index=True)


def queries(grader):
    """Something right, something that runs, and something that is no SQL, for whatever is asked."""
    answers = [grader.task.reference(each) for each in grader.task.examples("train")]
    return lambda step, place: ["no idea", "```sql\nSELECT 1\n```", answers[(step + place) % len(answers)]][place % 3]


def command_line_scores(rows, tmp_path):
    """What `guerdon score --json` says of the same completions."""
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "-m", "guerdon.cli", "score", "sql", "--task", TASK, "--rollouts", str(file), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [json.loads(line)["score"] for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_the_parts_that_trl_logs_are_those_of_guerdon_score(tmp_path):
    grader = Grader.of("sql", task=TASK, workers=1)
    functions = adapter.reward_funcs(grader, name="sql")
    trainer = trainer_of(functions, tmp_path / "run", queries(grader))
    trainer.train()

    table = completions_table(tmp_path / "run")
    assert len(table) == 2 * 2 * GROUP
    rows = [
        {"example": row["sql/example"], "completion": row["completion"][0]["content"]} for _, row in table.iterrows()
    ]
    scores = command_line_scores(rows, tmp_path)
    assert list(table["sql"]) == pytest.approx([score["value"] for score in scores], rel=1e-6)  # TRL's are float32
    assert len({score["value"] for score in scores}) > 2, "the completions were meant to differ"
    for part in grader.part_names:
        assert list(table[f"sql/{part}"]) == [score["parts"][part]["value"] for score in scores]

    for step in (0, 1):
        logged = trainer.state.log_history[step]
        of_step = scores[step * 2 * GROUP : (step + 1) * 2 * GROUP]
        mean = sum(score["value"] for score in of_step) / len(of_step)
        assert logged["reward"] == pytest.approx(mean, rel=1e-6)
        assert logged["rewards/sql/mean"] == pytest.approx(mean, rel=1e-6)
        assert logged["rewards/sql/unscored"] == 0.0
        for part in grader.part_names:
            mean = sum(score["parts"][part]["value"] for score in of_step) / len(of_step)
            assert logged[f"rewards/sql/{part}/mean"] == pytest.approx(mean, rel=1e-6)


def test_what_the_model_draws_itself_is_scored_and_trained_on(tmp_path):
    functions = adapter.reward_funcs(Grader.of("sql", task=TASK, workers=1), name="sql")
    trainer = trainer_of(functions, tmp_path)
    trainer.train()
    assert trainer.state.global_step == 2
    table = completions_table(tmp_path)
    names = table["sql/example"]
    rows = [{"example": e, "completion": c[0]["content"]} for e, c in zip(names, table["completion"], strict=True)]
    with Grader.of("sql", task=TASK, workers=1) as grader:
        assert list(table["sql"]) == pytest.approx([score.value for score in grader.grade(rows)], rel=1e-6)


@dataclass(frozen=True)
class Broken(Reward, bounds=(0.0, 1.0)):
    """1.0 for a right answer, unscored where the answer says so."""

    def score(self, rollout):
        if "broken" in rollout.answer:
            return Score.unscored("our judge is down")
        return Score(float(rollout.answer == "right"))


def test_an_unscored_completion_moves_neither_its_siblings_nor_the_policy(tmp_path):
    """Rewards 1, 0 and none: mean 0.5 and sample std sqrt(0.5) over two, so advantages ±0.5 / (0.70711 + 1e-4)."""
    functions = adapter.reward_funcs(Broken())
    words = ["right", "wrong", "broken"]
    trainer = trainer_of(functions, tmp_path, lambda step, place: words[place % 3], data=plain_rows(), max_steps=1)
    trainer.train()
    table = completions_table(tmp_path)
    assert [None if value != value else value for value in table["broken"]] == [1.0, 0.0, None] * 2
    assert list(table["advantage"]) == pytest.approx([0.70701, -0.70701, 0.0] * 2, abs=1e-4)
    assert trainer.state.log_history[0]["rewards/broken/unscored"] == pytest.approx(1 / 3)
    assert trainer.state.log_history[0]["reward"] == 0.5


def plain_rows(count=4):
    """A data set without a task; every row asks in the same words."""
    from datasets import Dataset

    return Dataset.from_list([{"prompt": [{"role": "user", "content": "?"}], "id": f"row {n}"} for n in range(count)])


def test_what_a_reward_has_learnt_survives_a_resume(tmp_path):
    """Centred by a running mean of what each step brought: undisturbed and resumed end in the same state."""

    def functions():
        return adapter.reward_funcs(Broken().then(center(decay=0.5)), name="centred")

    def words(step, place):
        return "right" if place < step + 1 else "wrong"

    options = {"data": plain_rows(), "max_steps": 4, "save_strategy": "steps", "save_steps": 2}
    undisturbed, resumed = functions(), functions()
    trainer_of(undisturbed, tmp_path, words, **options).train()
    trainer = trainer_of(resumed, tmp_path, words, **options)
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    state = undisturbed[0].grader.state_dict()
    assert state["rewards"][0]["state"]["version"] == 4
    assert resumed[0].grader.state_dict() == state


@dataclass(frozen=True)
class Long(Reward, bounds=(0.0, 1.0)):
    """1.0 for more than five characters."""

    def score(self, rollout):
        return Score(float(len(rollout.answer) > 5))


def test_multipliers_move_and_are_logged_and_survive_a_resume(tmp_path):
    """Step n says "right" n + 1 times of six, and never more than five letters; both thresholds are .5."""

    def functions():
        held = Constrained({"broken": Broken(), "long": Long()}, {"broken": 0.5, "long": 0.5}, kind="mu")
        return adapter.reward_funcs(held, name="held")

    def words(step, place):
        return "right" if place < step + 1 else "wrong"

    options = {"data": plain_rows(), "max_steps": 4, "save_strategy": "steps", "save_steps": 2}
    undisturbed, resumed = functions(), functions()
    first = trainer_of(undisturbed, tmp_path, words, **options)
    first.train()
    trainer_of(resumed, tmp_path, words, **options).train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    (state,) = undisturbed[0].grader.state_dict()["rewards"]
    assert state["state"]["version"] == 4
    assert resumed[0].grader.state_dict() == undisturbed[0].grader.state_dict()
    told = [line for line in first.state.log_history if "rewards/held/broken_multiplier/mean" in line]
    assert [line["rewards/held/broken/mean"] for line in told] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6])
    # The first step: the gradients .25 * (1/6 - .5) and .25 * (0 - .5), within the clip, times the learning rate .1.
    second = told[1]
    assert second["rewards/held/broken_multiplier/mean"] == pytest.approx(0.1 / 12)
    assert second["rewards/held/long_multiplier/mean"] == pytest.approx(0.0125)


def test_evaluation_teaches_a_reward_nothing(tmp_path):
    functions = adapter.reward_funcs(Broken().then(center(decay=0.5)), name="centred")
    trainer = trainer_of(functions, tmp_path, lambda step, place: "right", data=plain_rows(), max_steps=1)
    before = functions[0].grader.state_dict()
    trainer.evaluate(plain_rows(2))
    assert functions[0].grader.state_dict() == before
    assert trainer.state.log_history[-1]["eval_rewards/centred/mean"] == 0.0, "all right: none is above the mean"
    trainer.train()
    assert functions[0].grader.state_dict()["rewards"][0]["state"]["version"] == 1


# -- turns ------------------------------------------------------------------------------------------------------------


class Secret(Example):
    number: int


class Higher:
    """Says whether the number is higher or lower; three turns at most."""

    def __init__(self, number):
        self.number = number

    def reset(self, *, seed):
        return "Between 1 and 9."

    def step(self, segments):
        turns = [segment.text for segment in segments if segment.author == "policy"]
        if turns[-1].strip() == str(self.number):
            return Turn("", reward=1.0, terminated=True)
        return Turn("no", truncated=len(turns) >= 3)


@dataclass(frozen=True)
class Guess(Task):
    name = "test/guess-v1"

    def examples(self, split):
        return [Secret(id="three", number=3), Secret(id="eight", number=8)]

    def prompt(self, example):
        return Prompt((Message("system", "Guess."), Message("user", "A number.")), forced="I say ")

    def environment(self, example):
        return Higher(example.number)


@dataclass(frozen=True)
class Quick(Reward, bounds=(0.0, 1.0)):
    """1 / turns for a rollout that the environment ended, else 0."""

    def score(self, rollout):
        assert rollout.prompt.messages[-1].content.endswith("Between 1 and 9.")
        return Score(1.0 / len(rollout.turns) if rollout.stop == "environment" else 0.0)


def test_turns_are_played_with_the_trainers_own_generation_and_only_the_policys_tokens_are_trained_on(tmp_path):
    """The policy says 3, then 8: `three` is found in turn one, `eight` in turn two. A scripted turn is 2 tokens."""
    functions = adapter.reward_funcs(Quick(), Guess())
    asked, played = [], []

    rollouts = adapter.rollout_func(functions)

    def watched(prompts, trainer):
        asked.extend("3" for _ in prompts)
        asked.extend("8" for prompt in prompts if prompt[0]["example"] == "eight")
        played.append(rollouts(prompts, trainer))
        return played[-1]

    data = adapter.dataset(functions, played=True)
    trainer = trainer_of(
        functions, tmp_path, lambda step, place: asked.pop(0), data=data, rollout_func=watched, max_steps=1
    )
    trainer.train()
    table = completions_table(tmp_path)
    scored = sorted(zip(table["quick/example"], table["quick"], strict=True))
    assert scored == [("eight", 0.5)] * 3 + [("three", 1.0)] * 3

    [output] = played
    tokenizer = tiny_models.byte_tokenizer()
    forced = len(tokenizer.encode("I say ", add_special_tokens=False))
    columns = (output[name] for name in ("completion_ids", "env_mask", "guerdon_rollout"))
    for ids, mask, record in zip(*columns, strict=True):
        assert len(ids) == len(mask)
        assert mask[:forced] == [0] * forced
        said = tokenizer.decode([token for token, own in zip(ids, mask, strict=True) if own], skip_special_tokens=True)
        assert said in ("3", "38")
        assert mask[-2:] == [1, 1]
        assert record["stop"] == "environment"
    assert output["logprobs"] is None


def test_a_recipe_in_turns_is_played_and_scored_as_guerdon_does_it(tmp_path):
    """`code-turns` with two turns: gold from the start ends in turn one; `pass` fails and is told, then gold is right.

    The recipe forces the fence and the starter, so the script says what comes after them, and in turn two the whole.
    """
    pytest.importorskip("guerdon_code", reason="guerdon-code is not installed")
    task = "code/generated[train_size=2,eval_size=1,turns=2,shown=2,prefill=true]"
    functions = adapter.reward_funcs(Grader.of("code-turns", task=task, workers=1), name="turns")
    known = functions[0].grader.task
    gold = {each.id: known.reference(each) for each in known.examples("train")}
    starts = {each.id: known.prompt(each).forced for each in known.examples("train")}
    asked, records = [], []

    def watched(prompts, trainer):
        names = [prompt[0]["example"] for prompt in prompts]
        fails = [place % GROUP == 0 for place in range(len(names))]
        asked.extend(
            "    pass\n```" if failing else gold[name].removeprefix(starts[name])
            for name, failing in zip(names, fails, strict=True)
        )
        asked.extend(gold[name] for name, failing in zip(names, fails, strict=True) if failing)
        output = rollouts(prompts, trainer)
        records.extend({"example": n, **r} for n, r in zip(names, output["guerdon_rollout"], strict=True))
        return output

    rollouts, data = adapter.rollout_func(functions), adapter.dataset(functions, played=True)
    trainer = trainer_of(
        functions, tmp_path, lambda step, place: asked.pop(0), data=data, rollout_func=watched, max_steps=1
    )
    trainer.train()
    assert asked == []
    assert [sum(each["author"] == "policy" for each in record["segments"]) for record in records] == [2, 1, 1] * 2
    assert {record["stop"] for record in records} == {"environment"}
    with Grader.of("code-turns", task=task, workers=1) as grader:
        values = [score.value for score in grader.grade(records)]
    assert list(completions_table(tmp_path)["turns"]) == pytest.approx(values, rel=1e-6)
    assert len(set(values)) > 1, "a second turn was meant to count otherwise than a first"


def test_rloo_takes_the_same_function(tmp_path):
    from trl import RLOOConfig, RLOOTrainer

    functions = adapter.reward_funcs(Broken())
    trainer = RLOOTrainer(
        model=tiny_models.tiny_llama(max_position_embeddings=2048),
        reward_funcs=functions,
        args=config(tmp_path, RLOOConfig, beta=0.0, max_completion_length=8),
        train_dataset=plain_rows(),
        processing_class=tiny_models.byte_tokenizer(),
        callbacks=[adapter.RewardState(functions)],
    )
    trainer.train()
    assert trainer.state.log_history[0]["rewards/broken/unscored"] == 0.0
    assert trainer.state.log_history[0]["rewards/broken/mean"] == 0.0


def test_turns_are_drawn_by_the_model_too(tmp_path):
    functions = adapter.reward_funcs(Quick(), Guess())
    data = adapter.dataset(functions, played=True)
    rollouts = adapter.rollout_func(functions)
    trainer = trainer_of(functions, tmp_path, data=data, rollout_func=rollouts, max_steps=1, max_completion_length=4)
    trainer.train()
    assert trainer.state.global_step == 1


def test_a_task_that_forces_the_start_needs_somebody_who_writes_it():
    functions = adapter.reward_funcs(Quick(), Guess())
    with pytest.raises(ConfigError, match="played in turns"):
        adapter.dataset(functions)

    @dataclass(frozen=True)
    class OneTurn(Guess):
        def environment(self, example):
            return None

    once = adapter.reward_funcs(Quick(), OneTurn())
    with pytest.raises(ConfigError, match="forces completions to start with 'I say '"):
        adapter.dataset(once)
    data = adapter.dataset(once, tokenizer=tiny_models.byte_tokenizer(), limit=1)
    assert data[0]["prompt"] == "[system]Guess.<end>[user]A number.<end>[assistant]I say "
    assert data[0]["example"] == "three"


# -- several processes, and a child -----------------------------------------------------------------------------------

TWO = """
import importlib.util, json, sys
from dataclasses import dataclass, field
import torch
spec = importlib.util.spec_from_file_location("here", sys.argv[1])
here = importlib.util.module_from_spec(spec)
sys.modules["here"] = here
spec.loader.exec_module(here)
from guerdon import Reward, Score
from guerdon.adapters import trl as adapter

@dataclass(frozen=True)
class Shortest(Reward, bounds=(0.0, 1.0)):
    def score_group(self, group):
        if any("bad" in rollout.answer for rollout in group.rollouts):
            raise ValueError("no such thing")
        least = min(len(rollout.answer) for rollout in group.rollouts)
        return [Score(float(len(rollout.answer) == least)) for rollout in group.rollouts]

@dataclass(frozen=True, eq=False)
class Counting(Reward):
    stateful = True
    seen: list = field(default_factory=lambda: [0])
    def score(self, rollout):
        return Score(float(self.seen[0]))
    def update(self, groups, scores, context):
        self.seen[0] += sum(len(group) for group in groups)
    def state_dict(self):
        return {"seen": self.seen[0]}

LENGTHS = [4, 5, 3, 2, 6, 1]
folder, options = sys.argv[2], {"per_device_train_batch_size": 3, "num_generations": 2, "max_steps": 1}
def train(reward, words, **more):
    functions = adapter.reward_funcs(reward, name="mine")
    out = f"{folder}/{type(reward).__name__}"
    trainer = here.trainer_of(functions, out, words, here.plain_rows(), **options, **more)
    trainer.train()
    return trainer, functions[0]

trainer, _ = train(Shortest(), lambda step, place: "a" * LENGTHS[place])
_, counting = train(Counting(), lambda step, place: "a")
try:
    train(Shortest(), lambda step, place: "bad" if place == 0 else "a")
    failed = "no"
except Exception as error:
    failed = f"{type(error).__name__}: {error}"
told = {"seen": counting.grader.state_dict()["rewards"][0]["state"]["seen"], "failed": failed,
        "reward": trainer.state.log_history[0]["reward"]}
open(f"{folder}/rank{trainer.accelerator.process_index}.json", "w").write(json.dumps(told))
torch.distributed.barrier()  # gloo may abort a process whose peer left first
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_a_group_that_straddles_two_processes_is_scored_whole(tmp_path):
    """Lengths 4 5 3 | 2 6 1 in pairs: 4 beats 5; 3 loses to 2, which the other process holds; 1 beats 6.

    Alone, process 0 would call 3 the shortest of its own pair. A reward that learns does so once, of all six rows; and
    an error on one process ends both.
    """
    script = tmp_path / "two.py"
    script.write_text(TWO)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    launcher = ["-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1", "--nproc-per-node", "2"]
    command = [sys.executable, *launcher, str(script), __file__, str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[:2000] + done.stderr[-6000:]
    table = completions_table(tmp_path / "Shortest")
    assert list(table["mine"]) == [1.0, 0.0, 0.0, 1.0, 0.0, 1.0]
    ranks = [json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in (0, 1)]
    assert [each["seen"] for each in ranks] == [6, 0]
    assert [each["reward"] for each in ranks] == [0.5, 0.5]
    assert "no such thing" in ranks[0]["failed"]
    assert ranks[1]["failed"].startswith("RewardError: grading failed on process 0 of 2")


CHILD = """
import multiprocessing, pickle, sys
from concurrent.futures import ThreadPoolExecutor

def child(sent, function, columns):
    with ThreadPoolExecutor(1) as threads:
        sent.send(threads.submit(function, **columns).result())

if __name__ == "__main__":
    from guerdon.adapters import trl as adapter
    from guerdon.grading import Grader
    [function] = adapter.reward_funcs(Grader.of("sql", task=sys.argv[1], workers=1), name="sql")
    example = function.grader.task.examples("train")[0]
    best = function.grader.task.reference(example)
    columns = {"prompts": ["?"] * 2, "completions": ["no idea", best], "completion_ids": [[5], [6]],
               "example": [example.id] * 2, "reference": [best] * 2}
    spawn = multiprocessing.get_context("spawn")
    got, sent = spawn.Pipe(duplex=False)
    process = spawn.Process(target=child, args=(sent, function, columns), daemon=True)
    process.start()
    assert got.poll(240)
    values = got.recv()
    print(values[0] < values[1] == 7.0, values)
"""


@pytest.mark.slow
def test_the_async_trainers_spawned_child_scores_off_its_main_thread(tmp_path):
    """A daemon may have no children of multiprocessing; our workers are none. Gold earns all 7 points."""
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    done = subprocess.run([sys.executable, str(script), TASK], capture_output=True, text=True, timeout=300)
    assert done.stdout.startswith("True"), (done.stdout, done.stderr[-3000:])


def test_a_reward_that_asks_the_policy_reads_the_trainers_own_model(tmp_path):
    """The first step's values are those of the untouched model, whatever the trainer's precision and mode."""
    from datasets import Dataset

    from guerdon.policies.language import LanguagePolicy
    from guerdon.protocols import Continuation
    from guerdon.rewards.likelihood_rewards import Likelihood
    from guerdon.scorers import UnderPolicy

    asked = [{"role": "user", "content": "?"}]
    data = Dataset.from_list([{"prompt": asked, "answer": "yes"}] * 4)
    words = ["so =", "hm =1", "well ="]
    functions = adapter.reward_funcs(Likelihood(UnderPolicy(), "log-prob", "answer", "=", direct=False), name="likely")
    trainer = trainer_of(functions, tmp_path, lambda step, place: words[place % GROUP], data, max_steps=1)
    trainer.train()

    policy = LanguagePolicy(tiny_models.tiny_llama(max_position_embeddings=2048), tiny_models.byte_tokenizer())
    table = completions_table(tmp_path)
    for _, row in table.iterrows():
        prefix = row["completion"][0]["content"].partition("=")[0] + "="
        one = Continuation((Message("user", "?"),), "yes", prefix)
        (values,) = UnderPolicy().logprobs([one], policy=policy)
        assert row["likely"] == pytest.approx(sum(values), rel=1e-4)
    assert table["likely"].nunique() == GROUP
