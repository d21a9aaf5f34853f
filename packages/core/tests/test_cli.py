"""The command line: what it prints, what it says when asked for the wrong thing, and its exit codes."""

import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import click
import pytest
from click.testing import CliRunner

from guerdon.claims import Claim, ClaimResult, Measurement, Progress, no_progress
from guerdon.cli import main
from guerdon.diagnostics.findings import Finding
from guerdon.errors import ConfigError, RunError, TaskError
from guerdon.plugins.catalog import KINDS, catalog, register_local
from guerdon.protocols import Split, Task
from guerdon.recipes.spelling import named
from guerdon.rewards import Reward, reward
from guerdon.runs import find_checkpoint
from guerdon.types import Example, Group, Message, Prompt, Rollout, Score


class Sum(Example):
    """a + b."""

    a: int
    b: int


@dataclass(frozen=True)
class Sums(Task):
    """Sums of two digits."""

    name: ClassVar[str] = "test/sums-v1"

    count: int = 4

    def examples(self, split: Split) -> Sequence[Sum]:
        rng = random.Random(split)
        return [Sum(id=f"{split}-{i}", a=rng.randint(0, 9), b=i) for i in range(self.count)]

    def prompt(self, example: Example) -> Prompt:
        return Prompt()


@reward(name="test/adds-v1", bounds=(0.0, 1.0))
def adds(rollout: Rollout) -> Score:
    example = rollout.example_as(Sum)
    return Score(float(rollout.answer == str(example.a + example.b)), why="compared as text")


@reward(name="test/first-v1", bounds=(0.0, 1.0))
def first(rollout: Rollout) -> float:
    return float(rollout.answer == "a")


@reward(name="test/silent-v1", bounds=(0.0, 1.0))
def silent(rollout: Rollout) -> Score:
    return Score.unscored("give it logs", status="abstain")


@reward(name="test/hinted-v1", bounds=(0.0, 1.0))
def hinted(rollout: Rollout) -> Score:
    return Score(1.0, parts={"hint": Score(float(len(rollout.answer)))})


@dataclass(frozen=True)
class Short(Reward, name="test/short-v1", bounds=(0.0, 1.0)):
    limit: int = 10

    def score(self, rollout: Rollout) -> Score:
        return Score(max(0.0, 1 - len(rollout.answer) / self.limit))


@dataclass(frozen=True)
class Shortest(Reward, name="test/shortest-v1", bounds=(0.0, 1.0)):
    def score_group(self, group: Group) -> list[Score]:
        lengths = [len(rollout.answer) for rollout in group.rollouts]
        return [Score(float(length == min(lengths))) for length in lengths]


class MeasuredSums(Sums):
    """The same, and how many are right."""

    name: ClassVar[str] = "test/measured-sums-v1"

    def metrics(self) -> Mapping[str, Reward]:
        return {"adds": adds}


@pytest.fixture(autouse=True)
def _offered():
    register_local("tasks", "test/sums-v1", Sums)
    register_local("tasks", "test/measured-sums-v1", MeasuredSums)
    register_local("rewards", "test/adds-v1", adds)
    register_local("rewards", "test/first-v1", first)
    register_local("rewards", "test/hinted-v1", hinted)
    register_local("rewards", "test/silent-v1", silent)
    register_local("rewards", "test/short-v1", Short)
    register_local("rewards", "test/shortest-v1", Shortest)
    yield
    catalog.cache_clear()


def run(*arguments: str, code: int = 0, text: str | None = None) -> str:
    result = CliRunner().invoke(main, list(arguments), input=text)
    assert result.exit_code == code, result.output + repr(result.exception)
    return result.output


def test_help_lists_every_command_with_its_summary():
    said = run("--help")
    for command in ("list", "doctor", "score", "compare", "export", "train", "eval", "report", "claims", "new"):
        assert f"\n  {command} " in said


@pytest.mark.parametrize(
    "command", ["list", "doctor", "score", "compare", "export", "train", "eval", "report", "claims", "new"]
)
def test_every_command_explains_itself(command):
    assert "Usage:" in run(command, "--help")


def test_version_is_the_distributions():
    assert run("--version").startswith("guerdon 0.")


def test_a_misspelt_command_gets_the_nearest():
    assert "Did you mean 'train'?" in run("trian", code=2)


def test_a_plugin_adds_a_command_and_help_shows_its_summary():
    @click.command()
    def polish():
        click.echo("polished")

    register_local("commands", "polish", polish, summary="Make it shine.")
    assert "Make it shine." in run("--help")
    assert run("polish") == "polished\n"


def test_list_shows_a_kind_with_its_distribution():
    said = run("list", "rewards")
    assert "test/adds-v1" in said
    assert "tasks" not in said


def test_a_kind_may_be_named_in_the_singular():
    assert run("list", "reward") == run("list", "rewards")
    assert run("list", "policy") == run("list", "policies")
    assert "no kind 'rewrads'. Did you mean 'rewards'?" in run("list", "rewrads", code=2)
    assert "no kind 'x'. There are: rewards, transforms, " in run("list", "x", code=2)


