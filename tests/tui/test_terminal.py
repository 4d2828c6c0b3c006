"""The screen on a real terminal: it comes, follows its size, goes at
a key, a signal or a hang-up, and leaves the terminal as it was.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mseg_wizard.state.lock import working
from mseg_wizard.tui.paste_parser import SILENCE
from tests.tui.cells import Cells
from tests.tui.pseudo_terminal import F5, F10, HERE, WHERE, Terminal, plain
from tests.waiting import PATIENCE, wait_until


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[list[Terminal]]:
    made: list[Terminal] = []
    yield made
    for terminal in made:
        terminal.close()


@pytest.fixture
def running(terminals: list[Terminal], tmp_path: Path) -> Terminal:
    """A wizard at work."""
    terminal = Terminal(tmp_path)
    terminals.append(terminal)
    terminal.until("F5 starts")
    terminal.keys(F5)
    terminal.until("downloading leftImg8bit.zip")
    return terminal


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_signal_stops_the_work_cleanly_and_gives_the_terminal_back(
    running: Terminal, number: signal.Signals, code: int
) -> None:
    running.seen = "\x1b[?1049h\x1b[?25l\x1b[?1000h\x1b[?1003h\x1b[?1006h\x1b[?2004h"
    running.process.send_signal(number)
    assert running.ended() == code
    assert running.restored()
    assert (running.folder / "closed").exists()
    assert not working(running.folder / "data")
    if code != 129:
        way_on = f"What is done stays; start again to go on: mseg-wizard --dest {running.folder / 'data'}"
        assert way_on in " ".join(plain(running.seen).split())


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_terminal_that_takes_nothing_any_more_holds_no_end_up(
    running: Terminal, number: signal.Signals, code: int
) -> None:
    """As at the other end of a line that is down: keys that came before it had more to draw than it takes."""
    os.set_blocking(running.master, False)
    for _ in range(200):
        with suppress(BlockingIOError):
            running.keys(b"\x1b[B\x1bOP\x1b")
        time.sleep(0.005)
    running.process.send_signal(number)
    assert wait_until(lambda: running.process.poll() is not None, patience=PATIENCE)
    assert running.process.returncode == code
    assert (running.folder / "closed").exists(), "the work was closed cleanly"
    assert not working(running.folder / "data")


@pytest.mark.slow
def test_the_window_title_says_that_it_works_and_is_given_back(terminals: list[Terminal], tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    terminals.append(terminal)
    terminal.until("F5 starts")
    terminal.keys(F5)
    terminal.wait(lambda: re.search(r"\x1b\]2;\[>\] \d+% · mseg-wizard", terminal.seen) is not None, "the title")
    terminal.process.send_signal(signal.SIGTERM)
    terminal.ended()
    assert "\x1b[23;0t" in terminal.seen


@pytest.mark.slow
def test_a_terminal_that_is_closed_stops_the_work_cleanly(running: Terminal) -> None:
    os.close(running.slave)
    os.close(running.master)
    assert running.process.wait() == 129
    assert (running.folder / "closed").exists()
    assert not working(running.folder / "data")


def test_a_terminal_that_is_closed_is_not_taken_again_though_the_system_says_go_on(running: Terminal) -> None:
    """A hang-up comes with SIGCONT, sometimes late."""
    os.close(running.slave)
    os.close(running.master)
    while running.process.poll() is None:
        running.process.send_signal(signal.SIGCONT)
        time.sleep(0.01)  # another of its moments
    assert running.process.wait() == 129


def test_a_stop_that_it_is_not_told_of_ends_with_the_screen_as_it_was(running: Terminal) -> None:
    threads = Path(f"/proc/{running.process.pid}/task")
    before = len(list(threads.iterdir()))
    running.process.send_signal(signal.SIGSTOP)
    running.wait(lambda: "(stopped)" in (threads.parent / "status").read_text(), "the stop")
    running.seen = ""
    running.process.send_signal(signal.SIGCONT)
    running.until("downloading leftImg8bit.zip")
    running.wait(lambda: len(list(threads.iterdir())) == before, "as many threads as before")
    running.keys(F10)
    running.until("Stop and quit?")


@pytest.mark.slow
def test_quitting_by_keys_while_it_works_asks_and_gives_the_terminal_back(running: Terminal) -> None:
    running.keys(F10)
    running.until("Stop and quit?")
    running.seen = "\x1b[?1049h\x1b[?25l\x1b[?1000h\x1b[?1003h\x1b[?1006h\x1b[?2004h"
    running.keys(b"\x1b[C\r")
    assert running.ended() == 130
    assert running.restored()


@pytest.mark.slow
def test_the_screen_follows_the_size_of_the_terminal(terminals: list[Terminal], tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, size=(60, 20))
    terminals.append(terminal)
    terminal.until("[ ]  2 open")
    terminal.resize(100, 30)
    terminal.until("[ ]  2 Open datasets")
    terminal.resize(60, 20)
    terminal.until("[ ]  2 open")
    terminal.keys(b"\x11")
    assert terminal.ended() == 0


@pytest.mark.slow
def test_a_terminal_that_has_not_shown_the_last_picture_yet_is_sent_no_more_of_them(
    terminals: list[Terminal], tmp_path: Path
) -> None:
    """It is asked how far it is. One that never answers is taken as one that can't."""
    terminal = Terminal(tmp_path, "counting")
    terminals.append(terminal)
    terminal.until("F5 starts")
    terminal.keys(F5)
    terminal.wait(lambda: seen_megabytes(terminal) > 40, "progress, though it answers nothing")
    asked = terminal.seen.count(WHERE)
    terminal.keys(HERE)
    terminal.wait(lambda: terminal.seen.count(WHERE) > asked, "another question")
    at = seen_megabytes(terminal)
    terminal.wait(lambda: counted(tmp_path) > at + 30, "work that goes on meanwhile")
    assert seen_megabytes(terminal) <= at + 10
    terminal.keys(HERE)
    terminal.wait(lambda: seen_megabytes(terminal) > at + 10, "progress once more")


