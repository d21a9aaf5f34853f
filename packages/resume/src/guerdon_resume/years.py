"""Years of experience that a text says.

Dated work counts, by clause, each year once; where nothing is dated, the greatest number of years that is stated. Of
"2 years at Acme. Then 3 years at Beta." that is 3: what is stated may overlap, and is not added up.

It covers English, whole years, and work as clauses and headings tell it. It does not cover a degree's letters that are
a place's ("Boston, MA", outside of work history), or work that is told without a year.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal

from guerdon_resume.skills import normal

_SPELLED = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_WORDS = {word: number for number, word in enumerate(_SPELLED.split(), 1)}
_STATED = re.compile(
    rf"(?<![\w.,-])(\d{{1,2}}(?:\.\d)?|{'|'.join(_WORDS)})\s*(?:\+|plus)?\s*(?:(?:-|–|to)\s*\d{{1,2}}\s*)?"
    r"(?:years?|yrs?)\b"
)
_LABELLED = re.compile(
    r"\b(?:(?:total )?years?(?: of)?(?: [a-z]+){0,2} experience|experience(?: in years| \(years\)))"
    r" ?[:=] ?(\d{1,2}(?:\.\d)?)(?![\d.]*\d)"
)
"""The years behind their label: "Years of experience: 7"."""
_OTHER_BEFORE = re.compile(
    r"\b(?:aged?|break|gap|leave|sabbatical|studied|degree|ago|last)\b[^.;\n]{0,24}$"
    r"|\b(?:company|firm|employer|agency|organi[sz]ation|business|team|start-?up|institution)\b[^.;\n]{0,16}\b"
    r"(?:with|has|having|of|offers|offering|brings|bringing)(?: (?:over|more than|almost|nearly|about|some))? $"
)
"""Before a number of years that are none of the candidate's work: an age, a break, an employer's own years."""
_OTHER_AFTER = re.compile(
    r"^[\s-]*(?:old|(?:of )?(?:combined|collective|joint)|of age|ago|break|gap|career break|degree|course|warranty|"
    r"of (?:study|parental))"
)
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)\.?,? "
)
_RANGE = re.compile(
    rf"(?<![\d/.-])(?<!\d )(?:{_MONTH}|(?:\d{{1,2}}[/.]){{1,2}})?((?:19|20)\d\d) ?(?:[-–—‐]|to|until) ?"
    rf"(?:(?:{_MONTH}|(?:\d{{1,2}}[/.]){{1,2}})?((?:19|20)\d\d)|present|current|now|today|ongoing)(?![\d/-])"
)
"""A span of years, with or without months, which are not counted: "Jan 2018 - 03/2021"."""
_NO_WORK = re.compile(r"\b(?:break|gap|leave|sabbatical|travel(?:ling)?|unemployed)\b")
_SINCE = re.compile(
    rf"\bsince (?:{_MONTH}|(?:\d{{1,2}}[/.]){{1,2}})?((?:19|20)\d\d)(?![\d/-])"
    rf"|\bfrom (?:{_MONTH}|(?:\d{{1,2}}[/.]){{1,2}})?((?:19|20)\d\d) on(?:wards?)?\b"
)
"""Work that goes on: "Developer since 2019"."""
_NO_WORK_SINCE = re.compile(
    r"\b(?:certifi\w+|licen[cs]\w+|member\w*|married|liv(?:e|es|ing)|residen\w+|registered|volunteer\w*|us(?:e|ed|ing)|"
    r"retired|founded|established|in business|hobby|play(?:s|ing)?|born|interested|fan)\b"
)
"""What may be so since a year and is no work."""
_PHONE = re.compile(r"\b(?:phone|tel|telephone|mobile|cell|fax)\b[.:,]* ?[\d ()/+-]*$")
_DEGREE = re.compile(r"\b(?:bsc|msc|ba|ma|phd|bachelor|master|degree|graduated|diploma|studied|studying)\b")
_PLACE = re.compile(r"\b(?:university|college|school)\b")
_LEARNS = re.compile(r"\b(?:students?|pupil|attended|exchange|semester|term|year|alumn\w+|graduate|education)\b")
_WORKS = re.compile(
    r"\b(?:at|for)\b|\b(?:teacher|lecturer|professor|research(?:er)?|assistant|librarian|administrat\w+|engineer|"
    r"developer|analyst|manager|nurse|clerk|secretary|coordinator|officer|technician|tutor|instructor|accountant|"
    r"consultant|head|director|caretaker|cook|postdoc|scientist|specialist|adviser|advisor|counsell?or|coach)\b"
)
"""In a clause with a place of study: what says that it was work there."""
_STUDY_HEAD = re.compile(
    r"^\W*(?:education(?: and training)?|studies|academic background|certificat(?:e|ion)s?|languages)\W*$"
)
_WORK_HEAD = re.compile(
    r"^\W*(?:(?:relevant|work|professional|employment|career) )?(?:experience|employment|career|history)\W*$"
)
_OTHER_HEAD = re.compile(r"^\W*(?:(?:key|technical|core) )?(?:skills|summary|profile|projects|interests)\W*$")
_NONE = re.compile(r"\bno (?:paid |professional |work |prior |previous )*experience\b(?! (?:with|in|of)\b)")
MOST_YEARS = 60.0
_DATED = re.compile(rf"(?:{_RANGE.pattern})|(?:{_SINCE.pattern})")
_CUT = re.compile(
    r"(?P<end>;|(?:(?<=[\d)])|(?<=\w{4})(?<!\bsept)(?<!\bprof)(?<!\buniv)(?<!\bdipl))\.(?: |$)|\.(?= (?:19|20)\d\d))"
    r"|[,|(•]"
)
"""Between clauses: the end of a sentence, or a comma and its like. "BSc." and "Sept." end none."""


def years_of(text: str, *, now: int | None = None) -> float | None:
    r"""Years of experience: those that dated work covers, each counted once; where nothing is dated, the most stated.

    Studies, breaks, ages ("35 years old"), an employer's years and what was years ago do not count. "No experience" is
    0. Below a heading such as "Work experience" every span but a break is work; elsewhere a place of study is one of
    work where the clause says so ("Teacher at"). At most `MOST_YEARS`.

    Args:
        text: of any length; time is linear in it.
        now: the year that "2019 - present" and "since 2019" end in, and past which no span counts; None: they say
            nothing.

    >>> years_of("12+ years"), years_of("35 years old"), years_of("no experience"), years_of("")
    (12.0, None, 0.0, None)
    >>> years_of("Clerk, 2010 - 2014\nCareer break 2014 - 2016\nBSc, 2006 - 2010\nClerk, 2013 - 2014, 2016 - 2017")
    5.0
    """
    plain = _lines_single_spaced(normal(text))
    spans = _spans(plain, now)
    if spans:
        return min(_covered(spans), MOST_YEARS)
    stated = [_number(match[1]) for match in _STATED.finditer(plain) if _of_experience(plain, match)]
    stated += [float(match[1]) for match in _LABELLED.finditer(plain)]
    if stated:
        return min(max(stated), MOST_YEARS)
    return 0.0 if _NONE.search(plain) else None


def _lines_single_spaced(text: str) -> str:
    """The text with one blank or new line for each run of white space, so that patterns with two runs stay linear."""
    return re.sub(r" ?\n[ \n]*", "\n", re.sub(r"[^\S\n]+", " ", text))


def _spans(plain: str, now: int | None) -> list[tuple[int, int]]:
    """Dated spans of work, by year; clauses about studies and about breaks are passed over."""
    spans: list[tuple[int, int]] = []
    below: Literal["nothing", "studies", "work"] = "nothing"
    for line in plain.split("\n"):
        if _STUDY_HEAD.match(line):
            below = "studies"
        elif _WORK_HEAD.match(line):
            below = "work"
        elif _OTHER_HEAD.match(line):
            below = "nothing"
        if below == "studies":
            continue
        for clause in _clauses(line):
            if not (_NO_WORK.search(clause) or (below == "nothing" and _of_study(clause))):
                spans += _worked(clause, now)
    return spans


def _worked(clause: str, now: int | None) -> Iterator[tuple[int, int]]:
    """The spans of a clause, none of which reaches into years to come."""
    found = [(int(match[1]), int(match[2]) if match[2] else now, match.start()) for match in _RANGE.finditer(clause)]
    if not _NO_WORK_SINCE.search(clause):
        found += [(int(match[1] or match[2]), now, match.start()) for match in _SINCE.finditer(clause)]
    for start, end, place in found:
        if end is not None and now is not None:
            end = min(end, now)  # what is still to come is no experience; a span that begins after it is none
        if end is not None and 0 <= end - start <= MOST_YEARS and not _PHONE.search(clause[max(0, place - 40) : place]):
            yield start, end


def _of_study(clause: str) -> bool:
    if _DEGREE.search(clause):
        return True
    return _PLACE.search(clause) is not None and (_LEARNS.search(clause) is not None or not _WORKS.search(clause))


def _clauses(line: str) -> list[str]:
    """A line cut so that each clause has its dates: those before it where the line begins with one, else behind it.

    Dates alone belong to what stands before them; what has no date does not reach over the end of a sentence.

    >>> _clauses("bsc, 2010 - 2014. acme gmbh, 2015 - 2019, 2020 - 2021")
    ['bsc, 2010 - 2014', 'acme gmbh, 2015 - 2019, 2020 - 2021']
    >>> _clauses("2010 - 2014, bsc, 2015 - 2019, acme")
    ['2010 - 2014, bsc', '2015 - 2019, acme']
    """
    if (first := _DATED.search(line)) is None:
        return []
    dates_first = not re.search(r"\w", line[: first.start()])
    found: list[list[str]] = []
    undated: list[str] = []
    after_end = False
    """Whether a sentence ended before what is undated."""
    for text, ended in _pieces(line):
        rest, dates = _DATED.subn("", text)
        alone = dates > 0 and re.search(r"\w", rest) is None
        if dates and undated and (alone or not ended):
            found.append([*undated, text])
        elif alone and found and not (dates_first and re.search(r"\w", _DATED.sub("", found[-1][-1]))):
            found[-1].append(text)
        elif dates:
            found.append([text])
        elif dates_first and found and not ended:
            found[-1].append(text)
            continue
        else:
            if ended or not undated:
                undated, after_end = [], ended
            undated.append(text)
            continue
        undated = []
    if undated and found and not after_end:
        found[-1] += undated
    return [", ".join(parts) for parts in found]


def _pieces(line: str) -> Iterator[tuple[str, bool]]:
    """A line cut at commas, brackets and ends of sentences, none within a date; and whether a sentence ended before."""
    start, ended = 0, False
    dates = _DATED.finditer(line)
    date = next(dates, None)
    for cut in _CUT.finditer(line):
        while date is not None and date.end() <= cut.start():
            date = next(dates, None)
        if date is not None and date.start() <= cut.start():
            continue
        if piece := line[start : cut.start()].strip():
            yield piece, ended
            ended = False
        start, ended = cut.end(), ended or cut["end"] is not None
    if piece := line[start:].strip():
        yield piece, ended


def _covered(spans: Iterable[tuple[int, int]]) -> float:
    total, reached = 0, 0
    for start, end in sorted(spans):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return float(total)


def _of_experience(plain: str, match: re.Match[str]) -> bool:
    before, after = plain[max(0, match.start() - 60) : match.start()], plain[match.end() : match.end() + 30]
    return _OTHER_BEFORE.search(before) is None and _OTHER_AFTER.match(after) is None


def _number(word: str) -> float:
    return float(_WORDS[word]) if word in _WORDS else float(word)
