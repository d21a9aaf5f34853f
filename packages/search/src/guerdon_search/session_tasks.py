"""Tasks of grounded answers: made-up sessions whose evidence is partly beside the point, out of date, or not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from pydantic import ValidationError

from guerdon.fields import any_share
from guerdon.parsing.loaded import LoadedTask
from guerdon.parsing.quoting import quoted
from guerdon.parsing.rows import FileRow, read_rows
from guerdon.protocols import Split
from guerdon.rewards import Reward
from guerdon.types import Example, Message, Prompt
from guerdon_search.facts import World
from guerdon_search.search_tasks import MadeUp, each_once, file_in, only, row_id, wanted
from guerdon_search.sessions import Evidence, SearchSession

DECLINED = (
    "There is not enough evidence here to answer this: no document was found that bears on it, and without one "
    "nothing can be said with confidence."
)
_SYSTEM = (
    "Answer from the documents, the core of the answer first, in 20 to 400 words. Cite a document as [Doc 1]. Where "
    "there is no document, say that there is not enough evidence."
)


@dataclass(frozen=True, kw_only=True)
class _Searching(LoadedTask[SearchSession]):
    """Prompt, reference and metrics."""

    def prompt(self, example: Example) -> Prompt:
        """Earlier turns, documents by number, and the query."""
        session = wanted(example, SearchSession)
        turns = [Message("assistant" if place % 2 else "user", turn) for place, turn in enumerate(session.history)]
        found = "\n".join(quoted(one.text, f"Doc {number}") for number, one in enumerate(session.evidence, 1))
        shown = f"{found or 'No document was found.'}\nQuery: {session.query}"
        return Prompt((Message("system", _SYSTEM), *turns, Message("user", shown)))

    def reference(self, example: Example) -> str | None:
        """A grounded answer, where one is known."""
        return wanted(example, SearchSession).reference or None

    def metrics(self) -> Mapping[str, Reward]:
        """The whole by rules, and each rule: every criterion is reported, not the total alone."""
        from guerdon_search.criteria import RULES
        from guerdon_search.criterion_rewards import RuleCriterion, search_llm

        return {"search-llm": search_llm(), **{name: RuleCriterion(name) for name in RULES}}


@dataclass(frozen=True, kw_only=True)
class Sessions(MadeUp[SearchSession], _Searching):
    """Made-up sessions: three facts over two documents, and beside them one that is off topic and one out of date."""

    name: ClassVar[str] = "search/sessions-v1"

    unanswerable: float = 0.15
    """Share of the sessions without evidence."""

    def __post_init__(self) -> None:
        super().__post_init__()
        any_share("unanswerable", self.unanswerable)

    def load(self, split: Split) -> Sequence[SearchSession]:
        """Draw the sessions of a split."""
        world = World(split, Random(f"sessions {self.seed} {split}"))
        return tuple(self._session(world, f"sessions-{split}-{number}") for number in range(self.size(split)))

    def _session(self, world: World, name: str) -> SearchSession:
        random = world.random
        place = world.place()
        first, second, third = world.facts(place, 3)
        query = f"{first.question} What else is known of it?"
        history = (f"Is there a {place}?", "Yes, there is.") if random.random() < 0.3 else ()
        if random.random() < self.unanswerable:
            return SearchSession(id=name, query=query, history=history, reference=DECLINED)
        documents = [
            Evidence(text=f"{first.sentence} {second.sentence}", relevant=True),
            Evidence(text=third.sentence, relevant=True),
            Evidence(text=world.facts(world.place(), 1)[0].sentence, relevant=False),
            Evidence(text=f"An old guide says otherwise: {world.other(first).sentence}", relevant=False),
        ]
        where = list(range(4))
        random.shuffle(where)
        numbers = [where.index(document) + 1 for document in range(4)]
        reference = (
            f"{first.sentence[:-1]} [Doc {numbers[0]}]. "
            f"It was {second.deed} too, as is told, in {second.year} {second.link} {second.who} [Doc {numbers[0]}]. "
            f"Records add: {third.deed} in {third.year} {third.link} {third.who} [Doc {numbers[1]}]."
        )
        return SearchSession(
            id=name,
            query=query,
            history=history,
            evidence=tuple(documents[document] for document in where),
            key_terms=(str(first.year),),
            reference=reference,
        )


@dataclass(frozen=True, kw_only=True)
class SessionFile(_Searching):
    """Sessions of your own: rows of `query`, perhaps `id, history, evidence [text, relevant], key_terms, reference`."""

    name: ClassVar[str] = "search/session-file-v1"

    root: str = ""
    """The folder of `train.jsonl` and `eval.jsonl`."""
    train: str = "train.jsonl"
    """The file of this split, in the folder; `eval` likewise."""
    eval: str = "eval.jsonl"
    """JSON lines or one JSON array, gzipped or not."""

    def __post_init__(self) -> None:
        file_in(self.root, self.train, self.name)

    def load(self, split: Split) -> Sequence[SearchSession]:
        """Read a split's file."""
        path = file_in(self.root, self.train if split == "train" else self.eval, self.name)
        rows = enumerate(read_rows(path, "sessions"))
        return tuple(each_once((row, _session(row, f"{split}-{number}")) for number, row in rows))


def _session(row: FileRow, name: str) -> SearchSession:
    only(row, tuple(SearchSession.model_fields))
    known = {field: value for field, value in row.fields.items() if value is not None}
    try:
        return SearchSession(**known | {"id": row_id(row, name), "query": row.text("query")})
    except ValidationError as error:
        raise row.refused(error) from None
