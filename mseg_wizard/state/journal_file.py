"""The journal read from its file: of any version so far, and at home where its destination was moved or copied."""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from mseg_wizard.progress import Problem, printable
from mseg_wizard.state.journal import JOURNAL, OWN, PREVIOUS, VERSION, ArchiveRecord, Journal, TreeRecord

ANSWERED = ("pinned", "whole", "in_place")
"""What a tree's record answers with yes or no."""


def read_journal(destination: Path) -> Journal | None:
    """The journal of a destination, None where there is none yet; raises Problem where it can't be understood."""
    path = destination / OWN / JOURNAL
    try:
        if path.is_fifo():
            raise Problem(f"{path} is no plain file.", _way_out(path))
        text = path.read_text("utf-8")
    except FileNotFoundError:
        if (previous := path.with_name(PREVIOUS)).exists():
            raise Problem(
                f"{path} is gone.", f"Nothing is lost: rename {previous} to {JOURNAL} and start again."
            ) from None
        return None
    except NotADirectoryError:
        raise Problem(f"{destination} is a file, not a folder.", "Name the folder that the wizard works in.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{path} can't be read: {error}.", _way_out(path)) from None
    try:
        table = json.loads(text)
        if not isinstance(table, dict) or not isinstance(table.get("version"), int):
            raise TypeError("not a journal")
        if table["version"] > VERSION:
            raise Problem(
                f"{path} was written by a newer mseg-wizard (journal version {table['version']}).",
                "Update mseg-wizard.",
            )
        journal = at_home(_typed(table), destination)
        json.dumps(table, ensure_ascii=False).encode()  # halves of characters can be read and not written again
    except (ValueError, TypeError, RecursionError) as error:
        raise Problem(f"{path} is damaged: {printable(str(error), 200)}.", _way_out(path)) from None
    return journal


def _typed(table: dict[str, Any]) -> Journal:
    """A journal of any version so far; raises TypeError and ValueError where it is none."""
    table = {**table, "archives": {name: ArchiveRecord(**record) for name, record in table.get("archives", {}).items()}}
    if tree := table.get("tree"):
        said = {"yes": True, "no": False}  # as it stood in version 1
        table["tree"] = TreeRecord(
            **{key: said.get(value, value) if key in ANSWERED else value for key, value in tree.items()}
        )
    else:
        table["tree"] = None
    return msgspec.convert(asdict(Journal(**{**table, "version": VERSION})), Journal)


def at_home(journal: Journal, destination: Path) -> Journal:
    """The journal as that of the destination that it is found in.

    One that was moved takes its paths along. A copy gets an identity of its own, too: the secrets of the original are
    not its to use or to wipe, nor are the original's tree and archives. Raises ValueError where its place is no path.
    """
    there, here = journal.place or str(journal.answer("prepare", "destination") or ""), str(destination)
    if not here.isprintable():  # bytes that are no UTF-8: no journal can hold it, and no step accepts it
        return journal
    inode = (destination / OWN).stat().st_ino
    settled = replace(journal, place=here, inode=inode)
    if not there or there == here:
        return settled
    try:
        if Path(there).samefile(destination):
            return settled
        original = (Path(there) / OWN / JOURNAL).exists()
    except FileNotFoundError:
        original = False
    except OSError:  # not ours to see, so it may be there
        original = True
    moved = partial(_moved, there=there, here=here)
    tree = journal.tree and replace(journal.tree, folder=moved(journal.tree.folder))
    settled = replace(
        settled,
        answers={
            step: {name: moved(value) for name, value in table.items()} for step, table in journal.answers.items()
        },
        archives={name: replace(record, path=moved(record.path)) for name, record in journal.archives.items()},
        tree=tree,
    )
    if not original and journal.inode in (0, inode):
        return settled
    own_tree = tree and replace(tree, installed="")
    return replace(settled, id=uuid.uuid4().hex, kept=(), copied_from=there, tree=own_tree)


def _moved(value: Any, *, there: str, here: str) -> Any:
    """A path below `there` as the same one below `here`; lists of them too, and anything else as it is."""
    if isinstance(value, list):
        return [_moved(row, there=there, here=here) for row in value]
    if isinstance(value, str) and (value == there or value.startswith(f"{there.rstrip('/')}/")):
        return here + value[len(there.rstrip("/")) :]
    return value


def unopened(destination: Path) -> tuple[str, str]:
    """Why there is no journal, and what to do: the words of a Problem."""
    if destination.name == "mseg_dataset" and (destination.parent / OWN).is_dir():
        return f"{destination} is the dataset itself.", f"Name the folder above it: --dest {destination.parent}"
    if not destination.exists():
        return (
            f"No wizard has worked in {destination} yet: there is no such folder.",
            "Name the one that the wizard works in, with --dest.",
        )
    return (
        f"No wizard has worked in {destination} yet.",
        "Name the folder that it works in, with --dest, or start one there.",
    )


def _way_out(path: Path) -> str:
    previous = path.with_name(PREVIOUS)
    return (
        f"Your data are safe. Rename {previous} to {path.name} to go on from the last good state. "
        f"Or move {path.name} away: then what is on disk is checked again and nothing is trusted unseen."
    )
