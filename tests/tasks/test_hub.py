"""ADE20K's masks from a hub like Hugging Face's: listed, fetched, proven, unpacked; the same masks as the zip has."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mseg_wizard.context import Context, Options
from mseg_wizard.datasets.hub_folder import folder_of
from mseg_wizard.http.hub import HUB
from mseg_wizard.progress import Problem, Progress, Waiting
from mseg_wizard.state.journal import TreeRecord
from mseg_wizard.state.store import Store
from mseg_wizard.tasks.registry import TASKS, load_steps
from mseg_wizard.vault import Vault
from tests.golden_tree import GoldenTree
from tests.http.faulty_server import Answer, FaultyServer, page, serving
from tests.hub import LISTING, SITE, STORE, TOKEN, Hub
from tests.installed import NOT_INSTALLED
from tests.registered import archive, leaks
from tests.repackaged import ADE, ade_parquet

pytest.importorskip("pyarrow", reason=f"{NOT_INSTALLED}pyarrow")


@contextmanager
def opened(
    hub: Hub, golden: Path, destination: Path, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[Context, FaultyServer, FaultyServer]]:
    """A destination, the hub, and where its files are; ADE20K's own address is dead."""
    with serving(hub.plans()) as site, serving(hub.stored()) as store, serving({}) as dead:
        routes = (f"{HUB}={site.url}", f"{STORE}={store.url}", f"{SITE}={dead.url}")
        vault = Vault("test", backend=None, environment=environment or {})
        ctx = Context(load_steps(), Store(destination), vault, Options(routes=routes, workers=2))
        ctx.store.keep_tree(TreeRecord(folder=str(golden / "mirror/mseg-api"), source="the golden kit"))
        ctx.remember(ctx.step("prepare"), {"accept_modified_tree": True})
        try:
            yield ctx, site, store
        finally:
            ctx.close()


def go(ctx: Context, task: str) -> list[Progress]:
    ctx.notes.clear()
    return list(TASKS[task].run(ctx, archive(ctx, ADE)))


def test_the_masks_of_the_hub_are_those_of_the_zip_and_its_files_go_once_they_are_unpacked(
    golden: Path, golden_tree: GoldenTree, tmp_path: Path
) -> None:
    with opened(Hub(ade_parquet(golden / "mirror", tmp_path)), golden, tmp_path / "d") as (ctx, _, store):
        seen = go(ctx, "download")
        assert max(progress.done for progress in seen) == sum(
            map(len, Hub(sorted(tmp_path.glob("*.parquet"))).files.values())
        )
        assert any("ADE20K as Hugging Face has it stands in for it" in note for note in ctx.notes)
        record = ctx.store.archive(ADE)
        assert record
        assert record.present
        assert TASKS["download"].missing(ctx, archive(ctx, ADE)) == []
        go(ctx, "extract")
        assert TASKS["extract"].missing(ctx, archive(ctx, ADE)) == []
        assert not folder_of(ctx, archive(ctx, ADE)).exists()
        made = {path.name: path.read_bytes() for path in (ctx.dataset_folder / "ADE20K").rglob("*_seg.png")}
        folder = golden_tree.dataset / "ADE20K/ADE20K_2016_07_26"
        assert made == {path.name: path.read_bytes() for path in folder.rglob("*_seg.png")}
        assert not any(asked.headers.get("Authorization") for asked in store.log)


def test_what_is_fetched_stays_and_a_file_that_differs_is_refused(golden: Path, tmp_path: Path) -> None:
    hub = Hub(ade_parquet(golden / "mirror", tmp_path))
    last = "/validation-00000-of-00001.parquet"
    with opened(hub, golden, tmp_path / "d") as (ctx, _, store):
        right = store.answers[last]
        assert isinstance(right, bytes)
        store.answers[last] = right[:-1] + b"?"
        with pytest.raises(Problem, match=r"ADE20K as Hugging Face has it.*sha256"):
            go(ctx, "download")
        assert ctx.store.archive(ADE) is None
        asked = len(store.sent("/train-00000-of-00002.parquet"))
        store.answers[last] = right
        go(ctx, "download")
        assert len(store.sent("/train-00000-of-00002.parquet")) == asked, "it was fetched twice"
        assert ctx.store.archive(ADE)


