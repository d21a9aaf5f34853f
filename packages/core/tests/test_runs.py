import errno
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from guerdon.errors import RunError
from guerdon.runs import RunFolder, read_metrics, rollout_files, step_of, versions


@pytest.fixture
def run(tmp_path):
    with RunFolder.create(tmp_path / "run", "task: sql\n", seed=7, tensorboard=False) as run:
        yield run


def save(run, step, text="weights"):
    with run.checkpoint(step) as folder:
        (folder / "policy").mkdir()
        (folder / "policy" / "weights.bin").write_text(text)


def names(run):
    return sorted(path.name for path in (run.path / "checkpoints").iterdir())


def train(run, upto):
    """A stand-in for a trainer: a step is a function of its number, and every second one is a checkpoint."""
    done = run.latest_checkpoint()
    start = step_of(done) if done else 0
    run.rewind(json.loads((done / "position.json").read_text()) if done else 0)
    for step in range(start, upto):
        run.write_rollouts("rl", step, [{"step": step, "completion": "x" * step}])
        run.log(step, "rl", {"reward/total": step / 10})
        if (step + 1) % 2 == 0:
            with run.checkpoint(step + 1) as folder:
                (folder / "position.json").write_text(str(run.metrics_lines))


def contents(path):
    """Everything a run wrote that does not depend on the time of day."""
    metrics = [{key: value for key, value in line.items() if key != "time_s"} for line in read_metrics(path)]
    return metrics, {file.name: file.read_text() for _, _, file in rollout_files(path)}


def test_a_line_comes_back_as_it_was_logged(run):
    run.log(1, "rl", {"reward/total": 0.25, "groups/count": 8})
    run.log(1, "eval", {"stage": "rl", "eval/execution": 0.5})
    first, second = run.metrics()
    assert first.pop("time_s") >= 0.0
    assert first == {"step": 1, "phase": "rl", "reward/total": 0.25, "groups/count": 8}
    assert (second["stage"], second["eval/execution"]) == ("rl", 0.5)


def test_nan_and_infinity_are_null_and_foreign_numbers_are_numbers(run):
    import numpy as np

    run.log(1, "rl", {"loss": math.nan, "grad_norm": math.inf, "kl": np.float32(0.5), "count": np.int64(3)})
    line = (run.path / "metrics.jsonl").read_text()
    assert "NaN" not in line
    assert "Infinity" not in line
    assert {key: json.loads(line)[key] for key in ("loss", "grad_norm", "kl", "count")} == {
        "loss": None,
        "grad_norm": None,
        "kl": 0.5,
        "count": 3.0,
    }


def test_a_line_torn_by_a_kill_is_dropped_on_open(run):
    run.log(1, "rl", {"loss": 1.0})
    run.close()
    with (run.path / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 2, "phase": "rl", "lo')
    assert len(read_metrics(run.path)) == 1, "a reader leaves it out without changing the file"
    with RunFolder.open(run.path, tensorboard=False) as again:
        again.log(2, "rl", {"loss": 0.5})
        assert [line["loss"] for line in again.metrics()] == [1.0, 0.5]


def test_a_whole_line_without_its_newline_is_torn_too(run):
    run.log(1, "rl", {"loss": 1.0})
    run.close()
    with (run.path / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 2, "phase": "rl"}')
    with RunFolder.open(run.path, tensorboard=False) as again:
        assert again.metrics_lines == 1


def test_damage_before_the_last_line_is_an_error_that_names_the_line(run):
    run.close()
    (run.path / "metrics.jsonl").write_text('{"step": 1}\nnonsense\n{"step": 3}\n')
    with pytest.raises(RunError, match=r"line 2 of .*metrics\.jsonl"):
        RunFolder.open(run.path)
    (run.path / "metrics.jsonl").write_text('{"step": 1}\n')
    RunFolder.open(run.path, tensorboard=False).close()  # the failed open left no lock behind


def test_rewind_goes_back_to_a_line_and_refuses_one_that_is_not_there(run):
    for step in range(4):
        run.log(step, "rl", {"loss": float(step)})
    run.rewind(2)
    assert [line["step"] for line in run.metrics()] == [0, 1]
    with pytest.raises(RunError, match="cannot go back to line 3"):
        run.rewind(3)
    run.rewind(0)
    assert run.metrics() == []


def test_time_goes_on_from_the_last_line_after_a_resume(run, monkeypatch):
    run.close()
    (run.path / "metrics.jsonl").write_text('{"step": 1, "phase": "rl", "time_s": 1000.0}\n')
    with RunFolder.open(run.path, tensorboard=False) as again:
        again.log(2, "rl", {})
        assert 1000.0 <= again.metrics()[1]["time_s"] < 1010.0


@pytest.mark.parametrize("killed_after", [1, 2, 3, 5])
def test_a_resumed_run_has_the_files_of_an_undisturbed_one(tmp_path, killed_after):
    with RunFolder.create(tmp_path / "whole", "r", seed=1, tensorboard=False) as whole:
        train(whole, 6)
    with RunFolder.create(tmp_path / "cut", "r", seed=1, tensorboard=False) as cut:
        train(cut, killed_after)
        cut.write_rollouts("rl", killed_after, [{"step": killed_after, "completion": "x" * killed_after}])
    with RunFolder.open(tmp_path / "cut", tensorboard=False) as resumed:
        train(resumed, 6)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    assert names(whole) == names(resumed) == ["step-000004", "step-000006"]


def test_a_kill_at_any_moment_leaves_a_run_that_opens(tmp_path):
    """A process that writes without end is killed -9; what is there is whole, and its lock is gone."""
    script = textwrap.dedent("""
        import sys
        from guerdon.runs import RunFolder
        run = RunFolder.create(sys.argv[1], "r", seed=1, tensorboard=False)
        step = 0
        while True:
            step += 1
            run.write_rollouts("rl", step, [{"completion": "x" * 10000}])
            run.log(step, "rl", {"loss": 1.0 / step})
            with run.checkpoint(step) as folder:
                (folder / "weights").write_text("w" * 100000)
            print(step, flush=True)
    """)
    path = tmp_path / "run"
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True) as process:
        for _ in range(3):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    with RunFolder.open(path, tensorboard=False) as run:
        latest = run.latest_checkpoint()
        assert step_of(latest) >= 3
        assert (latest / "weights").stat().st_size == 100000
        assert not [name for name in names(run) if name.startswith(".")]
        assert run.metrics_lines >= step_of(latest)


