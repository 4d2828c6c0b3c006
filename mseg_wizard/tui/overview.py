"""Step 0, where the wizard opens and comes back to: what is wanted, and a row for each dataset.

What stands in a row is worked out here; which calls it is made of is known to `datasets.stages`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import ClassVar, Self

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.widgets.option_list import Option

from mseg_wizard.core.log import redact
from mseg_wizard.datasets.stages import STAGES, DatasetStages, Stage, stage_of, stages_in, total_of
from mseg_wizard.progress import duration, printable, size
from mseg_wizard.standing.snapshot import ASKED, Snapshot, Standing, StepState, standing
from mseg_wizard.tui.session import Session
from mseg_wizard.tui.survey import Survey
from mseg_wizard.tui.text import GLYPHS, STYLES, bar, fit
from mseg_wizard.tui.widgets.changed_cells import changed_cells
from mseg_wizard.tui.widgets.cursor_list import CursorList
from mseg_wizard.tui.widgets.frame import SteadyText
from mseg_wizard.tui.widgets.log_view import LogTail
from mseg_wizard.tui.work_rows import rate_words

NARROW, TALL = 72, 40
"""Below so many columns a row has one bar instead of stages; from so many rows on the other steps have lines too."""
NAME, ACCESS, SIZE = 17, 14, 7
CELLS = {name: max(6, len(name)) + 1 for name in STAGES}
"""Columns of a row's cells."""
RATE = 12
"""Columns from which on rate and time of what runs stand at the end of its row."""
NAMED = {"own": "uploaded", "brought": "your copy", "mirror": "mirror"}
"""Kinds of places that a user names, of `datasets.locations`, in a word."""
LOWEST = 4
"""Rows of the list at least: it scrolls then."""
SENTENCE, COLUMNS = "sentence", "columns"
"""Ids of the rows above the datasets."""


