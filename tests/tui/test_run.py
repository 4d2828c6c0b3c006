"""The journey on the screen: run, wait, go on by itself, stop, quit, wipe, consent, view."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mseg_wizard.context import Consent, Context
from mseg_wizard.core.invocation import Invocation
from mseg_wizard.progress import Problem, Progress, Waiting
from mseg_wizard.state.journal_file import read_journal
from mseg_wizard.tui.farewell import farewell
from mseg_wizard.tui.follower import REST
from mseg_wizard.tui.screen import MainScreen
from mseg_wizard.tui.session import Session
from mseg_wizard.tui.widgets.dialogs import QuestionDialog, TextDialog
from mseg_wizard.tui.widgets.editors import CheckBox, Line, SecretLine
from mseg_wizard.tui.widgets.form import FieldRow
from mseg_wizard.tui.widgets.frame import StepList
from mseg_wizard.workers.dask import Cluster
from tests.tui.kit import Desk, desk_at, into, paste, read_on, said, says, screen, type_in, until

LINK = "https://host.example.com/idd.tar.gz?Signature=GEHEIM"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with desk_at(tmp_path, monkeypatch) as desk:
        yield desk


@pytest.mark.slow
async def test_it_works_until_a_form_is_lacking_then_goes_there_and_says_what_for(desk: Desk) -> None:
    app = desk.wizard(desk.ready())
    bells: list[bool] = []
    app.bell = lambda: bells.append(True)  # type: ignore[method-assign]
    async with app.run_test() as pilot:
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await says(pilot, "[x]  1", "[x]  2", "[?]  3", "Step 3, Cityscapes, waits for you: User name, Password.")
        await until(pilot, lambda: isinstance(app.focused, SecretLine))
        assert app.focused is not None
        assert app.focused.query_ancestor(FieldRow).item.name == "username"
        assert app.main.chosen == "city"
        assert bells == [True]


async def test_what_befalls_a_clusters_workers_is_told_while_the_work_goes_on(desk: Desk) -> None:
    def lose(ctx: Context) -> Generator[Progress, None, None]:
        cluster = Cluster("tcp://127.0.0.1:1", list)
        cluster._worker_lost("tcp://10.0.0.7:4242", "was lost")
        ctx._clusters.append(cluster)
        yield from desk.until_released(ctx)

    desk.behaviours["open"] = lose
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await says(pilot, "Worker tcp://10.0.0.7:4242 on host", "was lost.", "leftImg8bit.zip")
        desk.release.set()


@pytest.mark.slow
@pytest.mark.parametrize("keys", [("f7", "escape"), ("f1", "f1"), ("f7", "f1", "f7", "f7"), ("f8", "escape")])
async def test_whoever_looks_at_something_else_in_mid_form_types_on_in_the_same_field(
    desk: Desk, keys: tuple[str, ...]
) -> None:
    app = desk.wizard()
    async with app.run_test() as pilot:
        await into(pilot, app, "prepare")
        await pilot.press("tab")
        line = app.focused
        assert isinstance(line, Line)
        line.value = ""
        await pilot.press("/", "d", *keys)
        await pilot.pause()
        await pilot.press("a", "t", "a")
        await until(pilot, lambda: line.value == "/data", "the rest in the field")


async def test_where_an_upload_is_awaited_the_keyboard_goes_to_the_line_that_takes_the_file(desk: Desk) -> None:
    def expect(ctx: Context) -> Generator[Progress, None, None]:
        while not desk.release.wait(0.02):
            yield Progress("Waiting for gtFine.zip", waiting=True)

    desk.behaviours["city"] = expect
    app = desk.wizard(desk.ready(city={"username": "erika", "password": "geheim"}))
    async with app.run_test() as pilot:
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.focused, Line))
        assert app.focused is not None
        assert app.focused.query_ancestor(FieldRow).item.name == "archives"
        await pilot.press("enter")
        await says(pilot, "Nothing is there yet.")


@pytest.mark.slow
async def test_it_goes_on_by_itself_once_the_form_is_complete(desk: Desk) -> None:
    app = desk.wizard(desk.ready(idd={"url": LINK}))
    async with app.run_test(size=(140, 30)) as pilot:
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.focused, SecretLine))
        await type_in(pilot, "erika")
        await pilot.press("tab")
        await says(pilot, "erika, kept in")
        assert "city" not in desk.ran
        await type_in(pilot, "geheim")
        await pilot.press("enter")
        await says(pilot, "[x]  3", "[x]  4", "[?]  5")
        await until(pilot, lambda: app.main.chosen == "finish" and isinstance(app.focused, CheckBox))
        await pilot.press("space")
        app.main.room.bytes = 10**18
        await says(pilot, "5 of 5 steps", "Every step is complete.", f"The data: {desk.destination / 'mseg_dataset'}")
        assert "needed" not in screen(app)
        assert "This was practice" not in farewell(app.session.ctx)  # type: ignore[arg-type]
        assert app.session.ctx
        practising = replace(app.session.ctx.options, invocation=Invocation(("practice",)))
        assert "mseg-wizard practice --keep" in farewell(replace(app.session.ctx, options=practising))
        await says(pilot, f"The data: {desk.destination / 'mseg_dataset'}", "MSEG_DST_DIR", "F12 copies its path")
        await read_on(pilot, "Work: ")
        await pilot.press("escape", "f12")
        await says(pilot, "There is no report yet")


@pytest.mark.slow
async def test_nothing_takes_the_keyboard_away_while_someone_types(desk: Desk) -> None:
    """Else the rest of a password would land in another step's field, in the clear."""
    desk.behaviours["open"] = desk.until_released
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await says(pilot, "[>] 2 Fetch things")  # the list follows the work up to here
        await into(pilot, app, "idd")
        await type_in(pilot, "half a ")
        desk.release.set()
        await says(pilot, "Step 3, Cityscapes, waits for you")
        await type_in(pilot, "password")
        assert app.main.chosen == "idd"
        assert isinstance(app.focused, Line)
        assert app.focused.value == "half a password"
        await pilot.press("ctrl+u")
        await pilot.pause(2 * REST)
        assert app.main.chosen == "idd", "what was to be pasted there would have landed in another field"
        await pilot.press("escape")
        await until(pilot, lambda: app.main.chosen == "city" and isinstance(app.focused, SecretLine))


