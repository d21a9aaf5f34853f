"""Skills and other words for them: our own short lists, enough for made data, for matching, and for a baseline.

They are no taxonomy of the labour market (ESCO is one; it is not shipped). A skill that is not listed is matched by its
own words alone. Words are compared in one normal form: compatibility characters folded (NFKC), case folded, what has no
width cut. Letters of other scripts that look alike stay other letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import NamedTuple

from guerdon.parsing.normal_forms import nfkc
from guerdon_resume.everyday import is_everyday, is_skill_at

FIELDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "Data Engineer": {
        "SQL": ("structured query language",),
        "Apache Spark": ("Spark", "PySpark"),
        "Apache Kafka": ("Kafka", "event streaming"),
        "PostgreSQL": ("Postgres", "psql"),
        "Apache Airflow": ("Airflow", "DAG scheduling"),
        "Python": ("Py3", "CPython"),
        "dbt": ("data build tool",),
        "data modelling": ("data modeling", "dimensional modelling", "star schemas"),
        "Snowflake": ("Snowflake DWH", "SnowSQL"),
        "Terraform": ("infrastructure as code", "HCL"),
    },
    "AI Engineer": {
        "machine learning": ("ML", "predictive modelling"),
        "deep learning": ("neural networks", "DNNs"),
        "PyTorch": ("Torch",),
        "natural language processing": ("NLP", "text mining"),
        "computer vision": ("image recognition", "OpenCV"),
        "MLOps": ("ML Ops", "model deployment"),
        "scikit-learn": ("sklearn",),
        "A/B testing": ("online experiments", "split testing"),
        "time series forecasting": ("demand forecasting", "ARIMA"),
        "feature engineering": ("feature stores",),
    },
    "Web Developer": {
        "JavaScript": ("JS", "ECMAScript", "ES6"),
        "TypeScript": ("typed JavaScript",),
        "React": ("ReactJS", "React.js"),
        "Node.js": ("NodeJS",),
        "HTML": ("HTML5", "semantic markup"),
        "CSS": ("CSS3", "Sass"),
        "GraphQL": ("Apollo Server", "GQL"),
        "accessibility": ("a11y", "WCAG"),
        "REST APIs": ("RESTful services", "REST API"),
        "Java": ("J2EE", "Spring Boot"),
    },
    "Platform Engineer": {
        "Kubernetes": ("K8s", "container orchestration"),
        "Docker": ("containers", "Dockerfiles"),
        "Amazon Web Services": ("AWS", "EC2"),
        "Microsoft Azure": ("Azure",),
        "continuous integration": ("CI/CD", "Jenkins", "GitLab CI"),
        "Linux": ("Debian", "RHEL"),
        "monitoring": ("Prometheus", "observability"),
        "Golang": ("Go language",),
        "C++": ("cpp", "C++17"),
        "networking": ("TCP/IP", "BGP"),
    },
    "Accountant": {
        "bookkeeping": ("double-entry books", "ledger keeping"),
        "financial reporting": ("annual accounts", "IFRS statements"),
        "payroll": ("wage accounting", "salary runs"),
        "tax returns": ("VAT filing", "tax filing"),
        "accounts payable": ("supplier invoices", "creditor ledger"),
        "accounts receivable": ("debtor management",),
        "budgeting": ("budget planning", "cost planning"),
        "auditing": ("internal audit", "external audits"),
        "Microsoft Excel": ("Excel", "pivot tables"),
        "SAP": ("SAP FI", "S/4HANA"),
    },
    "Nurse": {
        "patient care": ("bedside care", "caring for patients"),
        "medication administration": ("giving medication", "drug rounds"),
        "wound care": ("dressing changes", "wound dressing"),
        "triage": ("patient prioritisation",),
        "electronic health records": ("EHR", "electronic charting"),
        "infection control": ("hygiene protocols", "aseptic technique"),
        "phlebotomy": ("venepuncture", "taking blood"),
        "intensive care": ("ICU", "critical care"),
        "paediatrics": ("pediatrics", "child nursing"),
        "life support": ("CPR", "resuscitation", "ACLS"),
    },
    "Sales Manager": {
        "account management": ("key accounts", "client portfolio"),
        "lead generation": ("prospecting", "cold calling"),
        "negotiation": ("closing deals", "contract talks"),
        "Salesforce": ("SFDC", "Sales Cloud"),
        "sales forecasting": ("pipeline forecasting",),
        "team leadership": ("leading teams", "people management"),
        "market research": ("competitor analysis",),
        "presentations": ("pitching", "public speaking"),
        "B2B sales": ("business to business sales", "enterprise sales"),
        "customer retention": ("churn reduction",),
    },
    "Logistics Coordinator": {
        "inventory management": ("stock control", "cycle counting"),
        "supply chain management": ("supply chains", "SCM"),
        "warehouse operations": ("warehousing", "picking and packing"),
        "customs clearance": ("import formalities", "customs brokerage"),
        "route planning": ("tour planning", "dispatching"),
        "procurement": ("purchasing", "sourcing"),
        "forklift operation": ("forklift licence", "lift truck"),
        "lean management": ("Six Sigma", "Kaizen"),
        "transport management": ("TMS", "freight management"),
        "dangerous goods": ("hazmat", "ADR certificate"),
    },
}
"""By job title: skills, and other words for each that keyword matching misses."""

_NO_WIDTH = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_SPACE = re.compile(r"\s+")
_TOKEN = re.compile(r"(?:(?<![\w+#])\.)?[\w+#]+")  # ".net" has its point, the end of a sentence has not
_BLANK = r"[^\S\n]"
_NEGATION = r"(?:\b(?:no|not|cannot|never|neither|without|lack(?:s|ed|ing)?|interested in)\b|n['’]t\b)"
_BETWEEN = (
    r"(?:yet|ever|really|currently|longer|be|been|having|have|had|has|got|gained|any|much|an?|the|chance|opportunity|to|"
    r"in|of|with|on|for|my|all|prior|previous|formal|professional|commercial|paid|practical|direct|real|relevant|"
    r"significant|extensive|deep|solid|strong|very|hands|advanced|basic|specific|work|years?|programmed|coded|written|"
    r"wrote|done|built|managed|administered|deployed|operated|handled|tried|speak|write|program|manage|operate)"
)
"""What may stand between a negation and what it negates."""
_KNOWING = (
    r"(?:experience[sd]?|knowledge|know(?:s|ing)?|knew|familiar(?:ity)?|skill(?:s|ed)?|proficien(?:t|cy)|exposure|"
    r"background|expertise|understand(?:ing)?|train(?:ing|ed)|qualifi(?:ed|cations?)|certifi(?:ed|cates?|cations?)|"
    r"competen(?:t|ce)|comfortable|versed|use[sd]?|using|touch(?:ed)?|learn(?:ed|t|ing)?|stud(?:y|ied)|practi[cs](?:ed?|al)|"
    r"work(?:s|ed|ing)?(?= (?:with|in|on)\b))"
)
"""Words for having a skill: what is negated with one reaches to the end of its clause."""
_CLAUSE = r"(?!\s*,)(?:(?!\b(?:but|however|though|although|whereas|except)\b)[^.;:\n]){0,80}"
_DENIED = re.compile(
    rf"(?:{_NEGATION}(?:{_BLANK}|[-‐])+(?:{_BETWEEN}(?:{_BLANK}|[-‐])+){{0,8}}(?:{_KNOWING}\b{_CLAUSE})?"
    rf"|\b(?:want(?:s|ing)?|eager|keen|hop(?:e|ing)) to learn\b{_CLAUSE})$"
)
"""Before a skill: what denies it. A negation of something else in the sentence does not: "never late, wrote SQL"."""
_TWICE_DENIED = re.compile(
    rf"(?:\b(?:no|not|cannot|never|nothing|nobody|impossible|rarely|hardly)\b|n['’]t\b)[^.;:,\n]{{0,60}}\bwithout\b"
    rf"(?:{_BLANK}+{_BETWEEN})*{_BLANK}+$"
)
"""Before a skill: "cannot work without"."""
_OR = re.compile(rf"{_BLANK}*(?:[,/&]|\b(?:and|or|nor)\b)(?:{_BLANK}|[,/&]|\b(?:and|or|nor|any)\b)*")
"""Between the skills of one list, which are denied together."""


def normal(text: str) -> str:
    """The text as it is compared: NFKC, case folded, nothing without width.

    >>> normal("Ｐｏｓｔ\u200bgres")
    'postgres'
    """
    return _NO_WIDTH.sub("", nfkc(text)).casefold()


def spelled(text: str) -> str:
    """The text in normal form but for its case, place by place the same as `normal(text)`."""
    shown = _NO_WIDTH.sub("", nfkc(text))
    if len(shown) == len(shown.casefold()):
        return shown
    return "".join(each if len(each.casefold()) == 1 else each.casefold() for each in shown)


def single_spaced(text: str) -> str:
    """The text with one blank for each run of white space, and none at its ends."""
    return _SPACE.sub(" ", text).strip()


def canonical(skill: str) -> str:
    """The normal form of a skill's first name; of one that is not listed, its own.

    >>> canonical(" K8s "), canonical("Basket weaving")
    ('kubernetes', 'basket weaving')
    """
    word = single_spaced(normal(skill))
    return _firsts().get(word, word)


class Found(NamedTuple):
    """A skill in a text."""

    skill: str
    """Its canonical form."""
    words: str
    """As the text has it."""
    denied: bool
    """Whether the sentence says it is *not* there: "no experience with Spark"."""


def skills_in(text: str, also: Iterable[str] = ()) -> list[Found]:
    """The skills that a text names, in order, each mention.

    Whole words, the longest first: "React Native" holds no "React" where both are known, and "C++" no "C". Everyday
    words are skills where they are spelled as such (`guerdon_resume.everyday`).

    Args:
        text: of any length; time is linear in it.
        also: skills beside the listed ones, as a job ad names them.

    >>> [(one.words, one.denied) for one in skills_in("Postgres and JS. No experience with K8s.")]
    [('postgres', False), ('js', False), ('k8s', True)]
    """
    written = spelled(text)
    plain = written.casefold()
    patterns = _patterns(tuple(sorted({single_spaced(normal(each)) for each in also} - {""})))
    found: list[Found] = []
    reached = 0
    for token in _TOKEN.finditer(plain):
        if token.start() < reached or token[0] not in patterns:
            continue
        match = patterns[token[0]].match(plain, token.start())
        if match and (not is_everyday(match[0]) or is_skill_at(written, *match.span())):
            listed = bool(found) and found[-1].denied and _OR.fullmatch(plain, reached, match.start()) is not None
            reached = match.end()
            words = single_spaced(match[0])
            before = plain[max(0, match.start() - 120) : match.start()]
            found.append(Found(canonical(words), words, listed or _denied(before)))
    return found


def has_words(text: str, words: str) -> bool:
    """Whether a text has a skill's words as whole words, as it spells them: what a keyword filter looks for.

    Args:
        text: as `spelled` gives it, so that an everyday word can be told from a skill ("ready to go").
        words: in normal form, with single blanks.

    >>> has_words("Java, JavaScript", "java"), has_words("JavaScript", "java"), has_words("I excel in Go", "excel")
    (True, False, False)
    """
    if not words:
        return False
    found = re.finditer(_bounded(_over_lines(words)), text.casefold())
    return any(not is_everyday(words) or is_skill_at(text, *match.span()) for match in found)


def _denied(before: str) -> bool:
    return _DENIED.search(before) is not None and _TWICE_DENIED.search(before) is None


def _over_lines(words: str) -> str:
    return re.escape(words).replace(r"\ ", r"\s+")


def _bounded(pattern: str) -> str:
    return rf"(?<![\w+#])(?:{pattern})(?![\w+#])"


def listed_words() -> tuple[str, ...]:
    """Every word of the lists, in normal form."""
    return tuple(_firsts())


@cache
def _firsts() -> dict[str, str]:
    """Every listed word's first name, both in normal form."""
    return {
        normal(word): normal(first)
        for field in FIELDS.values()
        for first, others in field.items()
        for word in (first, *others)
    }


@lru_cache(maxsize=64)
def _patterns(extra: tuple[str, ...]) -> Mapping[str, re.Pattern[str]]:
    """By the first token of a skill: its words, the longest first. A whole text is then one look-up a token."""
    starting: dict[str, list[str]] = {}
    for word in sorted({*_firsts(), *extra}, key=lambda word: (-len(word), word)):
        if first := _TOKEN.match(word):  # one of punctuation alone is looked for in vain
            starting.setdefault(first[0], []).append(_over_lines(word))
    return {first: re.compile(_bounded("|".join(words))) for first, words in starting.items()}
