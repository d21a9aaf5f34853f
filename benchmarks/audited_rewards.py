"""Audits every reward that a name is enough to build, and prints what docs/auditing.md says: the table without its
last column, and the exploits by name.

    python benchmarks/audited_rewards.py            # about two minutes on two cores
    python benchmarks/audited_rewards.py sql/runs   # of these alone
"""

import sys
import textwrap

from guerdon.audit import Settings, audit
from guerdon.errors import ConfigError
from guerdon.plugins.catalog import catalog
from guerdon.recipes.building import build_reward
from guerdon.recipes.fitting import build_attacks, fitting_task, reward_names
from guerdon.recipes.spelling import reward_spec, task_use

FEW = [task_use(f"driving/{name}[train_size=40,eval_size=8]") for name in ("highway", "highway-trajectories")]
"""In place of the 2,300 frames that the tasks of driving make by themselves."""
MORE = 24
"""Examples for rewards of driving: on too many of 8 frames the road goes straight on, and so does any plan."""


def main(names):
    found = {}
    for name in names or [entry.name for entry in catalog().entries("rewards")]:
        spec = reward_spec([name])
        try:
            reward = build_reward(spec)
        except ConfigError as error:
            print(f"{name}: left out, {error}", file=sys.stderr)
            continue
        if reward.stateful:
            print(f"{name}: left out, what it says depends on what it has learnt", file=sys.stderr)
            continue
        if reward.unaudited:
            print(f"{name}: left out, {reward.unaudited}", file=sys.stderr)
            continue
        drives = name.startswith("driving/")
        task = fitting_task(reward, reward_names(spec), FEW if drives else ())
        settings = Settings(examples=MORE) if drives else Settings()
        found[name] = audit(reward, task, build_attacks(), settings, name=name)
        print(f"| `{name}` | {found[name].conclusion} | {len(found[name].exploits)} | {found[name].severity:.2f} |")
    print()
    for name, report in found.items():
        text = f"{name}: [{', '.join(report.exploits)}]"
        print("\n".join(textwrap.wrap(text, 118, subsequent_indent="  ", break_on_hyphens=False)))


if __name__ == "__main__":
    main(sys.argv[1:])