def test_list_as_json_holds_every_kind_and_the_problems():
    listed = json.loads(run("list", "--json"))
    assert {"rewards", "tasks", "recipes", "commands", "problems"} <= set(listed)
    assert "test/sums-v1" in [entry["name"] for entry in listed["tasks"]]


def test_an_error_is_one_message_without_a_traceback():
    said = run("score", "--task", "test/sums", "--reward", "test/ads", "--example", "eval-0", "--text", "1", code=2)
    assert said.startswith("error: no reward named 'test/ads'")
    assert "Did you mean 'test/adds-v1'?" in said
    assert "Traceback" not in said


def test_debug_raises_the_error_itself():
    result = CliRunner().invoke(main, ["--debug", "report", "nowhere"])
    assert isinstance(result.exception, RunError)


@pytest.fixture
def warning_command():
    """A command that warns of something of guerdon's, and of something of a library's."""
    import warnings

    @click.command()
    def warns():
        warnings.simplefilter("always")  # whatever the tests are run with
        warnings.warn_explicit("no answer is scored", RuntimeWarning, "/lib/guerdon/trainer/loop.py", 266)
        warnings.warn_explicit("this is old", UserWarning, "/lib/somebody/else.py", 7)

    register_local("commands", "warns", warns)


def test_a_warning_is_one_message_on_standard_error(warning_command):
    result = CliRunner().invoke(main, ["warns"])
    assert result.stdout == ""
    assert result.stderr == (
        "warning: no answer is scored\nwarning: this is old (UserWarning, /lib/somebody/else.py:7)\n"
    )


def test_debug_says_where_a_warning_is_from(warning_command):
    stderr = CliRunner().invoke(main, ["--debug", "warns"]).stderr
    assert stderr.startswith(
        "warning: no answer is scored (RuntimeWarning, /lib/guerdon/trainer/loop.py:266)\nwarning: this"
    )


def test_what_python_does_with_warnings_elsewhere_is_left_alone(warning_command):
    import warnings

    before = warnings.showwarning
    CliRunner().invoke(main, ["warns"])
    assert warnings.showwarning is before


def test_an_interrupt_exits_with_130():
    @click.command()
    def waits():
        raise KeyboardInterrupt

    register_local("commands", "waits", waits)
    run("waits", code=130)


def test_a_file_that_ends_too_early_is_no_abort():
    """Click takes an EOFError for the end of what somebody types."""

    @click.command()
    def reads():
        raise EOFError("Ran out of input")

    register_local("commands", "reads", reads)
    result = CliRunner().invoke(main, ["reads"])
    assert isinstance(result.exception, RuntimeError)
    assert "Ran out of input" in str(result.exception)
    assert "Aborted" not in result.output


def scored(*arguments: str) -> list[dict]:
    return [json.loads(line) for line in run("score", "--task", "test/sums", *arguments, "--json").splitlines()]


def right(id_: str) -> str:
    (example,) = [example for example in Sums().examples(id_.partition("-")[0]) if example.id == id_]
    return str(example.a + example.b)


def test_a_completion_on_the_command_line_is_scored():
    (record,) = scored("--reward", "test/adds", "--example", "eval-1", "--text", right("eval-1"))
    assert record["score"]["value"] == 1.0
    assert record["score"]["why"] == "compared as text"


def test_a_completion_may_come_by_standard_input():
    arguments = (
        "score",
        "--task",
        "test/sums",
        "--reward",
        "test/adds",
        "--example",
        "eval-1",
        "--text",
        "-",
        "--json",
    )
    assert json.loads(run(*arguments, text=right("eval-1")))["score"]["value"] == 1.0


def test_several_rewards_are_summed_with_their_weights():
    """0.5 * 1 for the right sum, and 2 * (1 - length / 4) for being short."""
    text = right("eval-1")
    (record,) = scored(
        "--reward", "0.5*test/adds", "--reward", "2*test/short[limit=4]", "--example", "eval-1", "--text", text
    )
    assert record["score"]["value"] == 0.5 + 2 * (1 - len(text) / 4)
    assert record["score"]["weights"] == {"adds": 0.5, "short": 2.0}


def test_a_file_of_rollouts_is_scored_and_one_can_be_picked(tmp_path):
    rows = [("train-0", right("train-0")), ("train-0", "wrong"), ("eval-2", right("eval-2"))]
    path = write(tmp_path, *(json.dumps({"example": example, "completion": text}) for example, text in rows))
    assert [record["score"]["value"] for record in scored("--reward", "test/adds", "--rollouts", path)] == [
        1.0,
        0.0,
        1.0,
    ]
    (record,) = scored("--reward", "test/adds", "--rollouts", path, "--rollout", "1")
    assert (record["rollout"], record["score"]["value"]) == (1, 0.0)


def test_a_picked_rollout_is_still_scored_among_its_group(tmp_path):
    """ "abc" alone would be the shortest; beside "a" it is not."""
    path = write(tmp_path, *(json.dumps({"example": "train-0", "completion": text}) for text in ("abc", "a")))
    (record,) = scored("--reward", "test/shortest", "--rollouts", path, "--rollout", "0")
    assert record["score"]["value"] == 0.0


