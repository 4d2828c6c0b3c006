"""A cluster: the same files as from this machine's processes,
whoever comes, goes or dies; nothing secret is sent to it.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mseg_wizard.practice.world import World, toml
from mseg_wizard.progress import Problem, Progress
from mseg_wizard.workers.batches import Outcome, with_wait
from mseg_wizard.workers.dask import Cluster
from mseg_wizard.workers.pool import each
from tests.conftest import ROOT
from tests.installed import NOT_INSTALLED
from tests.registered import leaks
from tests.waiting import wait_until
from tests.wizard import Wizard, tree_of
from tests.workers import pool_work
from tests.workers.dask_cluster import DaskCluster, Wire

pytestmark = pytest.mark.long

distributed = pytest.importorskip("distributed", reason=f"{NOT_INSTALLED}the extra `cluster`")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    cluster = DaskCluster(tmp_path_factory.mktemp("nannies"))
    for _ in range(2):
        cluster.worker(nanny=True)
    yield cluster
    cluster.close()


@pytest.fixture
def nannies(two: DaskCluster) -> DaskCluster:
    """Two workers whose nannies replace what dies."""
    await_workers(two, 2)
    return two


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[DaskCluster]:
    """A scheduler, no worker yet."""
    (tmp_path / "dask").mkdir()
    cluster = DaskCluster(tmp_path / "dask")
    yield cluster
    cluster.close()


def await_workers(cluster: DaskCluster, count: int) -> dict[str, Any]:
    """Wait until there are as many; what the scheduler knows of them."""
    with distributed.Client(cluster.address, set_as_default=False) as client:
        client.wait_for_workers(count)
        pids: dict[str, Any] = client.run(os.getpid)
        return pids


def await_threads(cluster: DaskCluster, count: int) -> None:
    """Wait until there is one worker, with so many threads."""
    with distributed.Client(cluster.address, set_as_default=False) as client:
        wait_until(lambda: list(client.nthreads().values()) == [count])


def opened(dask: DaskCluster, *folders: Path) -> Cluster:
    return Cluster(dask.address, lambda: folders)


def run(cluster: Cluster, work: Any, items: Sequence[Any], **options: Any) -> list[Outcome[Any, Any]]:
    return [outcome for outcomes in each(cluster, work, items, **options) for outcome in outcomes]


def test_killed_workers_cost_nothing_and_the_tree_is_the_same_as_from_this_machine_alone(
    dask: DaskCluster, practice_world: World, tmp_path: Path
) -> None:
    wizard, answers, trees = Wizard(tmp_path / "home"), tmp_path / "answers.toml", []
    wizard.home.mkdir()
    answers.touch(mode=0o600)
    answers.write_text(toml(practice_world.answers))
    command = ("run", "--answers", answers, "--mirror", practice_world.mirror, "--until", "relabel")
    here = wizard.start(*command, "--dest", tmp_path / "here")
    workers = [dask.worker() for _ in range(3)]
    await_workers(dask, 3)
    there = wizard.start(*command, "--dest", tmp_path / "there", "--scheduler", dask.address)
    # Killed while it has work: its temporary of an image, or its output of one, was seen.
    made = tmp_path / "there" / "mseg_dataset" / "ADE20K" / "ADEChallengeData2016" / "annotations_semseg150"
    assert wait_until(lambda: list(made.rglob("*.png")), there)
    workers[0].kill()
    for process, place in ((here, "here"), (there, "there")):
        out, err = process.communicate()
        assert process.returncode == 0, out + err
        trees.append(tree_of(tmp_path / place / "mseg_dataset"))
    assert out.count(" was lost") == 1, out
    assert trees[0] == trees[1]
    assert not list((tmp_path / "there").rglob(".cluster.*"))


def test_what_a_dead_worker_had_runs_again_and_who_joins_later_works_too(dask: DaskCluster, tmp_path: Path) -> None:
    dask.worker()
    pids = await_workers(dask, 1)
    cluster, seen, helper = opened(dask, tmp_path), [], None
    work = each(cluster, pool_work.slow_pid, range(120))
    for outcomes in work:
        seen += outcomes
        if len(seen) > 20 and helper is None:
            helper = dask.worker()
            await_workers(dask, 2)
        if len({outcome.result for outcome in seen}) == 2 and pids:
            os.kill(pids.popitem()[1], signal.SIGKILL)
    (news,) = cluster.worker_news()
    cluster.close()
    assert f"on host {socket.gethostname()} was lost; the images that it had run again." in news
    assert sorted(outcome.item for outcome in seen) == list(range(120))
    assert not [outcome.fault for outcome in seen if outcome.fault]
    assert len({outcome.result for outcome in seen}) == 2


def test_an_item_that_kills_workers_is_named_after_two_tries(nannies: DaskCluster, tmp_path: Path) -> None:
    cluster = opened(nannies, tmp_path)
    seen = run(cluster, pool_work.one_kills, range(100))
    cluster.close()
    assert len(seen) == 100
    assert [(outcome.item, outcome.fault[:23]) for outcome in seen if outcome.fault] == [
        (13, "the worker process died")
    ]


def test_an_item_that_hangs_is_named_and_the_rest_goes_on(nannies: DaskCluster, tmp_path: Path) -> None:
    cluster = opened(nannies, tmp_path)
    seen = run(cluster, pool_work.one_hangs, range(40), hangs_after=1.0)
    cluster.close()
    assert len(seen) == 40
    assert [outcome.item for outcome in seen if "does not end" in outcome.fault] == [13]


def test_a_stop_takes_everything_back_within_five_seconds(nannies: DaskCluster, tmp_path: Path) -> None:
    cluster = opened(nannies, tmp_path)
    items = [(number, str(tmp_path)) for number in range(1000)]
    work = each(cluster, pool_work.hang_or_touch, items)
    while not list(tmp_path.glob("hangs")) or len(list(tmp_path.glob("made-*"))) < 5:
        next(work)
    began = time.monotonic()
    work.close()
    assert time.monotonic() - began < 5
    made = len(list(tmp_path.glob("made-*")))
    with distributed.Client(nannies.address, set_as_default=False) as client:
        assert client.run_on_scheduler(pool_work.tasks_of) == 0
        client.wait_for_workers(2)  # the nanny of the one that hung has replaced it
    assert len(list(tmp_path.glob("made-*"))) == made
    assert len(run(cluster, pool_work.square, range(10))) == 10
    cluster.close()


def test_without_a_worker_it_says_so_waits_and_goes_on_when_one_comes(dask: DaskCluster, tmp_path: Path) -> None:
    first = dask.worker()
    await_workers(dask, 1)
    cluster, seen, shown = opened(dask, tmp_path), 0, Progress("working")
    for outcomes in each(cluster, pool_work.slow, range(100)):
        seen += len(outcomes)
        if seen > 3 and first.poll() is None:
            first.kill()
            first.wait()
        shown = with_wait(cluster, Progress("working", seen, 100))
        if first.poll() is not None and shown.retry_in is not None:
            break
    assert shown.doing == f"no worker that can be used is left at {dask.address}; waiting for one"
    assert shown.done == seen < 100
    dask.worker()
    seen = len(run(cluster, pool_work.square, range(100)))
    cluster.close()
    assert seen == 100


def test_what_work_could_not_begin_on_is_told_at_once_with_the_host(dask: DaskCluster, tmp_path: Path) -> None:
    def told_at_once(*folders: Path) -> str:
        cluster = opened(dask, *folders or (tmp_path,))
        with pytest.raises(Problem) as caught:
            cluster.ready()
        cluster.close()
        assert caught.value.do
        assert not list(tmp_path.glob(".cluster*"))
        return caught.value.what

    host = os.uname().nodename
    assert told_at_once() == f"The cluster at {dask.address} has no worker."
    worker = dask.worker("--nthreads", "2")
    await_workers(dask, 1)
    assert told_at_once() == f"The worker on {host} has 2 threads."
    worker.kill()
    worker.wait()
    worker = dask.worker()
    await_threads(dask, 1)
    what = told_at_once(Path("/proc/self/cwd"))
    assert what == f"The worker on {host} doesn't see what is written here in /proc/self/cwd."
    resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    assert told_at_once() == f"The worker on {host} can't write in {tmp_path}: File too large."


def test_a_worker_with_other_programs_is_told_and_one_that_joins_late_gets_nothing(
    dask: DaskCluster, tmp_path: Path
) -> None:
    (tmp_path / "other" / "numpy-1.0.dist-info").mkdir(parents=True)
    (tmp_path / "other" / "numpy-1.0.dist-info" / "METADATA").write_text("Name: numpy\nVersion: 1.0\n")
    good = dask.worker()
    pids = await_workers(dask, 1)
    cluster = opened(dask, tmp_path)
    cluster.ready()
    dask.worker(environment={"PYTHONPATH": f"{tmp_path / 'other'}{os.pathsep}{ROOT}"})
    await_workers(dask, 2)
    seen = run(cluster, pool_work.slow_pid, range(100))
    assert {outcome.result for outcome in seen} == set(pids.values())
    good.kill()
    work = each(cluster, pool_work.slow, range(100))
    while "waiting for one" not in cluster.waits:
        next(work)
    host = os.uname().nodename
    assert cluster.waits.endswith(
        f": The worker on {host} has NumPy 1.0, here it is {distributed.versions.version('numpy')}."
    )
    work.close()
    cluster.close()


def test_nothing_secret_is_sent_to_the_cluster(dask: DaskCluster, practice_world: World, tmp_path: Path) -> None:
    secrets = ["a pass word & more", "https-link-token-4711"]
    wire, worker = Wire(dask.address), dask.worker()
    await_workers(dask, 1)
    environment = {
        "CITYSCAPES_USERNAME": "somebody",
        "CITYSCAPES_PASSWORD": secrets[0],
        "MSEG_WIZARD_IDD_URL": secrets[1],
    }
    wizard, answers = Wizard(tmp_path / "home", extra=environment), tmp_path / "answers.toml"
    wizard.home.mkdir()
    answers.touch(mode=0o600)
    answers.write_text(toml(practice_world.answers))
    ended = wizard.run(
        "run",
        "--answers",
        answers,
        "--mirror",
        practice_world.mirror,
        "--until",
        "remap-open",
        "--dest",
        tmp_path / "d",
        "--scheduler",
        wire.address,
    )
    assert ended.returncode == 0, ended.stderr
    tables = practice_world.answers.values()
    secrets += [
        str(value) for table in tables for name, value in table.items() if name in ("password", "url", "base_url")
    ]
    (tmp_path / "sent").write_bytes(wire.sent)
    (tmp_path / "environ").write_bytes(Path(f"/proc/{worker.pid}/environ").read_bytes())
    assert b"SUNRGBD/label38/train/" in wire.sent
    assert leaks(secrets, tmp_path / "sent", tmp_path / "environ") == []
    wire.close()


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['distributed'] = None; from mseg_wizard.cli.main import main; "
        "sys.exit(main(sys.argv[1:]))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, "run", "--dest", str(tmp_path / "d"), "--scheduler", "tcp://127.0.0.1:9"],
        capture_output=True,
        text=True,
        check=False,
        env=Wizard(tmp_path).environment(),
    )
    assert ended.returncode == 1
    assert "pip install 'mseg-wizard[cluster]'" in ended.stderr


def test_a_scheduler_that_is_not_there_is_told_before_anything_begins(tmp_path: Path) -> None:
    ended = Wizard(tmp_path).run("run", "--dest", tmp_path / "d", "--scheduler", "tcp://127.0.0.1:9")
    assert ended.returncode == 1
    assert "The cluster's scheduler at tcp://127.0.0.1:9 can't be reached" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_doctor_looks_at_the_cluster_when_asked(nannies: DaskCluster, tmp_path: Path) -> None:
    ended = Wizard(tmp_path).run("doctor", "--dest", tmp_path / "d", "--scheduler", nannies.address)
    assert f"2 workers on 1 host, who can read and write {tmp_path}" in " ".join(ended.stdout.split())
    assert "an address such as tcp://node1:8786" in Wizard(tmp_path).run("doctor", "--scheduler", "node1").stderr