class Overview(Vertical):
    """What is wanted first; below it the datasets, and the steps that are none."""

    def __init__(self, session: Session) -> None:
        super().__init__(id="overview")
        self._session = session
        self._rows = stages_in(session.steps)
        self._of_datasets = {row.step.id for row in self._rows}
        self._head = SteadyText(classes="title")
        self._others = SteadyText(classes="others")
        self._tail = LogTail(session)
        self._standing = Standing("pending", "", "")
        self._now = Snapshot()
        self._shown: tuple[Sequence[StepState], Survey, str] | None = None
        self._highest = 0
        self.list = DatasetList([SENTENCE, COLUMNS, *(row.folder for row in self._rows)])

    @property
    def useful(self) -> bool:
        """Are there datasets to show?"""
        return bool(self._rows)

    def compose(self) -> ComposeResult:
        yield self._head
        yield self.list
        yield self._others
        yield self._tail

    def target(self) -> tuple[str, str]:
        """Step and field that Enter leads to from the row where the cursor is; no field: the first that is lacking."""
        if row := self.row:
            return row.step.id, ""
        return self._standing.step or self._session.steps[0].id, self._standing.field

    @property
    def row(self) -> DatasetStages | None:
        """The dataset on which the cursor is; None on the sentence."""
        option = self.list.highlighted_option
        return next((row for row in self._rows if option and row.folder == option.id), None)

    def choose(self, step: str = "") -> None:
        """Put the cursor on the first dataset of a step, else on what is wanted."""
        self.list.choose(next((row.folder for row in self._rows if row.step.id == step), SENTENCE))

    def show(self, states: Sequence[StepState], now: Snapshot, survey: Survey, journey: str) -> None:
        """Bring it up to date; what did not change is not touched. `journey`: how far all of it is."""
        self._now = now
        width = max(40, (self.size.width or self.app.size.width) - 3)
        self._shown = states, survey, journey
        self._standing = standing(now, self._session.steps, states, sum(survey.faults.values()))
        where = printable(str(self._session.destination or "no folder chosen yet"), 200)
        room = width - len(journey) - 2
        self._head.put(Content(f"{fit(f'mseg-wizard · {where}', room):<{room}}  {journey}"))
        self.list.put(SENTENCE, self._sentence())
        head = f"  {'':<{NAME}}{'access':<{ACCESS}}{'size':>{SIZE}}" + "".join(
            f"{name:>{CELLS[name]}}" for name in STAGES
        )
        others = self._steps([state for state in states if state.id not in self._of_datasets], states, width)
        # Where there are no columns, their line is the steps': on the smallest screen each line counts.
        self.list.put(COLUMNS, Content(head) if width >= NARROW else others)
        for row in self._rows:
            self.list.put(row.folder, self._line(row, now, survey, width))
        self._others.display = width >= NARROW
        self._others.put(others)
        below = others.plain.count("\n") + 1 + self._others.styles.margin.top if width >= NARROW else 0
        # All rows can be reached: `1fr` would be the whole height, and the last ones below the edge.
        if self.size.height and self._highest != (highest := max(LOWEST, self.size.height - 1 - below)):
            self._highest = self.list.styles.max_height = highest

    def on_resize(self) -> None:
        """What was drawn before its place was known fits it at once."""
        if self._shown:
            states, survey, journey = self._shown
            self.show(states, self._now, survey, journey)

    def _sentence(self) -> Content:
        words = printable(redact(self._standing.text), 400)
        ends = "" if words.endswith(".") else " ·"  # what ends otherwise may be a path to copy
        leads = self._standing.field or (self._standing.step and self._standing.state == "failed")
        goes = f"{ends} Enter goes there." if leads else ""
        begun = "goes on" if self._session.journal.done_calls() else "begins"
        if self._standing.state in ("pending", "stopped"):
            goes = f" F5 {begun}."
        elif self._standing.state == "waiting" and not leads and self._standing.step:
            goes = " Enter opens its step, F5 asks again."
        elif leads and self._now.running and not self._now.awaits:
            goes += " Everything else goes on."
        elif leads and self._standing.state == "waiting" and self._ready:
            goes += f" F5 {begun}."
        return Content.styled(f"{GLYPHS[self._standing.state]} {words}{goes}", STYLES[self._standing.state])

    @property
    def _ready(self) -> bool:
        """Can work be done before what is wanted is there?"""
        states = self._shown[0] if self._shown else ()
        first = next((state.id for state in states if not state.past), "")
        now, viewer = self._now, self._session.viewer
        return not (viewer or now.running or now.problem or now.crash) and first != self._standing.step

    def _line(self, row: DatasetStages, now: Snapshot, survey: Survey, width: int) -> Content:
        journal, faulty = self._session.journal, bool(survey.faults.get(row.folder))
        access = self._access(row, now, survey)
        stages = {name: stage_of(row, name, journal, now, faulty=faulty) for name in STAGES}
        if stages["fetch"].state == "pending" and survey.lacks.get(row.step.id):
            stages["fetch"] = Stage("waiting", stages["fetch"].share)
        if width < NARROW:
            found = {stage.state for stage in stages.values()}
            state = next((s for s in ("failed", "waiting", "running", "aside") if s in found), "")
            share = total_of(row, journal, now)
            state = state or ("done" if share == 1.0 else "pending")
            text = f"{GLYPHS[state]} {fit(row.name, NAME - 3):<{NAME - 2}}{access:<{ACCESS}}"
            bar_width = max(6, width - len(text) - 6)
            return Content.styled(f"{text}{bar(share, bar_width)} {share:4.0%}", STYLES[state])
        large = size(row.size) if row.size else ""
        content = Content(f"  {fit(row.name, NAME - 1):<{NAME}}{access:<{ACCESS}}{large:>{SIZE}}")
        for name, stage in stages.items():
            content += Content.styled(f"{cell(stage):>{CELLS[name]}}", STYLES[stage.state] if stage.state else "")
        room = width - len(content.plain) - 3
        keys = [call.key for calls in row.calls.values() for call in calls if call.key in now.calls and now.running]
        at_work = next((now.progress[key] for key in keys if key in now.progress), None)
        rate = rate_words(at_work, room, share=False) if at_work and room >= RATE else ""
        return content + (f"   {rate}" if rate else "")

    def _access(self, row: DatasetStages, now: Snapshot, survey: Survey) -> str:
        """What it takes to get a dataset, and how far the person is with that."""
        journal, step = self._session.journal, row.step
        if row.comes_by == "open":
            return "open"
        fetched = stage_of(row, "fetch", journal, now).state
        if fetched in ("done", "aside"):
            return "granted" if fetched == "done" else "set aside"
        if kind := survey.named.get(step.id):
            return NAMED[kind]
        if step.id in survey.links:
            return life(survey.links[step.id], datetime.now(UTC))
        kept = row.comes_by == "login" and self._login_kept(row, survey)
        if (asked := journal.answer(step.id, ASKED)) and not kept:
            return f"asked {days(str(asked), datetime.now(UTC).date())}"
        if row.comes_by == "upload":
            return "your upload"
        return "login kept" if kept else f"needs a {row.comes_by}"

    def _login_kept(self, row: DatasetStages, survey: Survey) -> bool:
        """Is every secret of its form kept? A viewer knows that of the other wizard's journal alone."""
        step, journal = row.step, self._session.journal
        secret = [item.name for item in step.fields if item.secret and item.required]
        return all((step.id, name) in survey.kept or f"{step.id}.{name}" in journal.kept for name in secret)

    def _steps(self, others: Sequence[StepState], states: Sequence[StepState], width: int) -> Content:
        """The steps that are no dataset: a line each where there is room, else all steps as a line of marks."""
        if self.app.size.height >= TALL:
            lines = [Content.styled(f"\n  the other steps · {self._key()}", "dim")]
            for state in others:
                step = self._session.step(state.id)
                lines.append(Content.styled(f"{GLYPHS[state.state]} {step.number:2} {step.title}", STYLES[state.state]))
            return Content("\n").join(lines)
        parts = [
            Content.styled(f"{self._session.step(state.id).number}{GLYPHS[state.state]}", STYLES[state.state])
            for state in states
        ]
        line = Content("  " if width < NARROW else "  steps  ") + Content(" ").join(parts)
        return line if width < NARROW else line + Content.styled(f"  {self._key()}", "dim")

    def _key(self) -> str:
        """What a key does here that the foot doesn't say."""
        asks = self.row and self.row.comes_by != "open" and not self._granted(self.row, self._now)
        return "a: asked today" if asks else "F2 opens them"

    def _granted(self, row: DatasetStages, now: Snapshot) -> bool:
        return stage_of(row, "fetch", self._session.journal, now).state == "done"