def test_the_table_shows_every_parts_value_weight_and_contribution():
    """0.25 * 1 = 0.25 and 3 * 0.5 = 1.5, for a text of half the limit; together 1.75."""
    text = right("eval-1")
    limit = 2 * len(text)
    rewards = ("--reward", "0.25*test/adds", "--reward", f"3*test/short[limit={limit}]")
    said = run("score", "--task", "test/sums", *rewards, "--example", "eval-1", "--text", text)
    table = {line.split()[0]: line.split()[1:] for line in said.splitlines() if line.split()}
    assert table["adds"][:4] == ["1", "0.25", "0.25", "ok"]
    assert table["short"][:4] == ["0.5", "3", "1.5", "ok"]
    assert table["total"][0] == "1.75"


def test_a_column_in_which_nothing_stands_is_left_out():
    """A single reward has neither weights nor contributions, and `short` says no why."""
    asked = ("score", "--task", "test/sums", "--example", "eval-1", "--text", right("eval-1"))
    said = run(*asked, "--reward", "test/short")
    assert "value" in said
    assert not {"weight", "contribution", "why"} & set(said.split())
    assert {"weight", "contribution", "why"} <= set(
        run(*asked, "--reward", "test/short", "--reward", "test/adds").split()
    )


def test_what_the_environment_said_between_the_turns_is_shown(tmp_path):
    spoken = (("forced", "Think: "), ("policy", "four"), ("environment", "[red]digits, \x1bplease"), ("policy", "4"))
    segments = [{"author": author, "text": text} for author, text in spoken]
    row = {"example": "train-0", "completion": "Think: four4", "segments": segments}
    path = write(tmp_path, json.dumps(row))
    said = run("score", "--task", "test/sums", "--reward", "test/adds", "--rollouts", path)
    shown = ["turn 1", "Think: four", "environment", "[red]digits, \N{REPLACEMENT CHARACTER}please", "turn 2", "4"]
    assert said.splitlines()[1:7] == shown


def test_chat_messages_are_a_completion_as_trl_writes_them(tmp_path):
    """A prompt as a text too, and turns are shown as turns."""
    said = [{"role": "assistant", "content": "?"}, {"role": "user", "content": "Sure?"}]
    said += [{"role": "assistant", "content": right("train-0")}]
    rows = [
        {"example": "train-0", "completion": said[-1:]},
        {"example": "train-0", "completion": said, "prompt": "Add."},
    ]
    path = write(tmp_path, *map(json.dumps, rows))
    records = scored("--reward", "test/adds", "--rollouts", path)
    assert [record["score"]["value"] for record in records] == [1.0, 1.0]
    lines = run("score", "--task", "test/sums", "--reward", "test/adds", "--rollouts", path).splitlines()
    assert lines[1] == right("train-0")
    at = lines.index("the prompt: user")
    assert lines[at + 1 : at + 8] == ["Add.", "turn 1", "?", "environment", "Sure?", "turn 2", right("train-0")]


def test_a_server_that_is_not_there_is_said_first_and_nothing_of_groups():
    asked = ("score", "--task", "test/sums", "--example", "eval-1", "--text", "x", "--reward")
    told = run(*asked, "remote[url=http://127.0.0.1:9,attempts=1]")
    assert re.match(
        r"nothing was scored, by no fault of the completions: http://127.0.0.1:9 did not answer in 1 att", told
    )
    assert "compares attempts" not in told
    assert "compares attempts" in run(*asked, "test/shortest")


def test_where_nothing_is_scored_the_reason_comes_first():
    said = run("score", "--task", "test/sums", "--reward", "test/silent", "--example", "eval-1", "--text", "x")
    assert said.startswith("nothing was scored: give it logs\n")


def test_a_completion_cannot_drive_the_terminal():
    said = run(
        "score", "--task", "test/sums", "--reward", "test/adds", "--example", "eval-1", "--text", "\x1b[2J[red]x"
    )
    assert "\x1b" not in said
    assert "[red]x" in said


def write(folder: Path, *lines: str) -> str:
    path = folder / "rollouts.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2 is not JSON"),
        ("[]", "line 2 is list"),
        ('{"example": "x"}', "'completion' is None; a text or a list of chat messages is needed"),
        ('{"example": "x", "completion": [{"role": "user", "content": "x"}]}', "line 2: the field 'completion' is"),
        (
            '{"example": "x", "completion": [{"content": "x"}]}',
            "line 2: a message is {'content': 'x'}; it has a 'role'",
        ),
        ('{"example": 3, "completion": ""}', "'example' is 3"),
    ],
)
def test_a_bad_line_of_a_rollouts_file_is_named(line, said, tmp_path):
    path = write(tmp_path, '{"example": "train-0", "completion": ""}', line)
    assert said in run("score", "--task", "test/sums", "--reward", "test/adds", "--rollouts", path, code=2)


