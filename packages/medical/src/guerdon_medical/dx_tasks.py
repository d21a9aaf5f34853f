"""Tasks of diagnosis: `medical/diagnosis-v1`, over published cases. `Patients` is what it shares with the made one.

The cases are dealt out by publication into records, which tools may show, and patients to train on and to evaluate.
No publication is in two of these; each patient's own publication is excluded from what tools show all the same, so that
a corpus of your own cannot leak it either. For research, not for clinical use.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, get_args

from guerdon import fields
from guerdon.environments import Search, Tool, ToolUse
from guerdon.errors import ConfigError
from guerdon.protocols import Retriever, Split, Task
from guerdon.retrieval import BM25, Corpus
from guerdon.rewards import Reward
from guerdon.types import Example, Prompt
from guerdon_medical.cases import read_cases
from guerdon_medical.dx_examples import DiagnosisExample, example_of
from guerdon_medical.dx_layout import Layout, layout_of
from guerdon_medical.dx_lookup import ByName
from guerdon_medical.dx_prompts import LENGTHS, Length, prompt_of, told
from guerdon_medical.dx_rewards import MOST_NAMES
from guerdon_medical.dx_scoring import comma_list, is_hit
from guerdon_medical.dx_tools import Lookup, Match
from guerdon_medical.dx_world import Chart, make_world
from guerdon_medical.records import SymptomMatch, read_term_names

REFERENCE_FINDINGS = 5
"""A reference asks for so many findings, at most."""


@dataclass(frozen=True)
class World:
    """What is known and who is asked about."""

    records: Corpus
    guidelines: Corpus
    patients: Mapping[str, Sequence[DiagnosisExample]]
    """By split."""
    names: Mapping[str, str]
    """Of findings, by id."""


@dataclass(frozen=True)
class Patients(Task):
    """Patients, each with tools that show anything but that patient's own publication."""

    layout: str = field(default="released", kw_only=True)
    """The tags: `released`, `paper`, or pairs (`guerdon_medical.dx_layout.layout_of`)."""
    length: Length = field(default="full", kw_only=True)
    """Of the prompt: `brief` is for small models, and its references look nothing up (which costs .05)."""
    answers: int = field(default=1, kw_only=True)
    """Diseases that a reference names, and a brief prompt asks for: the right one, then others of the records that it
    is shown. The reward pays the best of up to five, whatever their order."""
    records_shown: int = field(default=20, kw_only=True)
    """By one match [code]."""
    max_calls: int = field(default=8, kw_only=True)
    """Of all tools; a further one ends the attempt as truncated."""
    max_matches: int = field(default=3, kw_only=True)
    """A further one is told so."""
    max_chars: int = field(default=24000, kw_only=True)
    """Of all that tools show in one attempt."""
    floor: float = field(default=14.0, kw_only=True)
    """Of the lookup's BM25, for names that are not to the letter (`guerdon_medical.dx_lookup.ByName`)."""
    seed: int = field(default=0, kw_only=True)
    _held: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        fields.check_numbers(self)
        fields.one_of(f"{self.name}.length", self.length, LENGTHS)
        layout_of(self.layout)
        if not 1 <= self.answers <= MOST_NAMES:
            raise ConfigError(f"{self.name}.answers is {self.answers!r}; a number from 1 to {MOST_NAMES} is needed")

    @abstractmethod
    def load(self) -> World:
        """The world; asked for once."""

    def search(self) -> Retriever | None:
        """Passages that can be searched; None where there are none."""
        return None

    def passages_of(self, publication: str) -> frozenset[str]:
        """Ids of the passages that come from a publication; a search knows documents by their ids alone."""
        return frozenset()

    @property
    def tags(self) -> Layout:
        """The layout."""
        return layout_of(self.layout)

    @property
    def world(self) -> World:
        """Loaded on first use."""
        if "world" not in self._held:
            self._held["world"] = self.load()
        found: World = self._held["world"]
        return found

    def examples(self, split: Split) -> Sequence[DiagnosisExample]:
        """The patients of a split."""
        fields.one_of("split", split, get_args(Split))
        return self.world.patients[split]

    def prompt(self, example: Example) -> Prompt:
        """How to work, and the chart."""
        patient, search = a_patient(example), self.search() is not None
        return prompt_of(patient, self.tags, self.length, search=search, names=self.answers)

    def reference(self, example: Example) -> str | None:
        """A short attempt that finds a record of the disease and names it; None where no such one is known."""
        patient = a_patient(example)
        if not patient.telling:
            return None
        others = patient.others[: max(0, self.answers - len(patient.gold))]
        return told(self.tags, self.length, patient.telling, patient.gold, others)

    def environment(self, example: Example) -> ToolUse:
        """The tools, for one patient."""
        patient, tags = a_patient(example), self.tags
        own = patient.exclude_ids | self.passages_of(patient.publication)
        tools = [replace(tool, exclude_ids=own) for tool in self._excluding()]
        return ToolUse(
            [*tools, self._lookup()],
            max_calls=self.max_calls,
            max_chars=self.max_chars,
            limits={tags.match: self.max_matches},
            known=tags.own,
        )

    def metrics(self) -> Mapping[str, Reward]:
        """Acc@1 and Acc@5, the right disease among matched records, and the share of names with a source."""
        from guerdon_medical.dx_metrics import Accuracy, GoldMatched, TracedShare

        return {
            "acc@1": Accuracy(self.layout, k=1),
            "acc@5": Accuracy(self.layout, k=5),
            "matched": GoldMatched(self.layout),
            "traced": TracedShare(self.layout),
        }

    def _excluding(self) -> list[Match | Search]:
        """The tools that could show a patient's own publication, as they are for nobody in particular."""
        if "tools" not in self._held:
            records = SymptomMatch(self.world.records)
            tools: list[Tool] = [Match(records, k=self.records_shown, tags=self.tags.tags("match"))]
            passages = self.search()
            if passages is not None:
                tools.append(Search(passages, tags=self.tags.tags("search")))
            self._held["tools"] = tools
        found: list[Match | Search] = self._held["tools"]
        return found

    def _lookup(self) -> Lookup:
        if "lookup" not in self._held:
            names = ByName(self.world.guidelines, floor=self.floor)
            self._held["lookup"] = Lookup(names, tags=self.tags.tags("lookup"))
        found: Lookup = self._held["lookup"]
        return found

    def found(self, patients: Sequence[DiagnosisExample], records: Corpus) -> list[DiagnosisExample]:
        """The patients of whom a match of their telling findings shows a record with the disease, and with the others
        that it shows.

        Args:
            patients: with `telling`.
            records: of the world that is being loaded.
        """
        match = Match(SymptomMatch(records), k=self.records_shown)
        tools = [replace(match, exclude_ids=one.exclude_ids) for one in patients]
        calls = match.call_together(tools, [comma_list(one.telling) for one in patients]) if patients else []
        shown = [[name for record in call.info["records"] for name in record.diseases] for call in calls]
        return [
            one.model_copy(
                update={"others": tuple(dict.fromkeys(name for name in names if not is_hit([name], one.gold)))}
            )
            for one, names in zip(patients, shown, strict=True)
            if is_hit(names, one.gold)
        ]

    def __getstate__(self) -> dict[str, Any]:
        """Without what is loaded, which is loaded again where it arrives."""
        return {**vars(self), "_held": {}}


