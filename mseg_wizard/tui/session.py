"""What the screen knows and does: a destination, its answers, secrets and runner.

Every method may block: call it in a thread.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from mseg_wizard.answers.fields import HOME, check_answer, kind_of, secret_fields
from mseg_wizard.answers.file import write_answers
from mseg_wizard.context import Context
from mseg_wizard.core.invocation import BARE, Invocation
from mseg_wizard.core.log import LOG, user_log
from mseg_wizard.core.preferences import preferences
from mseg_wizard.engine import Runner
from mseg_wizard.progress import Problem
from mseg_wizard.standing.snapshot import ASKED, Snapshot, StepState, published
from mseg_wizard.standing.step_states import overview, with_filled
from mseg_wizard.state.journal import JOURNAL, OWN, Journal
from mseg_wizard.state.journal_file import read_journal
from mseg_wizard.state.lock import Locked, working
from mseg_wizard.state.store import absent_folders
from mseg_wizard.step import Field, Step
from mseg_wizard.tasks.install import interpreter
from mseg_wizard.tasks.wipe import WipeResult, wipe_secrets
from mseg_wizard.tui.drafts import concealed, revealed
from mseg_wizard.tui.folder_change import answers_given, asked_days, remove_folder
from mseg_wizard.tui.path_check import why_unusable
from mseg_wizard.tui.survey import DRAFTED, NOTED, Survey
from mseg_wizard.vault import Secret

ENOUGH = 20.0
"""Seconds that the runner gets to stop at the end; what it does may be cut short at any moment without harm."""
ANSWERS = "answers.toml"
"""Name of the file, among the wizard's own things, that the answers are saved in."""
TREE = ("prepare", "mseg_api")
"""The field that names a tree of one's own: a slip is told while its field is still in sight."""
PYTHON = ("prepare", "python")
"""The field that names an interpreter: the same."""


