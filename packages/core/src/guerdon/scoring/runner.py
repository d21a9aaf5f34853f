"""The runner: walks a reward's tree and evaluates each leaf where it says it runs.

| `runs_in` | how | deadline |
|---|---|---|
| `caller` | the whole batch, inline | the reward's own |
| `elsewhere` | as `caller`, and never in a worker process: it has workers of its own (Ray) | the reward's own |
| `threads` | one piece per thread: a rollout, a group, or the batch, as the reward `sees` | the piece becomes `infra` |
| `processes` | worker processes, whole groups to one worker | the worker is killed; the piece becomes `timeout` |

Composites are evaluated in the caller and ask for their children, so a closed gate saves its child's work here too. A
composite of several leaves that all run in processes, that keeps no state and looks at single rollouts, travels there
whole: one trip, shared caches. Where that trip is late, its leaves are asked one by one, to find out which of them
hangs.

A deadline counts per rollout: a group of 8 has eight times as long. In a process, a miss is the rollout's: text that
makes a reward hang is the policy's doing. The *leaf* that hangs gives a `timeout` at its worst, and composites are
computed from it as from any score; that one is its lower bound, or its upper one where it counts against the whole
(`Reward.worse_end`). A leaf without that bound gives 0, or what it gave others beside it, if that is worse. In a leaf
of the whole batch nobody in particular is to blame (`infra`). In a thread it is always `infra`, since what was waited
for is a server.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Literal

from guerdon.errors import ConfigError, RewardError
from guerdon.rewards import Context, Reward, Scores, walk
from guerdon.rewards.base import End, checked, evaluated
from guerdon.scoring.processes import Outcome, Piece, Pool
from guerdon.scoring.threads import Late, in_threads
from guerdon.types import Group, Score

THREADS = 16
"""Threads for rewards that wait; they hardly compute, so their number does not follow that of the cores."""
TASKS_PER_WORKER = 4
"""Into how many tasks per worker a batch is cut: enough to even out slow ones, few enough to keep caches warm."""


@dataclass
class Runner:
    """Scores batches. Owns all concurrency, so that rewards need none.

    >>> from guerdon import Example, Group, Rollout, reward
    >>> polite = reward(lambda rollout: float("please" in rollout.answer))
    >>> with Runner() as runner:
    ...     runner.score(polite, [Group.of([Rollout.of(Example(id="1"), "yes, please")])])
    [[Score(1.0)]]
    """

    workers: int | None = None
    """Worker processes; None means one per core, at least two."""
    deadline_s: float = 30.0
    """Wall-clock limit of one rollout, in seconds."""
    infra_retries: int = 1
    """How often a rollout whose worker died is tried again before it is `infra`."""
    on_error: Literal["raise", "unscored"] = "raise"
    """What a bug in a reward does: stop the run, or leave the rollout unscored, counted in `stats`."""
    stats: Counter[str] = field(default_factory=Counter, init=False, repr=False)
    """Counts since the start: `errors`, `timeouts`, `worker_deaths`, `retries`."""

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ConfigError(f"Runner.workers is {self.workers!r}; a number >= 1 or None is needed")
        if not self.deadline_s > 0.0:
            raise ConfigError(f"Runner.deadline_s is {self.deadline_s!r}; a number of seconds > 0 is needed")
        if self.on_error not in ("raise", "unscored"):
            raise ConfigError(f"Runner.on_error is {self.on_error!r}; accepted are 'raise' and 'unscored'")
        self._workers = self.workers or max(2, os.cpu_count() or 1)
        self._pool = Pool(self._workers, self.infra_retries, self.stats)

    def score(self, reward: Reward, groups: Sequence[Group], context: Context | None = None) -> Scores:
        """One score per rollout, group by group, in order.

        Raises:
            RewardError: a bug in a reward, with the sample that shows it (`on_error="raise"`).
            ConfigError: a reward cannot score these examples, or not as it is set up.
            SandboxError: worker processes cannot be started or cannot read what they are sent.
        """
        context = context or Context()
        fields = (context.step, context.total_steps, context.seed, context.policy, context.task)
        return _Placed(*fields, runner=self, root=reward).scores(reward, groups)

    def close(self) -> None:
        """End the worker processes. The runner may be used again; fresh ones then start."""
        self._pool.kill()

    def __enter__(self) -> Runner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- evaluation, called back by `_Placed` ----------------------------------------------------------------------

    def evaluate(self, reward: Reward, groups: Sequence[Group], context: _Placed) -> Scores:
        """Score one node of the tree where it runs; `context.scores` gives it its children."""
        if not groups:
            return []
        gains = not context.leaf_by_leaf and len(_leaves(reward)) > 1  # one leaf goes as fast alone
        if travels(reward) and (gains or not reward.children):
            return self._in_processes(reward, groups, context)
        if not reward.children and reward.runs_in == "threads":
            return self._in_threads(reward, groups, context)
        try:
            return evaluated(reward, groups, context)
        except RewardError as error:
            if self.on_error == "raise":
                raise
            return self._one_by_one(reward, groups, context, error)

    def _one_by_one(self, reward: Reward, groups: Sequence[Group], context: Context, error: RewardError) -> Scores:
        """Find out whom a bug concerns: evaluate the smallest pieces the reward can be asked for, each on its own."""
        pieces = cut(reward, groups, self.deadline_s)
        if len(pieces) == 1:
            return self._unscored(groups, str(error))
        found = []
        for piece in pieces:
            try:
                found.append(evaluated(reward, piece.groups, context))
            except RewardError as own:
                found.append(self._unscored(piece.groups, str(own)))
        return joined(found, groups)

    def _unscored(self, groups: Sequence[Group], why: str) -> Scores:
        self.stats["errors"] += sum(map(len, groups))
        return [[Score.unscored(why) for _ in group.rollouts] for group in groups]

    def _in_threads(self, reward: Reward, groups: Sequence[Group], context: Context) -> Scores:
        pieces = cut(reward, groups, self.deadline_s)

        def work(piece: Piece) -> Scores:
            return evaluated(reward, piece.groups, context)

        found = []
        longest_s = max(piece.deadline_s for piece in pieces)
        for piece, outcome in zip(pieces, in_threads(work, pieces, threads=THREADS, deadline_s=longest_s), strict=True):
            if isinstance(outcome, Late):
                self.stats["timeouts"] += 1
                why = f"{reward.name} did not answer within {longest_s:g} s"
                found.append([[Score.unscored(why) for _ in group.rollouts] for group in piece.groups])
            elif isinstance(outcome, Exception):
                if self.on_error == "raise" or not isinstance(outcome, RewardError):
                    raise outcome
                found.append(self._unscored(piece.groups, str(outcome)))
            else:
                found.append(outcome)
        return joined(found, groups)

    def _in_processes(self, reward: Reward, groups: Sequence[Group], context: _Placed) -> Scores:
        pieces = cut(reward, groups, self.deadline_s)
        chunk = max(1, len(pieces) // (self._workers * TASKS_PER_WORKER))
        outcomes = self._pool.run(reward, pieces, context, chunk=chunk)
        late = [place for place, outcome in enumerate(outcomes) if outcome.kind == "timeout"]
        found = [
            self._settled(reward, piece, outcome) if outcome.kind != "timeout" else []
            for piece, outcome in zip(pieces, outcomes, strict=True)
        ]
        if late and reward.children:
            asked = late if all(_bounded(leaf) for leaf in _leaves(reward)) else _siblings(pieces, late)
            groups_of_one = [pieces[place].groups[0] for place in asked]  # a tree that travels sees one rollout
            again = self.evaluate(reward, groups_of_one, replace(context, leaf_by_leaf=True))
            rows = dict(zip(asked, again, strict=True))
            for place in late:
                found[place] = [rows[place]]
        elif late:
            answered = [score.value for scores in found for row in scores for score in row if score.scored]
            worst = _worst(reward, context.worse_end(reward), answered)
            for place in late:
                found[place] = self._timed_out(reward, pieces[place], outcomes[place].why, worst)
        return checked(reward, groups, joined(found, groups))

    def _timed_out(self, leaf: Reward, piece: Piece, why: str, worst: float) -> Scores:
        self.stats["timeouts"] += 1
        score = Score.unscored(why) if leaf.sees == "batch" else Score(worst, f"{leaf.name}: {why}", status="timeout")
        return [[score for _ in group.rollouts] for group in piece.groups]

    def _settled(self, reward: Reward, piece: Piece, outcome: Outcome) -> Scores:
        if outcome.kind == "done":
            return outcome.scores
        if outcome.kind == "misused":
            raise ConfigError(outcome.why)
        if outcome.kind == "error":
            if self.on_error == "raise":
                raise RewardError(outcome.why)
            return self._unscored(piece.groups, outcome.why)
        why = f"{reward.name}: {outcome.why}"  # it died
        return [[Score.unscored(why) for _ in group.rollouts] for group in piece.groups]


@dataclass(frozen=True)
class _Placed(Context):
    """A context whose evaluations the runner places."""

    runner: Runner = field(kw_only=True, repr=False, compare=False)
    root: Reward = field(kw_only=True, repr=False, compare=False)
    """What was asked for."""
    leaf_by_leaf: bool = field(default=False, kw_only=True, repr=False, compare=False)
    """Whether trees stay here, and send their leaves alone."""

    def worse_end(self, leaf: Reward) -> End:
        """Which end of the leaf's values is the worse one for what was asked for; where it counts both ways, the way
        that comes first in the tree.
        """
        pending: list[tuple[Reward, End]] = [(self.root, "low")]
        while pending:
            node, end = pending.pop()
            if node == leaf:
                return end
            pending += [(child, node.worse_end(child, end)) for child in reversed(node.children)]
        return "low"  # asked by a composite that does not tell it among its children

    def _evaluate(self, reward: Reward, groups: Sequence[Group]) -> Scores:
        return self.runner.evaluate(reward, groups, self)


def travels(reward: Reward) -> bool:
    """Whether a reward can be sent to a worker process as it is: its leaves run there, and no node keeps state here.

    A tree has to look at single rollouts: one that compares the attempts of a group would share a deadline among them.
    """
    if any(node.stateful or node.runs_in == "elsewhere" for node in walk(reward)) or (
        reward.children and reward.sees != "rollout"
    ):
        return False
    return all(leaf.runs_in == "processes" for leaf in _leaves(reward))


def _leaves(reward: Reward) -> list[Reward]:
    return [node for node in walk(reward) if not node.children]


def _bounded(leaf: Reward) -> bool:
    return all(map(math.isfinite, leaf.bounds))


def _siblings(pieces: Sequence[Piece], places: Sequence[int]) -> list[int]:
    """These and all other attempts at their prompts."""
    keys = {pieces[place].groups[0].key for place in places}
    return [place for place, piece in enumerate(pieces) if piece.groups[0].key in keys]


def _worst(leaf: Reward, end: End, answered: Sequence[float]) -> float:
    """What a leaf gives where it hangs, given what it `answered` beside."""
    low, high = leaf.bounds
    if end == "low":
        return low if math.isfinite(low) else min(0.0, high, *answered)
    return high if math.isfinite(high) else max(0.0, low, *answered)


def cut(reward: Reward, groups: Sequence[Group], deadline_s: float) -> list[Piece]:
    """The smallest pieces a reward can be asked for on their own, and how long each may take."""
    if reward.sees == "batch":
        return [Piece(list(groups), deadline_s * sum(map(len, groups)))]
    if reward.sees == "group":
        return [Piece([group], deadline_s * len(group)) for group in groups]
    return [
        Piece([replace(group, rollouts=(rollout,))], deadline_s, group.key if group.one_attempt else None)
        for group in groups
        for rollout in group.rollouts
    ]


def joined(found: Sequence[Scores], groups: Sequence[Group]) -> Scores:
    """The scores of `cut`'s pieces, laid out like the groups."""
    flat = iter([score for rows in found for row in rows for score in row])
    return [[next(flat) for _ in group.rollouts] for group in groups]
