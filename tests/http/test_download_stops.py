"""A download that is stopped, killed or runs into a full disk goes on later; and no secret ever leaves it."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mseg_wizard.http.download import fetch
from mseg_wizard.http.refusals import LinkRefused
from mseg_wizard.http.remote_file import Location
from mseg_wizard.progress import Progress
from mseg_wizard.vault import Secret
from tests.conftest import ROOT
from tests.http.downloading import BODY, KNOWN, QUICK, finish, helpers, leftovers, part, problem, stopped_at
from tests.http.faulty_server import Answer, page, redirect, s3_error, serving, with_body

FETCH = """
import sys
from pathlib import Path
from mseg_wizard.progress import Problem
from mseg_wizard.http.download import fetch
from mseg_wizard.http.remote_file import Location, RetryPolicy
try:
    for progress in fetch(Path(sys.argv[1]), [Location(sys.argv[2])], retry_policy=RetryPolicy(first=0, tries=1)):
        print(progress, flush=True)
except Problem as problem:
    print(problem.what)
    print(problem.do)
"""


def test_closing_while_the_server_is_silent_ends_every_thread_and_keeps_what_is_here(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    target = tmp_path / "a.zip"
    with serving({"/a.zip": with_body(BODY, Answer(stall=300_000), Answer())}) as server:
        stopped_at(300_000, target, fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
        assert not target.exists()
        assert not caplog.records  # it was no failing network
        finish(fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
        assert sum(server.sent("/a.zip")) == len(BODY)
    assert target.read_bytes() == BODY


def test_closing_before_the_first_byte_of_an_answer_ends_every_thread(tmp_path: Path) -> None:
    with serving({"/a.zip": Answer(mute=True)}) as server:
        running = fetch(tmp_path / "a.zip", [Location(f"{server.url}/a.zip")], retry_policy=QUICK)
        while not server.stalled.is_set():
            next(running)
        running.close()
    assert helpers() == []
    assert list(tmp_path.iterdir()) == []


def test_closing_during_a_handshake_that_nobody_answers_ends_every_thread(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        running = fetch(
            tmp_path / "a.zip",
            [Location(f"https://127.0.0.1:{port}/a.zip")],
            retry_policy=replace(QUICK, connect=600, stall=600),
        )
        next(running)
        connection, _ = silent.accept()
        connection.recv(1)
        running.close()
        connection.close()
    assert helpers() == []


def test_closing_between_two_attempts_ends_every_thread(tmp_path: Path) -> None:
    with serving({"/a.zip": page("Busy", status=503)}) as server:
        running = fetch(tmp_path / "a.zip", [Location(f"{server.url}/a.zip")], retry_policy=replace(QUICK, first=600))
        while next(running).retry_in is None:
            pass
        running.close()
    assert helpers() == []


def test_a_killed_download_loses_no_byte(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": with_body(BODY, Answer(stall=400_000), Answer())}) as server:
        child = subprocess.Popen(
            [sys.executable, "-c", FETCH, target, f"{server.url}/a.zip"], stdout=subprocess.PIPE, cwd=ROOT
        )
        with child:
            while not part(target).exists() or part(target).stat().st_size < 400_000:
                assert child.stdout is not None
                assert child.stdout.readline()
            child.send_signal(signal.SIGKILL)
        finish(fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
        assert server.sent("/a.zip") == [400_000, len(BODY) - 400_000]
    assert target.read_bytes() == BODY
    assert leftovers(target) == []


@pytest.mark.slow
def test_a_download_killed_at_any_time_ends_with_the_right_file(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": Answer(body=BODY, piece=16_384, pause=0.01)}) as server:
        for number in range(5):
            child = subprocess.Popen(
                [sys.executable, "-c", FETCH, target, f"{server.url}/a.zip"], stdout=subprocess.PIPE, cwd=ROOT
            )
            with child:
                for _ in range(number):
                    assert child.stdout is not None
                    child.stdout.readline()
                child.kill()
            if part(target).exists():
                assert BODY.startswith(part(target).read_bytes())
        finish(fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
    assert target.read_bytes() == BODY
    assert leftovers(target) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_a_problem(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with serving({"/a.zip": BODY}) as server:
        found = problem(fetch(tmp_path / "a.zip", [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
    assert f"{tmp_path / 'a.zip.part'} can't be written" in found.what
    assert f"Make {tmp_path} writable" in found.do


def fetched_with_room(most: int, target: Path, url: str) -> str:
    """What a child says that fetches, and whose files may not grow beyond so many bytes."""
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most}))\n{FETCH}"
    command = [sys.executable, "-c", limited, str(target), url]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def test_a_file_that_may_grow_no_further_is_a_problem_and_what_is_here_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving({"/a.zip": BODY}) as server:
        said = fetched_with_room(300_000, target, f"{server.url}/a.zip")
        assert "a.zip.part" in said
        assert "300 kB that are here are kept" in said
        assert part(target).read_bytes() == BODY[:300_000]
        finish(fetch(target, [Location(f"{server.url}/a.zip")], retry_policy=QUICK))
        assert server.ranges("/a.zip") == [None, "bytes=300000-"]
    assert target.read_bytes() == BODY


def mounted(options: str, folder: Path, answer: Answer, meanwhile: str = "") -> str:
    """What a fetch into a small file system of its own says, and then what is left there."""
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = f"mount -t tmpfs -o {options} none {folder}"
    if not shutil.which("unshare") or subprocess.run([*inside, mount], capture_output=True, check=False).returncode:
        pytest.skip("no file system of one's own can be mounted here")
    with serving({"/a.zip": answer}) as server:
        python = f'PYTHONPATH={ROOT} {sys.executable} -c "$0" {folder}/a.zip {server.url}/a.zip'
        run = f"{mount} || exit 1\ncd {folder}\n{meanwhile}\n{python}\nls -l"
        return subprocess.run([*inside, run, FETCH], capture_output=True, text=True, check=True, cwd=ROOT).stdout


def test_an_answer_without_an_end_does_not_fill_the_disk(tmp_path: Path) -> None:
    endless = Answer(body=b"PK\x03\x04" + bytes(80_000_000), framing="chunked")
    assert "52.4 MB are free" in mounted("size=50m", tmp_path, endless)
    said = mounted("size=100m", tmp_path, endless)
    assert "are free" in said
    assert "67.1 MB that are here are kept" in said
    assert "67108864" in said


def test_a_disk_that_something_else_fills_up_is_a_problem_and_what_is_here_is_kept(tmp_path: Path) -> None:
    slow = Answer(body=b"PK\x03\x04" + bytes(20_000_000), piece=500_000, pause=0.02)
    fill = (
        "( for i in $(seq 1000); do [ -s a.zip.part ] && exec cat /dev/zero > other; sleep 0.02; done ) > "
        "/dev/null 2>&1 &"
    )
    said = mounted("size=100m", tmp_path, slow, fill)
    assert f"The disk is full: {tmp_path / 'a.zip.part'} can't grow." in said
    assert "are kept" in said


def test_a_read_only_disk_is_a_problem(tmp_path: Path) -> None:
    assert "a.zip.part can't be written: Read-only file system" in mounted("ro", tmp_path, Answer(body=BODY))


TOKEN = "tok3n-Pl4nted/with+signs=="
QUOTED = "tok3n-Pl4nted%2Fwith%2Bsigns%3D%3D"


@pytest.mark.parametrize(
    "answer",
    [
        [Answer(body=BODY, cut=300_000), page(QUOTED, status=500)],
        page(f"No access to /secret-p4th/a.zip?key={QUOTED} or {TOKEN}", status=403),
        page(f"You asked for {TOKEN.upper()}"),
        page(f"Busy: {QUOTED.lower()}", status=503),
        s3_error(403, "SignatureDoesNotMatch", f"The string {TOKEN} is not {QUOTED}"),
        redirect(f"http://127.0.0.1:1/elsewhere-p4th?again={QUOTED}&other=0th3r-Pl4nted"),
        redirect(f"/secret-p4th/a.zip?key={QUOTED}"),
        Answer(body=b"garbage " + TOKEN.encode()),
        replace(page("cookie 5ess1on-Pl4nted"), headers=(("Set-Cookie", "s=5ess1on-Pl4nted; Path=/"),)),
        Answer(mute=True),
    ],
    ids=["cut", "refused", "page", "busy", "s3", "redirect", "circle", "garbage", "cookie", "mute"],
)
def test_nothing_secret_is_seen_logged_or_saved(
    tmp_path: Path, answer: Answer | list[Answer], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "mseg_wizard"):
        caplog.set_level(logging.getLogger(name).level or logging.DEBUG, name)
    target = tmp_path / "a.zip"
    seen: list[Progress] = []
    with serving({"/secret-p4th/a.zip": answer}) as server:
        address = server.url.replace("//", "//us3r-Pl4nted:pa55-Pl4nted@") + f"/secret-p4th/a.zip?key={QUOTED}"
        places = [Location(Secret(address))]
        error = problem(fetch(target, places, KNOWN, retry_policy=replace(QUICK, tries=2, stall=0.5)), seen)
        assert server.log[0].query == {"key": [TOKEN]}
    files = "".join(path.read_text("latin-1") for path in tmp_path.iterdir() if path.suffix == ".json")
    told = "\n".join([str(error), repr(error), repr(vars(error)), repr(seen), caplog.text, repr(places), files]).lower()
    assert "127.0.0.1" in told
    for secret in ("pl4nted", "p4th"):
        assert secret not in told


def test_the_note_beside_a_partial_file_names_the_place_without_its_query(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    with serving({"/path/a.zip": Answer(body=BODY, stall=300_000)}) as server:
        stopped_at(
            300_000, target, fetch(target, [Location(f"{server.url}/path/a.zip?token={QUOTED}")], retry_policy=QUICK)
        )
        note = json.loads((tmp_path / "a.zip.part.json").read_text())
        assert note["title"] == f"{server.url}/path/a.zip"
    assert "Pl4nted" not in json.dumps(note)


def test_a_refused_link_is_a_problem_of_its_own_kind(tmp_path: Path) -> None:
    with serving({}) as server:
        assert isinstance(
            problem(fetch(tmp_path / "a.zip", [Location(Secret(f"{server.url}/a.zip"))], retry_policy=QUICK)),
            LinkRefused,
        )
