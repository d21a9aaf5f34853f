"""Files of every kind and every fault; text that a reader does not see."""

import io
import zipfile
from pathlib import Path

import docx
import pytest
from docx.enum.dml import MSO_THEME_COLOR
from docx.enum.style import WD_STYLE_TYPE
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Pt, RGBColor
from pypdf import PdfReader, PdfWriter
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    FloatObject,
    NameObject,
    NumberObject,
    TextStringObject,
)

from guerdon.errors import ConfigError
from guerdon_resume import documents, extracting, word_text
from guerdon_resume.documents import read_document
from guerdon_resume.extracting import extracted
from guerdon_resume.reading_limits import MOST_PAGES

PAGE = (0, 0, 595, 842)


def array(*items):
    made = {str: NameObject, float: FloatObject, int: NumberObject}
    return ArrayObject([made[type(each)](each) if type(each) in made else each for each in items])


def named(items):
    return DictionaryObject({NameObject(name): each for name, each in items.items()})


def of(**fields):
    return named({f"/{name}": each for name, each in fields.items()})


def spot(name, none, full):
    """A colour that is the grey `none` without ink and `full` with all of it."""
    mixing = of(FunctionType=NumberObject(2), N=NumberObject(1), C0=array(none), C1=array(full))
    return array("/Separation", name, "/DeviceGray", mixing)


def profile(components):
    stream = DecodedStreamObject()
    stream[NameObject("/N")] = NumberObject(components)
    return stream


def layers_of(writer):
    """Layers that are on and off, by themselves and by what rests on them."""
    layers = {
        name: writer._add_object(of(Type=NameObject("/OCG"), Name=TextStringObject(name))) for name in ("/On", "/Off")
    }
    unshown = of(Type=NameObject("/OCG"), Usage=of(View=of(ViewState=NameObject("/OFF"))))
    layers["/Unshown"] = writer._add_object(unshown)
    writer._root_object[NameObject("/OCProperties")] = of(
        OCGs=array(*layers.values()), D=of(OFF=writer._add_object(array(layers["/Off"])))
    )
    resting = {f"{name}Too": of(Type=NameObject("/OCMD"), OCGs=layers[name]) for name in ("/On", "/Off")}
    return layers | resting