class Session:
    """One sitting. Without a destination answers are drafts; once it is open they are kept in its journal and vault."""

    def __init__(
        self,
        steps: Sequence[Step],
        open_context: Callable[[Path], Context],
        destination: Path | None = None,
        *,
        viewer: bool = False,
        preset: Mapping[str, Mapping[str, Any]] | None = None,
        invocation: Invocation = BARE,
    ) -> None:
        self.invocation = invocation
        self.steps = tuple(steps)
        self._turn = threading.RLock()
        self._open_context = open_context
        last = None if destination else preferences().get(HOME[1])
        self.destination = destination or (Path(str(last)) if last else None)
        self.typed = str(self.destination or "")
        """The destination as it stands in the form; it is used at the first start."""
        self.viewer = viewer
        self.locked = ""
        """Who works there, while this session only views."""
        self.released = False
        """Of a viewer that would rather work: has the other wizard ended?"""
        self.chosen = False
        """Is the destination one where no wizard was yet, that the user chose? It is made when work begins."""
        self.ctx: Context | None = None
        self._made: tuple[Path, ...] | None = None
        """The folders that opening it made; None where a wizard has been there before."""
        self.runner: Runner | None = None
        self.drafts: dict[str, dict[str, Any]] = {}
        """Answers that have no journal yet; what may be secret is a Secret here too."""
        self.refused: dict[tuple[str, str], Problem] = {}
        """(step, field) of drafts that could not be kept in the journal."""
        self.drafted = False
        """Did the user type answers that have no journal yet?"""
        self._seen, self._seen_journal = Snapshot(), Journal()
        """Of a viewer: what the working wizard published and noted last. Before a destination is open its journal has
        nothing but the days on which licences were asked for.
        """
        for step in self.steps:
            for name, value in (preset or {}).get(step.id, {}).items():
                if (step.id, name) != HOME:
                    self._draft(step, name, value)

    @property
    def journal(self) -> Journal:
        """What this destination's wizard has noted."""
        return self.ctx.store.journal if self.ctx else self._seen_journal

    @property
    def snapshot(self) -> Snapshot:
        """Where this wizard's run stands, or that of the wizard that is viewed."""
        return self.runner.snapshot if self.runner else self._seen

    @property
    def workers(self) -> int:
        """Worker processes of a run under way."""
        return self.ctx.at_work if self.ctx and self.working else 0

    @property
    def working(self) -> bool:
        """Does this wizard work, itself?"""
        return bool(self.runner) and self.snapshot.running

    @property
    def log(self) -> Path:
        """The log file of this destination, or the user's own while there is none."""
        if self.destination and (self.ctx or self.viewer):
            return self.destination / OWN / LOG
        return user_log()

    def step(self, name: str) -> Step:
        return next(step for step in self.steps if step.id == name)

    def known(self) -> bool:
        """Is there a journal at the destination?

        Only then it is opened unasked: a disk that is not mounted must not get one.
        """
        return bool(self.destination) and (Path(str(self.destination)) / OWN / JOURNAL).is_file()

    def open(self, destination: Path) -> None:
        """Have a destination for work; it is made where it isn't there. Raises Problem where it can't be used."""
        with self._turn:
            self._open(destination)

    def choose(self, destination: Path) -> None:
        """Have a destination, which is made only when work begins: the answers given so far are drafts until then.

        One where a wizard was before is opened. Raises Problem where it can't be used.
        """
        with self._turn:
            destination = destination.expanduser().absolute()
            if self.viewer or (destination / OWN).exists() or why_unusable(str(destination)):
                self._open(destination)
                return
            if self.ctx:
                days = asked_days(self.journal, self.steps)
                self._take_along(self.ctx)
                self._leave()
                for step, day in days.items():
                    self._note_day(step, day)
            self.destination, self.typed, self.chosen = destination, str(destination), True

    def remember(self, step: Step, name: str, value: Any) -> str:
        """Keep one answer; returns where a secret is kept, in words. Raises Problem where the value can't be right."""
        # An answer on its way while the destination is opened must not become a draft that nobody keeps.
        with self._turn:
            return self._remember(step, name, value)

    def _open(self, destination: Path) -> None:
        """Open a destination and keep the drafts there; becomes a viewer where another wizard works.

        Raises Problem where the destination can't be used; drafts that can't be kept are `refused` with reason.
        """
        destination = destination.expanduser().absolute()
        if self.viewer and self.released:  # free again: another wizard may still come first
            self.viewer, self.released, self.locked, self._seen = False, False, "", Snapshot()
        if self.viewer:
            self.destination = destination
            self.watch()
            return
        if self.ctx is None or destination != self.ctx.destination:
            made, fresh = absent_folders(destination), not (destination / OWN).exists()
            try:
                ctx = self._open_context(destination)
            except OSError as error:
                what = f"{destination} can't be used: {error.strerror or error}."
                raise Problem(what, "Choose a folder that you may write to.") from None
            except Locked as problem:
                if self.ctx:
                    raise
                self.viewer, self.locked, self.destination = True, str(problem), destination
                self.watch()
                return
            days = asked_days(self.ctx.store.journal if self.ctx else self._seen_journal, self.steps)
            if fresh and self.ctx:
                self._take_along(self.ctx)
            if fresh or not self.ctx:
                for step, day in days.items():
                    ctx.store.answer(step, ASKED, day)
            self._leave()
            self.chosen = False
            self._made = made if fresh else None
            self.ctx, self.destination = ctx, ctx.destination
            self.runner = Runner(ctx, self.steps, fetch_on=True)
        self._keep_drafts()

    def _keep_drafts(self) -> None:
        drafts, self.drafts, self.drafted = self.drafts, {}, False
        for name, table in drafts.items():
            for key, value in table.items():
                try:
                    self._keep(self.step(name), key, value)
                except Problem as problem:
                    self.refused[name, key] = problem

    def _take_along(self, before: Context) -> None:
        """Have the answers given so far as drafts for a destination that has none of its own."""
        for step, table in answers_given(before).items():
            self.drafts[step] = {**table, **self.drafts.get(step, {})}

    def _leave(self) -> None:
        """Close the destination that is open; where this sitting made it and only answers stand there, it goes."""
        before, made = self.ctx, self._made
        self.close()
        if before and made is not None and before.store.journal.untouched:
            remove_folder(before, made)

    def _remember(self, step: Step, name: str, value: Any) -> str:
        item = step.field(name)
        try:
            if (
                (step.id, name) == TREE
                and value.strip() not in ("", "fetch")
                and not Path(value.strip()).expanduser().exists()
            ):
                raise Problem(
                    "There is no such folder or zip on this machine.", "Name one that is there, or write fetch."
                )
            if (step.id, name) == PYTHON and value not in item.choices:
                interpreter(value)
            if self.ctx:
                where = self._keep(step, name, value)
                self.refused.pop((step.id, name), None)
                return where
            value = check_answer(step, item, revealed(value))
        except OSError as error:
            what = f"This can't be kept: {error.strerror or error}."
            raise Problem(what, "Make room or make it writable, then leave the field again.") from None
        self._draft(step, name, value)
        self.drafted = True
        return DRAFTED

    def answer(self, step: Step, item: Field) -> Any:
        """What a form shows: the draft, the journal's answer, else the default. Never a secret."""
        if (step.id, item.name) == HOME:
            return str(self.destination or "")
        if item.name in self.drafts.get(step.id, {}):
            return None if item.secret else self.drafts[step.id][item.name]
        value = self.journal.answer(step.id, item.name)
        return item.default if value is None else value

    def asked(self, step: Step, day: str) -> None:
        """Note when the user asked for a step's licence. Raises Problem where the disk takes nothing."""
        if self.ctx:
            self.ctx.store.answer(step.id, ASKED, day or None)
        else:
            self._note_day(step.id, day)
            self.drafted = True

    def _note_day(self, step: str, day: str) -> None:
        self._seen_journal = self._seen_journal.with_answer(step, ASKED, day or None)

    def save_answers(self) -> tuple[Path, str]:
        """Write what was answered by hand into an answers file, without secrets; returns it and the command that does
        the same with it, without the screen. Raises Problem.
        """
        if self.ctx is None:
            raise Problem(
                "The answers are saved beside the data.", "Choose the folder for everything first, in step 1."
            )
        path = self.ctx.own / ANSWERS
        given = {step.id: {item.name: self._given(step, item) for item in step.fields} for step in self.steps}
        try:
            write_answers(path, self.steps, given)
        except OSError as error:
            what = f"{path} can't be written: {error.strerror or error}."
            raise Problem(what, "Make room or make it writable.") from None
        return path, self.invocation.unattended_command(self.ctx.destination, path)

    def _given(self, step: Step, item: Field) -> Any:
        if self.ctx and kind_of(item).rows:
            return self.ctx.sources(step.id)
        return self.journal.answer(step.id, item.name)

    def states(self, survey: Survey) -> list[StepState]:
        """Every step's state; quick, so it may be asked on the screen's own thread."""
        states = overview(self.steps, self.journal, self.snapshot, lambda step: survey.lacks.get(step.id, ()))
        return with_filled(states, survey.filled)

    def watch(self) -> None:
        """For viewers: read what the working wizard wrote; a journal that is just being replaced is read next time."""
        if self.destination:
            with suppress(Problem):
                self._seen_journal = read_journal(self.destination) or Journal()
            self._seen = published(self.destination)
            self.released = bool(self.locked) and not working(self.destination)

    def free(self) -> int | None:
        """Bytes left on the destination's disk."""
        place = self.destination
        while place and not place.exists() and place != place.parent:
            place = place.parent
        with suppress(OSError):
            return shutil.disk_usage(place).free if place else None
        return None

    def wipe(self) -> WipeResult:
        """Remove every stored credential and link of this destination, and the drafts of them."""
        removed = []
        for step, name in secret_fields(self.steps):
            drafts = self.drafts.get(step, {})
            rows = drafts.get(name)
            if isinstance(rows, list):
                drafts[name] = [row for row in rows if not isinstance(row, Secret)]
            elif drafts.pop(name, None):
                removed.append(f"{step}.{name}")
        if self.ctx is None:
            return WipeResult(tuple(removed))
        done = wipe_secrets(self.ctx.vault, self.steps, self.ctx.destination, self.journal.kept)
        if not done.remains:
            self.ctx.store.forget_kept()
        return replace(done, removed=(*removed, *done.removed))

    def close(self) -> None:
        """Stop the runner, end the workers, release the lock."""
        if self.runner:
            self.runner.stop()
            self.runner.join(ENOUGH)
        if self.ctx:
            self.ctx.close()
        self.ctx = self.runner = None
        self._seen_journal = Journal()

    def _draft(self, step: Step, name: str, value: Any) -> None:
        self.drafts.setdefault(step.id, {})[name] = concealed(step.field(name), value)

    def _keep(self, step: Step, name: str, value: Any) -> str:
        assert self.ctx is not None  # noqa: S101 - callers have looked
        where = self.ctx.remember(step, {name: revealed(value)}).get(name, "")
        if isinstance(value, list | tuple):
            paths = any(not isinstance(row, Secret) for row in value)
            return "; ".join([*([NOTED] if paths or not where else []), *([f"links: {where}"] if where else [])])
        return where or NOTED
