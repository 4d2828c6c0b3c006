"""The lines below the pages, as words: what is being done, how far the journey is, what to do next. No widgets."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from mseg_wizard.progress import Progress, Waiting, amount, duration, size
from mseg_wizard.standing.snapshot import MARKS, Snapshot, StepState, standing
from mseg_wizard.tui import eta
from mseg_wizard.tui.rates import Rates
from mseg_wizard.tui.session import Session
from mseg_wizard.tui.step_page import pane_text
from mseg_wizard.tui.text import bar, fit, progress_words

ROOMY = 100
"""From this many columns on the last line has room for what is good to know."""
WORDS = 72
"""Columns that a line of progress needs; what is left tells of the last minutes."""
FOREIGN = 400
"""Characters of a problem's or a task's own words that the hint has room for; the step's page has them all."""


@dataclass(frozen=True)
class Moment:
    """What the lines are made from."""

    session: Session
    snapshot: Snapshot
    states: Sequence[StepState]
    remark: str = ""
    """Something to say for a while."""
    stopping: bool = False
    in_form: bool = False
    """Has a field the keyboard?"""
    untold: str = ""
    """What is being done, where the line for it is too short: a command to copy, say."""

    @property
    def done(self) -> int:
        return sum(state.state == "done" for state in self.states)

    @property
    def part(self) -> float:
        """Of the journey that is done, 0 to 1."""
        session, complete = self.session, self.done == len(self.states)
        return 1.0 if complete else eta.share_done(session.steps, session.journal, self.snapshot)


def step_of(session: Session, call: str) -> str:
    """Id of the step that a call belongs to; empty where there is none."""
    return next((step.id for step in session.steps if call in {each.key for each in step.calls}), "")


