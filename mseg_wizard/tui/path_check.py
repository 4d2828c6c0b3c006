"""What is found at a path or behind a link that someone types:
looked up while they type, so it may block but never raises.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from mseg_wizard.progress import printable, size
from mseg_wizard.tui.text import masked


def found_words(text: str, *, made: bool) -> str:
    """In a few words: exists, is a folder, space left; of a link its host and file name.

    Empty for what is neither path nor link.

    `made`: what is not there will be made, so what matters is whether it can be.
    """
    text = text.strip()
    if text.lower().startswith(("http://", "https://")):
        return masked(text)
    if not text:
        return ""
    try:
        return _place(Path(text).expanduser().absolute(), made=made)
    except (OSError, RuntimeError, ValueError) as error:
        return f"can't be looked at: {getattr(error, 'strerror', None) or type(error).__name__}"


def why_unusable(text: str) -> str:
    """Why a folder can't be made or used for work at a path, and
    what to do; empty where nothing is known to speak against it.
    """
    try:
        path = Path(text.strip()).expanduser().absolute()
        there = _there(path)
        if not there.is_dir():
            where = printable(str(there), 200)
            return f"{where} is a file. Name a folder{'' if there == path else ' in another place'}."
        if not os.access(there, os.W_OK | os.X_OK):
            return f"You may not write to {printable(str(there), 200)}. Choose a folder that you may write to."
    except (OSError, RuntimeError, ValueError) as error:
        return f"This can't be used: {getattr(error, 'strerror', None) or 'it is no path'}. Choose another folder."
    return ""


def looks_like_path(text: str) -> bool:
    return text.strip().startswith(("/", "~", "./", "../"))


def _place(path: Path, *, made: bool) -> str:
    if path.is_file():
        return f"a file, {size(path.stat().st_size)}"
    if path.is_dir():
        return f"a folder, {_space(path)}" + ("" if os.access(path, os.W_OK | os.X_OK) else "; you may not write there")
    if path.exists():
        return "neither a file nor a folder"
    if not made:
        return "no such file or folder"
    parent = _there(path.parent)
    if not parent.is_dir():
        return f"not there: {printable(str(parent), 60)} is a file"
    if not os.access(parent, os.W_OK | os.X_OK):
        return f"not there, and you may not write to {printable(str(parent), 60)}"
    return f"not there yet; {printable(str(parent), 60)} has {_space(parent)}"


def _there(path: Path) -> Path:
    """The path itself, or the nearest folder above it that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _space(path: Path) -> str:
    place = os.statvfs(path)
    inodes = f", {place.f_favail:,} inodes" if place.f_files else ""
    return f"{size(shutil.disk_usage(path).free)} free{inodes}"
