"""A process that drives episodes and draws frames: `python -m guerdon_driving.episode_worker`, a pickle a job.

Its input is this package's own parent process. Like guerdon's other workers it is a fresh interpreter, not a fork, and
ends when its input does.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

Result = TypeVar("Result")
Job = tuple[Callable[..., Any], tuple[Any, ...]]


def main() -> None:
    """Answer jobs until the input ends."""
    jobs, answers = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # what a library prints is no answer
    while True:
        try:
            function, arguments = pickle.load(jobs)
        except EOFError:
            return
        try:
            answer = (True, function(*arguments))
        except Exception as error:  # noqa: BLE001 - it is raised again where the job came from
            answer = (False, error)
        pickle.dump(answer, answers, protocol=pickle.HIGHEST_PROTOCOL)
        answers.flush()


@contextmanager
def workers(count: int) -> Iterator[Callable[[Iterable[Job]], Iterator[Any]]]:
    """A function that runs jobs in `count` processes and yields their results in order; 0: in this process.

    Raises:
        whatever a job raised; RuntimeError where a worker died.
    """
    if count == 0:
        yield lambda jobs: (function(*arguments) for function, arguments in jobs)
        return
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "guerdon_driving.episode_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        for _ in range(count)
    ]
    free = list(started)

    def run(job: Job) -> Any:
        process = free.pop()
        try:
            assert process.stdin
            assert process.stdout
            pickle.dump(job, process.stdin, protocol=pickle.HIGHEST_PROTOCOL)
            process.stdin.flush()
            good, answer = pickle.load(process.stdout)
        except (EOFError, BrokenPipeError) as error:
            raise RuntimeError(f"a worker that drives episodes ended with {process.poll()!r} in {job[0]!r}") from error
        finally:
            free.append(process)
        if not good:
            raise answer
        return answer

    threads = ThreadPoolExecutor(count)
    try:
        yield lambda jobs: threads.map(run, jobs)
    finally:
        for process in started:
            process.kill()
        threads.shutdown(wait=True, cancel_futures=True)
        for process in started:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    with suppress(BrokenPipeError):
                        pipe.close()


def default_count() -> int:
    """One for each core that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    main()
