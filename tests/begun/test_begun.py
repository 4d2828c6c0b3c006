"""A destination that an earlier wizard was killed on goes on: nothing
is fetched or made again, and its secrets are found and wiped.
"""

from __future__ import annotations

import json
import os
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mseg_wizard.core import host
from mseg_wizard.practice.server import PracticeServer, origins
from mseg_wizard.state.journal import OWN
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.vault import variable
from tests.begun.make import LATER, PLACE
from tests.secret_service import in_session
from tests.wizard import Wizard, tree_of

pytestmark = pytest.mark.long

FIXTURES = sorted(Path(__file__).parent.glob("journal-*.tar.xz"))
NEWER = {1: ("agreement",)}
"""Version of the journal → kinds of work that the steps before where it was killed did not have then."""
STORE = "import json, keyring, sys; [keyring.set_password('mseg-wizard', *row) for row in json.load(sys.stdin)]"
FIND = (
    "import json, keyring, sys; print(json.dumps([keyring.get_password('mseg-wizard', name) for name in "
    "json.load(sys.stdin)]))"
)


@pytest.fixture(params=FIXTURES, ids=lambda path: path.name)
def begun(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The folder in which the wizard was killed, as if that had just happened here."""
    with tarfile.open(request.param) as tar:
        tar.extractall(tmp_path)  # noqa: S202 - made by ./make.py; not every Python 3.11 knows `filter`
    own = tmp_path / "d" / OWN
    (own / "lock").write_text("")  # of a process on this machine that is gone
    journal, (note,) = own / "journal.json", own.glob("*.part.json")
    boot = json.loads(note.read_text())["boot"]
    for file in (journal, own / "journal.previous.json", note, tmp_path / "d/mseg-api/mseg/utils/dataset_config.py"):
        file.write_text(file.read_text().replace(str(PLACE), str(tmp_path)).replace(boot, host.boot_id()))
    # The server knows a file by its size and time of change.
    changed = int(json.loads(note.read_text())["etag"].strip('"').partition("-")[2], 16)
    os.utime(tmp_path / "world" / "mirror" / LATER[0], ns=(changed, changed))
    return tmp_path


@pytest.fixture
def server(begun: Path) -> Iterator[PracticeServer]:
    with PracticeServer(begun / "world" / "mirror") as server:
        yield server


def kept(begun: Path) -> dict[str, str]:
    """What the keyring held: `step.field` → secret."""
    found: dict[str, str] = json.loads((begun / "keyring.json").read_text())
    return found


def finishing(begun: Path, server: PracticeServer) -> list[str]:
    """The command that goes on: no answers, because all were given."""
    routes = [text for origin in origins(load_steps()) for text in ("--route", f"{origin}={server.url}")]
    return ["run", "--dest", str(begun / "d"), *routes]


@dataclass(frozen=True)
class State:
    """What was there when the wizard was killed."""

    files: dict[str, str]
    """Below mseg_dataset/: path → sha256; without the partial download."""
    finished: dict[str, str]
    """Key of each call that was complete → when."""
    partial: int
    """Bytes that were fetched of the archive under way."""


def state(begun: Path) -> State:
    (partial,) = (begun / "d" / "mseg_dataset").rglob("*.zip.part")
    files = tree_of(begun / "d" / "mseg_dataset")
    finished = json.loads((begun / "d" / OWN / "journal.json").read_text())["finished"]
    del files[str(partial.relative_to(begun / "d" / "mseg_dataset"))]
    # The fixture keeps times without nanoseconds: the mseg-api tree seems touched and is looked at again, and with
    # it what was compared with its records.
    for key in ("prepare/tree", "remap-open/agreement/ade20k-150"):
        finished.pop(key, None)
    return State(files, finished, partial.stat().st_size)


def assert_nothing_was_done_twice(begun: Path, server: PracticeServer, before: State) -> None:
    after = tree_of(begun / "d" / "mseg_dataset")
    assert {path: after.get(path) for path in before.files} == before.files
    finished = json.loads((begun / "d" / OWN / "journal.json").read_text())["finished"]
    assert {key: finished[key] for key in before.finished} == before.finished, "what was complete was begun again"
    sent = {name: sum(request.sent for request in server.log if request.path.endswith(name)) for name in LATER}
    whole = {name: (begun / "world" / "mirror" / name).stat().st_size for name in LATER}
    assert sent == whole | {LATER[0]: whole[LATER[0]] - before.partial}
    assert {request.status for request in server.log} <= {200, 206, 302}, "it asked for what it had already"


def test_it_goes_on_where_it_was_killed(begun: Path, server: PracticeServer) -> None:
    before = state(begun)
    newer = NEWER.get(json.loads((begun / "d" / OWN / "journal.json").read_text())["version"], ())
    secrets = {variable(*name.split(".")): value for name, value in kept(begun).items()}
    wizard = Wizard(begun / "home", extra=secrets)
    status = json.loads(wizard.run("status", "--dest", begun / "d", "--json").stdout)
    begun_by_then = status["steps"][:8]
    assert {row["id"] for row in begun_by_then if row["state"] != "done"} == {
        step.id for step in load_steps() for call in step.calls if call.task in newer
    }, "what there was then is done, and only work that there was not is due"
    # Not to the very end: without the keyring nobody can say that what it holds was wiped.
    done = wizard.run(*finishing(begun, server), "--until", "verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert_nothing_was_done_twice(begun, server, before)


def test_its_secrets_are_found_in_the_keyring_and_wiped_at_the_end(begun: Path, server: PracticeServer) -> None:
    before = state(begun)
    name = json.loads((begun / "d" / OWN / "journal.json").read_text())["id"]
    rows = [[f"{name}/{key}", value] for key, value in kept(begun).items()]
    script = begun / "keyring.sh"
    python, wizard = sys.executable, " ".join(f"'{word}'" for word in finishing(begun, server))
    script.write_text(
        f"set -e\necho '{json.dumps(rows)}' | {python} -c \"{STORE}\"\n{python} -m mseg_wizard {wizard} >&2\n"
        f"echo '{json.dumps([row[0] for row in rows])}' | {python} -c \"{FIND}\"\n"
    )
    done = in_session("unlocked", begun / "home", "sh", script)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [None] * len(rows)
    assert_nothing_was_done_twice(begun, server, before)


def test_wiping_every_destination_finds_the_entries_of_a_begun_one(begun: Path) -> None:
    name = json.loads((begun / "d" / OWN / "journal.json").read_text())["id"]
    rows = [[f"{name}/{key}", value] for key, value in kept(begun).items()]
    preferences = begun / "home" / ".config" / "mseg-wizard" / "preferences.json"
    assert name in json.loads(preferences.read_text())["ids"]
    script = begun / "keyring.sh"
    script.write_text(
        f"set -e\nexport XDG_CONFIG_HOME='{begun / 'home' / '.config'}'\n"
        f"echo '{json.dumps(rows)}' | {sys.executable} -c \"{STORE}\"\n{sys.executable} -m mseg_wizard wipe --all >&2\n"
        f"echo '{json.dumps([row[0] for row in rows])}' | {sys.executable} -c \"{FIND}\"\n"
    )
    done = in_session("unlocked", begun / "home", "sh", script)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [None] * len(rows)
