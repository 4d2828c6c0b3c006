"""Secrets in a real system keyring: the wizard's own files, words
and processes never have them, and after a wipe nothing has.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mseg_wizard.practice.logins import LINKS, sign_link
from tests.secret_service import in_session
from tests.secrets.canaries import Search, token, toml

NAMES = ("user", "password", "query", "base")
ANSWERS: dict[str, dict[str, object]] = {
    "cityscapes": {"username": token("user"), "password": f"p&{token('password')} ü"},
    "idd": {"url": sign_link(f"{LINKS}/signed/idd-segmentation.tar.gz") + f"&x={token('query')}"},
    "scannet": {"base_url": f"http://kaldir.example/{token('base')}/"},
}
LOOK = "secret-tool search --all service mseg-wizard 2>&1"


@pytest.mark.slow
def test_after_a_wipe_nothing_is_left_in_the_keyring_or_in_any_file(tmp_path: Path) -> None:
    search = Search(NAMES)
    file = tmp_path / "answers.toml"
    file.touch(mode=0o600)
    file.write_text(toml(ANSWERS))
    wizard, destination = f"{sys.executable} -m mseg_wizard", tmp_path / "d"
    commands = [
        f"run --dest {destination} --answers {file}",
        f"status --json --dest {destination}",
        f"doctor --dest {destination}",
    ]
    lines = [f"{wizard} {command}" for command in commands]
    lines += [f"echo looking; {LOOK}; echo looked", f"{wizard} wipe --dest {destination}", LOOK]
    done = in_session("unlocked", tmp_path / "home", "/bin/sh", "-c", "\n".join(lines), more={"TMPDIR": str(tmp_path)})
    before, _, rest = done.stdout.partition("looking\n")
    kept, _, after = rest.partition("looked\n")
    assert all(token(name) in kept for name in NAMES), "they were in the keyring"
    search.text("what was said", before + after)
    search.text("stderr", done.stderr)
    search.folder(tmp_path, without=[file])  # with the keyring's own files: those are encrypted
    search.count()
    assert search.found == []
    assert "cityscapes.password" in after
