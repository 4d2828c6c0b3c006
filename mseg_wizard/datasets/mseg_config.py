"""MSEG_DST_DIR in MSeg's dataset_config.py: read and written as source text, every other byte left as it is.

No files are touched here.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize

from mseg_wizard.core.limits import parser_limit

NAME = "MSEG_DST_DIR"
CONFIG = "mseg/utils/dataset_config.py"

_LINES = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")
"""The lines that Python counts: str.splitlines also ends one at form feeds and at Unicode's separators."""


class Unset(ValueError):
    """The source has no one place where the folder is set."""


def value(source: bytes) -> object:
    """What MSEG_DST_DIR is set to; None where that is no literal. Raises Unset."""
    node = _node(_decoded(source)[0])
    return node.value if isinstance(node, ast.Constant) else None


def with_value(source: bytes, folder: str) -> bytes:
    """The source with MSEG_DST_DIR set to `folder`; raises Unset."""
    text, encoding = _decoded(source)
    node = _node(text)
    lines = _LINES.findall(text)
    start, end = (
        _at(lines, line, column)
        for line, column in ((node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset))
    )
    # JSON's escapes are Python's too. What the file's encoding cannot hold (another
    # alphabet, a file name that is no UTF-8) is escaped as Python writes it.
    quoted = json.dumps(folder, ensure_ascii=False).encode(encoding, "backslashreplace").decode(encoding)
    return (text[:start] + quoted + text[end:]).encode(encoding)


def _decoded(source: bytes) -> tuple[str, str]:
    """The text with its line ends as they are, and its encoding by
    Python's own rule (a BOM, a coding comment, else UTF-8).
    """
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        return source.decode(encoding), encoding
    except (SyntaxError, ValueError, LookupError) as error:  # Python knows encodings that aren't of text
        raise Unset(f"it is no Python text: {error}") from None


def _node(text: str) -> ast.expr:
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise parser_limit(error) or Unset(f"it is not valid Python: {getattr(error, 'msg', error)}") from None
    found = [value for statement in body if (value := _assigned(statement)) is not None]
    if len(found) != 1:
        raise Unset(f"it sets {NAME} {len(found)} times" if found else f"it has no line {NAME} = …")
    return found[0]


def _assigned(statement: ast.stmt) -> ast.expr | None:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if name == NAME:
            return value
        case ast.AnnAssign(target=ast.Name(id=name), value=value) if name == NAME:
            return value
    return None


def _at(lines: list[str], line: int | None, column: int | None) -> int:
    """Characters before a place that `ast` gives: lines from 1, columns in UTF-8 bytes."""
    assert line is not None and column is not None  # noqa: S101 - parsed sources have both
    before = lines[line - 1].encode()[:column].decode()
    return sum(map(len, lines[: line - 1])) + len(before)
