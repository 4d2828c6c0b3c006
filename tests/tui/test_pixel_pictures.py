"""Pictures in pixels on a terminal that has them: where they stand, that they go, that they are never in the way."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from mseg_wizard.tui.graphics import KITTY_CELL
from tests.installed import NOT_INSTALLED
from tests.toys import ROAD, SKY
from tests.tui.cells import Cells, decoded
from tests.tui.pseudo_terminal import F5, HERE, WHERE, Terminal, plain
from tests.tui.test_graphics import kitty_images

pytestmark = pytest.mark.slow

F2, F3 = b"\x1bOQ", b"\x1bOR"
MODE, HAS = "\x1b[?2048$p", b"\x1b[?2048;2$y"
"""Has it mode 2048? It has."""
COLUMNS, ROWS, GAP = 36, 14, 2
PLACE = "\U0010eeee"
TITLE = re.compile(r"(street|lane|square)\.jpg")


class GraphicTerminal(Terminal):
    """One that answers: where its cursor is, and whether it has mode 2048."""

    answers: tuple[tuple[str, bytes], ...] = ((WHERE, HERE), (MODE, HAS))
    late = 0.0
    """Seconds for an answer about the cursor."""
    _read = -1

    def read(self) -> str:
        fresh = super().read()
        for question, answer in self.answers:
            if question in fresh:
                time.sleep(self.late if question == WHERE else 0)
                self.keys(answer)
        return fresh

    @property
    def cells(self) -> Cells:
        if self._read != len(self.seen):
            self._read, self._cells = len(self.seen), Cells()
            self._cells.read(self.seen)
        return self._cells

    def work(self) -> None:
        """Go to the step at work."""
        self.wait(lambda: "F5 begins" in plain(self.seen), "the first screen")
        self.keys(F2)
        self.wait(lambda: "F5 starts" in plain(self.seen), "the step")
        self.keys(F5)


Start = Callable[..., GraphicTerminal]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    made: list[GraphicTerminal] = []

    def begin(special: str = "pictures", **options: object) -> GraphicTerminal:
        environment = {"COLORTERM": "truecolor", "LC_ALL": "C.UTF-8", **options}
        made.append(GraphicTerminal(tmp_path, special, (116, 40), **environment))  # type: ignore[arg-type]
        return made[-1]

    yield begin
    for terminal in made:
        terminal.close()


def test_kitty_has_both_halves_in_their_cells_and_forgets_each_at_its_end(start: Start) -> None:
    pytest.importorskip("textual_image", reason=f"{NOT_INSTALLED}textual-image")
    terminal = start(TERM="xterm-kitty")
    terminal.work()
    terminal.wait(lambda: len(kitty_images(terminal.cells)) >= 2 and PLACE in terminal.seen, "a picture")
    images = kitty_images(terminal.cells)
    assert [image.size for image in images.values()] == [(COLUMNS * KITTY_CELL[0], ROWS * KITTY_CELL[1])] * 2
    labels = np.asarray(list(images.values())[1].convert("RGB"))
    assert {tuple(color) for color in labels.reshape(-1, 3).tolist()} == {SKY, ROAD}
    assert (labels[: ROWS * KITTY_CELL[1] * 3 // 4] == SKY).all()
    top, left = caption(terminal)
    assert {number: places(terminal, number) for number in images} == {
        number: {(top + 1 + row, x + column): (row, column) for row in range(ROWS) for column in range(COLUMNS)}
        for number, x in zip(images, (left, left + COLUMNS + GAP), strict=True)
    }
    before = TITLE.findall(plain(terminal.seen))[-1]
    terminal.wait(
        lambda: len(kitty_images(terminal.cells)) >= 4 and freed(terminal.seen) >= set(images), "the next one"
    )
    assert TITLE.findall(plain(terminal.seen))[-1] != before
    assert last_place(terminal) < min(terminal.seen.index(f"d=I,i={number}") for number in images)
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.ended() == 143
    assert freed(terminal.seen) == set(kitty_images(terminal.cells))
    assert terminal.seen.rindex("a=d,d=I") < terminal.seen.rindex("\x1b[?1049l"), "the other screen has none of them"
    assert terminal.restored()


def test_a_picture_is_there_again_after_a_stop(start: Start) -> None:
    """The terminal forgets it for the shell, and is sent it once more."""
    pytest.importorskip("textual_image", reason=f"{NOT_INSTALLED}textual-image")
    terminal = start(TERM="xterm-kitty")
    terminal.work()
    terminal.wait(lambda: PLACE in terminal.seen, "a picture")
    before = len(terminal.seen)
    terminal.process.send_signal(signal.SIGTSTP)
    terminal.wait(lambda: stopped(terminal.process.pid), "the stop")
    terminal.read()
    forgotten = freed(terminal.seen[before:])
    before = len(terminal.seen)
    terminal.process.send_signal(signal.SIGCONT)
    terminal.wait(lambda: PLACE in terminal.seen[before:], "the picture again")
    again = Cells()
    again.read(terminal.seen[before:])
    assert len(images := set(kitty_images(again))) == 2
    assert images <= forgotten


def test_sixels_stand_row_by_row_and_go_for_a_dialog_and_for_good(start: Start) -> None:
    pytest.importorskip("textual_image", reason=f"{NOT_INSTALLED}textual-image")
    terminal = start(TERM="foot", COLORTERM="", cell=(8, 16))  # as over ssh
    terminal.work()
    terminal.wait(lambda: len(terminal.cells.sixels) >= 2 * ROWS, "a picture")
    sixels = terminal.cells.sixels
    top, left = caption(terminal)
    right = left + COLUMNS + GAP
    rows = sorted({row for row, _ in sixels})
    assert rows == list(range(top + 1, top + 1 + len(rows)))
    assert sorted(sixels) == [(row, column) for row in rows for column in (left, right)]
    labels = np.concatenate([decoded(sixels[row, right]) for row in rows])
    assert labels.shape == (len(rows) * 16, COLUMNS * 8, 3)
    assert np.abs(labels[0, 0] - np.array(SKY) / 255).max() < 0.01
    assert np.abs(labels[-1, -1] - np.array(ROAD) / 255).max() < 0.01
    terminal.keys(b"\x11")
    terminal.wait(lambda: "Stop and quit?" in plain(terminal.seen) and not terminal.cells.sixels, "a dialog alone")
    terminal.keys(b"\x1b")
    terminal.wait(lambda: len(terminal.cells.sixels) == 2 * len(rows), "the picture again")
    terminal.resize(116, 40, (10, 20))
    terminal.wait(lambda: widths(terminal.cells) == {COLUMNS * 10}, "a picture for cells of another size")
    terminal.keys(F3)
    terminal.wait(lambda: "No pictures any more" in plain(terminal.seen) and not terminal.cells.sixels, "none")


@pytest.mark.parametrize(
    ("special", "options"),
    [
        ("pictures", {"TERM": "foot"}),
        ("pictures", {"TERM": "xterm-256color", "cell": (8, 16)}),
        ("pictures", {"TERM": "foot", "cell": (8, 16), "TMUX": "/tmp/tmux-0/default,1,0"}),
        ("pictures uninstalled", {"TERM": "foot", "cell": (8, 16)}),
        ("pictures broken", {"TERM": "foot", "cell": (8, 16)}),
    ],
    ids=str,
)
def test_without_pixels_there_are_half_cells(start: Start, special: str, options: dict[str, object]) -> None:
    terminal = start(special, **options)
    terminal.work()
    in_half_cells(terminal)
    logged = (terminal.folder / "data" / ".mseg-wizard" / "log.txt").read_text()
    assert logged.count("pictures in half cells:") == int(special != "pictures")
    assert ("RuntimeError: a bug" in logged) == ("broken" in special)


@pytest.mark.parametrize(
    ("late", "answers"), [(0.0, ((WHERE, HERE),)), (1.5, GraphicTerminal.answers)], ids=["an old kitty", "a slow line"]
)
def test_a_kitty_that_is_old_or_far_has_half_cells(
    start: Start, late: float, answers: tuple[tuple[str, bytes], ...]
) -> None:
    terminal = start("pictures far" if late else "pictures", TERM="xterm-kitty")
    terminal.late, terminal.answers = late, answers
    terminal.work()
    in_half_cells(terminal)


def test_where_the_output_is_a_file_it_has_no_picture(start: Start, tmp_path: Path) -> None:
    pytest.importorskip("textual_image", reason=f"{NOT_INSTALLED}textual-image")
    terminal = start(TERM="xterm-kitty", output=tmp_path / "output")
    terminal.work()
    terminal.wait(lambda: len(kitty_images(terminal.cells)) >= 4, "two pictures")
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.ended() == 143
    assert freed(terminal.seen) == set(kitty_images(terminal.cells))
    said = (tmp_path / "output").read_text()
    assert "\x1b" not in said
    assert len(said.splitlines()) == 1


def in_half_cells(terminal: GraphicTerminal) -> None:
    shown = f"48;2;{';'.join(map(str, ROAD))}"
    terminal.wait(lambda: bool(TITLE.search(plain(terminal.seen))) and shown in terminal.seen, "a picture")
    assert "\x1b_G" not in terminal.seen
    assert "\x1bP" not in terminal.seen


def caption(terminal: GraphicTerminal) -> tuple[int, int]:
    """Row and column of the text above the picture."""
    texts = terminal.cells.texts
    for row, column in texts:
        if "".join(texts.get((row, column + at), "") for at in range(40)).startswith(("street.", "lane.", "square.")):
            return row, column
    raise AssertionError("no caption")


def places(terminal: GraphicTerminal, number: int) -> dict[tuple[int, int], tuple[int, int]]:
    """Row and column of each cell of an image on the screen → those in the image."""
    from textual_image.renderable import tgp

    marks = {chr(code): at for at, code in enumerate(tgp._NUMBER_TO_DIACRITIC)}
    cells, found = terminal.cells, {}
    for at, text in cells.texts.items():
        if text.startswith(PLACE):
            row, column, high = (marks[mark] for mark in text[1:])
            red, green, blue = map(int, cells.colors[at].split(";")[-3:])
            if high << 24 | red << 16 | green << 8 | blue == number:
                found[at] = row, column
    return found


def freed(sent: str) -> set[int]:
    return {int(number) for number in re.findall(r"\x1b_Ga=d,d=I,i=(\d+),q=2\x1b", sent)}


def stopped(process: int) -> bool:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def last_place(terminal: GraphicTerminal) -> int:
    """Where the newest picture's cells begin in what was sent."""
    return terminal.seen.index(PLACE, terminal.seen.rindex("U=1"))


def widths(cells: Cells) -> set[int]:
    return {decoded(text).shape[1] for text in cells.sixels.values()}