@pytest.mark.slow
def test_an_answer_on_its_way_is_awaited_at_the_end_so_that_the_shell_does_not_get_it(
    terminals: list[Terminal], tmp_path: Path
) -> None:
    terminal = Terminal(tmp_path, "counting")
    terminals.append(terminal)
    terminal.until("F5 starts")
    terminal.keys(F5 + HERE)
    terminal.wait(lambda: WHERE in terminal.seen, "another question")
    terminal.process.send_signal(signal.SIGTERM)
    terminal.wait((tmp_path / "closed").exists, "the end of the work")
    time.sleep(0.4)  # no wait: the answer is late, as over a slow line
    terminal.keys(HERE)
    assert terminal.ended() == 143
    tty.setraw(terminal.slave, termios.TCSANOW)
    assert not select.select([terminal.slave], [], [], 0.2)[0], "the shell would read it"


def counted(folder: Path) -> int:
    """How far the work has come, whatever is shown of it."""
    return int((folder / "counted").read_text() or 0)


def unread(terminal: Terminal) -> int:
    """Bytes of keys that the program has not taken yet."""
    return int.from_bytes(fcntl.ioctl(terminal.slave, termios.FIONREAD, bytes(4)), sys.byteorder)


def seen_megabytes(terminal: Terminal) -> int:
    """The newest progress that it shows: only cells that change are sent."""
    terminal.read()
    cells = Cells()
    cells.read(terminal.seen)
    found = re.findall(r"\b(\d+)\.\d MB", "\n".join(cells.lines()))
    return max(map(int, found), default=0)


@pytest.mark.slow
def test_after_a_coloured_paste_and_one_that_never_ends_keys_have_their_effect(
    terminals: list[Terminal], tmp_path: Path
) -> None:
    terminal = Terminal(tmp_path)
    terminals.append(terminal)
    terminal.until("F5 starts")
    coloured = "".join(f"\x1b[3{number % 8}mcoloured word {number}\x1b[0m\n" for number in range(200))
    terminal.keys(f"\x1b[200~{coloured}\x1b[201~\x1b[200~never ends".encode())
    terminal.read()
    time.sleep(SILENCE)  # what is waited for is that nothing comes
    while terminal.process.poll() is None:
        terminal.keys(F10)
        terminal.read()
    assert terminal.process.returncode == 0


def test_where_the_locale_has_only_ascii_nothing_else_is_sent(terminals: list[Terminal], tmp_path: Path) -> None:
    terminals.append(terminal := Terminal(tmp_path, LC_ALL="C"))
    terminal.wait(lambda: "F5 starts" in plain(terminal.seen), "the first screen")
    assert terminal.seen.isascii()
    assert "1 Prepare             |" in plain(terminal.seen)


@pytest.mark.slow
def test_bytes_that_are_no_text_do_not_end_it(terminals: list[Terminal], tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    terminals.append(terminal)
    terminal.until("F5 starts")
    terminal.keys(b"\xff\xfe")
    terminal.wait(lambda: not unread(terminal), "that it reads them: what comes in the same read is lost with them")
    terminal.keys(b"\x1b[B")
    terminal.until("Anyone may download these.")
    terminal.keys(F10)
    assert terminal.ended() == 0


@pytest.mark.slow
def test_a_crash_of_the_screen_shows_no_variable_and_names_the_log(terminals: list[Terminal], tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, "crash")
    terminals.append(terminal)
    terminal.until("F5 starts")
    terminal.seen = "\x1b[?1049h\x1b[?25l\x1b[?1000h\x1b[?1003h\x1b[?1006h\x1b[?2004h"
    terminal.keys(b"\x03")
    assert terminal.ended() == 1
    assert terminal.restored()
    assert "mseg-wizard hit a bug of its own: ValueError." in " ".join(plain(terminal.seen).split())
    log = tmp_path / "data" / ".mseg-wizard" / "log.txt"
    assert "log.txt" in "".join(plain(terminal.seen).split()), "its name is not there, wherever the line was folded"
    assert "ValueError" in log.read_text()
    assert "Geheimnis" not in terminal.seen + log.read_text()


@pytest.mark.slow
def test_keys_are_never_recorded_even_where_textual_is_told_to(terminals: list[Terminal], tmp_path: Path) -> None:
    record = tmp_path / "keys.log"
    terminal = Terminal(tmp_path, TEXTUAL_LOG=str(record), TEXTUAL="debug,devtools")
    terminals.append(terminal)
    terminal.until("F5 starts")
    terminal.keys(b"geheim")
    terminal.keys(F10)
    assert terminal.ended() == 0
    assert not record.exists()
