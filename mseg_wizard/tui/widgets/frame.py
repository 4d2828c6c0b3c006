"""What frames the pages: the list of steps, the lines below it, the help. They show what they are told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Region
from textual.widgets import Static
from textual.widgets.option_list import Option

from mseg_wizard.standing.snapshot import MARKS, StepState
from mseg_wizard.step import Step
from mseg_wizard.tui.text import STYLES, fit
from mseg_wizard.tui.widgets.changed_cells import changed_cells
from mseg_wizard.tui.widgets.cursor_list import CursorList

LOW = 24
"""Below this many rows the hint stays at one line while it needs no more, the line of work is one line, and dialogs
are lower.
"""
NARROW = 80
"""Below this many columns the list of steps shows ids instead of titles."""

HELP = """\
F1  ?        this help
F2  Ctrl+O   the list of steps; again, the overview
F3           pictures of label maps on and off
F4           saves your answers without secrets, and shows the command that runs with them
F5  Ctrl+R   run, go on, try again
F6  Ctrl+S   stop; starting again goes on where it stopped
F7  Ctrl+L   the log
F8  Ctrl+T   wipe every stored credential and link
F9           light or dark colours
F10 Ctrl+Q   quit
F12          copies the path of the report
Ctrl+P       everything that the screen does, by name; more colours

The wizard opens on the overview: on top what is wanted of you, below it a row for each dataset: how you get it, how \
large it is, and whether it is fetched, unpacked, remapped, relabelled and checked. Enter on the top row goes to what \
is wanted, Enter on a dataset to its step; Escape comes back. F2 shows all steps in their order, each with what it is \
for, its links, its form and its tasks. The lines below say what is being done, how much of the whole journey is done, \
and how much room is left and needed.

The wizard works through all steps in the order that MSeg prescribes. F5 starts it; it goes on by itself through \
every step whose form is complete, then waits and says what for. You can fill in any form at any time, also while it \
works: what you type is kept as soon as you leave the field.

Up, Down     choose a dataset or a step
Enter        from the list into the step's form; copies a link; ticks a box; opens notes
Escape       back to the list, and from there to the overview
a            on a dataset: note that you asked for its licence today, or take that back
Tab          the next field; Shift+Tab the one before
Right, End   behind a path: take the rest that is suggested
PgUp, PgDn   scroll the step
Home, End    to where the step's page begins and ends; from a list or a line of text, with Ctrl
Delete       in a list of files and links: remove the row that Up and Down chose

[x] ✓ done   [>] ▸ running   [?] ? waits for you   [!] ! a problem   [ ] · not begun   [+] + not begun, form complete

If your connection may drop, start the wizard inside tmux: the work goes on without you, and `tmux attach` brings \
this screen back. Otherwise it stops when the connection ends, and starting it again goes on where it was.

Passwords and pasted links are kept in the system keyring where there is one, else in this session's memory, and \
never in a file. They can't be copied from here.

To select text with the mouse, hold Shift while you drag (Option in iTerm2 and Terminal on macOS); in tmux with the \
mouse on, Shift as well. What `c` and Enter copy goes to the terminal's own clipboard, through tmux too where `set \
-g set-clipboard on` stands in its settings.

taxonomy      a set of classes with numbers: ade20k-150 has 150
label map     a picture whose pixels are class numbers
segment       one object or region in an image, a part of its label map
panoptic      every pixel has a class and, where things can be counted, a number of its own; COCO's form
semseg format label maps as MSeg's code reads them: one channel, 8 bits, 255 for unlabeled
remap         turn the class numbers of one taxonomy into another's by a table
relabel       give single segments the class that MSeg's people chose for them by eye
universal     the 194 classes that all training sets share; loaders turn labels into them while they read
"""


class StepList(CursorList):
    """The steps: mark first, colour second."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "screen.enter_form", show=False),
    ]

    def __init__(self, steps: Sequence[Step]) -> None:
        super().__init__(*(Option(Content(""), id=step.id) for step in steps), id="steps", compact=True)
        self._steps = steps
        self._drawn: dict[int, object] = {}

    def show(self, states: Sequence[StepState], narrow: bool) -> None:
        width = 20 if narrow else 27
        for at, (step, state) in enumerate(zip(self._steps, states, strict=True)):
            if self._drawn.get(at) != (state.state, narrow):
                self._drawn[at] = (state.state, narrow)
                text = f"{MARKS[state.state]} {step.number:2} {step.id if narrow else step.title}"
                self.replace_option_prompt_at_index(at, Content(fit(text, width)).stylize(STYLES[state.state], 0, 3))


class SteadyText(Static):
    """Text of which only the cells that say something else are drawn anew, and that is laid out anew only where its
    height changes: a layout sends the whole pane through the line again.
    """

    _changed: Sequence[Region] = ()
    """What a change of the text is about to draw anew."""

    def put(self, content: Content) -> None:
        width, before = self.content_size.width, self.content
        # Contents that differ in their colours alone are equal to Textual.
        if isinstance(before, Content) and (before, before.spans) == (content, content.spans):
            return
        same = width and isinstance(before, Content) and before.get_height({}, width) == content.get_height({}, width)
        if same and isinstance(before, Content):
            self._changed = changed_cells(self, before, content, width, self.content_size.height)
        self.update(content, layout=not same)
        self._changed = ()

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        if not (regions or layout or recompose):
            regions = tuple(self._changed)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)


class MessageLine(SteadyText):
    """A line that is redrawn only when it says something new."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._said: object = None

    def say(self, text: str, style: str = "") -> None:
        if self._said != (text, style):
            self._said = (text, style)
            self.put(Content.styled(text, style))

    def keep_room(self, *, wanted: bool) -> None:
        """Take no fewer lines than now, until that is not wanted any more: what is above it would move."""
        if not wanted:
            self.styles.clear_rule("min_height")
        elif self.display:
            self.styles.min_height = self.size.height


class HelpPane(VerticalScroll):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "screen.help", show=False)]

    def __init__(self) -> None:
        super().__init__(id="pane-help")

    def compose(self) -> ComposeResult:
        yield Static(Content("Help (Escape closes)"), classes="title")
        yield Static(Content(HELP))
