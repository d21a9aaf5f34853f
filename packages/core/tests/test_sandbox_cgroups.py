"""Control groups around a sandbox's servers, and what a killed owner leaves behind."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from guerdon.diagnostics.confinement import HELP
from guerdon.sandbox import Calls, Limits, Sandbox, cgroups, leftovers
from guerdon.sandbox.cgroups import Mount, candidates

V1_MEMORY = Mount("cgroup", "/", "/sys/fs/cgroup/memory", frozenset({"rw", "memory"}))
V1_PIDS = Mount("cgroup", "/", "/sys/fs/cgroup/pids", frozenset({"rw", "pids"}))
V2 = Mount("cgroup2", "/", "/sys/fs/cgroup", frozenset({"rw"}))


def places(own, mounts):
    return [[str(folder) for folder in each] for each in candidates(own, mounts)]


def test_version_2_is_tried_in_our_own_group_and_in_the_one_above():
    own = {"": "/user.slice/app.scope"}
    assert places(own, [V2]) == [["/sys/fs/cgroup/user.slice/app.scope"], ["/sys/fs/cgroup/user.slice"]]


def test_above_the_top_of_a_mount_there_is_nothing():
    assert places({"": "/"}, [V2]) == [["/sys/fs/cgroup"]]


def test_a_container_sees_its_own_group_at_the_top():
    mount = V2._replace(root="/docker/abc")
    assert places({"": "/docker/abc"}, [mount]) == [["/sys/fs/cgroup"]]


def test_version_1_has_a_folder_for_each_controller():
    own = {"memory": "/job", "pids": "/"}
    assert places(own, [V1_MEMORY, V1_PIDS]) == [["/sys/fs/cgroup/memory/job", "/sys/fs/cgroup/pids"]]


def test_one_controller_without_the_other_is_nothing():
    assert places({"memory": "/job", "pids": "/"}, [V1_MEMORY]) == []


def test_the_kernels_tables_are_read():
    assert cgroups._own("4:memory:/a\n1:cpu,cpuacct:/\n0::/b:c\n") == {
        "memory": "/a", "cpu": "/", "cpuacct": "/", "": "/b:c",
    }  # fmt: skip
    text = (
        "30 24 0:26 / /sys/fs/cgroup/memory rw,nosuid shared:9 - cgroup cgroup rw,memory\n"
        "31 24 0:27 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw,nsdelegate\n"
        "32 24 0:28 / /tmp rw - tmpfs tmpfs rw\n"
    )
    assert list(cgroups._mounts(text)) == [
        V1_MEMORY,
        Mount("cgroup2", "/docker/abc", "/sys/fs/cgroup", frozenset({"rw", "nsdelegate"})),
    ]


@pytest.fixture
def grouped():
    with Sandbox(workers=1, limits=Limits(wall_s=120.0, cpu_s=60.0, memory_bytes=2**26, processes=16)) as sandbox:
        if "cgroups" in sandbox.layers.missing:
            pytest.skip(f"no control groups here: {sandbox.layers.missing['cgroups']}")
        yield sandbox


def test_processes_share_what_one_may_have(grouped):
    """Each may have 64 MiB, and so may all, beside 64 for files and 256 for the server: 4 of 48 fit, 12 do not."""
    few, many = grouped.run([Calls(HELP, ("hold(4, 48 * 2**20)",)), Calls(HELP, ("hold(12, 48 * 2**20)",))])
    assert few[0].value == 4
    assert many[0].status == "fail" or (many[0].status == "ok" and many[0].value < 12)
    assert "cgroups" in few[0].layers


def test_a_bomb_does_not_take_the_next_answer_with_it(grouped):
    [_, after] = grouped.run([Calls(HELP, ("hold(12, 60 * 2**20)",)), Calls("", ("1 + 1",))])
    assert after[0].value == 2


def test_groups_go_with_their_servers(grouped):
    folders = [folder for server in grouped._pool for folder in server._group._folders]
    assert all(folder.exists() for folder in folders)
    grouped.close()
    assert not any(folder.exists() for folder in folders)


def test_groups_are_not_put_on_where_they_are_not_wanted():
    with Sandbox(workers=1, without=("cgroups",)) as sandbox:
        assert sandbox.layers.missing["cgroups"] == "not asked for"


def test_without_groups_nobody_is_warned(recwarn, monkeypatch):
    def nowhere():
        raise OSError("nowhere")

    monkeypatch.setattr(cgroups, "make", nowhere)
    with Sandbox(workers=1) as sandbox:
        assert sandbox.run([Calls("", ("1",))])[0][0].value == 1
        assert sandbox.layers.missing["cgroups"] == "nowhere"
    assert not [each for each in recwarn if "cgroups" in str(each.message)]


# -- leftovers ---------------------------------------------------------------------------------------------------------


def test_a_folder_is_abandoned_when_nobody_claims_it(tmp_path):
    (tmp_path / "mine-1").mkdir()
    (tmp_path / "mine-2").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "mine-3").symlink_to(tmp_path / "other")
    claim = leftovers.claim(tmp_path / "mine-1")
    assert [path.name for path in leftovers.abandoned(tmp_path, "mine-")] == ["mine-2"]
    os.close(claim)
    assert {path.name for path in leftovers.abandoned(tmp_path, "mine-")} == {"mine-1", "mine-2"}


def test_a_fresh_folder_that_is_swept_before_it_is_claimed_is_made_anew(tmp_path):
    tries = []

    def make():
        folder = tmp_path / f"mine-{len(tries)}"
        folder.mkdir()
        tries.append(folder)
        if len(tries) < 3:  # another process was quicker
            folder.rmdir()
        return folder

    folder, claim = leftovers.made(make)
    assert folder == tries[2]
    assert list(leftovers.abandoned(tmp_path, "mine-")) == []
    os.close(claim)


def test_what_a_killed_owner_left_is_taken_away_by_the_next(tmp_path):
    code = """
        import os, signal
        from guerdon.sandbox import Sandbox
        with Sandbox(workers=1) as sandbox:
            sandbox.check()
            os.kill(os.getpid(), signal.{})
    """
    environment = {**os.environ, "TMPDIR": str(tmp_path)}

    def run(name):
        script = textwrap.dedent(code.format(name))
        return subprocess.run([sys.executable, "-c", script], env=environment, check=False).returncode

    assert run("SIGKILL") == -signal.SIGKILL
    assert len(list(tmp_path.glob("guerdon-answers-*"))) == 1
    assert run("SIGCONT") == 0
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_living_sandbox_stays(tmp_path):
    with Sandbox(workers=1) as sandbox:
        sandbox.check()
        folder = Path(sandbox._pool[0].folder)
        assert folder not in set(leftovers.abandoned(Path(tempfile.gettempdir()), "guerdon-answers-"))
        assert folder.exists()
