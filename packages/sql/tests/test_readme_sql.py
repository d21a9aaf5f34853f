import re
from pathlib import Path

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)\n```\n", README.replace("```sql\\n{}\\n```\\n", "FENCED"), flags=re.DOTALL)


def test_the_first_snippet_prints_what_the_page_says(capsys):
    """3 + 1 + 1 + 1 + 1 = 7; and 1 + 1 + 0.714286 + 1 for the other, whose bigrams agree in 5 of 7."""
    exec(SNIPPETS[0].replace("FENCED", "```sql\\n{}\\n```\\n"), {})
    printed = re.search(r"prints\n\n```\n(.*?)```", README, flags=re.DOTALL)
    assert printed is not None
    assert capsys.readouterr().out == printed[1]


def test_the_second_snippet_runs():
    names = {}
    exec(SNIPPETS[1], names)
    assert names["mine"].bounds == (0.0, 2.5)


def test_every_reward_on_the_page_is_registered():
    from guerdon.plugins.catalog import catalog

    ours = {entry.name for entry in catalog().entries("rewards")}
    assert set(re.findall(r"`(sql/[a-z0-9-]+-v\d)`", README)) <= ours