def now_lines(session: Session, snapshot: Snapshot, width: int, rates: Rates, *, low: bool) -> tuple[list[str], str]:
    """What is being done, two lines of at most `width` characters, and what of it they are too short for."""
    untold = ""
    lines: list[str] = []
    told_below = snapshot.awaits if len(snapshot.calls) == 1 else ""
    for key in snapshot.calls if snapshot.running and not told_below else ():
        progress = snapshot.progress.get(key, Progress("–"))
        step = next((step for step in session.steps if key in {call.key for call in step.calls}), None)
        title = next((call.title for call in step.calls if call.key == key), "") if step else ""
        head = f"{MARKS['waiting' if progress.waiting else 'running']} {step.number if step else ''} {title}"
        if len(snapshot.calls) > 1 or (progress.total and low):  # a line for each
            head = fit(head, width // 2)
            lines.append(f"{head}  {progress_words(progress, width - len(head) - 2)}")
            continue
        head += f": {pane_text(progress.doing)}"
        # A download's line is only cut; what waits for the user must be read to its end.
        if not progress.total and len(head) > width:
            untold = pane_text(progress.doing)
        past = rates.words(key, progress.done)
        past = f"  {past}" if past and width - len(past) >= WORDS else ""
        lines += [fit(head, width), "    " + progress_words(progress, width - 4 - len(past)) + past]
    return lines, untold


def journey_words(at: Moment) -> str:
    """How much of the whole journey is done, by the time that it takes, and how long the rest will take."""
    remaining = eta.seconds_left(at.session.steps, at.session.journal, at.snapshot)
    return f"{at.part:.0%}" + (f" · {duration(remaining)} left" if remaining is not None else "")


def overall_words(
    at: Moment, free: int | None, needed: int | None, *, slim: bool, roomy: bool, headed: bool = False
) -> str:
    """How much of the journey is done and left, and how many bytes are free and needed.

    `headed`: what `journey_words` says stands on top already.
    """
    session, done = at.session, at.done
    parts = [f"{done} of {len(at.states)}" + ("" if slim else " steps")]
    remaining = None if headed else eta.seconds_left(session.steps, session.journal, at.snapshot)
    if remaining is not None:
        parts.append(
            f"~{duration(remaining)}" if slim else f"{duration(remaining)} left{' at this pace' if roomy else ''}"
        )
    if free is not None:
        need = (needed or 0) if done < len(at.states) else 0
        short = "[!] " if need > free else ""
        parts.append(f"{short}{size(free)} free" + (f", {size(need)} needed" if need and (roomy or short) else ""))
    if roomy and (workers := session.workers):
        parts.append(amount(workers, "workers"))
    if not slim and not headed:
        parts.insert(0, f"{bar(at.part, 8)} {at.part:.0%}")
    return " · ".join(parts)


def hint(at: Moment) -> tuple[str, str]:
    """What it waits for or what to do next, with a style."""
    if at.remark:
        return at.remark, "bold"
    if at.session.viewer:
        return _hint_to_a_viewer(at)
    if at.stopping:
        return "Stopping: what is half done is put away cleanly. F10 again leaves at once.", "$warning"
    if at.snapshot.running:
        return _hint_while_it_runs(at)
    if at.snapshot.problem or at.snapshot.crash:
        return _hint_after_a_stop(at)
    if at.snapshot.complete or all(state.state == "done" for state in at.states):
        if at.session.ctx is None:
            return "[x] Every step is complete. F10 ends.", "bold $success"
        where = pane_text(str(at.session.ctx.dataset_folder))
        words = f"[x] Every step is complete. F12 copies the report's path, F10 ends. The data: {where}"
        return words, "bold $success"
    if all(state.past for state in at.states):
        aside = next(step for step, state in zip(at.session.steps, at.states, strict=True) if state.state == "aside")
        text = standing(at.snapshot, at.session.steps, at.states).text
        return f"[-] {text} F5 goes on once you gave it in the form of step {aside.number}.", "$warning"
    return _hint_before_it_runs(at), ""


def _hint_to_a_viewer(at: Moment) -> tuple[str, str]:
    session = at.session
    if session.released:
        return "The other wizard has ended. F5 takes over here.", "bold $warning"
    if session.locked:
        return f"{fit(pane_text(session.locked), FOREIGN)} This screen only shows how far it is.", "$warning"
    return "This screen only shows how far the work is.", "$warning"


def _hint_while_it_runs(at: Moment) -> tuple[str, str]:
    session = at.session
    if at.snapshot.awaits and (step := step_of(session, at.snapshot.awaits)):
        said = at.snapshot.progress[at.snapshot.awaits]
        doing = fit(pane_text(said.doing), FOREIGN)
        if said.lacks:
            words = f"[?] {doing} It goes on by itself once that is there; archives are fetched meanwhile."
            return words, "bold $warning"
        words = f"[?] Step {session.step(step).number}: give the file in the form, or upload it. {doing}"
        return words, "bold $warning"
    if at.untold:
        return fit(at.untold, FOREIGN), "bold"
    if at.in_form:  # a longer one would lie over the fields
        return "Working. You can fill in the later forms meanwhile.", ""
    again = f"start again to go on: {session.invocation.resume_command(session.destination)}"
    lost = "`tmux attach` brings this screen back" if os.environ.get("TMUX") else again
    return f"Working. You can fill in the later forms meanwhile. If your connection drops: {lost}", ""


def _hint_after_a_stop(at: Moment) -> tuple[str, str]:
    if isinstance(at.snapshot.problem, Waiting):
        # What is uploaded now is not looked for: only while it works is that noticed.
        uploaded = " After an upload, F5." if "archives" in at.snapshot.problem.lacks else ""
        by_itself = f"It goes on by itself once that is in the form.{uploaded}"
        then = by_itself if at.snapshot.problem.step else "F5 asks again."
        return f"[?] {fit(pane_text(at.snapshot.problem.what), FOREIGN)} {then}", "bold $warning"
    if at.snapshot.problem:
        return f"[!] {fit(pane_text(at.snapshot.problem.what), FOREIGN)} F5 tries again.", "bold $error"
    words = "[!] A bug of the wizard's own. What is done stays. F5 tries again; the log (F7) has the details."
    return words, "bold $error"


def _hint_before_it_runs(at: Moment) -> str:
    if at.snapshot.call:
        return f"{standing(at.snapshot).sentence}; what is done stays. F5 goes on."
    if at.session.ctx is None:
        if at.in_form:
            return "Tab goes to the next field, Escape leaves the form. F5 begins."
        return "Enter goes into a step's form, Escape back to this list. F5 begins."
    begun = any(state.state == "done" or state.done for state in at.states)
    lacking = next((state for state in at.states if state.state == "waiting"), None)
    first = f" Step {at.session.step(lacking.id).number} will want something from you first." if lacking else ""
    return f"F5 {'goes on' if begun else 'starts'}.{first}"
