"""One truth: whatever becomes of a wizard, every channel says the same of it, and none more than was looked at."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mseg_wizard.cli.plain import exit_code
from mseg_wizard.context import Options, open_context
from mseg_wizard.core import host
from mseg_wizard.core.exits import Exit
from mseg_wizard.engine import Runner, scope_of
from mseg_wizard.notify import news
from mseg_wizard.progress import Problem, Progress, Waiting
from mseg_wizard.standing.snapshot import FILE, MARKS, Snapshot, publish, published, standing
from mseg_wizard.standing.step_states import overview
from mseg_wizard.state.journal import OWN
from mseg_wizard.state.journal_file import read_journal
from mseg_wizard.state.store import Store
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.tui.text import call_state, terminal_title
from mseg_wizard.vault import Vault
from tests.wizard import ANSWERS, Wizard, hold

STEPS = load_steps()
CALL = STEPS[1].calls[0]
SAVES = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read())"


@dataclass
class Walk:
    """A destination, and a person who looks at it in every way."""

    wizard: Wizard
    destination: Path
    mirror: Path
    answers: Path

    def start(self, *more: str) -> subprocess.Popen[str]:
        given = ["--mirror", str(self.mirror), "--answers", str(self.answers)]
        return self.wizard.start("run", "--dest", str(self.destination), *given, *more)

    def end(self, *more: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*more)
        out, err = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def begin_step(self, step: str, number: int) -> None:
        """Start, and send a signal while that step is worked on."""
        process = self.start()
        while not ((now := published(self.destination)).running and now.call.startswith(f"{step}/")):
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        process.send_signal(number)
        process.communicate()

    def says(self, destination: Path | None = None) -> str:
        """What all channels agree on, in words."""
        place = destination or self.destination
        text = self.wizard.run("status", "--dest", place).stdout
        table = json.loads(self.wizard.run("status", "--dest", place, "--json").stdout)
        now, journal = published(place), read_journal(place)
        assert journal
        stands = standing(now)
        assert (table["run"]["state"], table["run"]["words"]) == (stands.state, stands.words)
        assert stands.words in text or now.running
        assert terminal_title(now).startswith(MARKS[stands.state])
        assert news(now)[1] in ("", stands.words)
        states = overview(STEPS, journal, now, lambda step: ())
        assert [row["state"] for row in table["steps"]][: len(states)]
        shown = {state.state for state in states} | {row["state"] for row in table["steps"]}
        assert ("running" in shown) <= now.running
        return stands.words


@pytest.fixture
def walk(golden: Path, tmp_path: Path) -> Walk:
    (tmp_path / "home").mkdir()
    answers = tmp_path / "a.toml"
    answers.write_text(ANSWERS)
    return Walk(Wizard(tmp_path / "home"), tmp_path / "d", golden / "mirror", answers)


@pytest.mark.long
def test_all_channels_agree_through_until_kill_stop_a_second_wizard_a_wait_and_a_copy(
    walk: Walk, tmp_path: Path
) -> None:
    mail = tmp_path / "mail"
    done = walk.end("--until", "prepare", "--notify", f'{sys.executable} -c "{SAVES}" {mail}')
    assert done.returncode == Exit.DONE, done.stderr
    assert walk.says() == "complete up to step 1, Prepare"
    assert "Complete up to step 1, Prepare: " in done.stdout
    tried, told = sorted(mail.read_text().splitlines(), key=lambda line: "complete" in line)
    assert "to see that messages arrive" in tried
    assert " complete up to step 1, Prepare (" in told
    assert "every step" not in mail.read_text()

    walk.begin_step("download-open", signal.SIGKILL)
    killed = walk.says()
    assert killed.startswith("stopped (killed) at ")
    other = hold(walk.destination)  # a wizard that is open there and doesn't work
    try:
        assert walk.says() == killed
        assert walk.end().returncode == Exit.LOCKED
        assert walk.says() == killed
    finally:
        other.kill()
        other.communicate()
    ctx = open_context(STEPS, walk.destination, Options(), vault=Vault("t", backend=None, environment={}))
    assert standing(Runner(ctx, STEPS).snapshot).words == killed, "the screen that opens there says it, too"
    ctx.close()

    walk.begin_step("download-open", signal.SIGTERM)
    assert walk.says().startswith("stopped at ")

    verified = walk.wizard.run("verify", "--dest", walk.destination)
    assert verified.returncode == Exit.WAITING
    assert walk.says().startswith("waits for you: What is there is as it must be, but these steps are not complete")

    shutil.copytree(walk.destination, tmp_path / "copy", symlinks=True)
    assert walk.says(tmp_path / "copy") == walk.says()
    assert "began as a copy of" in walk.wizard.run("status", "--dest", tmp_path / "copy").stdout


WORKING = Snapshot(running=True, calls=(CALL.key,), progress={CALL.key: Progress("x", 1, 2, "B", call=CALL.key)})
UPLOAD = Snapshot(True, (CALL.key,), {CALL.key: Progress("upload it", waiting=True, call=CALL.key)})
ENDS = {
    "waiting": (Snapshot(calls=(CALL.key,), problem=Waiting("A.", "B.", "idd", ["url"])), Exit.WAITING),
    "failed": (Snapshot(calls=(CALL.key,), problem=Problem("A.", "B.")), Exit.FAILED),
    "crash": (Snapshot(calls=(CALL.key,), crash=ValueError()), Exit.FAILED),
    "done": (Snapshot(calls=(CALL.key,), complete=True, scope="up to step 2, X"), Exit.DONE),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_run_that_ended_is_told_alike_by_title_message_step_task_and_exit_code(name: str, tmp_path: Path) -> None:
    end, code = ENDS[name]
    state = {"crash": "failed"}.get(name, name)
    stands = standing(end)
    assert stands.state == state
    assert terminal_title(end).startswith(MARKS[state])
    assert news(end)[1] == stands.words
    assert exit_code(end.problem or end.crash) == code
    store = Store(tmp_path)
    for call in (*STEPS[0].calls, *(STEPS[1].calls if state == "done" else ())):
        store.finish(call.key)
    assert overview(STEPS, store.journal, end, lambda _: ())[1].state == state
    assert call_state(CALL, end, store.journal) == state
    publish(end, store.own)
    again = published(tmp_path)
    store.close()
    assert standing(again).state == state
    assert end.crash or standing(again).words == stands.words


@pytest.mark.parametrize("snapshot", [WORKING, UPLOAD])
@pytest.mark.parametrize(
    ("change", "alive"),
    [
        ({}, True),
        ({"start": "5"}, False),
        ({"pid": 1}, False),
        ({"boot": "the boot before"}, False),
        ({"host": "elsewhere"}, False),
    ],
)
def test_a_snapshot_belongs_to_one_process_and_dies_with_it(
    snapshot: Snapshot, change: dict[str, object], alive: bool, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    publish(snapshot, store.own)
    _edit(tmp_path, lambda table: table["owner"].update(change))  # type: ignore[attr-defined]
    now = published(tmp_path)
    assert (now.running, now.killed) == (alive, not alive)
    assert now.owner and (now.owner == host.this_process()) == alive
    store.close()
    assert published(tmp_path).killed


def test_a_wizard_that_shows_no_sign_of_life_is_not_said_to_work_without_that(tmp_path: Path) -> None:
    store = Store(tmp_path)
    publish(WORKING, store.own)
    assert standing(published(tmp_path)).words == "works"
    before = datetime.now(UTC) - timedelta(minutes=5)
    _edit(tmp_path, lambda table: table.update(at=before.isoformat()))
    assert "no sign of life since" in standing(published(tmp_path)).words
    store.close()


def _edit(destination: Path, change: Callable[[dict[str, object]], object]) -> None:
    file = destination / OWN / FILE
    table = json.loads(file.read_text())
    change(table)
    file.write_text(json.dumps(table))


def test_what_a_run_is_complete_of_is_what_it_was_asked_for() -> None:
    assert scope_of(STEPS, STEPS) == ""
    assert scope_of(STEPS, STEPS[:8]) == f"up to step 8, {STEPS[7].title}"
    assert scope_of(STEPS, STEPS[12:13]) == f"for step 13, {STEPS[12].title}"


def test_a_copy_gets_an_identity_of_its_own_and_leads_nowhere_else(tmp_path: Path) -> None:
    store = Store(tmp_path / "o1")
    store.kept("kitti.url")
    store.answer("prepare", "mseg_api", str(tmp_path / "o1" / "mseg-api"))
    store.finish("a/b")
    ident = store.journal.id
    store.close()
    shutil.copytree(tmp_path / "o1", tmp_path / "o2")
    looked = read_journal(tmp_path / "o2")
    assert looked and looked.id != ident, "a wipe without opening it must not touch the original's secrets"
    copy = Store(tmp_path / "o2")
    assert copy.journal.id != ident
    assert copy.journal.kept == ()
    assert copy.journal.copied_from == str(tmp_path / "o1")
    assert copy.journal.answer("prepare", "mseg_api") == str(tmp_path / "o2" / "mseg-api")
    assert copy.journal.done("a/b")
    own = copy.journal.id
    copy.close()
    again = Store(tmp_path / "o2")
    assert again.journal.id == own, "it is new once"
    again.close()
    original = Store(tmp_path / "o1")
    assert (original.journal.id, original.journal.kept) == (ident, ("kitti.url",))
    original.close()


def test_a_moved_destination_stays_who_it_is_and_so_does_one_under_another_name(tmp_path: Path) -> None:
    store = Store(tmp_path / "o1")
    ident = store.journal.id
    store.kept("kitti.url")
    store.close()
    (tmp_path / "o1").rename(tmp_path / "o2")
    (tmp_path / "link").symlink_to(tmp_path / "o2")
    for name in ("o2", "link", "o2"):
        store = Store(tmp_path / name)
        assert (store.journal.id, store.journal.kept, store.journal.copied_from) == (ident, ("kitti.url",), "")
        store.close()


def test_a_copy_whose_original_is_gone_is_not_taken_for_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "o1")
    ident = store.journal.id
    store.close()
    shutil.copytree(tmp_path / "o1", tmp_path / "o2")
    (tmp_path / "o1").rename(tmp_path / "unplugged")
    copied = read_journal(tmp_path / "o2")
    assert copied and copied.id != ident


@pytest.mark.slow
def test_a_copys_own_tree_is_configured_and_the_originals_is_not_written(walk: Walk, tmp_path: Path) -> None:
    assert walk.end("--until", "prepare").returncode == Exit.DONE
    config = Path("mseg-api") / "mseg" / "utils" / "dataset_config.py"
    before = (walk.destination / config).read_bytes()
    subprocess.run(["cp", "-a", walk.destination, tmp_path / "copy"], check=True)
    copy = Walk(walk.wizard, tmp_path / "copy", walk.mirror, walk.answers)
    done = copy.end("--until", "prepare")
    assert done.returncode == Exit.DONE, done.stderr
    assert (walk.destination / config).read_bytes() == before
    assert f'"{tmp_path / "copy"}"' in (tmp_path / "copy" / config).read_text()
    journal = read_journal(tmp_path / "copy")
    assert journal and journal.tree and journal.tree.folder == str(tmp_path / "copy" / "mseg-api")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_is_not_ours_to_see_is_not_taken_for_gone(tmp_path: Path) -> None:
    Store(tmp_path / "a" / "o1").close()
    shutil.copytree(tmp_path / "a" / "o1", tmp_path / "o2")
    (tmp_path / "a").chmod(0)
    try:
        journal = read_journal(tmp_path / "o2")
        assert journal and journal.copied_from
    finally:
        (tmp_path / "a").chmod(0o700)
