"""Where secrets are kept: a real Secret Service in every state
it can be in, and this session's memory where there is none.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import pytest

from mseg_wizard import vault as module
from mseg_wizard.vault import Secret, Vault, variable
from tests.secret_service import alone, in_session
from tests.spine.vault_work import SERVICE

WORK = (sys.executable, "-m", "tests.spine.vault_work")
PASSWORD = "p&ss + w@rd=100% „ü“"
LOOK = "secret-tool search --all service " + SERVICE


def told(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """What each vault_work said."""
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def shell(*lines: str) -> tuple[str, ...]:
    return "/bin/sh", "-c", "\n".join(("set -e", *lines))


@pytest.mark.slow
def test_a_secret_is_kept_found_by_the_next_process_and_by_other_programs_and_wiped(tmp_path: Path) -> None:
    work = " ".join(WORK)
    kept = in_session(
        "unlocked", tmp_path, *shell(f'{work} put "$PASSWORD"', f"{work} get", LOOK), more={"PASSWORD": PASSWORD}
    )
    put, got = told(kept)
    assert put == got | {"said": "kept in the system keyring"}
    assert got == {"got": PASSWORD, "where": "kept in the system keyring", "state": "the system keyring"}
    assert f"secret = {PASSWORD}" in kept.stdout
    assert "attribute.username = an-id/wilddash.password" in kept.stdout + kept.stderr
    # it survives the session, and what is wiped is gone for other programs too
    wiped = in_session("unlocked", tmp_path, *shell(f"{work} get", LOOK, f"{work} wipe", f"echo after; {LOOK}"))
    before, after = told(wiped)
    assert before["got"] == PASSWORD
    assert after == {
        "removed": ["wilddash.password"],
        "remains": [],
        "unreached": "",
        "got": None,
        "where": "",
        "state": "the system keyring",
    }
    assert PASSWORD not in wiped.stdout.partition("after")[2]


@pytest.mark.long
@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("locked", "the system keyring does not answer: KeyringLocked"),
        ("silent", "the system keyring did not answer within 5 s"),
    ],
)
def test_a_locked_keyring_means_this_sessions_memory_and_a_wipe_says_it_was_not_reached(
    tmp_path: Path, state: str, why: str
) -> None:
    told(in_session("unlocked", tmp_path, *WORK, "put", "stored earlier"))
    put, wiped = told(in_session(state, tmp_path, *shell(f"{' '.join(WORK)} put new", f"{' '.join(WORK)} wipe")))
    assert put["said"] == f"kept in this session's memory only ({why})"
    assert (put["got"], put["where"]) == ("new", "kept in this session's memory only")
    assert put["state"] == f"this session's memory ({why})"
    assert (wiped["removed"], wiped["unreached"]) == ([], why)
    [later] = told(in_session("unlocked", tmp_path, *WORK, "get"))
    assert later["got"] == "stored earlier", "nothing was written behind anybody's back"


@pytest.mark.parametrize(
    ("backend", "why"),
    [
        ("keyring.backends.null.Keyring", "the system keyring is switched off in its settings"),
        ("keyring.backends.fail.Keyring", "this system has no keyring"),
        ("", "this system has no keyring"),
        ("keyrings.alt.file.PlaintextKeyring", "the keyring that is set up here would keep secrets in a file"),
    ],
    ids=["null", "fail", "no bus at all", "plain file"],
)
def test_without_a_keyring_secrets_live_in_this_sessions_memory(tmp_path: Path, backend: str, why: str) -> None:
    plain = tmp_path / "packages" / "keyrings" / "alt" / "file.py"
    plain.parent.mkdir(parents=True)
    plain.write_text(PLAIN)
    more = {"PYTHON_KEYRING_BACKEND": backend} if backend else {}
    command = (
        f"import sys; sys.path.append({str(tmp_path / 'packages')!r}); from tests.spine.vault_work import main; main()"
    )
    [put] = told(alone(tmp_path / "home", sys.executable, "-c", command, "put", PASSWORD, more=more))
    assert put["said"] == f"kept in this session's memory only ({why})"
    assert put["got"] == PASSWORD
    assert put["state"] == f"this session's memory ({why})"
    [got] = told(alone(tmp_path / "home", sys.executable, "-c", command, "get", more=more))
    assert got["got"] is None
    assert [path for path in tmp_path.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()] == []


PLAIN = """
from pathlib import Path
from keyring.backend import KeyringBackend