@dataclass(frozen=True)
class Diagnosis(Patients):
    """Published cases: rows or phenopackets (`guerdon_medical.cases.read_cases`), dealt out as in the claim
    (`guerdon_medical.dx_world.make_world`): half of them records, a quarter each to train on and to evaluate, by
    publication, and 20, 10 and 10 of a disease at most.
    """

    cases: str = ""
    """A file of rows, or a folder of phenopackets."""
    terms: str = ""
    """A file with names of findings by id (`guerdon_medical.records.read_term_names`); empty takes those of the Human
    Phenotype Ontology (extra `hpo`)."""
    guidelines: Literal["records", "half", "rare", "all"] = "records"
    """`records`: the most frequent findings of each disease in the records; `half`: those of a random half of the
    diseases; `rare`: Orphanet's (extra `hpo`); `all`: those, and behind them common diseases' (extra `common`)."""
    passages: str = ""
    """JSON lines of passages (`guerdon.retrieval.Corpus.read`), to be searched by BM25; empty offers no search. Those
    with the patient's own `publication` are not shown."""
    noise: float = 0.0
    """So many times as many frequent findings are added to each chart; 1.5 in the claim."""
    diseases: int = 60
    """So many are drawn, or all, where there are fewer."""
    least_cases: int = 12
    """Rarer diseases are left out."""
    least_publications: int = 3
    """So are diseases that fewer report."""
    train_on: Literal["all", "found"] = "all"
    """`found` leaves training patients out of whom no match of their own findings shows the disease: those left have a
    reference, as a warm start needs. Evaluation keeps all."""

    name: ClassVar[str] = "medical/diagnosis-v1"

    def __post_init__(self) -> None:
        super().__post_init__()
        fields.one_of(f"{self.name}.guidelines", self.guidelines, ("records", "half", "rare", "all"))
        fields.one_of(f"{self.name}.train_on", self.train_on, ("all", "found"))
        if not 0.0 <= self.noise <= 10.0:
            raise ConfigError(f"{self.name}.noise is {self.noise!r}; a number from 0 to 10 is needed")
        for name in ("diseases", "least_cases", "least_publications"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{self.name}.{name} is {getattr(self, name)!r}; a number >= 1 is needed")

    def load(self) -> World:
        """Read, deal out, and make the corpora."""
        if not self.cases:
            raise ConfigError(f"{self.name}.cases is empty; name a file of rows or a folder of phenopackets")
        names = self._names()
        made = make_world(
            read_cases(self.cases),
            names,
            self.seed,
            diseases=self.diseases,
            noise=self.noise,
            complete=self.guidelines != "half",
            least_cases=self.least_cases,
            least_publications=self.least_publications,
        )
        patients = {"train": self._patients(made.train, names), "eval": self._patients(made.test, names)}
        asked = [*patients["train"], *patients["eval"]]
        found = {one.id: one for one in self.found(asked, made.records)}
        for split, ones in patients.items():
            patients[split] = [found.get(one.id) or one.model_copy(update={"telling": ()}) for one in ones]
        if self.train_on == "found":
            patients["train"] = [one for one in patients["train"] if one.telling]
        known = {"rare": _rare_guidelines, "all": _all_guidelines}.get(self.guidelines)
        guidelines = made.guidelines if known is None else known()
        return World(made.records, guidelines, patients, names)

    def search(self) -> Retriever | None:
        """By BM25 over `passages`."""
        if not self.passages:
            return None
        if "search" not in self._held:
            self._held["search"] = BM25(self.passages)
        found: Retriever = self._held["search"]
        return found

    def passages_of(self, publication: str) -> frozenset[str]:
        """Those whose `publication` it is."""
        if not (self.passages and publication):
            return frozenset()
        if "of" not in self._held:
            of: dict[str, set[str]] = {}
            for document in Corpus.read(self.passages).documents:  # which core has read for the search, and kept
                of.setdefault(str(document.payload.get("publication", "")), set()).add(document.id)
            self._held["of"] = of
        return frozenset(self._held["of"].get(publication, ()))

    def _patients(self, charts: Sequence[Chart], names: Mapping[str, str]) -> list[DiagnosisExample]:
        return [
            example_of(chart.case, names, listed=chart.findings).model_copy(
                update={"telling": tuple(names.get(id, id) for id in chart.case.observed[:REFERENCE_FINDINGS])}
            )
            for chart in charts
        ]

    def _names(self) -> Mapping[str, str]:
        if self.terms:
            return read_term_names(self.terms)
        from guerdon_medical.phenotypes import Phenotypes

        try:
            return {term.id: term.name for term in Phenotypes.load(source=None).terms.values()}
        except ConfigError as error:
            error.add_note(f"Without it, give {self.name}.terms: a file with the names of findings by id.")
            raise


def a_patient(example: Example) -> DiagnosisExample:
    """The example, checked to be a patient.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(example, DiagnosisExample):
        raise TypeError(f"a DiagnosisExample is needed, not {type(example).__name__} {example.id!r}")
    return example


def _rare_guidelines() -> Corpus:
    from guerdon_medical.guidelines import rare_guidelines
    from guerdon_medical.phenotypes import Phenotypes

    return rare_guidelines(Phenotypes.load())


def _all_guidelines() -> Corpus:
    from guerdon_medical.guidelines import common_guidelines, merged

    return merged(_rare_guidelines(), common_guidelines())