@pytest.mark.slow
async def test_a_form_can_be_filled_while_it_works_and_the_work_is_shown_meanwhile(desk: Desk) -> None:
    desk.behaviours["open"] = desk.until_released
    app = desk.wizard(desk.ready(city={"username": "erika", "password": "geheim"}))
    async with app.run_test() as pilot:
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await says(pilot, "[>] 2 Fetch things: downloading leftImg8bit.zip", " 30%", "6 min left", "20.0 MB/s")
        await into(pilot, app, "idd")
        await paste(pilot, "https://host.example.com/idd.tar.gz")
        await pilot.press("enter")
        await says(pilot, "kept in the system keyring", "downloading leftImg8bit.zip")
        desk.release.set()
        await says(pilot, "[x]  2", "[x]  3", "[x]  4")


@pytest.mark.slow
async def test_it_asks_again_for_a_link_that_was_refused_and_goes_on_with_a_fresh_one(desk: Desk) -> None:
    def refuse(ctx: Context) -> Generator[Progress, None, None]:
        yield Progress("asking")
        if desk.ran.count("idd") < 2:
            raise Waiting("The link is no longer accepted.", "Paste a fresh one.", "idd", ["url"])

    desk.behaviours["idd"] = refuse
    app = desk.wizard(desk.ready(city={"username": "erika", "password": "geheim"}, idd={"url": LINK}))
    async with app.run_test() as pilot:
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await says(pilot, "The link is no longer accepted.", "Paste a fresh one.")
        await until(pilot, lambda: isinstance(app.focused, SecretLine))
        await pilot.pause(0.5)
        assert desk.ran.count("idd") == 1
        await paste(pilot, LINK + "2")
        await pilot.press("enter")
        await says(pilot, "[x]  4")


@pytest.mark.slow
async def test_what_arrives_from_outside_is_noticed_without_a_key(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mseg_wizard.tui.follower.LOOK", 0.2)
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await says(pilot, "[?]  3")
        await until(pilot, lambda: isinstance(app.focused, SecretLine))
        ctx = app.session.ctx
        assert ctx is not None
        ctx.remember(ctx.step("city"), {"username": "erika", "password": "geheim"})
        await says(pilot, "[x]  3")


@pytest.mark.slow
async def test_stop_stops_cleanly_and_starting_again_goes_on(desk: Desk) -> None:
    closed = threading.Event()

    def work(ctx: Context) -> Generator[Progress, None, None]:
        try:
            yield from desk.until_released(ctx)
        finally:
            closed.set()

    desk.behaviours["open"] = work
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await says(pilot, "F5 starts")
        await pilot.press("ctrl+r")
        await says(pilot, "[>]  2")
        await pilot.press("ctrl+s")
        await says(pilot, "F5 goes on")
        assert closed.is_set()
        assert not said(app, "[>]")
        desk.release.set()
        await pilot.press("f5")
        await says(pilot, "[x]  2")


async def test_quitting_while_it_works_asks_stops_and_tells_how_to_go_on(desk: Desk) -> None:
    desk.behaviours["open"] = desk.until_released
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await says(pilot, "[>]  2")
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(app.screen, QuestionDialog))
        await says(pilot, "Stop and quit?", f"mseg-wizard --dest {desk.destination}")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, MainScreen))
        assert app.session.snapshot.running
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(app.screen, QuestionDialog))
        await pilot.press("right", "enter")
        await until(pilot, lambda: not app.is_running)
    assert app.code == 130
    assert app.session.runner
    assert app.session.runner.join(0)
    journal = read_journal(desk.destination)
    assert journal
    assert "prepare/folders/BDD" in journal.finished


