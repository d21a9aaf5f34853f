"""Collections in TREC's form, and the traps of the two that are known."""

import pytest

from guerdon.errors import ConfigError, TaskError
from guerdon_search.trec_files import read_cranfield, read_trec, read_vaswani

VASWANI = {
    "doc-text.trec": """<DOC>
<DOCNO>1</DOCNO>
compact memories  for A&B
with i < j
</DOC>
<DOC>
<DOCNO>2</DOCNO>
an analogue computer
</DOC>
""",
    "query-text.trec": """<top>
<num>1</num><title>
MICROWAVE TECHNIQUES
</title>
</top>
<top>
<num>2</num><title>
COMPUTERS
</title>
</top>
""",
    "qrels": "2 0 2 1\n",
}
CRANFIELD = {
    "cran.all.1400.xml": """<doc>
<docno>1</docno>
<title>a wing .</title>
<author>b,m.</author>
<bib>j. 1958</bib>
<text>a wing .
  of lift .</text>
</doc>
<doc>
<docno>2</docno>
<title></title>
<author></author>
<bib></bib>
<text></text>
</doc>""",
    "cran.qry.xml": """<?xml version='1.0'?>
<xml>
<top>
<num> 1</num>
<title>
lift of
wings .
</title>
</top>
<top>
<num> 4</num>
<title>
heat .
</title>
</top>
</xml>""".replace("\n", "\r\n"),
    "cranqrel.trec.txt": "1 0 1 1\r\n2 0 1 3\r\n2 0 2 0\r\n",
}


def laid(folder, files, **other):
    for name, text in (files | other).items():
        (folder / name).write_bytes(text.encode())
    return folder


def test_vaswani_is_read_and_its_topics_are_no_longer_in_capitals(tmp_path):
    found = read_vaswani(laid(tmp_path, VASWANI))
    assert [(one.id, one.text) for one in found.corpus.documents] == [
        ("1", "compact memories for A&B with i < j"),
        ("2", "an analogue computer"),
    ]
    assert (found.queries, found.judgments) == ({"2": "computers"}, {"2": {"2": 1.0}})


def test_vaswanis_documents_may_lie_in_a_folder_of_their_own(tmp_path):
    laid(tmp_path, VASWANI)
    (tmp_path / "corpus").mkdir()
    (tmp_path / "doc-text.trec").rename(tmp_path / "corpus" / "doc-text.trec")
    assert len(read_vaswani(tmp_path).corpus) == 2


def test_cranfields_judgments_are_joined_by_place_and_a_gain_of_three_is_one(tmp_path):
    """The second topic is number 4, and judgments call it 2. A document that says nothing is none."""
    found = read_cranfield(laid(tmp_path, CRANFIELD))
    (document,) = found.corpus.documents
    assert (document.id, document.title, document.text) == ("1", "a wing .", "a wing . of lift .")
    assert found.queries == {"1": "lift of wings .", "2": "heat ."}
    assert found.judgments == {"1": {"1": 1.0}, "2": {"1": 1.0, "2": 0.0}}


def test_by_number_cranfields_judgments_have_no_topic(tmp_path):
    laid(tmp_path, CRANFIELD)
    with pytest.raises(TaskError, match=r"judges topic '2', and .*cran.qry.xml' has no number like it"):
        read_trec(tmp_path / "cran.all.1400.xml", tmp_path / "cran.qry.xml", tmp_path / "cranqrel.trec.txt")


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("doc-text.trec", "nothing", "has no <doc>"),
        ("doc-text.trec", "<DOC>text</DOC>", "<doc> 1 has no docno"),
        ("doc-text.trec", "<DOC><DOCNO>1</DOCNO>a</DOC><DOC><DOCNO>1</DOCNO>b</DOC>", "<doc> 2 has the docno '1' of"),
        ("query-text.trec", "<top><num>2</num></top>", "topic '2' has no title"),
        ("query-text.trec", "", "has no <top>"),
        ("qrels", "2 0 2 nan\n", "'nan' is not a finite number"),
        ("qrels", "2 0 2\n", "has 3 fields"),
        ("qrels", "2 0 2 1\n2 0 2 0\n", "and had 1 before"),
    ],
)
def test_what_is_broken_is_told_by_file(tmp_path, file, text, told):
    with pytest.raises(TaskError, match=told):
        read_vaswani(laid(tmp_path, VASWANI, **{file: text}))


def test_a_file_that_is_not_there_and_documents_without_a_word_are_told(tmp_path):
    with pytest.raises(TaskError, match="cannot read"):
        read_vaswani(tmp_path)
    with pytest.raises(ConfigError, match="empty"):
        read_vaswani(laid(tmp_path, VASWANI, **{"doc-text.trec": "<DOC><DOCNO>1</DOCNO> </DOC>"}))
