"""Which task fits a reward, and which attacks are installed: what an audit needs beside a name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from guerdon.audit.attack import Attack, Category, Knows
from guerdon.audit.auditing import check_audited
from guerdon.audit.cases import cases
from guerdon.errors import ConfigError, GuerdonError, TaskError
from guerdon.plugins.catalog import Entry, catalog
from guerdon.protocols import Task
from guerdon.recipes.building import build_task, construct
from guerdon.recipes.schema import RewardSpec, Use
from guerdon.recipes.sources import load_recipe
from guerdon.recipes.spelling import named, spelled
from guerdon.rewards import Reward
from guerdon.scoring import Runner

FEW = 2
"""Examples a task is tried with."""
BESIDE = 8
"""Others whose honest answers are wrong there."""


def fitting_task(reward: Reward, names: Sequence[str], among: Sequence[Use] = ()) -> Task:
    """The installed task whose honest answers this reward pays best.

    Asked first are the tasks of recipes that use the reward, then those of its domain's recipes, then the other tasks
    of its domain; the first that pays the top is taken (or that pays anything, where there is no top). Tasks of other
    domains are asked only where none of these fits, and not those that would make much first (`Task.makes`); one of its
    own domain makes `Task.few`.

    Args:
        reward: what is to be audited.
        names: the registered names of the rewards in it.
        among: ask these, and no others.

    Raises:
        ConfigError: no installed task gives examples that it scores; the message says what was tried. Or an audit of it
            would say nothing.
    """
    check_audited(reward)
    unmade: list[str] = []
    others: dict[str, str] = {}
    top = reward.bounds[1]
    for far, tier in enumerate([list(among)] if among else _candidates(names)):
        best: tuple[float, Task] | None = None
        for use in tier:
            try:
                task = build_task(use)
            except (GuerdonError, ImportError) as error:  # it needs options, files or a package
                unmade.append(f"{spelled(use)} ({str(error).partition('; ')[0][:120]})")
                continue
            if far and (makes := task.makes):
                unmade.append(f"{spelled(use)} (it would make {makes})")
                continue
            try:
                if task.makes and task.few and not among:
                    task = replace(task, **task.few)  # type: ignore[type-var]
                paid = _paid(reward, task)
            except (GuerdonError, ImportError) as error:  # it has other examples
                paid = str(error)
            if isinstance(paid, str):
                others[use.use] = paid
                continue
            if best is None or paid > best[0]:
                best = (paid, task)
            if paid >= top - 1e-9 or (math.isinf(top) and paid > 0.0):
                return task
        if best is not None:
            return best[1]
    told = f"It does not score the examples of {', '.join(others) or 'any'}."
    if reasons := list(dict.fromkeys(reason for reason in others.values() if reason)):
        told += f" The first reason: {reasons[0][:200]}."
    more = f" Not tried, since they want more than a name, or time: {'; '.join(unmade)}." if unmade else ""
    raise ConfigError(f"no installed task fits {reward.name}: name one (--task). {told}{more}")


def _candidates(names: Sequence[str]) -> Iterator[list[Use]]:
    """Tasks to try, each once: those near the reward, then all others."""
    entries = [catalog().find("rewards", name) for name in names]
    families = {entry.family for entry in entries}
    domains = {_domain(entry) for entry in entries}
    recipes = [(entry, load_recipe(entry.name)) for entry in catalog().entries("recipes")]
    using = [recipe for _, recipe in recipes if families & set(_families(recipe.reward))]
    beside = [recipe for _, recipe in recipes if _domain(catalog().find("tasks", recipe.task.use)) in domains]
    tasks = catalog().entries("tasks")
    near = [use for recipe in (*using, *beside) for use in (recipe.task, Use(use=recipe.task.use))]
    near += [Use(use=entry.name) for entry in tasks if _domain(entry) in domains]
    far = [Use(use=entry.name) for entry in tasks] + [recipe.task for _, recipe in recipes]
    seen: set[str] = set()
    for tier in (near, far):
        fresh = []
        for use in tier:
            text = spelled(use)
            if text not in seen:
                seen.add(text)
                fresh.append(use)
        yield fresh


def _domain(entry: Entry) -> tuple[str, str]:
    """Who offers it, and under which heading: core's `school/...` is not the neighbour of all that core offers."""
    return entry.distribution, entry.name.partition("/")[0]


def _families(spec: RewardSpec) -> Iterator[str]:
    if spec.use is not None:
        try:
            yield catalog().find("rewards", spec.use).family
        except GuerdonError:
            return
    for child in (*(spec.sum or ()), spec.gated_by, spec.unless):
        if child is not None:
            yield from _families(child)


def reward_names(spec: RewardSpec) -> list[str]:
    """The registered names in a spec, in order."""
    own = [spec.use] if spec.use is not None else []
    children = [child for child in (*(spec.sum or ()), spec.gated_by, spec.unless) if child is not None]
    return [*own, *(name for child in children for name in reward_names(child))]


def _paid(reward: Reward, task: Task) -> float | str:
    """The mean of what its honest answers earn; why there is none, where none has a number."""
    asked = cases(task, "train", FEW, pool=BESIDE)
    if not asked:
        raise TaskError(f"{task.name} has no examples")
    with Runner(workers=1, on_error="unscored") as runner:
        rows = runner.score(reward, [case.group((case.reference, *case.wrong)) for case in asked])
    values = [row[0].value for row in rows if row[0].scored]
    return sum(values) / len(values) if values else next((row[0].why for row in rows if row[0].why), "no number")


def build_attacks(
    texts: Sequence[str] = (),
    *,
    knows: Sequence[Knows] = ("nothing", "prompt", "examples"),
    exploits: Sequence[Category] = (),
) -> list[Attack]:
    """Variants of the named attacks, or of all that are installed.

    Args:
        texts: `NAME` for all variants of one attack, `NAME[k=v,...]` for one; none: every installed attack.
        knows: only attacks that know no more than these; attacks named in `texts` are taken whatever they know.
        exploits: only attacks of these categories; none: of all.

    Raises:
        UnknownName: there is no such attack.
        ConfigError: an option is wrong, or what is registered is no attack.
    """
    found: list[Attack] = []
    for text in texts or [entry.name for entry in catalog().entries("attacks")]:
        _, name, options = named(text)
        made = catalog().load("attacks", name)
        variants = [construct(made, options, name)] if options else list(made.variants())
        for variant in variants:
            if not isinstance(variant, Attack):
                raise ConfigError(
                    f"the attack {name!r} is a {type(variant).__name__}; a guerdon.audit.Attack is needed"
                )
        found += [
            one for one in variants if texts or (one.knows in knows and one.exploits in (exploits or (one.exploits,)))
        ]
    return found