def test_a_token_is_asked_for_only_where_the_hub_wants_one_and_goes_to_it_alone(golden: Path, tmp_path: Path) -> None:
    files = ade_parquet(golden / "mirror", tmp_path)
    with opened(Hub(files, TOKEN), golden, tmp_path / "d") as (ctx, site, store):
        with pytest.raises(Waiting, match="wants a token") as caught:
            go(ctx, "download")
        assert (caught.value.step, caught.value.lacks) == ("download-open", ("hf_token",))
        ctx.remember(ctx.step("download-open"), {"hf_token": "hf_another_one"})
        with pytest.raises(Waiting, match="does not accept the token"):
            go(ctx, "download")
        ctx.remember(ctx.step("download-open"), {"hf_token": TOKEN})
        go(ctx, "download")
        assert {asked.headers.get("Authorization") for asked in site.log[-3:]} == {f"Bearer {TOKEN}"}
        assert not any(asked.headers.get("Authorization") for asked in store.log)
        assert leaks([TOKEN], tmp_path / "d") == []
    with opened(Hub(files, TOKEN), golden, tmp_path / "e", {"HF_TOKEN": TOKEN}) as (ctx, _, _):
        go(ctx, "download")


def test_a_token_that_is_wanted_for_the_files_alone_is_asked_for_too(golden: Path, tmp_path: Path) -> None:
    hub = Hub(ade_parquet(golden / "mirror", tmp_path))
    with opened(hub, golden, tmp_path / "d") as (ctx, site, _):
        listing = site.answers[LISTING]
        hub.token = TOKEN
        site.answers[LISTING] = Answer(body=json.dumps(hub.rows()).encode(), ranges=False)
        assert listing
        with pytest.raises(Waiting, match="wants a token"):
            go(ctx, "download")


@pytest.mark.parametrize(
    ("listing", "why"),
    [
        (page("Not Found", status=404), "it answered 404"),
        (page("A portal"), "something else than a list of files"),
        (Answer(body=b"[]"), "no parquet files"),
        (
            Answer(body=b'[{"type": "file", "path": "data/../x y.parquet", "lfs": {"oid": "0", "size": 1}}]'),
            "no parquet",
        ),
        (Answer(body=b'[{"type": "file", "path": "data/a.parquet"}]'), "something else than a list"),
    ],
)
def test_what_is_no_listing_is_told_beside_what_the_archives_own_address_said(
    listing: Answer, why: str, golden: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mseg_wizard.http.hub.PAUSES", ())
    with opened(Hub([]), golden, tmp_path / "d") as (ctx, site, _):
        site.answers[LISTING] = replace(listing, ranges=False)
        with pytest.raises(Problem, match=f"404 Not Found.*{why}") as caught:
            go(ctx, "download")
        assert "the form of step 2" in caught.value.do


def test_without_the_library_nothing_is_fetched_and_how_to_get_it_is_said(
    golden: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with opened(Hub(ade_parquet(golden / "mirror", tmp_path)), golden, tmp_path / "d") as (ctx, site, _):
        with pytest.raises(Problem, match="pyarrow is needed") as caught:
            go(ctx, "download")
        assert "pip install 'mseg-wizard[parquet]'" in caught.value.do
        assert site.log == []


def test_damaged_parquet_is_named_and_fetched_anew(golden: Path, tmp_path: Path) -> None:
    with opened(Hub(ade_parquet(golden / "mirror", tmp_path)), golden, tmp_path / "d") as (ctx, _, _):
        go(ctx, "download")
        file = folder_of(ctx, archive(ctx, ADE)) / "train-00001-of-00002.parquet"
        file.write_bytes(file.read_bytes()[:-300] + bytes(300))
        with pytest.raises(Problem, match=r"train-00001-of-00002\.parquet"):
            go(ctx, "extract")
        go(ctx, "download")
        go(ctx, "extract")
