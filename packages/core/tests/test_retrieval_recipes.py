"""Retrievers by name: found by an option's annotation, built and described as everything else that a recipe names."""

import json
from dataclasses import dataclass

import pytest
from click.testing import CliRunner

from guerdon.cli import main
from guerdon.errors import ConfigError
from guerdon.plugins.catalog import catalog
from guerdon.protocols import Query, Retriever
from guerdon.recipes.building import build_retriever, construct
from guerdon.recipes.options import options_of
from guerdon.recipes.schema import Use
from guerdon.retrieval import BM25, Cached, Corpus, Dense, Fused, HashedEncoder, Router
from guerdon.rewards.identities import identity


@dataclass(frozen=True)
class Asks:
    """What has a retriever among its options: a task, a tool, a reward."""

    retriever: Retriever


def written(tmp_path):
    (tmp_path / "c.jsonl").write_text(json.dumps({"id": "a", "text": "red bird"}) + "\n")
    return str(tmp_path / "c.jsonl")


def built(spec):
    return construct(Asks, {"retriever": spec}, "with").retriever


def test_a_recipe_describes_retrievers_within_retrievers(tmp_path):
    path = written(tmp_path)
    words = {"use": "bm25", "with": {"corpus": path, "formula": "bm25+", "k1": 1.2}}
    meaning = {"use": "dense", "with": {"corpus": path, "encoder": {"use": "hashed", "with": {"dimensions": 64}}}}
    spec = {"use": "cached", "with": {"retriever": {"use": "fused", "with": {"retrievers": [words, meaning]}}}}
    made = built(spec)
    assert made == Cached(Fused((BM25(path, "bm25+", 1.2), Dense(path, HashedEncoder(64)))))
    assert [hit.text for hit in made.search(["birds"])[0]] == ["red bird"]
    router = built({"use": "router", "with": {"bases": {"birds": words}}})
    assert router == Router({"birds": BM25(path, "bm25+", 1.2)})
    assert router.search([Query("red", base="birds")])[0][0].id == "a"


def test_a_retriever_is_rebuilt_by_its_repr_and_known_by_its_digest(tmp_path):
    made = BM25(written(tmp_path), "okapi", k1=1.2)
    assert eval(repr(made), {"BM25": BM25}) == made
    corpus = Corpus.of(["red bird"] * 1000)
    assert len(identity(Dense(corpus, HashedEncoder()))) < 200
    assert identity(BM25(corpus)) != identity(BM25(Corpus.of(["red bird"])))


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("bm26", "Did you mean 'bm25'"),
        ({"use": "bm25"}, "lacks corpus"),
        ({"use": "bm25", "with": {"corpus": "no.jsonl"}}, "there is no such file"),
        ({"use": "bm25", "with": {"corpus": "no.jsonl", "formula": "best"}}, "formula"),
    ],
)
def test_a_retriever_that_cannot_be_is_told_by_its_field(spec, told):
    with pytest.raises(ConfigError, match=told):
        built(spec)


def test_what_finds_nothing_is_no_retriever():
    with pytest.raises(ConfigError, match="no retriever named 'hashed'"):
        build_retriever(Use.model_validate("hashed"))


def test_the_command_line_lists_and_describes_them():
    listed = CliRunner().invoke(main, ["list", "retrievers", "--json"])
    assert {"bm25", "dense", "server"} <= {entry["name"] for entry in json.loads(listed.output)["retrievers"]}
    shown = CliRunner().invoke(main, ["show", "bm25"])
    assert shown.exit_code == 0, shown.output
    assert "formula" in shown.output
    for kind in ("retrievers", "encoders"):
        for entry in catalog().entries(kind):
            assert all(option.about for option in options_of(catalog().load(kind, entry.name))), entry.name