@pytest.mark.parametrize("asked", [(), ("--example", "eval-1")])
def test_a_row_that_cannot_be_scored_is_called_by_its_line(asked, tmp_path):
    """With a blank line above; asked about one example, its rows alone are looked at, and called as before."""
    row = {"example": "eval-1", "completion": "", "stop": "never"}
    path = write(tmp_path, '{"example": "train-0", "completion": ""}', "", json.dumps(row))
    said = run("score", "--task", "test/sums", "--reward", "test/adds", "--rollouts", path, *asked, code=2)
    assert "'stop' is 'never'" in said
    assert f"That is in {path!r}, line 3." in said


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--rollout", "999"), "error: there is no rollout 999: the 3 there are have the numbers 0 to 2\n"),
        (
            ("--example", "train-0", "--rollout", "1"),
            "rollout 1 is not of example 'train-0'; those of it have the numbers 0, 2",
        ),
        (("--example", "train_0"), "none of the 3 rollouts is of example 'train_0'. Did you mean 'train-0'?"),
        (
            ("--example", "x", "--rollout", "0"),
            "none of the 3 rollouts is of example 'x'. They are of train-0, eval-1.",
        ),
    ],
)
def test_rollouts_that_are_not_there_are_said_in_words(asked, said, tmp_path):
    rows = ({"example": example, "completion": ""} for example in ("train-0", "eval-1", "train-0"))
    path = write(tmp_path, *map(json.dumps, rows))
    told = run("score", "--task", "test/sums", "--reward", "test/adds", "--rollouts", path, *asked, code=2)
    assert said in told
    assert "None" not in told


def test_an_unknown_example_gets_the_nearest():
    said = run("score", "--task", "test/sums", "--reward", "test/adds", "--example", "eval_0", "--text", "", code=2)
    assert "no example named 'eval_0' among the " in said
    assert " of test/sums-v1. Did" in said
    assert "installed" not in said
    assert "'eval-0'" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name both a task and a reward"),
        (("--task", "test/sums", "--reward", "test/adds"), "nothing to score"),
        (("--task", "test/sums", "--reward", "test/adds", "--text", "x"), "--example"),
        (
            ("--task", "test/sums[cuont=3]", "--reward", "test/adds", "--example", "eval-0", "--text", ""),
            "did you mean 'count'?",
        ),
        (
            ("--task", "test/sums", "--reward", "test/adds", "--rollouts", "nowhere.jsonl"),
            "no rollouts at 'nowhere.jsonl'",
        ),
    ],
)
def test_score_says_what_it_needs(arguments, said):
    assert said in run("score", *arguments, code=2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sql/execution", (1.0, "sql/execution", {})),
        ("sql/execution-v1[mode=bag]", (1.0, "sql/execution-v1", {"mode": "bag"})),
        ("-2.5e-1 * a/b[x=1, y=[2, 3], z=a b]", (-0.25, "a/b", {"x": 1, "y": [2, 3], "z": "a b"})),
        ("a[]", (1.0, "a", {})),
    ],
)
def test_a_name_with_weight_and_options_is_taken_apart(text, expected):
    assert named(text) == expected


@pytest.mark.parametrize("text", ["", "a[", "a]b", "x*", "a b", "--*a", "a[x]", "a[x=[1]"])
def test_what_is_no_name_is_refused_with_the_form(text):
    with pytest.raises(ConfigError, match="not of the form NAME"):
        named(text)


def test_the_latest_checkpoint_is_found_by_number(tmp_path):
    """As numbers: 1000000 > 999999."""
    for step in ("000012", "999999", "1000000"):
        (tmp_path / "checkpoints" / f"step-{step}").mkdir(parents=True)
    assert find_checkpoint(tmp_path, None).name == "step-1000000"
    assert find_checkpoint(tmp_path, Path("step-000012")).name == "step-000012"
    assert find_checkpoint(tmp_path, Path("step-12")).name == "step-000012"
    with pytest.raises(RunError, match="there are: step-000012"):
        find_checkpoint(tmp_path, Path("step-000013"))


def test_a_run_folder_without_resume_is_known_for_one(tmp_path):
    (tmp_path / "recipe.yaml").write_text("name: mine\n")
    assert "is a run's folder; go on with it by --resume" in run("train", str(tmp_path), code=2)


def test_report_of_what_is_no_run_says_so(tmp_path):
    assert "holds no run" in run("report", str(tmp_path), code=2)


def test_an_unknown_recipe_gets_a_clear_error():
    assert "no recipe named 'sqll'" in run("train", "sqll", code=2)


def test_doctor_reports_the_machine_as_json():
    result = CliRunner().invoke(main, ["doctor", "--json"])
    subjects = [finding["subject"] for finding in json.loads(result.output)]
    assert {"guerdon", "python", "sqlite", "cores", "memory", "torch", "cache folder", "plugins"} <= set(subjects)


def test_doctor_exits_with_1_when_the_cache_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GUERDON_CACHE", str(tmp_path / "file" / "cache"))
    result = CliRunner().invoke(main, ["doctor", "--json"])
    assert result.exit_code == 1
    (finding,) = [finding for finding in json.loads(result.output) if finding["subject"] == "cache folder"]
    assert finding["status"] == "problem"