async def test_quitting_when_nothing_runs_asks_nothing(desk: Desk) -> None:
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await says(pilot, "F5 starts")
        await pilot.press("f10")
        await until(pilot, lambda: not app.is_running)
    assert app.code == 0


async def test_the_key_to_quit_quits_from_a_dialog_as_well(desk: Desk) -> None:
    def fail(ctx: Context) -> Generator[Progress, None, None]:
        yield Progress("on the way")
        raise Problem("The disk is full.")

    desk.behaviours["open"] = fail
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await says(pilot, "F5 starts", "ready: F5 begins")
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await pilot.press("f10")
        await until(pilot, lambda: not app.is_running)


async def test_an_answer_that_is_on_its_way_while_the_folder_is_opened_is_kept(desk: Desk) -> None:
    destination = desk.ready()
    opening, go = threading.Event(), threading.Event()

    def opener(place: Path) -> Context:
        opening.set()
        go.wait()
        return desk.open(place)

    session = Session(desk.steps, opener)
    threads = [threading.Thread(target=session.open, args=(destination,))]
    threads[0].start()
    opening.wait()
    threads.append(threading.Thread(target=session.remember, args=(desk.steps[-1], "confirm", True)))
    threads[1].start()
    threads[1].join(0.3)
    go.set()
    for thread in threads:
        thread.join()
    assert not session.drafted
    assert session.journal.answers["finish"] == {"confirm": True}
    session.close()


async def test_ctrl_c_says_how_to_quit(desk: Desk) -> None:
    app = desk.wizard()
    async with app.run_test() as pilot:
        await pilot.press("ctrl+c")
        await says(pilot, "F10 or Ctrl+Q quits.")


@pytest.mark.slow
async def test_wiping_asks_and_shows_what_went_and_what_remains(desk: Desk) -> None:
    desk.environment["CITY_USERNAME"] = "erika"
    app = desk.wizard(
        desk.ready(city={"password": "geheim", "archives": ["https://host.example.com/gtFine.zip"]}, idd={"url": LINK})
    )
    async with app.run_test() as pilot:
        await into(pilot, app, "idd")
        await says(pilot, "●●●● idd.tar.gz at host.example.com")
        await pilot.press("escape", "shift+tab")
        assert app.focused is app.main.query_one("#wipe")
        await pilot.press("enter")
        await says(pilot, "Wipe the stored secrets?")
        await pilot.press("escape")
        assert len(desk.ring.held) == 3
        await pilot.press("ctrl+t")
        await says(pilot, "Wipe the stored secrets?")
        await pilot.press("right", "enter")
        await until(pilot, lambda: isinstance(app.screen, TextDialog))
        await says(pilot, "removed: city.password", "removed: idd.url", "removed: city.archives")
        await says(pilot, "CITY_USERNAME in this shell's environment")
        assert desk.ring.held == {}
        await pilot.press("enter")
        await says(pilot, "needed before this step can begin")
        assert not said(app, "●●●●")


@pytest.mark.slow
async def test_what_needs_consent_is_asked_and_done_only_after_yes(desk: Desk) -> None:
    def ask(ctx: Context) -> Generator[Progress, None, None]:
        yield Progress("looking")
        if "again:x.zip" not in ctx.consents:
            raise Consent(
                "2 files of x.zip are gone.", "Fetching it again (--allow again:x.zip) takes long.", "again:x.zip",
                instead=("city", "archives"),
            )  # fmt: skip

    desk.behaviours["open"] = ask
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await says(pilot, "F5 starts")
        app.main.show_overview()
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, QuestionDialog))
        await says(pilot, "2 files of x.zip are gone.", "Fetching it again takes long.")
        await pilot.press("enter")
        await says(pilot, "[?]  2")
        assert desk.ran == ["open"]
        await until(pilot, lambda: "city" in app.main.panes)
        pane = app.main.panes["city"]
        await until(pilot, lambda: app.main.focused is pane.rows["archives"].target() and pane.is_on_screen)
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, QuestionDialog))
        await pilot.press("right", "enter")
        await says(pilot, "[x]  2")


