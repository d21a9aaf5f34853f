"""The package's page: its snippets run and print what it says, and what it names is there."""

import re
from pathlib import Path

import pytest

from guerdon.recipes.building import build_reward
from guerdon.recipes.spelling import reward_spec
from guerdon_search.answer_tasks import AnswerFile
from guerdon_search.criteria import RULES

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)\n```\n", README, flags=re.DOTALL)


def test_the_first_snippet_prints_what_the_page_says(capsys):
    """(1 + 0.5 + 0) / 2.5."""
    exec(SNIPPETS[0], {})
    printed = re.search(r"prints\n\n```\n(.*?)```", README, flags=re.DOTALL)
    assert printed is not None
    assert capsys.readouterr().out == printed[1]


def test_the_second_snippet_builds_its_rewards():
    names = {}
    exec(SNIPPETS[1], names)
    assert names["ranker"].bounds == (-0.75, 1.0)
    assert len(names["by_rule"].children) == 8
    assert len(names["judged"].children) == 20


def test_the_last_snippet_prints_its_ranking(capsys):
    exec(SNIPPETS[-1], {})
    assert capsys.readouterr().out == "['b', 'a'] 1.0\n"


def test_every_name_on_the_page_is_registered_and_every_registered_one_is_on_the_page():
    from guerdon.plugins.catalog import catalog

    ours = {
        entry.name
        for kind in ("rewards", "tasks")
        for entry in catalog().entries(kind)
        if entry.distribution == "guerdon-search"
    }
    if not ours:
        pytest.skip("guerdon-search is not installed")
    assert set(re.findall(r"`(search/[a-z0-9-]+-v\d)`", README)) == ours


def test_what_the_page_says_a_name_needs_is_enough_to_build_it():
    rows = dict(re.findall(r"^\| (`search/[^|]*`) \| (.*) \|$", README.partition("| needs |")[2], re.MULTILINE))
    for spelled in ("search/nugget-coverage[backend=search/lexical]", "search/r3[encoder=hashed,top=1.0]"):
        assert f"`{spelled}`" in " ".join(rows.values())
        assert build_reward(reward_spec([spelled])).name == spelled.partition("[")[0] + "-v1"
    assert set(re.findall(r"`([a-z-]+)`", rows["`search/rule-criterion`"])) == {"criterion", *RULES}


def test_the_line_of_a_question_is_read_as_the_page_says(tmp_path):
    (line,) = re.findall(r"```jsonl\n(.*?)```\n", README, flags=re.DOTALL)
    for name in ("train.jsonl", "eval.jsonl"):
        (tmp_path / name).write_text(line)
    (question,) = AnswerFile(root=str(tmp_path)).examples("train")
    assert (question.id, question.nuggets[0].worth) == ("1", 1.0)