def test_rollouts_come_back_exactly_whatever_the_policy_wrote(run):
    hostile = "</script>\x00 \ud800 \u2028 ünïcode"
    records = [{"completion": hostile, "advantage": 0.1 + 0.2, "score": {"value": math.nan}}]
    path = run.write_rollouts("eval-before", 0, records)
    assert path.name == "eval-before-000000.jsonl"
    (back,) = run.read_rollouts("eval-before", 0)
    assert back == {"completion": hostile, "advantage": 0.1 + 0.2, "score": {"value": None}}
    assert run.read_rollouts("rl", 99) == []


def test_a_phase_cannot_leave_the_folder(run):
    with pytest.raises(RunError, match=r"'\.\./rl'"):
        run.write_rollouts("../rl", 1, [])


def test_only_the_newest_checkpoints_are_kept(run):
    for step in (10, 20, 30, 1_000_000):
        save(run, step)
    assert names(run) == ["step-000030", "step-1000000"]
    assert step_of(run.latest_checkpoint()) == 1_000_000


def test_a_failing_save_leaves_the_checkpoints_as_they_were(run):
    save(run, 10)
    with pytest.raises(ZeroDivisionError), run.checkpoint(20) as folder:
        (folder / "half").write_text(str(1 / 0))
    assert names(run) == ["step-000010"]


def test_a_checkpoint_made_twice_is_replaced_and_a_failed_replacement_is_not(run):
    save(run, 10, "old")
    save(run, 10, "new")
    with pytest.raises(ZeroDivisionError), run.checkpoint(10):
        raise ZeroDivisionError
    assert names(run) == ["step-000010"]
    assert (run.latest_checkpoint() / "policy" / "weights.bin").read_text() == "new"


def test_a_kill_between_the_two_renames_of_a_replacement_is_mended(run):
    save(run, 10, "old")
    run.close()
    folder = run.path / "checkpoints"
    (folder / "step-000010").rename(folder / ".step-000010.replaced")
    (folder / ".step-000010.partial").mkdir()
    with RunFolder.open(run.path, tensorboard=False) as again:
        assert names(again) == ["step-000010"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_out_of_disk_while_saving_is_a_clear_error_and_the_last_checkpoint_stays(run, error):
    save(run, 10)

    def fill():
        with run.checkpoint(20) as folder:
            (folder / "half").write_text("half")
            raise error

    with pytest.raises(RunError, match=r"no space left.*step-000020.*--resume"):
        fill()
    assert names(run) == ["step-000010"]


def test_a_disk_that_fills_up_unsaid_is_recognised_by_its_free_space(run, monkeypatch):
    """torch.save says only that its writer failed."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 4096))
    with pytest.raises(RunError, match="no space left"), run.checkpoint(1):
        raise RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed")


def test_a_folder_that_cannot_be_made_is_no_full_disk(tmp_path, monkeypatch):
    """Some file systems (`/proc`) always say that nothing is free."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(0, 0, 0))
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"cannot write '.*file/run': Not a directory\. Mend that, or give another"):
        RunFolder.create(tmp_path / "file" / "run", "task: sql", seed=7, tensorboard=False)


