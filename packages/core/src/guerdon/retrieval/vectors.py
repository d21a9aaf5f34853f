"""Vectors of documents and queries: computed or given, checked, and kept in a folder between runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from guerdon.cached_folders import built_once
from guerdon.errors import ConfigError, RetrievalError, reason_of
from guerdon.progress import progress
from guerdon.protocols import Encoder, Query
from guerdon.retrieval.corpora import Corpus

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

_AT_A_TIME = 1024


def encoded(encoder: Encoder, texts: Sequence[str], *, kind: Literal["query", "passage"]) -> Floats:
    """(texts, dimensions), float32, checked.

    Raises:
        RetrievalError: the encoder gave another shape, or numbers that are not finite; it says for which text.
    """
    import numpy as np

    made = np.ascontiguousarray(encoder.encode(texts, kind=kind), dtype=np.float32)
    if made.ndim != 2 or len(made) != len(texts) or not made.shape[1]:
        raise RetrievalError(
            f"the encoder {encoder.name} gave {made.shape} for {len(texts)} texts; one row of numbers each is needed"
        )
    broken = np.flatnonzero(~np.isfinite(made).all(axis=1))
    if len(broken):
        text = texts[int(broken[0])]
        raise RetrievalError(f"the encoder {encoder.name} gave a vector that is not finite for the {kind} {text!r:.80}")
    return made


def of_corpus(encoder: Encoder, corpus: Corpus, folder: Path | None) -> Floats:
    """The documents' vectors, (documents, dimensions).

    Args:
        encoder: who makes them.
        corpus: whose they are.
        folder: where they are kept; None keeps none. What is there was made by an encoder of the same name of a corpus
            that said the same, since its place is named by both: it cannot be stale.

    Raises:
        RetrievalError: see `encoded`; or what is kept is damaged.
    """
    if folder is None:
        return _of_corpus(encoder, corpus)
    key = hashlib.sha256(f"{encoder.name}\n{corpus.digest}".encode()).hexdigest()[:32]

    def build(place: Path) -> None:
        import numpy as np

        np.save(place / "vectors.npy", _of_corpus(encoder, corpus), allow_pickle=False)
        manifest = {"encoder": encoder.name, "corpus": corpus.digest, "documents": len(corpus)}
        (place / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")

    try:
        return given(built_once(folder.expanduser() / key, build) / "vectors.npy", len(corpus))
    except OSError as error:
        raise RetrievalError(f"the documents' vectors cannot be kept in {str(folder)!r}: {error}") from error
    except ConfigError as error:
        raise RetrievalError(f"{error}; delete the folder around it, and it is made anew") from error


def given(path: Path, documents: int) -> Floats:
    """Vectors from a file of numpy's: (documents, dimensions).

    Raises:
        ConfigError: there is no such file, it holds another shape, or numbers that are not finite.
    """
    import numpy as np

    try:
        found = np.load(path.expanduser(), allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ConfigError(f"cannot read vectors from {str(path)!r}: {reason_of(error)}") from error
    if found.ndim != 2 or len(found) != documents or not found.shape[1]:
        raise ConfigError(f"{str(path)!r} holds {found.shape}; {documents} rows are needed, one per document")
    found = np.ascontiguousarray(found, dtype=np.float32)
    broken = np.flatnonzero(~np.isfinite(found).all(axis=1))
    if len(broken):
        raise ConfigError(f"{str(path)!r}: row {broken[0]} is not finite")
    return found


def of_queries(queries: Sequence[Query], encoder: Encoder | None, dimensions: int, who: str) -> Floats:
    """(queries, dimensions): a query's own vector, else its text's; zeros for a query of neither.

    Raises:
        ConfigError: a query's vector has another number of dimensions, or is not finite.
        RetrievalError: see `encoded`; or the encoder's vectors have another number of dimensions.
    """
    import numpy as np

    vectors = np.zeros((len(queries), dimensions), dtype=np.float32)
    texts: dict[str, list[int]] = {}
    for place, query in enumerate(queries):
        if query.vector:
            vectors[place] = _own(query, place, dimensions, who)
        elif query.text.strip():
            texts.setdefault(query.text, []).append(place)
    if texts and encoder is not None:
        made = encoded(encoder, list(texts), kind="query")
        if made.shape[1] != dimensions:
            raise RetrievalError(
                f"{who}: the encoder {encoder.name} gives {made.shape[1]} dimensions, the documents have {dimensions}"
            )
        for vector, places in zip(made, texts.values(), strict=True):
            vectors[places] = vector
    return vectors


def _own(query: Query, place: int, dimensions: int, who: str) -> Floats:
    import numpy as np

    with np.errstate(over="ignore"):
        vector = np.asarray(query.vector, dtype=np.float32)
    if vector.shape != (dimensions,):
        raise ConfigError(f"{who}: query {place} has {len(vector)} dimensions, the documents have {dimensions}")
    if not np.isfinite(vector).all():
        raise ConfigError(f"{who}: the vector of query {place} is not finite in float32")
    return vector


def _of_corpus(encoder: Encoder, corpus: Corpus) -> Floats:
    import numpy as np

    parts = []
    with progress(f"vectors of {len(corpus)} documents", len(corpus)) as bar:
        for start in range(0, len(corpus), _AT_A_TIME):
            part = corpus.documents[start : start + _AT_A_TIME]
            parts.append(encoded(encoder, [document.searched for document in part], kind="passage"))
            bar.advance(len(part))
    return np.concatenate(parts)
