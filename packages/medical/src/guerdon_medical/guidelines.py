"""Disease guidelines: for each disease its name and its usual findings, as documents that are found by name.

A document's id is the disease's, its text the name; its payload has `symptoms` (the most usual first), `source`, and of
common diseases the ICD-10 code (`icd10`). Three sources: what is known of rare diseases (`rare_guidelines`), a table of
common ones that was made to test software with (`common_guidelines`), and what the records themselves show
(`guidelines_of_cases`).
"""

from __future__ import annotations

import importlib
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from guerdon.errors import ConfigError
from guerdon.retrieval import Corpus, Document
from guerdon_medical.cases import Case, Disease
from guerdon_medical.phenotypes import Phenotypes

KEPT = 15
"""Symptoms of a guideline [code]."""


def guideline(disease: Disease, symptoms: Iterable[str], source: str, **more: Any) -> Document:
    """One guideline; `symptoms` are names, the most usual first, and each counts once."""
    kept = list(dict.fromkeys(symptoms))
    return Document(disease.id, disease.name, payload={"symptoms": kept, "source": source, **more})


def rare_guidelines(knowledge: Phenotypes, most: int = KEPT) -> Corpus:
    """Of the diseases of `knowledge`, with names of their most frequent findings.

    Raises:
        ConfigError: it has no disease.
    """
    source = f"Human Phenotype Ontology {knowledge.version}".strip()
    return Corpus(
        guideline(
            profile.disease,
            (term.name for term in knowledge.resolve(profile.findings[:most]).terms),
            source,
        )
        for profile in knowledge.profiles.values()
    )


def common_guidelines(most: int = KEPT) -> Corpus:
    """Of common diseases, by the package `faker-healthcare-provider` (extra `common`), which was written to test
    software with: its symptoms are not a reference.

    Raises:
        ConfigError: it is not installed, or its table has another shape.
    """
    try:
        table = importlib.import_module("faker_healthcare.disease_correlations")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"guidelines of common diseases need the package {error.name}, which is not installed: "
            'pip install "guerdon-medical[common]"'
        ) from error
    return Corpus(
        guideline(
            Disease(f"common:{name}", name), found["symptoms"][:most], "faker-healthcare-provider", icd10=found["icd10"]
        )
        for name, found in table.DISEASE_CORRELATIONS.items()
    )


def guidelines_of_cases(cases: Iterable[Case], names: Mapping[str, str], most: int = KEPT) -> Corpus:
    """Of the diseases of the cases: the findings that most of a disease's cases have, equal ones in the order in which
    they first occur.

    Args:
        cases: records, and never those that are asked about.
        names: of findings by id; a finding without a name stands as its id.
        most: symptoms of a guideline.

    Raises:
        ConfigError: there are no cases.
    """
    found: dict[Disease, Counter[str]] = {}
    for case in cases:
        for disease in case.diagnoses:
            found.setdefault(disease, Counter()).update(case.observed)
    return Corpus(
        guideline(disease, (names.get(id, id) for id, _ in counts.most_common(most)), "records")
        for disease, counts in found.items()
    )


def merged(*corpora: Corpus) -> Corpus:
    """Guidelines of several sources; of those with one id the first stands."""
    found: dict[str, Document] = {}
    for document in (document for corpus in corpora for document in corpus.documents):
        found.setdefault(document.id, document)
    return Corpus(found.values())


def half_hidden(guidelines: Corpus, seed: int) -> Corpus:
    """Without the guidelines of a random half of the diseases (rounded down), in the same order.

    An incomplete base: the agent has to notice that nothing is known.
    """
    hidden = frozenset(random.Random(seed).sample(sorted(guidelines.places), len(guidelines) // 2))
    return Corpus(document for document in guidelines.documents if document.id not in hidden)