class PlaintextKeyring(KeyringBackend):
    priority = 1
    place = Path.home() / "passwords.txt"

    def get_password(self, service, username):
        return self.place.read_text() if self.place.exists() else None

    def set_password(self, service, username, password):
        self.place.write_text(password)

    def delete_password(self, service, username):
        self.place.unlink()
"""


class Shelf:
    """A keyring that answers when it may."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.open = threading.Event()

    def get_password(self, service: str, name: str) -> str | None:
        self.open.wait()
        return self.kept.get((service, name))

    def set_password(self, service: str, name: str, value: str) -> None:
        self.open.wait()
        self.kept[service, name] = value

    def delete_password(self, service: str, name: str) -> None:
        self.open.wait()
        del self.kept[service, name]


def test_a_keyring_that_somebody_unlocks_later_is_used_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT", 0.1)
    shelf = Shelf()
    shelf.kept[SERVICE, "id/kitti.url"] = "stored earlier"
    vault = Vault("id", backend=lambda: shelf, service=SERVICE, environment={})
    assert "memory only" in vault.put("wilddash", "password", Secret("new"))
    assert vault.get("kitti", "url") is None
    shelf.open.set()
    monkeypatch.setattr(module, "LIMIT", 10.0)
    while "memory" in vault.state():
        pass
    found = vault.get("kitti", "url")
    assert found is not None
    assert found.reveal() == "stored earlier"
    assert shelf.kept == {(SERVICE, "id/kitti.url"): "stored earlier"}, (
        "what was said to be in memory only is nowhere else"
    )


def test_each_destination_and_practice_has_entries_of_its_own() -> None:
    shelf = Shelf()
    shelf.open.set()
    for name in ("one", "two"):
        Vault(name, backend=lambda: shelf, environment={}).put("kitti", "url", Secret(name))
    Vault(module.PRACTICE_ID, backend=lambda: shelf, service=module.PRACTICE_SERVICE, environment={}).put(
        "kitti", "url", Secret("practice")
    )
    assert set(shelf.kept) == {
        ("mseg-wizard", "one/kitti.url"),
        ("mseg-wizard", "two/kitti.url"),
        ("mseg-wizard-practice", "practice/kitti.url"),
    }
    assert Vault("one", backend=lambda: shelf, environment={}).wipe([("kitti", "url")]).removed == ("kitti.url",)
    assert ("mseg-wizard", "two/kitti.url") in shelf.kept


def test_the_environment_goes_before_the_keyring_and_what_is_entered_now_before_both() -> None:
    shelf = Shelf()
    shelf.open.set()
    Vault("id", backend=lambda: shelf, environment={}).put("wilddash", "password", Secret("stored"))
    vault = Vault("id", backend=lambda: shelf, environment={"WILDDASH_PASSWORD": "exported"})
    assert revealed(vault) == "exported"
    assert vault.where("wilddash", "password") == "from the environment (WILDDASH_PASSWORD)"
    vault.put("wilddash", "password", Secret("entered"))
    assert revealed(vault) == "entered"
    assert vault.where("wilddash", "password") == "kept in the system keyring"
    vault.wipe([("wilddash", "password")])
    assert revealed(vault) == "exported"
    assert vault.kept([("wilddash", "password")]) == []
    assert vault.variables("wilddash", ("username", "password")) == ["WILDDASH_PASSWORD"]


def revealed(vault: Vault) -> str | None:
    secret = vault.get("wilddash", "password")
    return secret.reveal() if secret else None


def test_the_variables_have_msegs_names_where_it_has_some() -> None:
    assert variable("cityscapes", "username") == "CITYSCAPES_USERNAME"
    assert variable("a-new-set", "password") == "A_NEW_SET_PASSWORD"
    assert variable("download-open", "archives") == "MSEG_WIZARD_DOWNLOAD_OPEN_ARCHIVES"


def test_a_secret_shows_itself_in_no_text() -> None:
    secret = Secret("canary-4711")
    try:
        raise ValueError(f"{secret} {secret!r} {secret!s:>20} {[secret]}")
    except ValueError:
        assert "canary" not in traceback.format_exc()
    assert not Secret("")
