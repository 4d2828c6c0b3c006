"""wipe: every stored password and link of a destination removed, and what else may hold them found.

The keyring itself is the vault's.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus, urlsplit

from mseg_wizard.answers.fields import secret_fields
from mseg_wizard.context import Consent, Context
from mseg_wizard.core.background import Job, background
from mseg_wizard.core.limits import home
from mseg_wizard.progress import Problem, Progress, Waiting
from mseg_wizard.state.journal import OWN
from mseg_wizard.step import Step
from mseg_wizard.vault import Vault

HISTORIES = (".bash_history", ".zsh_history", ".local/share/fish/fish_history", ".python_history")
LARGEST = 64 << 20
"""Bytes of a file beyond which it is no log or script that somebody left."""
BLOCK = 1 << 20
OFFER = "leftovers"
"""The consent that deleting them asks for."""
_DATA = (".zip", ".tar", ".gz", ".tgz", ".png", ".jpg", ".jpeg", ".mat", ".part", ".npy", ".pth")
_SET = re.compile(rb"^\s*(?:export\s+)?\w*(?:PASSWORD|USERNAME)=[\"']?[^\s\"'$]", re.MULTILINE)
_PAGE = re.compile(rb"\s*<(?:!doctype html|html)", re.IGNORECASE)


@dataclass(frozen=True)
class Leftover:
    """A file that the wizard did not make and that holds, or may hold, what opens doors."""

    path: Path
    why: str
    ours_to_offer: bool = True
    """Nobody misses it; else it belongs to something and is only named."""


@dataclass(frozen=True)
class WipeResult:
    """What a wipe did, and what it could not do."""

    removed: tuple[str, ...] = ()
    """Names of the secrets that are gone: `step.field`."""
    remains: tuple[str, ...] = ()
    """What should be gone and is not, in words."""
    beyond: tuple[str, ...] = ()
    """What is not the wizard's to remove, in words."""
    leftovers: tuple[Leftover, ...] = ()


def wipe(ctx: Context) -> Generator[Progress, None, None]:
    """Remove every stored secret of this destination; offer, once,
    to delete what others left that holds such things.
    """
    doing = Progress("wiping passwords and links")
    yield doing
    if not ctx.given("finish", "confirm"):
        what = "Wiping the stored passwords and links waits for your word."
        raise Waiting(what, f"Fill in {ctx.step('finish').form}.", "finish", ("confirm",))

    def work(job: Job) -> WipeResult:
        return wipe_secrets(ctx.vault, ctx.steps, ctx.destination, ctx.store.journal.kept)

    done = yield from background(work, doing)
    if done.removed:
        ctx.note(f"wiped: {', '.join(done.removed)}")
    for text in done.beyond:
        ctx.note(text)
    if done.remains:
        raise Problem(
            "Not all stored passwords and links could be wiped.",
            "Do what each line says, then start again.",
            done.remains,
        )
    ctx.store.forget_kept()
    _tidy(ctx, done.leftovers)


def wipe_missing(ctx: Context) -> list[str]:
    """Names of the secrets that are still stored."""
    return ctx.vault.kept(secret_fields(ctx.steps))


def wipe_secrets(vault: Vault, steps: Sequence[Step], destination: Path | None, kept: Sequence[str] = ()) -> WipeResult:
    """Remove all, then look whether any of it still stands in the destination's own folder.

    `kept`: names that were put into the keyring, for the case that it can't be asked now. Takes seconds; deletes no
    file.
    """
    names = secret_fields(steps)
    needles = _needles(vault, names)
    leftovers = tuple(_leftovers(destination, needles)) if destination else ()
    wiped = vault.wipe(names)
    remains = list(wiped.remains)
    if wiped.unreached and (lost := sorted(set(kept) - set(wiped.removed))):
        remains.append(
            f"{', '.join(lost)} in the system keyring: {wiped.unreached}. Unlock it or log in where it works, then "
            "wipe again"
        )
    own = _files(destination / OWN, lambda _: True, deep=True) if destination else ()
    remains += [f"{path} holds a secret: delete it" for path in own if _holds(path, needles)]
    beyond = [
        f"{name} in this shell's environment: unset it there"
        for step, field in names
        for name in vault.variables(step, (field,))
    ]
    beyond += [f"{path} holds one of them: remove that line there" for path in _histories() if _holds(path, needles)]
    return WipeResult(wiped.removed, tuple(remains), tuple(beyond), leftovers)


def delete(leftovers: Iterable[Leftover]) -> list[str]:
    """Delete the files; returns those that could not be, in words."""
    failed = []
    for leftover in leftovers:
        try:
            leftover.path.unlink(missing_ok=True)
        except OSError as error:
            failed.append(f"{leftover.path} could not be deleted: {error.strerror}")
    return failed


