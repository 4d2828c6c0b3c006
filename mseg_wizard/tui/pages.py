"""Which page is in sight, overview, a step, log or help, and the ways from one to another.

What the pages and the lines around them say is elsewhere.
"""

from __future__ import annotations

import asyncio
from functools import partial

from textual.containers import VerticalScroll
from textual.events import Resize
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import ContentSwitcher, OptionList

from mseg_wizard.tui.background import beside
from mseg_wizard.tui.overview import Overview
from mseg_wizard.tui.session import Session
from mseg_wizard.tui.step_page import StepPage
from mseg_wizard.tui.survey import Survey
from mseg_wizard.tui.widgets.frame import LOW, NARROW, HelpPane, MessageLine, StepList

WIDE = 120
"""From this many columns on the chosen step stands beside the overview."""
SMALLEST = (60, 20)
"""Columns and rows that everything is laid out for."""


class Pages(Screen[None]):
    """The overview or the list of steps on the left, one page on the right; a narrow window shows one of them."""

    _behind: str | None = None
    """The page that log or help was shown in place of."""
    _back: Widget | None = None
    """What had the keyboard before log or help was shown: it gets it back."""
    _from_overview = False
    """Was the step that is shown opened from the overview? Who leaves its form comes back there."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.overview = Overview(self.session)
        self.found = Survey()
        self._making = asyncio.Lock()

    def draw(self) -> None:
        """Bring everything that is visible up to date; what did not change is not touched."""
        raise NotImplementedError

    @property
    def panes(self) -> dict[str, StepPage]:
        """The panes made so far, by step id."""
        return {pane.step.id: pane for pane in self.query(StepPage)}

    @property
    def chosen(self) -> str:
        """Id of the step that is shown or, behind log and help, was."""
        at = self.query_one(StepList).highlighted
        return self.session.steps[at or 0].id

    @property
    def at_overview(self) -> bool:
        """Is the overview shown, beside a step or alone?"""
        return self.has_class("-overview")

    @property
    def step_in_sight(self) -> bool:
        """Is the chosen step shown: with the list of steps, or beside the overview?"""
        return not self.at_overview or self.size.width >= WIDE

    def show_overview(self, *, at: str = "") -> None:
        """Come back to the overview, with the cursor on a dataset of a step, or on what is wanted."""
        self._from_overview = False
        self.remove_class("-aside")
        self.add_class("-overview")
        self.overview.choose(at)
        self.overview.list.focus()
        self.draw()

    async def reveal(self, name: str) -> StepPage:
        """Show a step's page where it can be seen."""
        if not self.step_in_sight:
            self.remove_class("-overview")
        return await self.show_step(name)

    async def leave_form(self, step: str) -> None:
        """Who has given what was wanted goes on to where work goes on, or to where they came from."""
        if self.at_overview or (self._from_overview and not isinstance(self.focused, StepList)):
            self.show_overview()
        else:
            self.query_one(StepList).focus()
            await self.show_step(step)

    async def stand_beside(self) -> None:
        """Have the step of the row with the cursor beside the overview: what is wanted may be another by now."""
        shown = self.query_one("#panes", ContentSwitcher).current
        if self.at_overview and self.step_in_sight and self.overview.list.has_focus:
            step = self.overview.target()[0]
            if shown not in ("pane-log", "pane-help", f"pane-{step}"):
                await self.show_step(step)

    async def show_step(self, name: str) -> StepPage:
        """Show a step's pane, made at its first visit."""
        at = next(i for i, step in enumerate(self.session.steps) if step.id == name)
        steps, switcher = self.query_one(StepList), self.query_one("#panes", ContentSwitcher)
        if steps.highlighted != at:
            steps.highlighted = at
        async with self._making:  # the list, the work and a key may all want the same page at once
            if name not in self.panes:
                await switcher.add_content(StepPage(self.session.steps[at], self.session))
                self.panes[name].survey(self.found)
        switcher.current = f"pane-{name}"
        pane = self.panes[name]
        pane.show(self.session.states(self.found)[at], self.session.snapshot)
        return pane

    def on_resize(self, event: Resize) -> None:
        in_form = self.focused is not None and any(isinstance(node, StepPage) for node in self.focused.ancestors)
        if in_form and event.size.width < WIDE and self.at_overview:  # there is room for one of both now
            self._from_overview = True
            self.remove_class("-overview")
        self.set_class(event.size.width < NARROW, "-slim")
        self.set_class(event.size.width >= WIDE, "-wide")
        self.set_class(event.size.height < LOW, "-low")
        self.set_class(event.size.width < SMALLEST[0] or event.size.height < SMALLEST[1], "-tiny")
        for line in self.query(MessageLine):
            line.keep_room(wanted=False)
        self.call_after_refresh(self.draw)
        if self.step_in_sight and self.query_one("#panes", ContentSwitcher).current is None:
            beside(self, partial(self.show_step, self.chosen))  # the window became wide enough for one
        if row := next((pane.row_in_use for pane in self.panes.values() if pane.row_in_use), None):
            self.call_after_refresh(row.come_into_sight)

    async def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if event.option_list.id == "steps" and event.option_id:
            if self.step_in_sight:  # else made when it is looked at: the first screen needn't wait for a form
                await self.show_step(event.option_id)
        elif event.option_list is self.overview.list and self.at_overview:
            if self.step_in_sight:
                await self.show_step(self.overview.target()[0])
            self.draw()

    async def show_or_hide(self, pane: str) -> bool:
        """Show log or help, or go back to the step; True when it is shown now."""
        if self.query_one("#panes", ContentSwitcher).current == pane:
            self.remove_class("-aside")
            if self.at_overview:
                self.overview.list.focus()
                self.query_one("#panes", ContentSwitcher).current = self._behind
                return False
            await self.show_step(self.chosen)
            back = (
                self._back
                if self._back and self._back.is_attached and self._back in self.panes[self.chosen].walk_children()
                else None
            )
            (back or self.query_one(StepList)).focus()
            return False
        if self.query_one("#panes", ContentSwitcher).current == f"pane-{self.chosen}":
            self._back = self.focused
        if self.query_one("#panes", ContentSwitcher).current not in ("pane-log", "pane-help"):
            self._behind = self.query_one("#panes", ContentSwitcher).current
        self.query_one("#panes", ContentSwitcher).current = pane
        self.set_class(not self.step_in_sight, "-aside")
        return True

    def action_focus_steps(self) -> None:
        """From a form back to where it was entered from; from the list of steps back to the overview."""
        if self.at_overview:
            self.overview.list.focus()
        elif self._from_overview or (self.overview.useful and isinstance(self.focused, StepList)):
            self.show_overview(at=self.chosen)
        else:
            self.query_one(StepList).focus()

    async def action_steps(self) -> None:
        """The list of steps instead of the overview, and back."""
        if not self.at_overview:
            if self.overview.useful:
                self.show_overview(at=self.chosen)
            return
        self.remove_class("-overview", "-aside")
        await self.show_step(self.overview.target()[0])
        self.query_one(StepList).focus()
        self.draw()

    async def action_enter_form(self) -> None:
        await self._enter(self.chosen, "")

    async def _enter(self, step: str, name: str) -> None:
        """Put the keyboard into a field of a step, else into the first that is lacking."""
        from_overview = self.at_overview and not self.step_in_sight
        pane = await self.reveal(step)
        self._from_overview = from_overview
        lacks = self.found.lacks.get(step, ())
        if target := pane.first((name, *lacks) if name else lacks):
            target.focus()
        elif not self.at_overview:
            self.query_one(StepList).focus()

    async def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        if event.option_list is self.overview.list:
            await self._enter(*self.overview.target())
        else:
            await self.action_enter_form()

    @property
    def _page(self) -> VerticalScroll | None:
        """The step's page or the help, where it can be seen: what scrolling keys are for, wherever the keyboard is."""
        pages = (*self.query(StepPage), *self.query(HelpPane))
        return next((page for page in pages if page.is_on_screen), None)

    def action_scroll_pane(self, pages: int) -> None:
        if page := self._page:
            page.scroll_relative(y=pages * max(1, page.size.height - 2), animate=False)
        elif self.overview.list.has_focus:
            self.overview.list.turn(pages)

    def action_scroll_pane_to(self, end: bool) -> None:
        if page := self._page:
            page.scroll_to(y=page.max_scroll_y if end else 0, animate=False)
        elif self.overview.list.has_focus:
            self.overview.list.to_end(end)
