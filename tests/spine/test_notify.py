"""Messages to a person who is not looking: a real command gets
them, once each, with nothing secret, and can't harm the work.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from mseg_wizard.cli.main import main
from mseg_wizard.cli.plain import work
from mseg_wizard.context import Context
from mseg_wizard.core.exits import Exit
from mseg_wizard.core.log import hide, log_to
from mseg_wizard.core.preferences import prefer
from mseg_wizard.notify import Notifier, command_of
from mseg_wizard.progress import Problem, Progress, Waiting
from mseg_wizard.standing.snapshot import Snapshot
from tests.tui.kit import Desk, desk_at, says, until
from tests.waiting import wait_until

WRITES = (
    "import os, sys; open(sys.argv[1], 'a').write("
    "sys.stdin.read() + os.environ['MSEG_WIZARD_SAYS'] + chr(10) + repr(dict(os.environ)) + chr(10))"
)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with desk_at(tmp_path, monkeypatch) as desk:
        yield desk


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    return tmp_path / "mail box $(touch shell)"


@pytest.fixture
def command(mail: Path) -> str:
    """As a user would write it, with everything in it that a shell would stumble over."""
    return f"{sys.executable} -c \"{WRITES}\" '{mail}'"


def fail(ctx: Context) -> Generator[Progress, None, None]:
    yield Progress("on the way")
    raise Problem("The server refused https://host.org/a.zip?Signature=GEHEIM.", "Ask it.")


def said(mail: Path) -> list[str]:
    return [line for line in mail.read_text().splitlines() if line.startswith("mseg-wizard")] if mail.exists() else []


def run(desk: Desk, command: str) -> Snapshot:
    ctx = desk.open(desk.destination)
    ctx.options = type(ctx.options)(notify=command, notify_quiet=True)
    try:
        return work(ctx, desk.steps, talk=sys.stderr)[0]
    finally:
        ctx.close()


def test_a_waiting_run_says_so_on_standard_input_and_in_the_variable_and_no_shell_reads_it(
    desk: Desk, command: str, mail: Path
) -> None:
    desk.ready()
    run(desk, command)
    on_input, in_variable = said(mail)
    assert on_input == in_variable
    assert "waits for you: Step 3, Cityscapes, waits for you: User name, Password." in on_input
    assert str(desk.destination) in on_input
    assert not Path("shell").exists()


def test_a_failure_is_told_without_what_is_secret_in_it(
    desk: Desk, command: str, mail: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "a-token-of-mine")
    monkeypatch.setenv("HARMLESS", "planted-42-secret inside")
    hide("planted-42-secret")
    desk.behaviours["open"] = fail
    desk.ready()
    run(desk, command)
    assert "stopped by a problem: The server refused https://host.org/a.zip?… Ask it." in said(mail)[0]
    text = mail.read_text()
    assert "GEHEIM" not in text
    assert "a-token-of-mine" not in text
    assert "planted-42" not in text
    assert "PATH" in text


def test_the_end_is_told(desk: Desk, command: str, mail: Path) -> None:
    desk.ready(
        city={"username": "erika", "password": "geheim"},
        idd={"url": "https://h.org/idd.tar.gz"},
        finish={"confirm": True},
    )
    assert run(desk, command).complete
    assert "complete: every step is done" in said(mail)[0]


@pytest.mark.parametrize(
    "command", [("no-such-program-at-all",), (sys.executable, "-c", "import sys; print('no mail here'); sys.exit(7)")]
)
def test_a_command_that_fails_is_told_and_a_line_in_the_log(tmp_path: Path, command: tuple[str, ...]) -> None:
    log = log_to(tmp_path)
    notifier = Notifier(command, tmp_path)
    notifier.greet()
    notifier.close()
    (text,) = notifier.failures()
    assert text in log.read_text()
    assert notifier.failures() == [], "told once"
    assert "the command for messages" in text
    assert "No such file" in text or "ended with code 7: no mail here" in text


def test_a_command_that_hangs_holds_nothing_up(tmp_path: Path) -> None:
    text = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    notifier = Notifier((sys.executable, "-c", text), tmp_path)
    before = time.monotonic()
    assert notifier.follow(Snapshot(problem=Problem("What?", "That.")))
    assert time.monotonic() - before < 1
    wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    os.kill(int((tmp_path / "pid").read_text()), 9)
    notifier.close()


def test_the_command_is_tried_at_the_start_and_its_failure_is_on_stderr(
    desk: Desk, command: str, mail: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(desk.folder / "d")
    assert main(["run", "--dest", folder, "--notify", command]) == Exit.WAITING
    assert any("to see that messages arrive" in line for line in said(mail))
    capsys.readouterr()
    assert main(["run", "--dest", folder, "--notify", "no-such-program-at-all"]) == Exit.WAITING
    assert "mseg-wizard: the command for messages can't be started: No such file" in capsys.readouterr().err


def test_each_news_is_told_once(tmp_path: Path) -> None:
    notifier = Notifier((), tmp_path)
    working, upload = Progress("x", call="a"), Progress("upload it", waiting=True, call="a")
    problem = Waiting("It waits.", "", "idd", ["url"])
    seen = [
        Snapshot(True, ("a",), {"a": working}),
        Snapshot(True, ("a",), {"a": upload}),
        Snapshot(True, ("a",), {"a": working}),
        Snapshot(True, ("a",), {"a": upload}),
        Snapshot(False, ("a",), problem=problem),
        Snapshot(False, ("a",), problem=problem),
        Snapshot(False, ("a",)),
        Snapshot(complete=True),
    ]
    assert [notifier.follow(snapshot) for snapshot in seen] == [False, True, False, False, True, False, False, True]


def test_quotes_that_do_not_close_are_told_before_anything_begins(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--dest", str(desk.folder / "d"), "--notify", "mail 'me"]) == Exit.USAGE
    assert "quotes don't close" in capsys.readouterr().err
    assert not (desk.folder / "d").exists()


def test_the_preference_names_the_command_where_the_command_line_does_not(desk: Desk, command: str, mail: Path) -> None:
    prefer("notify", command)
    assert main(["run", "--dest", str(desk.folder / "d"), "--notify-quiet"]) == Exit.WAITING
    assert "waits for you: Step 1" in said(mail)[0]
    assert main(["run", "--dest", str(desk.folder / "d"), "--notify", ""]) == Exit.WAITING
    assert len(said(mail)) == 2


async def test_the_screen_tells_it_too_and_rings_once(desk: Desk, command: str, mail: Path) -> None:
    desk.behaviours["open"] = fail
    app = desk.wizard(desk.ready())
    bells: list[bool] = []
    app.bell = lambda: bells.append(True)  # type: ignore[method-assign]
    async with app.run_test() as pilot:
        await says(pilot, "F5 starts")
        await until(pilot, lambda: app.session.ctx)
        assert app.session.ctx
        app.session.ctx.options = type(app.session.ctx.options)(attended=True, notify=command, notify_quiet=True)
        await pilot.press("f5")
        await says(pilot, "The server refused")
        await until(pilot, lambda: len(said(mail)) == 2)
        assert bells == [True]
        assert command_of(command)[-1] == str(mail)