def test_doctor_shows_what_a_plugin_checks():
    """A check that fails is a finding of its own, and the others are still shown."""

    def broken():
        raise OSError("no such device")

    def telescope():
        yield Finding("telescope", "points north")
        yield Finding("mirror", "is cracked", "problem", "buy another")

    register_local("checks", "test/broken", broken)
    register_local("checks", "test/telescope", telescope)
    findings = json.loads(run("doctor", "--json", code=1))
    told = {finding["subject"]: (finding["status"], finding["found"]) for finding in findings}
    assert told["telescope"] == ("ok", "points north")
    assert told["mirror"] == ("problem", "is cracked")
    assert told["test/broken"] == ("problem", "the check itself fails: OSError: no such device")


@dataclass(frozen=True)
class Coin(Claim):
    """A claim whose outcome its field decides."""

    name: ClassVar[str] = "test/coin"
    paper: ClassVar[str] = "On Coins, 1713"
    statement: ClassVar[str] = "Heads come up."

    heads: float = 1.0

    def run(self, seeds: Sequence[int], progress: Progress = no_progress) -> ClaimResult:
        for done, seed in enumerate(seeds, start=1):
            progress(done, len(seeds), f"seed {seed}")
        return self.result(self.heads > 0.5, [Measurement("heads", tuple(self.heads for _ in seeds))], seeds)


def test_claims_are_listed_with_their_papers():
    register_local("claims", "test/coin", Coin)
    assert "On Coins, 1713" in [row["paper"] for row in json.loads(run("claims", "--json"))]
    assert "test/coin" in run("claims")
    assert run("claims", "list") == run("claims")
    assert run("claims", "list", "--json") == run("claims", "--json")


def test_a_claim_that_cannot_be_loaded_is_listed_with_its_reason():
    register_local("claims", "test/broken", "no_such_module:Claim")
    (row,) = [row for row in json.loads(run("claims", "--json")) if row["name"] == "test/broken"]
    assert "no_such_module" in row["statement"]


def test_a_claim_is_run_over_as_many_seeds_as_asked_for():
    register_local("claims", "test/coin", Coin)
    (result,) = json.loads(run("claims", "run", "test/coin", "--seeds", "3", "--json"))
    assert (result["held"], result["seeds"]) == (True, [0, 1, 2])


def test_a_claim_that_does_not_hold_exits_with_1_and_says_so():
    register_local("claims", "test/coin", Coin)
    assert "did not hold" in run("claims", "run", "test/coin[heads=0.25]", "--seeds", "1", code=1)


def test_a_claim_without_the_word_run_gets_the_whole_line():
    register_local("claims", "test/coin", Coin)
    said = run("claims", "test/coin[heads=1]", "--seeds", "2", code=2)
    assert "To run that claim: guerdon claims run test/coin[heads=1] --seeds 2" in said
    assert "Did you mean 'test/coin'?" in run("claims", "test/cion", code=2)


def test_claims_run_without_a_name_asks_for_one():
    assert "name a claim, or give --all" in run("claims", "run", code=2)


def test_every_name_that_core_offers_loads():
    for kind in KINDS:
        for entry in catalog().entries(kind):
            if entry.distribution == "guerdon":
                assert callable(catalog().load(kind, entry.name)), entry


RECIPE = "{task: test/sums, policy: {use: tabular, with: {states: [a], actions: [b]}}, reward: test/adds}"


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.yaml"
    path.write_text(RECIPE)
    return path


def train_small(recipe: Path, *settings: str, code: int = 0) -> str:
    """Two steps of one group of two, in the folder `run`."""
    pytest.importorskip("torch")
    states = [f"{split}-{number}" for split in ("train", "eval") for number in range(4)]
    small = (
        f"policy={{use: tabular, with: {{states: {states}, actions: [a, b]}}}}",
        "train.steps=2",
        "train.prompts_per_step=1",
        "train.group_size=2",
        *settings,
    )
    given = [part for setting in small for part in ("--set", setting)]
    return run("train", str(recipe), *given, "--out", str(recipe.parent / "run"), code=code)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mine.yaml", "--resume"), "to resume, name the run folder: guerdon train RUN --resume"),
        (("mine.yaml", "--resume", "--out", "nowhere"), "'nowhere' holds no run: there is no recipe.yaml in it"),
        (("empty", "--resume"), "'empty' holds no run: there is no recipe.yaml in it"),
        (("nowhere", "--resume"), "there is no run folder 'nowhere'; to resume, name one: guerdon train RUN --resume"),
        (("runs/nowhere", "--resume"), "there is no run folder 'runs/nowhere', and no recipe named 'runs/nowhere'"),
        (("nowhere",), "error: no recipe named 'nowhere'"),
        (("mine.json",), "'mine.json' ends in '.json'; accepted are .yaml, .yml and .toml"),
        (("nowhere.yaml",), "'nowhere.yaml' cannot be read: No such file or directory"),
        (("mine.yaml", "--set", "train.stesp=3"), "mine.yaml: field 'train.stesp' is unknown; did you mean 'steps'?"),
        (("mine.yaml", "--set", "train.steps=few"), "mine.yaml: field 'train.steps' is 'few'; input should be a valid"),
        (("mine.yaml", "--set", "reward=test/ads"), "'test/adds-v1'? (field 'reward.use')\nThe recipe is 'mine.yaml'."),
        (
            ("mine.yaml", "--set", "task.with.cuont=3"),
            "'task.with.cuont' is unknown; did you mean 'count'?\nThe recipe",
        ),
        (("mine.yaml", "--set", "task.with.count=0"), "task 'test/sums-v1' has no training examples\nThe recipe is"),
        (
            ("mine.yaml", "--set", "policy={use: scripted, with: {script: {a: [b]}}}"),
            "the policy has nothing that could be trained",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_train_says_what_is_wrong_and_has_written_nothing(arguments, said, recipe):
    pytest.importorskip("torch")
    (recipe.parent / "empty").mkdir()
    recipe.with_suffix(".json").write_text("{}")
    before = sorted(recipe.parent.iterdir())
    assert said in run("train", *arguments, code=2)
    assert sorted(recipe.parent.iterdir()) == before


def test_what_is_only_scored_or_audited_needs_no_policy(tmp_path):
    """Whoever trains it is told what is missing, before anything is built."""
    path = tmp_path / "looked_at.yaml"
    path.write_text("{task: test/sums, reward: test/adds}")
    assert "1" in run("score", str(path), "--example", "train-0", "--text", right("train-0"))
    for command, *given in (("train", "--out", str(tmp_path / "out")), ("eval",)):
        assert "field 'policy' is missing" in run(command, str(path), *given, code=2)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [("score",), ("eval",), ("train",)])