async def test_an_offer_that_is_declined_is_no_obstacle(desk: Desk) -> None:
    def offer(ctx: Context) -> Generator[Progress, None, None]:
        yield Progress("looking")
        if "larger" not in ctx.offered:
            ctx.offered["larger"] = ()
            raise Consent("A larger file would do as well.", "Take it?", "larger", offer=True)

    desk.behaviours["open"] = offer
    app = desk.wizard(desk.ready())
    async with app.run_test() as pilot:
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(app.screen, QuestionDialog))
        await pilot.press("enter")
        await says(pilot, "[x]  2")


@pytest.mark.slow
async def test_a_second_wizard_only_views_and_says_who_works(desk: Desk) -> None:
    desk.behaviours["open"] = desk.until_released
    worker, viewer = desk.wizard(desk.ready()), desk.wizard(desk.destination)
    async with worker.run_test() as first:
        await says(first, "F5 starts")
        await first.press("f5")
        await says(first, "downloading leftImg8bit.zip")
        async with viewer.run_test(size=(100, 30)) as second:
            await says(
                second,
                "[>]  2",
                "downloading leftImg8bit.zip",
                "30%",
                "Another wizard works on this destination: process",
            )
            await second.press("f5", "f6", "f8")
            assert isinstance(viewer.screen, MainScreen)
            await into(second, viewer, "finish")
            await second.press("space")
            assert viewer.main.query_one("#wipe").disabled
            desk.release.set()
            await says(second, "[x]  2")
            await says(first, "[x]  2")
            assert "confirm" not in str(worker.session.journal.answers.get("finish", {}))
            await into(second, viewer, "prepare")
            worker.session.close()
            await says(second, "The other wizard has ended. F5 takes over here.")
            await second.press("f5")
            await says(second, "[?]  3")
            assert viewer.session.ctx
            await until(second, lambda: viewer.main.chosen == "city" and not isinstance(viewer.focused, StepList))
            await into(second, viewer, "prepare")
            await says(second, "[x] I have read the paper")
    viewer.session.close()


async def test_a_viewer_that_was_asked_for_never_locks(desk: Desk) -> None:
    app = desk.wizard(desk.ready(), viewer=True)
    async with app.run_test() as pilot:
        await says(pilot, "This screen only shows how far the work is.")
        desk.open(desk.destination).close()
        assert said(app, "[x]  1") is False
        assert screen(app)


@pytest.mark.slow
async def test_the_list_stays_with_the_running_step_unless_the_user_looks_elsewhere(desk: Desk) -> None:
    desk.behaviours["city"] = desk.until_released
    app = desk.wizard(desk.ready(city={"username": "erika", "password": "geheim"}, idd={"url": LINK}))
    async with app.run_test() as pilot:
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await until(pilot, lambda: app.main.chosen == "city")
        await says(pilot, "3  Cityscapes", "[>] running")
        await pilot.press("up")
        desk.release.set()
        await says(pilot, "[x]  4")
        await pilot.pause(0.5)
        assert app.main.chosen != "idd"


@pytest.mark.slow
async def test_an_upload_that_is_awaited_shows_its_whole_command(desk: Desk) -> None:
    command = "scp bdd100k_seg.zip erika@server.example.org:/data/mseg_dataset/BDD/"

    def expect(ctx: Context) -> Generator[Progress, None, None]:
        while not desk.release.wait(0.02):
            yield Progress(f"Waiting for bdd100k_seg.zip. Upload it: {command}", waiting=True)

    desk.behaviours["open"] = expect
    app = desk.wizard(desk.ready())
    bells: list[bool] = []
    app.bell = lambda: bells.append(True)  # type: ignore[method-assign]
    async with app.run_test(size=(60, 20)) as pilot:
        await says(pilot, "F5 starts")
        await pilot.press("f5")
        await says(pilot, "[?] Fetch things", command, "[?]  2", "Step 2: give the file in the form, or upload it.")
        await pilot.pause(0.5)
        assert bells == [True]
        await pilot.press("f6")
        await says(pilot, "Stopped; what is done stays. F5 goes on.", "[=] stopped")
