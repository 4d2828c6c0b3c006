"""Secrets in wrong places: command lines, forms and answers files
that are refused say why, and quote nothing that opens doors.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mseg_wizard.practice.logins import LINKS, sign_link
from tests.secrets.canaries import Search, token, toml
from tests.wizard import Wizard

NAMES = ("user", "password", "query", "path")
ADDRESS = f"//{token('user')}:{token('password')}@lab.example/x?{token('query')}"

COMMANDS = {
    "an option that is misspelt": ["--miror", f"https:{ADDRESS}"],
    "an address in capitals": ["--mirror", f"HTTPS:{ADDRESS}", "--until", "nothing"],
    "another kind of address": ["--mirror", f"ftp:{ADDRESS}"],
    "a route with a login": ["--route", f"https://a.org=https:{ADDRESS}"],
    "a route with a query": ["--route", f"https://a.org=https://b.org?{token('query')}"],
    "an address for a number": ["--workers", f"https:{ADDRESS}"],
    "an address for a step": ["--until", f"https:{ADDRESS}"],
    "something that can't be allowed": ["--allow", f"https:{ADDRESS}"],
}
EXPIRED = sign_link(f"{LINKS}/signed/{token('path')}/data_semantics.zip", hours=-1) + f"&x={token('query')}"
ANSWERS: dict[str, dict[str, dict[str, object]]] = {
    "a link for the tree": {"prepare": {"mseg_api": f"https:{ADDRESS}"}},
    "a number for a password": {"cityscapes": {"password": 1, "username": token("user")}},
    "no link": {"idd": {"url": f"file:///{token('path')}?{token('query')}"}},
    "another file's link": {"kitti": {"url": f"https://x.example/{token('path')}.zip?{token('query')}"}},
    "an expired link": {"kitti": {"url": EXPIRED}},
    "a link in capitals that leads elsewhere": {
        "wilddash": {"archives": [f"HTTPS://x.example/{token('path')}?{token('query')}"]}
    },
    "a link in capitals": {
        "wilddash": {"archives": [f"HTTPS://x.example/{token('path')}/wd_val_01.zip?{token('query')}"]}
    },
    "a link between brackets": {
        "wilddash": {"archives": [f"<Https://x.example/{token('path')}/wd_val_01.zip?{token('query')}>"]}
    },
    "a link that lost its beginning": {"wilddash": {"archives": [f"//x.example/wd_val_01.zip?{token('query')}"]}},
    "no e-mail address": {"wilddash": {"username": token("user")}},
    "no script": {"scannet": {"base_url": f"BASE = {token('path')}"}},
    "a field that is not there": {"cityscapes": {"password": token("password"), "nothing": True}},
}


@pytest.mark.slow
def test_what_is_wrong_is_explained_without_quoting_what_is_secret(tmp_path: Path) -> None:
    search = Search(NAMES)
    (home := tmp_path / "home").mkdir()
    lines = [["run", "--dest", str(tmp_path / "commands"), *args] for args in COMMANDS.values()]
    files = []
    for number, table in enumerate(ANSWERS.values()):
        file = tmp_path / f"answers-{number}.toml"
        file.touch(mode=0o600)
        file.write_text(toml(table))
        files.append(file)
        lines.append(["run", "--dest", str(tmp_path / f"d{number}"), "--answers", str(file)])
    process = Wizard(home, program="tests.secrets.several").start(talk=True)
    out, err = process.communicate(json.dumps(lines))
    ended = [line.split()[1:] for line in err.splitlines() if line.startswith("== ")]
    assert [int(code) for _, code in ended[: len(COMMANDS)]] == [2] * len(COMMANDS)
    assert len(ended) == len(lines)
    assert {int(code) for _, code in ended} == {2, 3}, err
    assert "Traceback" not in err
    search.text("stdout", out)
    search.text("stderr", err)
    search.folder(tmp_path, without=files)
    search.count()
    assert search.found == [], err
