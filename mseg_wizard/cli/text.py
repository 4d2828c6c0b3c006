"""Text for a terminal of any width: paragraphs and hanging lines.

What is said, and where it goes, is not decided here.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import textwrap

WIDEST = 100
"""Columns beyond which a line of prose is hard to read."""
NARROWEST = 24


def width() -> int:
    """Columns for prose: COLUMNS, else the terminal's, else 80; never absurdly few or many."""
    return max(NARROWEST, min(WIDEST, shutil.get_terminal_size().columns))


def interactive() -> bool:
    """Is a person there, who sees a question and can answer it?"""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def answered() -> bool:
    """Can questions be answered: by a person, by whatever writes into a pipe, or by what is left of a file?"""
    if sys.stdin is None or sys.stdin.closed:
        return False
    kind = os.fstat(sys.stdin.fileno()).st_mode
    return sys.stdin.isatty() or stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind) or bool(sys.stdin.buffer.peek(1))  # type: ignore[union-attr]  # a BufferedReader


def agrees(question: str) -> bool:
    """Ask the person who is there; no answer is no."""
    try:
        return input(f"{question} [y/N] ").strip().lower() == "y"
    except EOFError:
        print()
        return False


def wrapped(text: str, indent: str = "", first: str | None = None) -> str:
    """Paragraphs of prose, folded.

    Lines that would not survive that stand as they are: commands, and what is longer than a line.
    """
    return "\n".join(
        _folded(line, indent, indent if first is None or number else first) for number, line in enumerate(_joined(text))
    )


def hanging(head: str, text: str) -> str:
    """`head` and `text` on one line where they fit; where they don't, the text goes on below its own beginning."""
    room = width() - len(head)
    if room >= NARROWEST:
        return _folded(text, " " * len(head), head)
    return f"{head.rstrip()}\n{_folded(text, '    ', '    ')}"


def command(line: str) -> bool:
    """Is that a line to copy into a shell? Folding would break it."""
    return line.lstrip().startswith(("mseg-wizard", "scp ", "eval ", "tmux ", "source ", "export "))


def _joined(text: str) -> list[str]:
    """One line for each paragraph and each command, an empty one between paragraphs."""
    lines: list[str] = []
    for line in text.strip().splitlines():
        if (
            lines
            and lines[-1]
            and line.strip()
            and not command(line)
            and not command(lines[-1])
            and not line.startswith(" ")
        ):
            lines[-1] += f" {line.strip()}"
        else:
            lines.append(line.rstrip())
    return lines


def _folded(line: str, indent: str, first: str) -> str:
    inner = line[: len(line) - len(line.lstrip())]
    if not line.strip() or command(line):
        return (first + line).rstrip()
    # Names and addresses are copied from here: they stay whole.
    fold = textwrap.TextWrapper(width(), first + inner, indent + inner, break_long_words=False, break_on_hyphens=False)
    return fold.fill(line.strip())


def too_simple() -> bool:
    """Is this a terminal that has no screen, so that plain lines have to do? Then that is said."""
    if os.environ.get("TERM") != "dumb" or not interactive():
        return False
    print("This terminal (TERM=dumb) shows no screen: plain lines and questions, as with --plain.", flush=True)
    return True