def test_a_run_folder_that_is_not_there_is_not_taken_for_a_recipe_alone(arguments, recipe):
    said = run(*arguments, "runs/nowhere", code=2)
    assert said.startswith("error: there is no run folder 'runs/nowhere', and no recipe named 'runs/nowhere'")


def test_a_task_whose_files_are_not_in_order_is_said_before_the_run_folder_is_made(recipe):
    pytest.importorskip("torch")

    class Broken(Sums):
        def examples(self, split):
            raise TaskError("row 3 has no question")

    register_local("tasks", "test/broken", Broken)
    said = run("train", "mine.yaml", "--set", "task=test/broken", "--out", "run", code=2)
    assert said == "error: row 3 has no question\nThe recipe is 'mine.yaml'.\n"
    assert not (recipe.parent / "run").exists()


def test_eval_says_that_there_is_no_checkpoint_yet(tmp_path):
    with pytest.raises(RunError, match=r"^no checkpoint yet in '.*'; there are: none"):
        find_checkpoint(tmp_path, None)
    with pytest.raises(RunError, match=r"^no checkpoint 'step-1', and no run folder is named"):
        find_checkpoint(None, Path("step-1"))


@reward(name="test/never-v1", bounds=(0.0, 1.0))
def never(rollout: Rollout) -> Score:
    return Score.unscored("no such database", status="invalid")


@pytest.mark.filterwarnings("ignore:step 0 teaches nothing")
def test_a_run_in_which_nothing_was_scored_fails_and_says_why(recipe):
    """Two steps of one group of two; the run is whole all the same, and its report is written."""
    register_local("rewards", "test/never-v1", never)
    said = train_small(recipe, "reward=test/never", code=1)
    assert (
        "error: nothing was learnt: none of the 4 rollouts of 2 steps was scored. Most often (4 of 4): invalid, "
        in said
    )
    assert "no such database. The task itself is broken: mend its examples" in said
    assert (recipe.parent / "run" / "report.html").is_file()
    assert run("train", "run", "--resume", code=1).count("nothing was learnt") == 1


def test_a_run_in_which_something_was_scored_does_not_fail(recipe):
    assert "nothing was learnt" not in train_small(recipe)


def test_the_closing_table_tells_evaluations_of_one_stage_by_their_step(recipe):
    said = train_small(recipe, "train.eval={examples: 2, every: 1}")
    assert re.search(r"greedy evaluation +before +rl 1 +rl 2", said)


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ((), 3),
        (("--limit", "2"), 2),
        (("--set", "train.eval.examples=0"), 4),
        (("--set", "train.eval.examples=9"), 4),
    ],
)
def test_eval_asks_as_many_examples_as_the_run_does_unless_told(arguments, count, recipe):
    """The task has four; the run evaluates on three."""
    train_small(recipe, "train.eval.examples=3")
    (task,) = json.loads(run("eval", "run", *arguments, "--json"))["tasks"].values()
    assert task["count"] == count


def test_eval_tells_how_sure_a_mean_is_and_of_how_many(recipe):
    """The table's greedy answers are "a" or "b", no sums: 0 of 4, which Wilson ends at 3.8415 / 7.8415 = .4899."""
    train_small(recipe, "train.eval.examples=4", "task=test/measured-sums")
    assert "0.0000  95 % (Wilson): 0.0000 to 0.4899" in run("eval", "run")
    (task,) = json.loads(run("eval", "run", "--json"))["tasks"].values()
    assert task["intervals"] == {"adds": {"kind": "Wilson", "low": 0.0, "high": pytest.approx(0.48989, abs=1e-5)}}
    assert task["scored"] == {"adds": 4}


LEARNS = "reward={use: test/first, then: [center]}"


