"""Secrets planted in every field, option and variable that may hold
one: whatever goes wrong on the way, none gets anywhere else.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from urllib.parse import quote

import pytest

from mseg_wizard.core.log import LOG
from mseg_wizard.practice.logins import LINKS, sign_link
from mseg_wizard.practice.server import PracticeServer, origins
from mseg_wizard.practice.world import World
from mseg_wizard.state.journal import OWN
from mseg_wizard.tasks.registry import load_steps
from tests.http.faulty_server import Answer, Asked, FaultyServer, page, redirect, s3_error, self_signed, serving
from tests.secrets.canaries import Search, token, toml
from tests.secrets.watching import Seen, watched
from tests.wizard import Wizard

NAMES = (
    "citylogin",
    "citypass",
    "wildlogin",
    "wildpass",
    "iddpath",
    "iddquery",
    "kittipath",
    "kittiquery",
    "mapquery",
    "mapuser",
    "mappass",
    "scannet",
    "wronglogin",
    "wrongpass",
    "mirroruser",
    "mirrorpass",
    "mirrorquery",
    "proxyuser",
    "proxypass",
)
MIRROR = ("mirroruser", "mirrorpass", "mirrorquery")
PROXY = ("proxyuser", "proxypass")
CITY = "https://www.cityscapes-dataset.com"


def hard(name: str) -> str:
    """A password of what forms, shells, JSON and Python have to quote."""
    return f"p&{token(name)} + %\"'\\é=/?#"


ACCOUNTS = {
    "cityscapes": (token("citylogin"), hard("citypass")),
    "wilddash": (f"{token('wildlogin')}@practice.example", hard("wildpass")),
}


def link(path: str, query: str, file: str, hours: float = 24) -> str:
    """A link whose path and query open doors."""
    signed = sign_link(f"{LINKS}/signed/{token(path)}/{file}", hours=hours)
    return f"{signed}&X-Amz-Security-Token={quote(hard(query), '')}"


def answers(world: World) -> dict[str, dict[str, object]]:
    """For every step's form; WildDash's login and IDD's link come from the environment."""
    mapillary = link("mapquery", "mapquery", "mapillary-vistas-dataset_public_v1.1.zip")
    return {
        "prepare": {"read": True, "terms": True, "workers": 2, "accept_modified_tree": True, "python": ""},
        "bdd": {"archives": [str(world.mirror / "bdd100k_seg.zip")]},
        "cityscapes": dict(zip(("username", "password"), ACCOUNTS["cityscapes"], strict=True)),
        "kitti": {"url": link("kittipath", "kittiquery", "data_semantics.zip")},
        "mapillary": {"archives": [mapillary.replace("https://", f"HTTPS://{token('mapuser')}:{token('mappass')}@")]},
        "scannet": {
            "base_url": f"# by e-mail\nBASE_URL = '{LINKS}/{token('scannet')}/'\nTOS_URL = BASE_URL + 'terms.pdf'\n"
        },
        "finish": {"confirm": True},
    }


def echo(asked: Asked) -> str:
    """All that a server may know, as careless ones put it into their pages."""
    basic = asked.headers.get("Authorization", "").removeprefix("Basic ")
    known = [
        asked.target,
        str(asked.query),
        basic,
        base64.b64decode(basic).decode(),
        str(asked.form),
        asked.headers.get("Cookie", ""),
    ]
    return " ".join([*known, *(quote(text, "") for text in known), *map(repr, known)])


def misbehaving(world: World, dead: FaultyServer) -> dict[str, object]:
    """A lab's server: every archive goes wrong, each in another
    careless way; and a login page that repeats what it was sent.
    """
    ways = cycle(
        (
            lambda asked: page(f"No {echo(asked)}", echo(asked), status=403),
            lambda asked: redirect(f"{dead.url}/elsewhere?{asked.target.partition('?')[2]}"),
            lambda asked: redirect(f"https://nowhere.practice.example{asked.target}"),
            lambda asked: redirect(f"http://nowhere.practice.example{asked.target}"),
            lambda asked: page(f"Busy with {echo(asked)}", status=503, headers=(("Retry-After", "0"),)),
            lambda asked: s3_error(400, "ExpiredToken", echo(asked)),
            lambda asked: page(
                f"Log in {echo(asked)}", f'<form><input type="password" name="p" value="{asked.target}"></form>'
            ),
            lambda asked: redirect(f"/accounts/login?next={quote(asked.target, '')}"),
            lambda asked: Answer(
                body=b"PK\x03\x04" + bytes(3000), cut=2000, headers=(("Set-Cookie", f"s={token('mirrorquery')}"),)
            ),
            lambda asked: replace(page(echo(asked)), mute=True),
            lambda asked: redirect(asked.target),
        )
    )
    plans: dict[str, object] = {f"/lab/{file}": way for file, way in zip(world.archives, ways, strict=False)}

    def login(asked: Asked) -> Answer:
        form = '<form><input name="username"><input name="password" type="password"></form>'
        locked = f"The account {asked.form.get('username')} is locked. Not {asked.form.get('password')}. {echo(asked)}"
        return (
            page(f"Login {echo(asked)}", form)
            if asked.method == "GET"
            else page(f"No {echo(asked)}", locked + form, status=403)
        )

    return plans | {"/login": login}


