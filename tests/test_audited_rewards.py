"""Every reward that comes with guerdon, audited: its verdict and its exploits are those that docs/auditing.md says."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from guerdon.audit import Settings, audit
from guerdon.errors import ConfigError
from guerdon.plugins.catalog import catalog
from guerdon.recipes import fitting
from guerdon.recipes.building import build_reward, build_task
from guerdon.recipes.fitting import build_attacks, fitting_task, reward_names
from guerdon.recipes.spelling import reward_spec, spelled, task_use

PAGE = (Path(__file__).parents[1] / "docs" / "auditing.md").read_text(encoding="utf-8")
ROWS = {
    name: (conclusion, int(exploits), float(severity))
    for name, conclusion, exploits, severity in re.findall(
        r"^\| `([^`]+)` \| (\w+) \| (\d+) \| ([\d.]+) \|", PAGE, re.MULTILINE
    )
}
EXPLOITS = yaml.safe_load(re.search(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[1])
OURS = (
    "guerdon",
    "guerdon-code",
    "guerdon-driving",
    "guerdon-hello",
    "guerdon-medical",
    "guerdon-page",
    "guerdon-resume",
    "guerdon-rigging",
    "guerdon-search",
    "guerdon-sql",
)
"""Who brings what the page lists; attacks of others that are installed would find more."""
FRAMES = [task_use(f"driving/{name}[train_size=40,eval_size=8]") for name in ("highway", "highway-trajectories")]
BUILT = {}
MADE = ("driving/", "rigging/")
DRIVING = Settings(examples=24)
"""What the page says of the rewards of driving: more examples, and a data set that takes seconds to make."""


def installed(kind):
    return [entry.name for entry in catalog().entries(kind) if entry.distribution in OURS]


def stands_alone(name):
    """Whether a name is enough to build it: not for what a server says, a judge's opinion, what is built of others. Nor
    is it enough for what learns (a fresh one has nothing to say yet), or says itself that an audit would say nothing.
    """
    try:
        reward = build_reward(reward_spec([name]))
    except ConfigError:
        return False
    return not reward.stateful and not reward.unaudited


def test_the_page_lists_every_reward_that_comes_with_guerdon_and_stands_alone():
    there = {name for name in installed("rewards") if stands_alone(name)}
    if find_spec("guerdon_hello") is None:
        pytest.skip("guerdon-hello is not installed: pip install ./examples/guerdon-hello")
    assert set(ROWS) == set(EXPLOITS) == there


@pytest.mark.parametrize("name", ROWS)
def test_the_page_counts_the_exploits_that_it_names(name):
    assert ROWS[name][1] == len(EXPLOITS[name])


@pytest.fixture
def tasks_made_once(monkeypatch):
    """A task of many rewards makes its data for the first of them."""

    def made(use):
        if spelled(use) not in BUILT:
            BUILT[spelled(use)] = build_task(use)
        return BUILT[spelled(use)]

    monkeypatch.setattr(fitting, "build_task", made)


@pytest.mark.usefixtures("tasks_made_once")
@pytest.mark.parametrize(
    "name",
    # Scenes that are simulated and meshes that are made take most of the time: those rows with the claims.
    [pytest.param(name, marks=pytest.mark.claim if name.startswith(MADE) else pytest.mark.slow) for name in ROWS],
)
def test_an_audit_finds_what_the_page_says_and_nothing_else(name):
    if name not in installed("rewards"):
        pytest.skip(f"{name} is not installed")
    if name == "driving/reasoning-bleu-v1" and find_spec("sacrebleu") is None:
        pytest.skip("sacrebleu is not installed: pip install 'guerdon-driving[reasoning]'")
    attacks = build_attacks(sorted(set(installed("attacks"))))
    attacks = [attack for attack in attacks if attack.knows != "reference"]
    spec = reward_spec([name])
    reward = build_reward(spec)
    drives = name.startswith("driving/")
    task = fitting_task(reward, reward_names(spec), FRAMES if drives else ())
    report = audit(reward, task, attacks, DRIVING if drives else Settings())
    assert sorted(report.exploits) == sorted(EXPLOITS[name])
    assert report.conclusion == ROWS[name][0]
    # Scenes are simulated: another processor's rounding makes slightly other ones.
    assert report.severity == pytest.approx(ROWS[name][2], abs=0.1 if drives else 0.006)
