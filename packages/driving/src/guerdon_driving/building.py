"""Data sets of driven moments: frames, scenes and rows in AlphaDrive's layout, balanced over meta-actions.

```
frames/<id>.png   scenes/<id>.npz   train.jsonl   eval.jsonl   built.json
```

A row has AlphaDrive's columns (image, problem, solution, thinking) and what checkers need beside them (speed,
navigation, kind, future, scene). Episodes are driven until no plan would fill more than `share` of a split, or until a
budget of episodes is spent; `built.json` says how far that came.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from guerdon.cached_folders import built_once, cache_folder
from guerdon.errors import TaskError
from guerdon.progress import progress
from guerdon_driving.actions import PathAction, SpeedAction
from guerdon_driving.labels import labels

if TYPE_CHECKING:
    from guerdon_driving.recordings import Recording

Plan = tuple[SpeedAction, PathAction]

_SOURCES = (
    "vehicles",
    "scenarios",
    "simulation",
    "recordings",
    "scenes",
    "frames",
    "explaining",
    "labels",
    "building",
)


@dataclass(frozen=True)
class Build:
    """What a data set depends on."""

    seed: int
    train_size: int
    eval_size: int
    train_kinds: tuple[str, ...]
    eval_kinds: tuple[str, ...]
    image_size: int = 128
    view: str = "bird"
    share: float = 0.1
    """The most of a split that one plan (of 20) should fill."""
    episodes_max: float = 0.4
    """Budget: episodes for each row asked for."""
    clear: bool = True
    """Leave out what no frame can tell: moments before a car ahead is told to brake out of the blue, and those whose
    label would be another for a path a little different."""
    scenes: bool = True
    """Write the scenes' files too."""

    @property
    def key(self) -> str:
        """Twelve hex digits that change with the settings, the code that acts on them, and the libraries beneath."""
        about = [asdict(self), *(f"{name} {version(name)}" for name in ("highway-env", "numpy", "pillow"))]
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
        for source in _SOURCES:
            digest.update(Path(__file__).with_name(f"{source}.py").read_bytes())
        return digest.hexdigest()[:12]


@dataclass(frozen=True)
class Candidate:
    """A moment that may become a row."""

    episode: int
    place: int
    """In `Recording.moments`."""
    kind: str
    plan: Plan


def built(settings: Build, workers: int | None = None) -> Path:
    """The cached folder of a data set, built on first use.

    Args:
        settings: what is in it.
        workers: processes; None: one for each core, or none at all for less than 100 rows.

    Raises:
        TaskError: the cache cannot be written.
    """
    folder = cache_folder() / "driving" / f"highway-{settings.key}"
    try:
        return built_once(folder, lambda scratch: build(scratch, settings, workers))
    except OSError as error:
        place = str(folder.parent)
        raise TaskError(
            f"cannot write the cache at {place!r}: {error}. Set GUERDON_CACHE to a writable folder"
        ) from error