def test_a_checkpoint_is_evaluated_whatever_reward_it_was_trained_with(recipe):
    """Metrics are the task's: what its reward had learnt is not asked for, and no reason to refuse."""
    train_small(recipe, LEARNS, "seed=1")
    same, other = (
        json.loads(run("eval", "run", *more, "--json"))["tasks"] for more in ((), ("--set", "reward=test/first"))
    )
    assert same == other


def kept_rows(recipe: Path, step: int) -> list[dict]:
    lines = (recipe.parent / "run" / "rollouts" / f"rl-{step:06d}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def raw(row: dict) -> float:
    return row["score"]["parts"]["first"]["value"]


def test_a_run_is_scored_with_what_its_rewards_had_learnt(recipe):
    """`center` subtracts the mean of all values so far, the batch's own included: here those of both training batches
    and once more those of the one that is scored. The run itself had the first and, in the second step, the second."""
    train_small(recipe, LEARNS, "train.group_size=4", "seed=1")
    first, second = ([raw(row) for row in kept_rows(recipe, step)] for step in (0, 1))
    assert len({*first, *second}) == 2  # else there is nothing to centre
    records = [json.loads(line) for line in run("score", "run", "--json").splitlines()]
    mean = (sum(first) + 2 * sum(second)) / 12
    assert [record["score"]["value"] for record in records] == pytest.approx([value - mean for value in second])
    then = (sum(first) + sum(second)) / 8
    assert [record["recorded"] for record in records] == pytest.approx([value - then for value in second])
    assert mean != then
    said = run("score", "run", "--rollout", "2")
    assert "first learns: as it had by step-000002" in said
    assert (
        f"the run recorded {second[2] - then:.6g}, now {second[2] - mean:.6g}; what first learns has moved on" in said
    )
    assert "4 of 4 rollouts earn another number" in run("score", "run")


def test_an_older_checkpoint_may_be_named_and_a_missing_one_is_said(recipe):
    """By the first step the reward had seen the first batch alone: scored anew, the second is what the run recorded."""
    train_small(recipe, LEARNS, "train.group_size=4", "train.checkpoint_every=1", "seed=1")
    said = run("score", "run", "--checkpoint", "step-1")
    assert "as it had by step-000001" in said
    assert "the run recorded" not in said
    assert "there are: step-000001, step-000002" in run("score", "run", "--checkpoint", "step-3", code=2)


def test_a_rollout_is_scored_among_its_siblings_as_the_run_had_it(recipe):
    """Standardised over its group; alone it would be 0."""
    train_small(recipe, "reward={use: test/first, then: [standardize]}", "train.group_size=4", "seed=1")
    values = [row["score"]["value"] for row in kept_rows(recipe, 1)]
    assert all(values)
    (line,) = run("score", "run", "--rollout", "2", "--json").splitlines()
    assert json.loads(line)["score"]["value"] == json.loads(line)["recorded"] == values[2]
    said = run("score", "run", "--rollout", "2")
    assert "compares attempts" not in said
    assert "the run recorded" not in said


def test_what_learns_over_batches_compares_no_attempts(recipe):
    recipe.write_text("{task: test/sums, reward: {sum: [{use: test/first, then: [center]}, {use: test/adds}]}}")
    alone = ("--example", "eval-1", "--text", "a")
    assert "compares attempts" not in run("score", "mine.yaml", *alone)
    recipe.write_text("{task: test/sums, reward: {sum: [{use: test/first, then: [standardize]}, {use: test/adds}]}}")
    assert "\nfirst compares attempts at one example" in run("score", "mine.yaml", *alone)


def test_a_run_without_a_checkpoint_is_scored_as_it_began_and_says_so(recipe):
    train_small(recipe, LEARNS)
    (kept,) = (recipe.parent / "run" / "checkpoints").iterdir()
    kept.rename(recipe.parent / "elsewhere")
    assert "the run has no checkpoint yet: as it began" in run("score", "run")
    assert "as it had by elsewhere" in run("score", "run", "--checkpoint", "elsewhere")


def test_of_a_reward_that_asks_the_trained_policy_the_run_shows_what_it_recorded(recipe):
    class Asks(Reward, name="test/asks-v1"):
        needs_policy = True

    register_local("rewards", "test/asks-v1", Asks)
    train_small(recipe, "reward=test/first", "train.group_size=4", "seed=1")
    kept = recipe.parent / "run" / "recipe.yaml"
    kept.write_text(kept.read_text().replace("test/first", "test/asks"))
    records = [json.loads(line) for line in run("score", "run", "--json").splitlines()]
    assert [record["score"]["value"] for record in records] == [row["score"]["value"] for row in kept_rows(recipe, 1)]
    assert "asks the policy that was trained: what the run recorded" in run("score", "run", "--rollout", "0")


@pytest.mark.parametrize("command", [("audit", "run"), ("compare", "run", "test/adds")])
def test_a_run_is_audited_and_compared_with_what_its_rewards_had_learnt(command, recipe, monkeypatch):
    train_small(recipe, LEARNS)
    taken = []
    monkeypatch.setattr("guerdon.trainer.checkpoints.load_rewards", lambda folder, reward: taken.append(folder.name))
    more = ("--rollouts", "run") if command[0] == "compare" else ("--examples", "2", "--category", "constant")
    said = CliRunner().invoke(main, [*command, *more]).output
    assert "first learns: as it had by step-000002" in said
    assert taken == ["step-000002"]
    assert "there are: step-000002" in run(*command, *more, "--checkpoint", "step-1", code=2)


def test_a_checkpoint_is_of_a_run(recipe):
    train_small(recipe, LEARNS)
    said = run("compare", "test/first", "test/adds", "--checkpoint", "step-2", "--rollouts", "run", code=2)
    assert "neither A nor B is a run folder" in said


@pytest.mark.parametrize("command", ["mine", "eval", "score", "audit", "compare"])
def test_of_a_checkpoints_folder_it_is_said_how_to_name_it(command, recipe):
    train_small(recipe)
    (kept,) = (recipe.parent / "run" / "checkpoints").iterdir()
    more = {"mine": ["--out", "pairs.jsonl"], "compare": ["test/adds"]}.get(command, [])
    said = run(command, f"run/checkpoints/{kept.name}", *more, code=2)
    assert f"name the run, and the checkpoint beside it: run --checkpoint {kept.name}" in said


def test_a_run_that_failed_in_its_first_step_may_be_tried_again(recipe):
    """A part's name is found to be wrong when the first batch is scored, after the evaluation before it."""
    wrong = "advantage={use: streams, with: {weights: {adsd: 1.0}}}"
    assert "stream 'adsd'" in train_small(recipe, wrong, "reward=test/hinted", code=2)
    said = train_small(recipe, wrong.replace("adsd", "hint"), "reward=test/hinted")
    assert "had failed before its first step" in said
    assert "report " in said
    assert "already holds a run" in train_small(recipe, code=2)


@pytest.mark.parametrize(
    ("text", "name"), [(f"{{name: sums, {RECIPE[1:]}", "sums"), (RECIPE, "mine.yaml"), ("name: a b\n", "mine.yaml")]
)
def test_a_recipes_file_is_served_under_the_name_in_it(text, name, recipe, monkeypatch):
    pytest.importorskip("fastapi", reason="the server needs guerdon[serve]")
    served = []
    monkeypatch.setattr("guerdon.serve.server.serve", lambda graders, **_: served.append(list(graders)))
    recipe.write_text(text if text.startswith("{") else text + "task: test/sums\nreward: test/adds\n")
    run("serve", "mine.yaml")
    run("serve", "other=mine.yaml")
    assert served == [[name], ["other"]]


def test_an_interrupted_run_says_how_to_resume_it(tmp_path, monkeypatch):
    def interrupted(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("guerdon.recipes.running.run_recipe", interrupted)
    recipe = tmp_path / "mine.yaml"
    recipe.write_text("{task: test/sums, policy: scripted, reward: test/adds}")
    said = run("train", str(recipe), "--out", str(tmp_path / "run"), code=130)
    assert f"guerdon train {tmp_path / 'run'} --resume" in said


@dataclass(frozen=True)
class AskedSums(Sums):
    """Sums, in words."""

    def prompt(self, example: Example) -> Prompt:
        return Prompt((Message("user", f"What is {example.a} plus {example.b} [{example.id}]?"),))


def test_score_shows_what_was_asked_once_for_all_attempts_at_it(tmp_path):
    register_local("tasks", "test/asked-sums", AskedSums)
    rows = [json.dumps({"example": example, "completion": "1"}) for example in ("eval-0", "eval-0", "eval-1")]
    asked = [f"What is {each.a} plus {each.b} [{each.id}]?" for each in Sums().examples("eval")[:2]]
    said = run("score", "--task", "test/asked-sums", "--reward", "test/adds", "--rollouts", write(tmp_path, *rows))
    assert [said.count(question) for question in asked] == [1, 1]
    assert said.index(asked[0]) < said.index("rollout 1") < said.index("rollout 2") < said.index(asked[1])


def test_of_a_long_question_both_ends_are_shown(capsys):
    """300 characters of each end of 6 + 1000 + 4."""
    from guerdon.cli.explaining import explain
    from guerdon.types import Score

    question = "tables" + "x" * 1000 + "[7]?"
    explain(
        {"example": "e", "number": 0, "completion": "1", "prompt": [{"role": "user", "content": question}]},
        Score(1.0),
        {},
    )
    said = capsys.readouterr().out
    assert "tables" + "x" * 294 + " ... 410 more characters ... " + "x" * 296 + "[7]?" in said


def test_score_shows_how_the_task_begins_a_completion(capsys):
    """A program that does not compile, say, for want of what stands before it."""
    from guerdon.cli.explaining import explain
    from guerdon.types import Score

    row = {"example": "e", "number": 0, "completion": "return 1", "forced": "def f():\n"}
    explain(row, Score(1.0), {})
    explain({**row, "completion": "def f():\n return 1"}, Score(1.0), {})
    said = capsys.readouterr().out
    assert said.count("begun by the task") == 1
    assert said.index("begun by the task") < said.index("def f():") < said.index("return 1")
