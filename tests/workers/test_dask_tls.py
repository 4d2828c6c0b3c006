"""A scheduler that speaks TLS alone: the same label maps, nothing readable on the way, nobody without a certificate."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mseg_wizard.practice.world import World, toml
from tests.installed import NOT_INSTALLED, needs
from tests.wizard import Wizard, tree_of
from tests.workers.dask_cluster import DaskCluster, Wire

pytestmark = pytest.mark.long

pytest.importorskip("distributed", reason=f"{NOT_INSTALLED}the extra `cluster`")


def certificates(folder: Path) -> dict[str, str]:
    """An authority of our own and a certificate by it, as the environment of whoever is to use them."""
    needs("openssl")
    folder.mkdir()

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    new = ("-newkey", "rsa:2048", "-nodes", "-subj")
    openssl("req", "-x509", *new, "/CN=authority", "-days", "2", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", *new, "/CN=localhost", "-keyout", "key.pem", "-out", "asked.pem")
    signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2")
    openssl("x509", "-req", "-in", "asked.pem", *signing, "-out", "cert.pem")
    tls = "DASK_DISTRIBUTED__COMM__TLS"
    return {
        "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true",
        f"{tls}__CA_FILE": str(folder / "ca.pem"),
        **{f"{tls}__{role}__CERT": str(folder / "cert.pem") for role in ("SCHEDULER", "WORKER", "CLIENT")},
        **{f"{tls}__{role}__KEY": str(folder / "key.pem") for role in ("SCHEDULER", "WORKER", "CLIENT")},
    }


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return certificates(tmp_path_factory.mktemp("tls") / "ours")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, ours: dict[str, str]) -> Iterator[DaskCluster]:
    cluster = DaskCluster(tmp_path_factory.mktemp("dask"), "--protocol", "tls", environment=ours)
    for _ in range(2):
        cluster.worker()
    yield cluster
    cluster.close()


def test_label_maps_are_made_over_tls_and_no_path_can_be_read_on_the_wire(
    cluster: DaskCluster, ours: dict[str, str], practice_world: World, tmp_path: Path
) -> None:
    answers = tmp_path / "answers.toml"
    answers.touch(mode=0o600)
    answers.write_text(toml(practice_world.answers))
    command = ("run", "--answers", answers, "--mirror", practice_world.mirror, "--until", "remap-open")
    wire = Wire(cluster.address)
    assert wire.address.startswith("tls://")
    try:
        for place, more, environment in (("here", (), {}), ("there", ("--scheduler", wire.address), ours)):
            home = tmp_path / f"home-{place}"
            home.mkdir()
            ended = Wizard(home, extra=environment).run(*command, "--dest", tmp_path / place, *more)
            assert ended.returncode == 0, ended.stdout + ended.stderr
    finally:
        wire.close()
    assert tree_of(tmp_path / "here" / "mseg_dataset") == tree_of(tmp_path / "there" / "mseg_dataset")
    assert len(wire.sent) > 10_000
    assert b"mseg_dataset" not in wire.sent


@pytest.mark.parametrize("whose", ["nobody's", "another authority's"])
def test_without_a_certificate_of_its_authority_the_scheduler_is_not_reached(
    cluster: DaskCluster, whose: str, tmp_path: Path
) -> None:
    theirs = certificates(tmp_path / "theirs") if whose != "nobody's" else {}
    ended = Wizard(tmp_path, extra=theirs).run("run", "--dest", tmp_path / "d", "--scheduler", cluster.address)
    assert ended.returncode == 1
    assert f"The cluster's scheduler at {cluster.address} can't be reached" in ended.stderr
    assert ("no certificate is named" in ended.stderr) == (whose == "nobody's")
    assert "Traceback" not in ended.stderr
