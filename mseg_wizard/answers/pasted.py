"""What people paste around a link, a path or a name, taken off; whether it is the right one is not known here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mseg_wizard.answers.link_wrappers import unwrapped
from mseg_wizard.answers.pasted_commands import address_in, command_in

LINK = ("http://", "https://")
STARTS = (*LINK, "/", "~", "./", "../")
"""How a row begins, where it is no file's bare name."""
LONGEST = 1 << 16
"""Characters of a paste that are looked at: no link and no path is longer."""

_QUOTES = "\"'`´“”„‟‘’‚‛«»‹›＂＇"
_OPENING = _QUOTES + "<([{*_"
_CLOSING = _QUOTES + ">.,;:!…*"
_PAIRS = {")": "(", "]": "[", "}": "{"}
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])?")
_LINK = re.compile(r"https?:(?:\\?/){2}[^\s<>\"“”„«»`]+", re.IGNORECASE)
_SCHEME = re.compile("^https?://", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{1,15}(?:['’-][^\W\d_]+)?[.,;:!?)]*")
_AND = re.compile("&(?:amp|#0*38|#x0*26);", re.IGNORECASE)
_MARKS = {"&quot;": '"', "&#39;": "'", "&lt;": "<", "&gt;": ">", "&nbsp;": " "}
_SOFT = re.compile(r"=[ \t]*\r?\n")


@dataclass(frozen=True, slots=True)
class Pasted:
    """What is meant by a text that was pasted or typed."""

    text: str
    """A link, a path, a name."""
    why: str = ""
    """What it was taken out of, in words that quote nothing: "the address in a curl command"."""
    links: tuple[str, ...] = ()
    """All links in it, where there are several that differ; `text` is the first."""


def without_escapes(text: str) -> str:
    """A terminal's text without its colours and the like."""
    return _ESCAPES.sub("", text)


def one_line(text: str) -> str:
    """A pasted value: wrapped lines joined, blanks at the ends, colours and control characters dropped."""
    return "".join(c for line in without_escapes(text).splitlines() for c in line.strip() if c.isprintable())


def is_link(text: str) -> bool:
    """Is this, or will this become, a link?

    However it is written, and whatever was pasted around it: links are kept like passwords.
    """
    return meant_by(text).text.startswith(LINK)


def rows_of(text: str) -> list[str]:
    """Several values, one a line; a command that goes over several lines is one, a mail around one link too."""
    if text.lstrip().startswith("$session"):
        return [text]
    rows: list[str] = []
    for line in re.sub(r"[\\^`][ \t]*\r?\n", " ", text).splitlines():
        row = line.strip()
        if rows and command_in(rows[-1]) and row and not command_in(row) and not row.startswith(STARTS):
            rows[-1] += f" {row}"
        elif row:
            rows.append(row)
    if len(rows) > 1 and not any(map(command_in, rows)):
        plain = _plain(text)
        if len(_links_in(plain)) == 1 and not any(clean_path(row).startswith(STARTS[2:]) for row in rows):
            return [meant_by(text).text]
    return rows


def meant_by(text: str) -> Pasted:
    """A pasted text as the link that is in it, else as the path or name that it is."""
    text = _ESCAPES.sub("", text[:LONGEST]).strip()
    if name := command_in(text):
        return _from_command(name, text)
    plain = _plain(text)
    links = _links_in(plain)
    if not links:
        return Pasted(clean_path(text))
    found = [unwrapped(link) for link in links]
    inner = tuple(dict.fromkeys(_tidy(link) for link, _ in found))
    wrapper = next((name for _, name in found if name), "")
    why = f"the address inside a link of {wrapper}" if wrapper else ""
    if not why and " " in plain.split("://", 1)[0].strip():
        why = "the link in that text"
    return Pasted(inner[0], why, inner if len(inner) > 1 else ())


def clean_path(text: str) -> str:
    """A path without quotes, `file://` and a shell's backslashes; `$HOME` becomes `~`.

    What is there by that very name stays as it is.
    """
    line = one_line(text)
    if _is_there(line):
        return line
    line = _unquoted(line)
    if line.lower().startswith("file:"):
        parts = urlsplit(line)
        line = unquote(parts.path) if parts.netloc in ("", "localhost") else line
    elif "\\" in line and not _is_there(line):
        line = re.sub(r"\\(.)", r"\1", line)
    return re.sub(r"^\$(?:HOME\b|\{HOME\})", "~", line)


def remark_on(typed: str, kept: str) -> str:
    """What was made of a paste, for people: of a link its server and file, never what opens a door.

    Empty where only blanks and wrapped lines went.
    """
    if "".join(typed.split()) == kept or not kept.startswith(LINK):
        changed = "".join(typed.split()) != "".join(kept.split()) and not kept.startswith(LINK)
        return f"taken as {kept}" if changed else ""
    why = meant_by(typed).why
    return f"taken as {_link_shown(kept)}{f', {why}' if why else ''}"


def remarks_on(typed: Iterable[str], kept: Iterable[str]) -> str:
    """The same for the rows of a list."""
    said = (remark_on(row, meant) for row, meant in zip(typed, kept, strict=False))
    return "; ".join(dict.fromkeys(text for text in said if text))


def _link_shown(link: str) -> str:
    parts = urlsplit(link)
    name = parts.path.rsplit("/", 1)[-1]
    known = name if re.fullmatch(r"[\w.-]{1,60}\.(zip|tar|gz|tgz|py)", name) else "…"
    return f"{parts.scheme}://{parts.hostname}/{'…/' if parts.path.count('/') > 1 and known != '…' else ''}{known}"


def _from_command(name: str, text: str) -> Pasted:
    address = address_in(text)
    if not address:
        return Pasted("")
    link, wrapper = unwrapped(_tidy(address))
    why = f"the address in a {name} command; its cookies and headers are not kept"
    return Pasted(_tidy(link), why if not wrapper else f"{why}; inside a link of {wrapper}")


def _plain(text: str) -> str:
    """Without what mail's transport and web pages' source put into a text."""
    soft = bool(_SOFT.search(text)) and not re.search(r"[?&][\w.-]+=[ \t]*\r?\n", text)
    if (soft or text.count("=3D") > 1) and not re.search(r"=(?![0-9A-F]{2}|[ \t]*\r?\n)", text):
        text = _SOFT.sub("", text)
        text = re.sub("=([0-9A-F]{2})", lambda code: chr(int(code[1], 16)), text)
    elif soft and "=3D" in text:
        text = _SOFT.sub("", text).replace("=3D", "=")
    while _AND.search(text):
        text = _AND.sub("&", text)
    for mark, meant in _MARKS.items():
        text = text.replace(mark, meant)
    return text


def _links_in(text: str) -> list[str]:
    """The links in a text, each once, put together where lines were wrapped."""
    found: list[str] = []
    lines = text.splitlines()
    for at, line in enumerate(lines):
        for match in _LINK.finditer(line):
            rest = line[match.end() :]
            link = match[0]
            if not rest.strip() or (rest[0].isspace() and _all_pieces(rest)):
                link += "".join(rest.split())
                for more in lines[at + 1 :]:
                    if not more.strip() or not _all_pieces(more):
                        break
                    link += "".join(more.split())
            link = _tidy(link)
            if len(link) > len("https://") and not link.endswith(("…", "...")) and link not in found:
                found.append(link)
    return found


def _all_pieces(line: str) -> bool:
    """Can all of this be the rest of a link that was wrapped, rather than words of a mail?"""
    pieces = line.split()
    ends = (">", '"', "'", "”", "»", "`", ")")
    return all(
        (not _WORD.fullmatch(piece) and "://" not in piece and not piece.startswith(("<", "(", "[", "--", "#")))
        or piece in ends
        for piece in pieces
    ) and (len(pieces) == 1 or all(re.fullmatch(r"[\w%&=?./:;,+~*@!$-]+[>\"'”»`)]?", piece) for piece in pieces))


def _tidy(link: str) -> str:
    """Without quotes, brackets and the points of a sentence at its ends, and without a shell's backslashes."""
    link = "".join(c for c in link if c.isprintable() and not c.isspace()).replace("\\", "")
    link = link.split("|", 1)[0] if re.search(r"\|[^/]*>?$", link) else link
    before = ""
    while link != before:
        before = link
        link = link.lstrip(_OPENING).rstrip(_CLOSING)
        last = link[-1:]
        if last in _PAIRS and link.count(last) > link.count(_PAIRS[last]):
            link = link[:-1]
    return _SCHEME.sub(lambda found: found[0].lower(), link)


def _unquoted(line: str) -> str:
    """Without a pair of quotes or angle brackets around it."""
    before = ""
    while line != before:
        before = line
        if len(line) > 1 and ((line[0] in _QUOTES and line[-1] in _QUOTES) or (line[0], line[-1]) == ("<", ">")):
            line = line[1:-1].strip()
    return line


def _is_there(line: str) -> bool:
    try:
        return bool(line) and Path(line).expanduser().exists()
    except (OSError, RuntimeError, ValueError):
        return False