def test_out_of_disk_while_logging_leaves_whole_lines(run, monkeypatch):
    run.log(1, "rl", {"loss": 1.0})
    write, room = os.write, [5]

    def five_bytes_left(fd, data):
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, bytes(data[: room.pop()]))

    monkeypatch.setattr(os, "write", five_bytes_left)
    with pytest.raises(RunError, match=r"no space left.*metrics\.jsonl"):
        run.log(2, "rl", {"loss": 0.5})
    with pytest.raises(RunError, match="no space left"):
        run.write_rollouts("rl", 2, [{"completion": "x"}])
    monkeypatch.undo()
    assert [line["step"] for line in run.metrics()] == [1]
    assert (run.path / "metrics.jsonl").read_bytes().endswith(b"\n")
    assert rollout_files(run.path) == []
    run.log(2, "rl", {"loss": 0.5})
    assert run.metrics_lines == 2


def test_two_writers_are_refused_in_one_process_and_in_two(run):
    with pytest.raises(RunError, match=f"process {os.getpid()}"):
        RunFolder.open(run.path)
    code = "import sys; from guerdon.runs import RunFolder; RunFolder.open(sys.argv[1])"
    other = subprocess.run([sys.executable, "-c", code, str(run.path)], capture_output=True, text=True)
    assert f"being written by process {os.getpid()}" in other.stderr
    run.close()
    assert subprocess.run([sys.executable, "-c", code, str(run.path)], capture_output=True).returncode == 0


def test_a_folder_with_a_run_is_not_overwritten_and_one_without_is_not_opened(run, tmp_path):
    run.log(0, "rl", {})
    with pytest.raises(RunError, match="already holds a run"):
        RunFolder.create(run.path, "other", seed=1)
    with pytest.raises(RunError, match="holds no run"):
        RunFolder.open(tmp_path)


def test_a_checkpoint_alone_makes_a_folder_a_run_that_is_not_overwritten(run):
    with run.checkpoint(0):
        pass
    with pytest.raises(RunError, match="already holds a run"):
        RunFolder.create(run.path, "other", seed=1)


def test_a_run_that_failed_before_its_first_step_makes_room_for_the_next(run):
    run.log(0, "eval", {"stage": "before", "eval/execution": 0.5})
    run.write_rollouts("eval", 0, [{"completion": "a"}])
    run.write_rollouts("rl", 0, [{"completion": "b"}])
    run.close()
    with pytest.warns(RuntimeWarning, match="failed before its first step"):
        other = RunFolder.create(run.path, "task: other\n", seed=1, tensorboard=False)
    with other:
        assert (other.recipe_text, other.seed, other.metrics()) == ("task: other\n", 1, [])
        assert rollout_files(run.path) == []
        other.log(0, "rl", {})
        assert other.metrics_lines == 1


def test_a_run_that_is_still_in_its_first_step_keeps_its_folder(run):
    with pytest.raises(RunError, match="being written by process"):
        RunFolder.create(run.path, "other", seed=1)
    assert run.recipe_text == "task: sql\n"


def test_recipe_and_versions_say_what_ran_without_importing_it(run):
    assert run.recipe_text == "task: sql\n"
    assert run.seed == 7
    assert run.versions["distributions"]["guerdon"]
    assert versions(device="cpu")["device"] == "cpu"
    code = "import sys; from guerdon.runs import versions; versions(); print({'torch', 'numpy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_tensorboard_forgets_what_a_rewind_dropped(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    pytest.importorskip("torch")
    with RunFolder.create(tmp_path / "run", "r", seed=1) as run:
        for step in range(3):
            run.log(step, "sft", {"loss": 1.0})
        for step in range(5):
            run.log(step, "rl", {"loss": math.nan if step == 0 else 1.0})
    with RunFolder.open(tmp_path / "run") as run:
        run.rewind(6)
        run.log(3, "rl", {"loss": 2.0})
    for phase, expected in {"rl": [(1, 1.0), (2, 1.0), (3, 2.0)], "sft": [(0, 1.0), (1, 1.0), (2, 1.0)]}.items():
        events = accumulator.EventAccumulator(str(Path(run.path) / "tensorboard" / phase))
        events.Reload()
        assert [(event.step, event.value) for event in events.Scalars("loss")] == expected
