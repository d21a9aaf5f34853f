"""Resumes from files: text and Markdown, PDF, Word (.docx), each as what a reader sees and what one does not.

PDF and Word files are taken apart in a process of their own (`guerdon_resume.extracting`), with limits on its time and
memory: a file that crashes the library or never ends costs that file alone. It is not a sandbox: the process may do
what the user may. Nothing here raises for what a file holds; `Document.fault` says why there is no text.

Not covered: scanned pictures (there is no text in them: a fault), and what `pdf_text` and `word_text` name.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from guerdon.errors import ConfigError
from guerdon_resume.reading_limits import MOST_CHARS

MOST_BYTES = 10 * 2**20
"""Of a file; a larger one is not a resume."""
TIMEOUT_S = 60.0
"""Wall clock for one PDF or Word file."""
TEXTS = (".txt", ".text", ".md")
_NEEDED = {".pdf": "pypdf", ".docx": "docx"}


@dataclass(frozen=True)
class Document:
    """A file's text, or why there is none."""

    path: str
    text: str = ""
    """What a reader sees."""
    hidden: str = ""
    """White or unseen or tiny text."""
    fault: str = ""
    """Why the file could not be read, for people; "" where it could."""


def read_document(path: Path, *, max_bytes: int = MOST_BYTES, timeout_s: float = TIMEOUT_S) -> Document:
    """The text of a file.

    Args:
        path: named .txt, .text, .md, .pdf or .docx.
        max_bytes: a larger file is a fault.
        timeout_s: of the wall clock, for a PDF or a Word file.

    Raises:
        ConfigError: the library for this kind of file is not installed.
    """
    name, kind = str(path), path.suffix.lower()
    try:
        if not path.is_file():
            return Document(name, fault="it is a folder" if path.is_dir() else "there is no such file")
        size = path.stat().st_size
        if size > max_bytes:
            return Document(name, fault=f"{size} bytes; at most {max_bytes} are read")
        if size == 0:
            return Document(name, fault="it is empty")
        if kind in TEXTS:
            return _checked(_plain(name, path.read_bytes()))
    except OSError as error:
        return Document(name, fault=f"it cannot be read: {error.strerror or error}")
    if kind not in _NEEDED:
        told = ", ".join((*TEXTS, *_NEEDED))
        return Document(name, fault=f"{kind or 'no ending'} is no kind of file that is read; those are {told}")
    if find_spec(_NEEDED[kind]) is None:
        raise ConfigError(
            f"{name!r} needs the package {_NEEDED[kind]}, which is not installed: pip install "
            f'"guerdon-resume[documents]"'
        )
    return _checked(_taken_apart(path, timeout_s))


def _plain(name: str, data: bytes) -> Document:
    if data.startswith((b"%PDF", b"PK\x03\x04")):
        return Document(name, fault="it is named a text and is a PDF or an archive; name it as what it is")
    try:
        wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        text = data.decode("utf-16", "replace") if wide else data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")  # what old editors write
    if "\x00" in text:
        return Document(name, fault="it is named a text and holds binary data")
    return Document(name, text=text)


def _taken_apart(path: Path, timeout_s: float) -> Document:
    """By the process that may die of it."""
    name = str(path)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(each for each in sys.path if each)}
    # -P: the working folder may be that of the resumes, and a pypdf.py in it is none of ours.
    command = [sys.executable, "-P", "-m", "guerdon_resume.extracting", str(path.absolute())]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Document(name, fault=f"it could not be taken apart within {timeout_s:g} s")
    try:
        said = json.loads(done.stdout)
        return Document(name, said["text"], said["hidden"], said["fault"])
    except (ValueError, KeyError, TypeError):
        last = done.stderr.decode("utf-8", "replace").strip().split("\n")[-1]
        return Document(name, fault=f"taking it apart ended with code {done.returncode}: {last[:120] or 'no word'}")


def _checked(document: Document) -> Document:
    """The document, with a fault where there is nothing to screen, or far too much; its text is writable."""
    if document.fault:
        return document
    clean = (each.encode("utf-8", "replace").decode() for each in (document.text, document.hidden))  # half characters
    document = Document(document.path, *clean)
    if not document.text.strip():
        kind = Path(document.path).suffix.lower()
        none = "there is no text in it" + ("" if kind in TEXTS else " (a scanned picture?)")
        why = "all of its text is hidden" if document.hidden.strip() else none
        return Document(document.path, hidden=document.hidden, fault=why)
    if len(document.text) > MOST_CHARS:
        return Document(document.path, fault=f"{len(document.text)} characters; at most {MOST_CHARS} are read")
    return document