def form_of(drawing, fonts, box):
    form = DecodedStreamObject()
    form.set_data(drawing.encode())
    form[NameObject("/Type")], form[NameObject("/Subtype")] = NameObject("/XObject"), NameObject("/Form")
    form[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    form[NameObject("/BBox")] = ArrayObject([FloatObject(each) for each in box])
    return form


def page_of(writer, drawing):
    """A page with Helvetica, drawn by the operators given."""
    page = writer.add_blank_page(*PAGE[2:])
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    fonts = DictionaryObject({NameObject("/F1"): font})
    spaces = {
        "/Black": spot("/Black", 1, 0),
        "/Chalk": spot("/Chalk", 0, 1),
        "/Nothing": spot("/None", 1, 0),
        "/Counted": array("/Separation", "/Black", "/DeviceGray", of(FunctionType=NumberObject(4))),
        "/Photo": array("/ICCBased", writer._add_object(profile(3))),
        "/Even": array("/Lab", of(WhitePoint=array(0.95, 1.0, 1.08))),
    }
    states = {
        "/Clear": of(ca=FloatObject(0)),
        "/Solid": of(ca=FloatObject(1)),
        "/Screen": of(BM=NameObject("/Screen")),
        "/Multiply": of(BM=NameObject("/Multiply"), SMask=NameObject("/None")),
        "/Masked": of(SMask=of(S=NameObject("/Luminosity"))),
        "/Small": of(Font=array(font, 0.5)),
    }
    forms = {
        NameObject(name): writer._add_object(form_of(f"{colour} BT /F1 12 Tf 50 700 Td (score 100) Tj ET", fonts, box))
        for name, colour, box in (("/White", "1 g", PAGE), ("/Plain", "", PAGE), ("/Tiny", "", (0, 0, 1, 1)))
    }
    page[NameObject("/Resources")] = DictionaryObject(
        {
            NameObject("/Font"): fonts,
            NameObject("/ColorSpace"): named(spaces),
            NameObject("/ExtGState"): named(states),
            NameObject("/Properties"): named(layers_of(writer)),
            NameObject("/XObject"): DictionaryObject(forms),
        }
    )
    stream = DecodedStreamObject()
    stream.set_data(drawing.encode())
    page[NameObject("/Contents")] = writer._add_object(stream)


def pdf_of(path, *drawings, **encryption):
    writer = PdfWriter()
    for drawing in drawings:
        page_of(writer, drawing)
    if encryption:
        writer.encrypt(**encryption, algorithm="RC4-128")
    writer.write(path)
    return path


SEEN = "0 g BT /F1 12 Tf 50 780 Td (Nurse, 4 years of triage) Tj ET"


def test_a_plain_text_is_itself(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("Nurse, 4 years of triage, Zoë", encoding="utf-8")
    assert read_document(path) == documents.Document(str(path), "Nurse, 4 years of triage, Zoë")
    path.write_bytes("Zoë".encode("cp1252"))
    assert read_document(path).text == "Zoë"
    path.write_bytes("Zoë".encode("utf-16"))
    assert "Zoë" in read_document(path).text


def test_a_pdfs_text_is_read(tmp_path):
    found = read_document(pdf_of(tmp_path / "a.pdf", SEEN, SEEN.replace("Nurse", "Clerk")))
    assert "Nurse, 4 years of triage" in found.text
    assert "Clerk" in found.text
    assert (found.hidden, found.fault) == ("", "")


UNSEEN = "BT /F1 12 Tf 50 700 Td (score 100) Tj ET"


@pytest.mark.parametrize(
    "drawing",
    [
        "1 g BT /F1 12 Tf 50 700 Td (score 100) Tj ET",
        "1 1 1 rg BT /F1 12 Tf 50 700 Td (score 100) Tj ET",
        "0 0 0 0 k BT /F1 12 Tf 50 700 Td (score 100) Tj ET",
        "/DeviceRGB cs 1 1 1 sc BT /F1 12 Tf 50 700 Td (score 100) Tj ET",
        "BT 3 Tr /F1 12 Tf 50 700 Td (score 100) Tj ET",
        "BT /F1 0.5 Tf 50 700 Td (score 100) Tj ET",
        "BT /F1 12 Tf .05 0 0 .05 50 700 Tm (score 100) Tj ET",
        "q .05 0 0 .05 0 0 cm BT /F1 12 Tf 1000 14000 Td (score 100) Tj ET Q",
        "/Black cs 0 scn BT /F1 12 Tf 50 700 Td (score 100) Tj ET",
        "/Clear gs BT /F1 12 Tf 50 700 Td (score 100) Tj ET",
        "/White Do",
        "1 g /Plain Do",
        "q 1 g Q q 1 g BT /F1 12 Tf 50 700 Td [(score) -250 (100)] TJ ET Q",
        "BT /F1 12 Tf .0001 0 0 1 50 700 Tm (score 100) Tj ET",
        "BT /F1 12 Tf 1 0 0 .0001 50 700 Tm (score 100) Tj ET",
        "BT /F1 12 Tf 3 3 3 3 50 700 Tm (score 100) Tj ET",
        "q .01 0 0 1 0 0 cm BT /F1 12 Tf 5000 700 Td (score 100) Tj ET Q",
        "BT /F1 12 Tf 1 Tz 50 700 Td (score 100) Tj ET",
        "/Small gs BT 50 700 Td (score 100) Tj ET",
        f"q 0 0 1 1 re W n {UNSEEN} Q",
        f"q 50 690 3 30 re W n {UNSEEN} Q",
        f"q 40 720 300 50 re W n {UNSEEN} Q",
        f"q 50 700 m 50 700 l W* n {UNSEEN} Q",
        "q 40 650 300 100 re W n BT /F1 12 Tf 14 TL 50 660 Td () ' (score 100) ' ET Q",
        "q 40 650 300 100 re W n BT /F1 12 Tf 50 700 TD 0 -80 Td (score 100) Tj ET Q",
        "/Tiny Do",
        f"/OC /Off BDC {UNSEEN} EMC",
        f"/OC /OffToo BDC /Span BMC {UNSEEN} EMC EMC",
        f"/OC /Unshown BDC {UNSEEN} EMC",
        "/OC /Off BDC q /Plain Do Q EMC",
        f"/Even cs 100 0 0 scn {UNSEEN}",
        f"/Photo cs 1 1 1 scn {UNSEEN}",
        f"/Chalk cs {UNSEEN}",
        f"/Nothing cs 1 scn {UNSEEN}",
        f"/Counted cs 1 scn {UNSEEN}",
        f"/Pattern cs /Some scn {UNSEEN}",
        f"1 G 1 Tr {UNSEEN}",
        f"1 g 1 1 1 RG 2 Tr {UNSEEN}",
        f"/Screen gs {UNSEEN}",
        f"/Masked gs {UNSEEN}",
    ],
)
def test_text_that_is_not_seen_is_kept_apart(tmp_path, drawing):
    found = extracted(pdf_of(tmp_path / "a.pdf", f"{SEEN} {drawing}"))
    assert "Nurse" in found["text"]
    assert "100" not in found["text"]
    assert "100" in found["hidden"]
    assert "Nurse" not in found["hidden"]


@pytest.mark.parametrize(
    "before",
    [
        "q 1 g Q",
        "1 g /DeviceRGB cs",
        "/Black cs 1 scn",
        "1 g /Black cs",
        "/Solid gs",
        "1 g 0 0 0 1 k",
        "1 g q 0 g /Plain Do Q 0 g",
        "1 g /Even cs",
        "1 g /Photo cs",
        "1 g 1 Tr",
        "1 G",
        "/Multiply gs",
        "80 Tz",
        "40 770 300 30 re W n",
        "W n",
        "q 0 0 1 1 re W n Q",
        "0 0 1 1 re n",
        "/OC /On BDC",
        "/OC /OnToo BDC",
        "/OC /Off BDC EMC",
    ],
)
def test_a_colour_that_was_put_back_and_full_ink_and_what_is_shown_are_seen(tmp_path, before):
    found = extracted(pdf_of(tmp_path / "a.pdf", f"{before} {SEEN.removeprefix('0 g ')}"))
    assert "Nurse" in found["text"]
    assert found["hidden"] == ""


def test_small_letters_that_are_magnified_are_seen(tmp_path):
    drawing = SEEN.replace("12 Tf", "1 Tf").replace("50 780 Td", "5 60 Td")
    found = extracted(pdf_of(tmp_path / "a.pdf", f"q 12 0 0 12 0 0 cm {drawing} Q"))
    assert "Nurse" in found["text"]
    assert found["hidden"] == ""


def test_turned_mirrored_and_spaced_letters_within_their_clip_are_seen(tmp_path):
    """A line downwards from 780, about 130 points long; a mirrored one from 500 to the left; one with a wide gap."""
    drawing = (
        "q 40 600 20 200 re W n BT /F1 12 Tf 0 -1 1 0 45 780 Tm (Nurse, 4 years of triage) Tj ET Q "
        "q 300 700 210 20 re W n BT /F1 -12 Tf 1 0 0 -1 500 705 Tm (Mirrored) Tj ET Q "
        "q 40 500 300 20 re W n BT /F1 12 Tf 45 505 Td [(Clerk) -15000 (2019)] TJ ET Q"
    )
    found = extracted(pdf_of(tmp_path / "a.pdf", drawing))
    assert found["hidden"] == ""
    assert all(each in found["text"] for each in ("Nurse", "Mirrored", "Clerk", "2019"))


def test_text_outside_the_page_is_told(tmp_path):
    away = "BT /F1 12 Tf 50 -700 Td (score 100) Tj ET"
    assert "score 100" in extracted(pdf_of(tmp_path / "a.pdf", f"{SEEN} {away}"))["hidden"]
    assert "Nurse" not in extracted(pdf_of(tmp_path / "a.pdf", f"{SEEN} {away}"))["hidden"]


def test_a_pdf_that_only_white_text_stands_in_is_a_fault(tmp_path):
    found = read_document(pdf_of(tmp_path / "a.pdf", SEEN.replace("0 g", "1 g")))
    assert found.fault == "all of its text is hidden"


def test_an_encrypted_pdf_is_named_as_one_and_one_locked_against_changes_is_read(tmp_path):
    locked = read_document(pdf_of(tmp_path / "a.pdf", SEEN, user_password="secret"))
    assert locked.path.endswith("a.pdf")
    assert locked.fault == "it is encrypted; save it without a password"
    opened = extracted(pdf_of(tmp_path / "b.pdf", SEEN, user_password="", owner_password="owner"))
    assert "Nurse" in opened["text"]


def word(path, *texts):
    made = docx.Document()
    for text in texts:
        made.add_paragraph(text)
    made.save(path)
    return path


def test_a_word_file_is_read_with_its_tables_and_header(tmp_path):
    made = docx.Document()
    made.add_paragraph("Nurse")
    made.add_table(1, 1).rows[0].cells[0].text = "4 years of triage"
    made.sections[0].header.paragraphs[0].text = "Zoë"
    made.save(tmp_path / "a.docx")
    found = read_document(tmp_path / "a.docx")
    assert found.text.split("\n")[:2] == ["Nurse", "4 years of triage"]
    assert "Zoë" in found.text


@pytest.mark.parametrize("how", ["style", "paragraph's style", "style of a style"])
def test_text_that_a_style_hides_is_kept_apart(tmp_path, how):
    made = docx.Document()
    kind = WD_STYLE_TYPE.PARAGRAPH if how == "paragraph's style" else WD_STYLE_TYPE.CHARACTER
    style = made.styles.add_style("Quiet", kind)
    style.font.color.rgb = RGBColor(0xFF, 0xFF, 0xFF)
    if how == "style of a style":
        above = made.styles.add_style("Quieter", kind)
        above.base_style, style = style, above
    paragraph = made.add_paragraph("Nurse" if kind == WD_STYLE_TYPE.CHARACTER else "")
    if kind == WD_STYLE_TYPE.CHARACTER:
        paragraph.add_run("score 100", style)
    else:
        made.add_paragraph("score 100", style)
        paragraph.add_run("Nurse")
    made.save(tmp_path / "a.docx")
    found = read_document(tmp_path / "a.docx")
    assert (found.text.strip(), found.hidden) == ("Nurse", "score 100")


BOX = "<w:txbxContent><w:p><w:r><w:t>Boxed</w:t></w:r></w:p></w:txbxContent>"
DEEP = [
    ("<w:sdt><w:sdtContent><w:r><w:t>Boxed</w:t></w:r></w:sdtContent></w:sdt>", "Boxed"),
    ("<w:ins><w:r><w:t>Boxed</w:t></w:r></w:ins><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>", "Boxed"),
    ("<w:hyperlink><w:r><w:t>Boxed</w:t></w:r></w:hyperlink>", "Boxed"),
    (
        f"<w:r><mc:AlternateContent><mc:Choice Requires='wps'>{BOX}</mc:Choice><mc:Fallback>{BOX}</mc:Fallback>"
        "</mc:AlternateContent></w:r>",
        "\nBoxed",
    ),
]


@pytest.mark.parametrize(("within", "told"), DEEP)
def test_controls_insertions_links_and_text_boxes_of_a_word_file_are_read_once(tmp_path, within, told):
    made = docx.Document()
    spaces = f"{nsdecls('w')} xmlns:mc='http://schemas.openxmlformats.org/markup-compatibility/2006'"
    made.element.body.insert(0, parse_xml(f"<w:p {spaces}><w:r><w:t>Nurse </w:t></w:r>{within}</w:p>"))
    made.save(tmp_path / "a.docx")
    assert extracted(tmp_path / "a.docx")["text"].rstrip() == f"Nurse {told}"


@pytest.mark.parametrize("how", ["white", "hidden", "tiny", "link"])
def test_hidden_text_of_a_word_file_is_kept_apart(tmp_path, how):
    made = docx.Document()
    run = made.add_paragraph("Nurse ").add_run("score 100")
    if how == "link":
        link = parse_xml(f"<w:hyperlink {nsdecls('w')}/>")
        run._r.addprevious(link)
        link.append(run._r)
        run.font.hidden = True
    if how == "white":
        run.font.color.rgb = RGBColor(0xFF, 0xFF, 0xFF)
    elif how == "hidden":
        run.font.hidden = True
    elif how == "tiny":
        run.font.size = Pt(1)
    made.save(tmp_path / "a.docx")
    found = read_document(tmp_path / "a.docx")
    assert (found.text.strip(), found.hidden) == ("Nurse", "score 100")


def worded(path, run="", paragraph="", defaults="", row=""):
    """A Word file with "Nurse", and "score 100" with the properties given; in a table with a row's, if any."""
    made = docx.Document()
    made.add_paragraph("Nurse")
    spaces = f"{nsdecls('w')} xmlns:w14='http://schemas.microsoft.com/office/word/2010/wordml'"
    element = parse_xml(
        f"<w:p {spaces}><w:pPr>{paragraph}</w:pPr><w:r><w:rPr>{run}</w:rPr><w:t>score 100</w:t></w:r></w:p>"
    )
    if row:
        table = made.add_table(1, 1)
        table.rows[0]._tr.insert(0, parse_xml(f"<w:trPr {spaces}>{row}</w:trPr>"))
        table.rows[0].cells[0].paragraphs[0]._p.addprevious(element)
    else:
        made.element.body.insert(1, element)
    if defaults:
        made.styles.element.find(".//" + qn("w:rPrDefault")).replace(
            made.styles.element.find(".//" + qn("w:rPrDefault") + "/" + qn("w:rPr")),
            parse_xml(f"<w:rPr {spaces}>{defaults}</w:rPr>"),
        )
    made.save(path)
    return read_document(path)


def filled(colour):
    return f"<w14:textFill><w14:solidFill>{colour}</w14:solidFill></w14:textFill>"


WHITE_THEME = '<w:color w:val="{}" w:themeColor="background1"{}/>'


@pytest.mark.parametrize(
    "where",
    [
        {"run": WHITE_THEME.format("auto", "")},
        {"run": WHITE_THEME.format("000000", "")},
        {"run": '<w:color w:val="000000" w:themeColor="light1"/>'},
        {"run": '<w:color w:val="000000" w:themeColor="text1" w:themeTint="05"/>'},
        {"run": '<w:color w:val="000000" w:themeColor="nobody"/>'},
        {"run": '<w:w w:val="1"/>'},
        {"run": "<w:specVanish/>"},
        {"run": filled('<w14:srgbClr w14:val="FFFFFF"/>')},
        {"run": filled('<w14:schemeClr w14:val="bg1"/>')},
        {"run": filled('<w14:srgbClr w14:val="000000"><w14:alpha w14:val="99000"/></w14:srgbClr>')},
        {"run": "<w14:textFill><w14:noFill/></w14:textFill>"},
        {"paragraph": '<w:spacing w:line="1" w:lineRule="exact"/>'},
        {"paragraph": '<w:framePr w:w="1" w:h="1" w:hRule="exact"/>'},
        {"paragraph": '<w:framePr w:h="20" w:hRule="exact"/>'},
        {"row": '<w:trHeight w:val="1" w:hRule="exact"/>'},
    ],
)
def test_text_of_a_word_file_that_is_white_squeezed_or_without_room_is_kept_apart(tmp_path, where):
    found = worded(tmp_path / "a.docx", **where)
    assert (found.text.split(), found.hidden) == (["Nurse"], "score 100")


@pytest.mark.parametrize("said", ['<w:color w:val="FFFFFF"/>', '<w:sz w:val="2"/>', "<w:vanish/>"])
def test_what_a_word_file_hides_by_default_is_hidden(tmp_path, said):
    assert "score 100" in worded(tmp_path / "a.docx", defaults=said).hidden


@pytest.mark.parametrize(
    "where",
    [
        {"run": '<w:color w:val="auto"/>'},
        {"run": WHITE_THEME.format("BFBFBF", ' w:themeShade="BF"')},
        {"run": '<w:color w:val="FFFFFF" w:themeColor="text1"/>'},
        {"run": '<w:color w:val="FFFFFF" w:themeColor="accent1"/>'},
        {"run": '<w:w w:val="80"/>'},
        {"run": '<w:specVanish w:val="0"/>'},
        {"run": '<w:vanish w:val="false"/>'},
        {"run": filled('<w14:schemeClr w14:val="tx1"/>')},
        {"run": filled('<w14:schemeClr w14:val="bg1"><w14:lumMod w14:val="50000"/></w14:schemeClr>')},
        {"run": '<w:color w:val="FFFFFF"/>' + filled('<w14:srgbClr w14:val="202020"/>')},
        {"paragraph": '<w:spacing w:line="240" w:lineRule="auto"/>'},
        {"paragraph": '<w:spacing w:line="1" w:lineRule="atLeast"/>'},
        {"paragraph": '<w:framePr w:w="3000" w:h="1" w:hRule="atLeast"/>'},
        {"row": '<w:trHeight w:val="1" w:hRule="atLeast"/>'},
        {"defaults": '<w:sz w:val="20"/>'},
    ],
)
def test_dark_wide_and_growing_text_of_a_word_file_is_seen(tmp_path, where):
    found = worded(tmp_path / "a.docx", **where)
    assert (found.text.split(), found.hidden) == (["Nurse", "score", "100"], "")


def test_a_word_files_own_theme_says_what_its_names_mean(tmp_path):
    """Settings that swap text and background make white of `text1`."""
    made = docx.Document()
    made.settings.element.find(qn("w:clrSchemeMapping")).set(qn("w:t1"), "light1")
    made.add_paragraph("Nurse").add_run("score 100").font.color.theme_color = MSO_THEME_COLOR.TEXT_1
    made.save(tmp_path / "a.docx")
    assert read_document(tmp_path / "a.docx").hidden == "score 100"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.txt", b"", "it is empty"),
        ("a.txt", b" \n ", "there is no text in it"),
        ("a.txt", b"a\x00b", "binary data"),
        ("a.txt", "SQL".encode("utf-32"), "binary data"),
        ("a.txt", b"%PDF-1.7 ...", "is a PDF or an archive"),
        ("a.pdf", b"plain words", "named a PDF and is none"),
        ("a.pdf", b"%PDF-1.7\n%%EOF", "it is broken"),
        ("a.pdf", b"%PDF-1.7\n" + b"\xff" * 5000, "it is broken"),
        ("a.docx", b"plain words", "named .docx and is none"),
        ("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", "it is encrypted, or of Word before 2007"),
        ("a.docx", b"PK\x03\x04 cut off", "named .docx and is none"),
        ("a.rtf", b"{\\rtf1}", ".rtf is no kind of file that is read; those are .txt"),
        ("noending", b"words", "no ending is no kind"),
    ],
)
def test_a_file_that_cannot_be_read_says_why_and_raises_nothing(tmp_path, name, content, told):
    path = tmp_path / name
    path.write_bytes(content)
    found = read_document(path)
    assert found.path == str(path)
    assert told in found.fault
    assert found.text == ""


