"""The BASE_URL of a dataset, out of what people have of the script that was mailed: an address, a path, its text."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from pathlib import Path

from mseg_wizard.answers.links import UnusableAnswer, needed_address
from mseg_wizard.answers.pasted import LINK, clean_path, meant_by
from mseg_wizard.progress import Problem
from mseg_wizard.step import Field, Step

SCRIPT = 1 << 20
"""Bytes of a script that are read."""
STATEMENT = 2000
"""Characters of one statement that are looked at."""
WANTED = "Give the address itself, the script's text, or the path of {script} on this machine."
COPY = (
    "In {script}, look for the address that BASE_URL is made of, and give that alone: "
    "it begins with http:// and ends before the first v1 or v2."
)
_BEGINS = re.compile(r"""\s*(#|import\s|from\s\w+\simport|\"{3}|'{3}|[A-Z_]+\s*=|export\s)""")
_BELOW = re.compile(
    r"(https?://.*?/)(?:v\d+(?:/.*)?|[^/]*\.(?:py|pdf|txt|zip|html?|aggregation\.json)(?:[?#].*)?)", re.DOTALL
)


def check_base_url(step: Step, item: Field, value: str) -> str:
    """The BASE_URL: typed itself, cut out of a link below it, or taken from the script, pasted or at a path."""
    archive = next((archive for archive in step.archives if archive.link_field == item.name), None)
    where = f"“{item.label}”"
    script_name = item.script or "the script"
    copy, wanted = COPY.format(script=script_name), WANTED.format(script=script_name)
    text = value.strip()
    found = base_url_in(text)
    if not found:
        pasted = meant_by(text).text
        if pasted.startswith(LINK):
            found = pasted
        elif "BASE_URL" in text:
            raise Problem(f"{where}: what BASE_URL is set to can't be read there.", copy)
        elif not (found := base_url_in(script := _script(text, where, wanted))):
            if "BASE_URL" in script:
                raise Problem(f"{where}: what BASE_URL is set to can't be read in that script.", copy)
            raise Problem(
                f"{where}: there is no line BASE_URL = '…' in that script.",
                f"Give {script_name} as it came by e-mail.",
            )
    base = meant_by(found).text
    if archive and base.rstrip("/").endswith("/" + archive.link_path):
        base = base.rstrip("/").removesuffix(archive.link_path)
    elif below := _BELOW.fullmatch(base):
        base = below[1]
    needed_address(base, where)
    return base


def wants_more(lines: Sequence[str]) -> bool:
    """Is what was pasted line by line a script that goes on?

    It ends with the empty line after the one that sets BASE_URL, or with two empty ones.
    """
    if not lines or not _BEGINS.match(lines[0]):
        return bool(lines) and lines[-1].rstrip().endswith("\\")
    if base_url_in("\n".join(lines)):
        return len(lines) > 1 and bool(lines[-1].strip())
    return not (len(lines) > 2 and not lines[-1].strip() and not lines[-2].strip())


def base_url_in(text: str) -> str:
    """What BASE_URL is set to; empty where it isn't, or where that can't be read.

    Commented lines don't count, where there are lines: pasting may have joined them.
    """
    whole = "\n" in text.strip()
    before = r"^[^#\n]*?\b" if whole else r"\b"
    found = re.search(
        before + r"BASE_URL\s*=\s*(?:[rub]?'([^'\n]+)'|[rub]?\"([^\"\n]+)\")\s*(?:[;#].*)?$", text, re.MULTILINE
    )
    if found:
        return (found[1] or found[2]).strip()
    if value := _value_of("BASE_URL", text, whole=whole):
        return value
    found = re.search(
        before + r"BASE_URL\s*=\s*(?:'([^'\n]+)'|\"([^\"\n]+)\"|(https?://[^\s'\";]+))", text, re.MULTILINE
    )
    return (found[1] or found[2] or found[3]).strip() if found else ""


def _value_of(name: str, text: str, *, whole: bool, deep: int = 4) -> str:
    """The text that a name is set to by an expression of texts, other names and defaults; the script is never run."""
    before = "^" if whole else r"(?<!\w)"
    for found in re.finditer(before + r"[ \t]*" + re.escape(name) + r"\s*(?::\s*\w+\s*)?=(?!=)", text, re.MULTILINE):
        rest = text[found.end() : found.end() + STATEMENT].lstrip(" \t")
        # The shortest beginning that is a whole expression, line by line: brackets may hold several.
        lines = rest.split("\n")
        for count in range(1, min(len(lines), 12) + 1):
            try:
                tree = ast.parse("\n".join(lines[:count]).strip(), mode="eval")
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
            return _text_of(tree.body, text, whole, deep)
    return ""


def _text_of(node: ast.expr, text: str, whole: bool, deep: int) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.Name) and deep:
        return _value_of(node.id, text, whole=whole, deep=deep - 1)
    parts: Sequence[ast.expr] = ()
    if isinstance(node, ast.JoinedStr):
        parts = node.values
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = (node.left, node.right)
    elif isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
        return next((found for value in node.values if (found := _text_of(value, text, whole, deep))), "")
    elif isinstance(node, ast.FormattedValue):
        return _text_of(node.value, text, whole, deep)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "getenv"):
        return _text_of(node.args[1], text, whole, deep) if len(node.args) == 2 else ""
    texts = [_text_of(part, text, whole, deep) for part in parts]
    return "".join(texts) if all(texts) else ""


def _script(text: str, where: str, wanted: str) -> str:
    """The text of the script at a path, of whatever encoding an editor saved it in."""
    try:
        path = Path(clean_path(text)).expanduser()
        if not path.is_file():
            raise UnusableAnswer(
                f"{where} is no address, no script with a BASE_URL in it, and no file on this machine.", wanted
            )
        with path.open("rb") as file:
            data = file.read(SCRIPT)
    except (OSError, RuntimeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise Problem(f"{where}: that file can't be read{f': {reason}' if reason else ''}.", wanted) from None
    wide = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
    if b"\0" in data[:200] or wide == "utf-16":
        decoded = data.decode(wide, "replace")
        if base_url_in(decoded):
            return decoded
    return data.decode("utf-8-sig", "replace")