def _tidy(ctx: Context, found: tuple[Leftover, ...]) -> None:
    """Leftovers: deleted where the user allowed it, else offered to a person once, else named."""
    # Those that were found by their content are not found again: what they were searched for is gone.
    before = ctx.offered.get(OFFER, ())
    paths = tuple(dict.fromkeys((*before, *(str(leftover.path) for leftover in found if leftover.ours_to_offer))))
    for leftover in found:
        if not leftover.ours_to_offer:
            ctx.note(f"{leftover.path} {leftover.why}: look at it")
    if not paths:
        return
    if OFFER in ctx.consents:
        failed = delete(Leftover(Path(path), "") for path in paths)
        for text in failed or [f"deleted what MSeg's scripts or a shell had left: {', '.join(paths)}"]:
            ctx.note(text)
        return
    if ctx.options.attended and OFFER not in ctx.offered:
        ctx.offered[OFFER] = paths
        raise Consent(
            f"{len(paths)} files hold passwords, or cookies and pages of logins: {', '.join(paths)}.",
            f"Should they be deleted (--allow {OFFER})? Without that they stay and are named in the report; start "
            "again to go on.",
            OFFER,
            offer=True,
            items=paths,
        )
    for path in paths:
        ctx.note(f"{path} holds a password, or cookies or a page of a login: delete it (--allow {OFFER} does)")


def _needles(vault: Vault, names: Iterable[tuple[str, str]]) -> list[bytes]:
    """What to search files for: each stored password and link as
    it is, and as it would stand in a form, a query or JSON.

    Left out: user names, which are in every path; links that open nothing by themselves; and what is so short or plain
    that it would be found everywhere.
    """
    values: set[str] = set()
    for step, field in names:
        secret = vault.get(step, field)
        for value in secret.reveal().splitlines() if secret and field != "username" else ():
            query = urlsplit(value).query if value.startswith("http") else ""
            if (
                query
                or field == "base_url"
                or (field == "password" and (len(value) >= 10 or (len(value) >= 6 and not value.isalpha())))
            ):
                values |= {value, query} if len(query) > 20 else {value}
    forms = {
        form
        for text in values
        for form in (text, quote(text), quote(text, ""), quote_plus(text), json.dumps(text)[1:-1])
    }
    return [form.encode("utf-8", "surrogatepass") for form in forms]


def _leftovers(destination: Path, needles: Sequence[bytes]) -> Iterator[Leftover]:
    """What MSeg's own scripts and the shell leave behind, where they leave it: no walk through a million images."""
    dataset = destination / "mseg_dataset"
    folders = [destination, dataset]
    with suppress(OSError), os.scandir(dataset) as entries:
        folders += sorted(Path(entry) for entry in entries if entry.is_dir(follow_symlinks=False))
    for folder in folders:
        for path in _files(folder, lambda name: not name.lower().endswith(_DATA)):
            if why := _known(path) or ("holds a stored password or link" if _holds(path, needles) else ""):
                yield Leftover(path, why)
    for path in _files(destination / "mseg-api", lambda name: not name.lower().endswith(_DATA), deep=True):
        if why := _known(path):
            yield Leftover(path, why)
        elif _holds(path, needles):
            yield Leftover(path, "holds a stored password or link", ours_to_offer=False)


def _known(path: Path) -> str:
    """Why a file of this name is a leftover; empty where it is none."""
    if path.name in ("cookies.txt", "wd_cookies_downl.txt"):
        return "cookies of a login"
    try:
        with path.open("rb") as file:
            if path.name == "set_credentials.sh" and _SET.search(file.read(BLOCK)):
                return "sets a user name or password"
            if path.name.startswith("index.html") and _PAGE.match(file.read(512)):
                return "a page that came in place of an archive, such as a login's answer"
    except OSError:
        return ""
    return ""


def _files(folder: Path, wanted: Callable[[str], bool], deep: bool = False) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if deep and name != ".git"]
        for name in sorted(names):
            path = Path(place, name)
            if wanted(name) and not path.is_symlink():
                yield path


def _holds(path: Path, needles: Sequence[bytes]) -> bool:
    """Does any of these stand in the file? What can't be read is not ours to read."""
    if not needles:
        return False
    longest = max(map(len, needles))
    try:
        if path.stat().st_size > LARGEST and OWN not in path.parts:
            return False
        with path.open("rb") as file:
            block = b""
            while piece := file.read(BLOCK):
                block = block[-longest:] + piece
                if any(needle in block for needle in needles):
                    return True
    except OSError:
        return False
    return False


def _histories() -> list[Path]:
    named, at = os.environ.get("HISTFILE"), home()
    usual = [at / name for name in HISTORIES] if at else []
    return [path for path in ([Path(named)] if named else []) + usual if path.is_file()]