class DatasetList(CursorList):
    """The sentence and the datasets: arrows choose, Enter opens."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "note_asked", show=False),
        Binding("escape", "first", show=False),
        Binding("right", "select", show=False),
    ]

    class Asked(Message):
        """The user notes that they asked for a dataset today, or takes that back."""

    _redrawn: Sequence[Region] = ()
    """The cells that say something else, while that is noted."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            *(Option(Content(""), id=name, disabled=name == COLUMNS) for name in names), id="datasets", compact=True
        )
        self._names = tuple(names)
        self._put: dict[str, Content] = {}

    def put(self, name: str, content: Content) -> None:
        """Show a row; one that says the same already is left alone."""
        before = self._put.get(name)
        if before and (before, before.spans) == (content, content.spans):
            return
        self._put[name] = content
        at = self._names.index(name)
        if at > self._names.index(COLUMNS):
            cells = changed_cells(self, before or Content(""), content, self.size.width, 1)
            self._redrawn = [region.translate((0, self._line_of(at))) for region in cells]
        self.replace_option_prompt_at_index(at, content)
        self._redrawn = ()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Textual's counts the lines at a width that the bar takes a column of: one too few, at times."""
        return super().get_content_height(container, viewport, width - self.scrollbar_gutter.width)

    def _line_of(self, at: int) -> int:
        """The line of a row: each below the sentence, which may take several, takes one."""
        return self.virtual_size.height - len(self._names) + at - self.scroll_offset.y

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """Textual draws all rows anew where one says something else: on a slow line that is every row every second."""
        if not (regions or layout or recompose):
            regions = tuple(self._redrawn)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def choose(self, name: str) -> None:
        """Put the cursor on a dataset or on the sentence."""
        self.highlighted = self._names.index(name)

    def to_end(self, end: bool) -> None:
        """Put the cursor on the last dataset, or back on the sentence."""
        self.highlighted = len(self._names) - 1 if end else 0

    def turn(self, pages: int) -> None:
        """Move the cursor by a window's height."""
        rows = pages * max(1, self.size.height - 1)
        self.highlighted = max(0, min(len(self._names) - 1, (self.highlighted or 0) + rows))

    def action_first(self) -> None:
        self.highlighted = 0

    def action_note_asked(self) -> None:
        self.post_message(self.Asked())


def cell(stage: Stage) -> str:
    """What stands in a stage's cell: nothing where there is no such stage, a percentage while it works."""
    if not stage.state:
        return ""
    if stage.state in ("running", "pending") and 0 < stage.share < 1:
        return f"{min(0.99, stage.share):.0%}"
    return GLYPHS[stage.state]


def life(ends: datetime | None, now: datetime) -> str:
    """How long a link that is kept still serves."""
    if ends is None:
        return "link kept"
    left = (ends - now).total_seconds()
    if left <= 0:
        return "link expired"
    return f"link, {duration(left) if left < 5400 else _hours(left)}"


def days(asked: str, today: date) -> str:
    """How long ago that day was."""
    try:
        count = (today - date.fromisoformat(asked)).days
    except ValueError:
        return ""
    return f"{count} d" if count > 0 else "today"


def _hours(seconds: float) -> str:
    hours = round(seconds / 3600)
    return f"{hours} h" if hours < 48 else f"{hours // 24} d"