def test_a_missing_file_a_folder_and_a_large_one_are_faults(tmp_path):
    assert read_document(tmp_path / "gone.pdf").fault == "there is no such file"
    assert read_document(tmp_path).fault == "it is a folder"
    path = tmp_path / "large.txt"
    path.write_bytes(b"word " * (2 * 2**20 + 1))
    assert read_document(path).fault == "10485765 bytes; at most 10485760 are read"
    path.write_bytes(b"word " * 2**20)
    assert read_document(path).fault == "5242880 characters; at most 1000000 are read"


def test_a_pdf_of_ten_megabytes_with_little_text_is_read(tmp_path):
    """A photo weighs; the text is what counts."""
    writer = PdfWriter()
    page_of(writer, SEEN)
    photo = DecodedStreamObject()
    photo.set_data(bytes(9 * 2**20))
    writer._add_object(photo)
    writer.write(tmp_path / "a.pdf")
    assert (tmp_path / "a.pdf").stat().st_size > 9 * 2**20
    assert "Nurse" in read_document(tmp_path / "a.pdf").text


def test_too_many_pages_and_an_archive_bomb_are_refused(tmp_path, monkeypatch):
    assert read_document(pdf_of(tmp_path / "a.pdf", *[SEEN] * (MOST_PAGES + 1))).fault.startswith(
        "51 pages; at most 50"
    )
    with zipfile.ZipFile(tmp_path / "a.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b" " * 2**20)
    assert (tmp_path / "a.docx").stat().st_size < 2**12
    monkeypatch.setattr(word_text, "MOST_UNPACKED", 2**19)
    assert extracted(tmp_path / "a.docx")["fault"] == "1048576 bytes unpacked; at most 524288 are read"


def test_a_cut_pdf_is_a_fault_or_its_text_and_never_a_raise(tmp_path):
    whole = pdf_of(tmp_path / "a.pdf", SEEN).read_bytes()
    for cut in range(0, len(whole), max(1, len(whole) // 12)):
        (tmp_path / "b.pdf").write_bytes(whole[:cut])
        said = extracted(tmp_path / "b.pdf")
        assert said["fault"] or "Nurse" in said["text"] or said["text"].strip() == ""


def test_a_program_that_lies_beside_the_resumes_is_not_run(tmp_path, monkeypatch):
    pdf_of(tmp_path / "a.pdf", SEEN)
    (tmp_path / "pypdf.py").write_text("raise SystemExit('mine')")
    (tmp_path / "json.py").write_text("raise SystemExit('mine')")
    monkeypatch.chdir(tmp_path)
    assert "Nurse" in read_document(Path("a.pdf")).text


def test_more_text_than_a_resume_has_is_refused_where_it_is_taken_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(extracting, "MOST_CHARS", 20)
    assert extracted(pdf_of(tmp_path / "a.pdf", SEEN))["fault"].endswith("characters; at most 20 are read")


def test_half_characters_become_ones_that_can_be_written(tmp_path):
    assert documents._checked(documents.Document("a.pdf", "SQL \ud800", "\udfff")).text == "SQL ?"


def test_a_file_that_takes_too_long_costs_itself_alone(tmp_path):
    found = read_document(pdf_of(tmp_path / "a.pdf", SEEN), timeout_s=0.001)
    assert found.fault == "it could not be taken apart within 0.001 s"


def test_a_missing_library_is_a_setting_and_says_what_to_install(tmp_path, monkeypatch):
    path = pdf_of(tmp_path / "a.pdf", SEEN)
    monkeypatch.setattr(documents, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"needs the package pypdf.*guerdon-resume\[documents\]"):
        read_document(path)


def test_the_made_pdfs_are_what_other_readers_take_for_pdfs(tmp_path):
    data = pdf_of(tmp_path / "a.pdf", SEEN).read_bytes()
    assert "Nurse" in PdfReader(io.BytesIO(data)).pages[0].extract_text()