@pytest.fixture(scope="module")
def dead(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyServer]:
    """A server with a certificate that nobody vouches for."""
    with serving({}, tls=self_signed(tmp_path_factory.mktemp("certificate"))) as server:
        yield server


class Traveller:
    """One user with one destination, whose every process and word is looked at."""

    def __init__(self, place: Path, proxy: str) -> None:
        self.search = Search(NAMES)
        self.place, self.destination, self.answers = place, place / "d", place / "answers.toml"
        for folder in ("home", "tmp"):
            (place / folder).mkdir()
        self.wizard = Wizard(
            place / "home",
            program="tests.faults.hurried",
            extra={
                "TMPDIR": str(place / "tmp"),
                "WILDDASH_USERNAME": ACCOUNTS["wilddash"][0],
                "WILDDASH_PASSWORD": ACCOUNTS["wilddash"][1],
                "MSEG_WIZARD_IDD_URL": link("iddpath", "iddquery", "idd-segmentation.tar.gz"),
                "ALL_PROXY": proxy.replace("//", f"//{token('proxyuser')}:{token('proxypass')}@"),
                "TEXTUAL_LOG": str(place / "tmp" / "textual.log"),
            },
        )
        self.said = ""

    def give(self, table: dict[str, dict[str, object]]) -> None:
        self.answers.touch(mode=0o600)
        self.answers.write_text(toml(table))

    def run(self, *args: str | Path) -> int:
        """Run a command to its end and look at everything."""
        process = self.wizard.start(*args, "--dest", self.destination)
        with watched(process.pid, self.wizard.mark) as seen:
            out, err = process.communicate()
        self.said = out + err
        self.search.text(f"stdout of {args[0]}", out)
        self.search.text(f"stderr of {args[0]}", err)
        self._processes(seen)
        self.search.folder(self.place, without=[self.answers])
        assert "Traceback" not in self.said, self.said
        if "bug of its own" in self.said:
            raise AssertionError((self.destination / OWN / LOG).read_text("utf-8"))
        assert self.search.found == [], self.said
        return process.returncode

    def _processes(self, seen: Seen) -> None:
        own = seen.command_lines.get(seen.wizard, set())
        for text in {text for texts in seen.command_lines.values() for text in texts}:
            # --mirror stands in the wizard's because the user put it
            # there, and in a child's until it has become another program
            self.search.text("a command line", text, besides=MIRROR if text in own else ())
        for texts in seen.environments.values():
            self.search.text("an environment", b"\n".join(texts), besides=PROXY)  # other programs need the proxy too
        for lines in seen.cores.values():
            assert {tuple(line.split()[4:6]) for line in lines} == {("0", "0")}


@pytest.mark.long
def test_whatever_goes_wrong_no_secret_gets_anywhere(practice_world: World, tmp_path: Path, dead: FaultyServer) -> None:
    with (
        serving({}) as proxy,
        PracticeServer(practice_world.mirror, tree=practice_world.tree, accounts=ACCOUNTS) as server,
    ):
        user = Traveller(tmp_path, proxy.url)
        routes = dict.fromkeys(origins(load_steps()), server.url)

        def options(**more: str) -> list[str | Path]:
            return [
                "--answers",
                user.answers,
                *(text for pair in (routes | more).items() for text in ("--route", "=".join(pair))),
            ]

        right = answers(practice_world)
        # Every server goes wrong, and the login's page repeats what was typed.
        user.give(right | {"cityscapes": {"username": token("wronglogin"), "password": hard("wrongpass")}})
        with serving(misbehaving(practice_world, dead)) as lab:  # type: ignore[arg-type]
            secret = (
                lab.url.replace("//", f"//{token('mirroruser')}:{token('mirrorpass')}@")
                + f"/lab?key={token('mirrorquery')}"
            )
            # In order: KITTI's archive is not to be here already when its link is wrong.
            assert user.run("run", *options(**{CITY: lab.url}), "--mirror", secret, "--in-order") == 1
            assert "does not let this account in" in user.said
            asked = [each for each in lab.log if each.path.startswith("/lab/")]
            assert len(asked) > 10
            assert all(token("mirrorquery") in each.target and "Authorization" in each.headers for each in asked)
        for command in (["status"], ["status", "--json"], ["doctor"]):
            user.run(*command)
        # A link that has lost a letter on the way.
        wrong = str(right["kitti"]["url"]).replace("X-Amz-Signature=", "X-Amz-Signature=0")
        user.give(right | {"kitti": {"url": wrong}})
        assert user.run("run", *options()) == 3
        assert "kitti" in user.said
        # All is right.
        user.give(right)
        assert user.run("run", *options()) == 0
        assert user.run("report") == 0
        assert user.run("wipe") == 0
        assert not (tmp_path / "tmp" / "textual.log").exists()
        assert user.wizard.left_over() == []
    user.search.count()
