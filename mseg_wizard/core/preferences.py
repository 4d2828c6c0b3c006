"""What this user prefers, whatever the destination: one JSON in their configuration folder, nothing secret in it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from mseg_wizard.core.files import write_json
from mseg_wizard.core.limits import preferences_place
from mseg_wizard.progress import Problem, printable


def preferences() -> dict[str, str]:
    """The user's own preferences, such as the last destination; empty where there are none or they can't be read."""
    try:
        return _read_preferences()
    except Problem:
        return {}


def check_preferences() -> None:
    """Raises Problem where the user's preferences can't be understood:
    what they wrote there would go unheeded without a word.
    """
    _read_preferences()


def prefer(name: str, value: str) -> None:
    """Remember a preference; one that can't be written is not worth stopping for."""
    path = preferences_file()
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, _read_preferences() | {name: value}, durable=False)
    except (OSError, Problem):  # a file that a person wrote into and that has a slip is not written over
        return


def remember_id(destination: str) -> None:
    """Remember that this user has a destination of that id: all that `wipe --all` needs, and nothing secret."""
    known = known_ids()
    if destination not in known:
        prefer("ids", " ".join([*known, destination]))


def known_ids() -> list[str]:
    """The ids of all destinations that this user has opened."""
    return preferences().get("ids", "").split()


def preferences_file() -> Path | None:
    """Where they are kept; None for a user without a home."""
    place = preferences_place()
    return place and place / "preferences.json"


def _read_preferences() -> dict[str, str]:
    path = preferences_file()
    if path is None:
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    except OSError:
        return {}
    except (ValueError, RecursionError) as error:
        what = f"Your preferences, {path}, can't be understood: {printable(str(error), 200)}."
        do = 'Write it as JSON, such as {"notify": "mail -s MSeg me@example.org"}, or remove it.'
        raise Problem(what, do) from None