def build(folder: Path, settings: Build, workers: int | None = None) -> None:
    """Write a data set into an empty folder; the same settings write the same rows, whatever the number of workers."""
    from guerdon_driving import episode_worker

    for name in ("frames", "scenes"):
        (folder / name).mkdir()
    about: dict[str, Any] = {"settings": asdict(settings)}
    small = settings.train_size + settings.eval_size < 100
    count = workers if workers is not None else 0 if small else episode_worker.default_count()
    with episode_worker.workers(count) as run:
        for split, size, kinds in (
            ("train", settings.train_size, settings.train_kinds),
            ("eval", settings.eval_size, settings.eval_kinds),
        ):
            rows, about[split] = _split(folder, settings, split, size, kinds, run)
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            (folder / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    (folder / "built.json").write_text(json.dumps(about, indent=2), encoding="utf-8")


def _split(
    folder: Path, settings: Build, split: str, size: int, kinds: Sequence[str], run: Any
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    if size == 0:
        return [], {"rows": 0}
    recordings, candidates = _driven(settings, split, size, kinds, run)
    chosen = choose(candidates, size, settings.share, Random(f"{settings.seed} {split}"))
    by_episode: dict[int, list[int]] = defaultdict(list)
    for candidate in chosen:
        by_episode[candidate.episode].append(candidate.place)
    rows: list[dict[str, Any]] = []
    with progress(f"driving: drawing {split} frames", len(by_episode)) as shown:
        jobs = [
            (write, (str(folder), settings, split, episode, recordings[episode], sorted(places)))
            for episode, places in sorted(by_episode.items())
        ]
        for written in run(jobs):
            rows += written
            shown.advance()
    for row in rows:
        row["problem"] = _problem(row)
    Random(f"{settings.seed} {split} order").shuffle(rows)
    return rows, balance(chosen) | {"episodes": len(recordings), "moments": len(candidates)}


def _driven(
    settings: Build, split: str, size: int, kinds: Sequence[str], run: Any
) -> tuple[list[Recording], list[Candidate]]:
    """Episodes, kind after kind, until there are enough moments of enough plans."""
    from guerdon_driving.simulation import drive, seed_of

    recordings: list[Recording] = []
    candidates: list[Candidate] = []
    cap, most = math.ceil(size * settings.share), math.ceil(size * settings.episodes_max) + len(kinds)
    with progress(f"driving: {split} episodes for {size} rows", None) as shown:
        while _usable(candidates, cap) < size and (len(recordings) < most or len(candidates) < size):
            first = len(recordings)
            # Rounds have one length whatever the number of workers, so that the same episodes are driven.
            jobs = [
                (drive, (kinds[place % len(kinds)], seed_of(settings.seed, split, place)))
                for place in range(first, first + max(len(kinds), min(32, size // 8)))
            ]
            for recording in run(jobs):
                recordings.append(recording)
                candidates += _candidates(recording, len(recordings) - 1, settings.clear)
                shown.advance()
    return recordings, candidates


def _candidates(recording: Recording, episode: int, clear: bool) -> list[Candidate]:
    from guerdon_driving.recordings import HORIZON_STEPS

    return [
        Candidate(episode, place, recording.kind, plan_of(recording, place))
        for place, moment in enumerate(recording.moments)
        if moment.step + HORIZON_STEPS < len(recording.poses) and (not clear or is_clear(recording, place))
    ]


def plan_of(recording: Recording, place: int) -> Plan:
    """The label of a moment, from numbers rounded as the row has them."""
    step = recording.moments[place].step
    return labels(np.round(recording.future(step), 3), round(float(recording.speeds[step, 0]), 2))


def is_clear(recording: Recording, place: int) -> bool:
    """Whether a frame can tell a moment's label: no surprise within the 3 s, and no border of a class near by (0.4 m/s
    of speed, a seventh of what lies to the side).
    """
    step = recording.moments[place].step
    if any(step < surprise <= step + 30 for surprise in recording.surprises):
        return False
    future, speed = recording.future(step), float(recording.speeds[step, 0])
    sides = (future * (1.0, by, 1.0) for by in (0.86, 1.16))
    near = [labels(future, max(0.0, speed + by)) for by in (-0.4, 0.0, 0.4)] + [labels(side, speed) for side in sides]
    return len(set(near)) == 1


def _usable(candidates: Sequence[Candidate], cap: int) -> int:
    return sum(min(cap, count) for count in Counter(candidate.plan for candidate in candidates).values())


def choose(candidates: Sequence[Candidate], size: int, share: float, random: Random) -> list[Candidate]:
    """At most `size` candidates: no plan above `share` while the others can fill the rest; within a plan, the kinds
    take turns.
    """
    waiting: dict[Plan, dict[str, list[Candidate]]] = defaultdict(lambda: defaultdict(list))
    for candidate in random.sample(candidates, len(candidates)):
        waiting[candidate.plan][candidate.kind].append(candidate)
    queues: dict[Plan, list[Candidate]] = {}
    for plan, kinds in waiting.items():
        turns = [(turn, kind, candidate) for kind, some in kinds.items() for turn, candidate in enumerate(some)]
        queues[plan] = [candidate for _, _, candidate in sorted(turns, key=lambda each: each[:2])]
    cap, most = math.ceil(size * share), max(map(len, queues.values()), default=0)
    while cap < most and sum(min(cap, len(queue)) for queue in queues.values()) < size:
        cap += 1
    chosen = [candidate for queue in queues.values() for candidate in queue[:cap]]
    return random.sample(chosen, min(size, len(chosen)))


def balance(chosen: Sequence[Candidate]) -> dict[str, Any]:
    """How many rows each action, plan and kind has."""
    return {
        "rows": len(chosen),
        "speed": dict(Counter(candidate.plan[0] for candidate in chosen).most_common()),
        "path": dict(Counter(candidate.plan[1] for candidate in chosen).most_common()),
        "plans": dict(Counter(", ".join(candidate.plan) for candidate in chosen).most_common()),
        "kinds": dict(Counter(candidate.kind for candidate in chosen).most_common()),
    }


def _problem(row: Mapping[str, Any]) -> str:
    """AlphaDrive's prompt of a row, for readers other than our tasks."""
    from guerdon_driving.examples import DrivingExample
    from guerdon_driving.prompts import prompt_of

    fields = {name: row[name] for name in ("id", "speed", "navigation", "solution")}
    return prompt_of(DrivingExample(**fields), "alphadrive").messages[-1].content


def write(
    folder: str, settings: Build, split: str, episode: int, recording: Recording, places: Sequence[int]
) -> list[dict[str, Any]]:
    """Draw and write the chosen moments of one episode; their rows."""
    from guerdon_driving.explaining import explain
    from guerdon_driving.frames import frame

    rows = []
    for place in places:
        moment, plan = recording.moments[place], plan_of(recording, place)
        name = f"{split}-{recording.kind}-{episode:05d}-{place:02d}"
        picture = frame(recording, moment, size=settings.image_size, view=settings.view)  # type: ignore[arg-type]
        picture.save(Path(folder) / "frames" / f"{name}.png", optimize=True)
        if settings.scenes:
            recording.scene(moment).save(Path(folder) / "scenes" / f"{name}.npz")
        speed = round(float(recording.speeds[moment.step, 0]), 2)
        thought = explain(moment.notice, speed, recording.limit, plan, random=Random(f"{settings.seed} {name}"))
        row = {
            "id": name,
            "image": f"frames/{name}.png",
            "problem": "",
            "solution": f"<answer> {plan[0]}, {plan[1]} </answer>",
            "thinking": f"<think> {thought} </think>",
            "speed": speed,
            "navigation": moment.navigation,
            "kind": recording.kind,
            "future": np.round(recording.future(moment.step), 3).tolist(),
            "scene": f"scenes/{name}.npz" if settings.scenes else "",
        }
        rows.append(row)
    return rows
