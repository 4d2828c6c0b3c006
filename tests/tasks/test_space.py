"""Step 1, space and inodes: no journey begins that cannot end, and none is stopped that can."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mseg_wizard.context import Context
from mseg_wizard.datasets.disk_space import still_to_come
from mseg_wizard.datasets.inventory import missing_files
from mseg_wizard.progress import Problem
from mseg_wizard.state.journal import TreeRecord
from mseg_wizard.tasks.space import space, space_missing
from tests.disks import disk
from tests.tasks.preparing import opened, run


@contextmanager
def kit(golden: Path, destination: Path) -> Iterator[Context]:
    with opened(destination, mirror=golden / "mirror", accept_modified_tree=True) as ctx:
        ctx.store.keep_tree(TreeRecord(folder=str(golden / "mirror" / "mseg-api"), pinned=False))
        yield ctx


def test_what_fits_is_told_step_by_step(golden: Path, tmp_path: Path) -> None:
    with kit(golden, tmp_path / "d") as ctx:
        words = run(space(ctx))
        assert words[0].doing == "working out how much space is needed"
        assert space_missing(ctx) == []
        assert ctx.notes[0].startswith("2. Open datasets: ")
        assert any(note.startswith("All together: ") for note in ctx.notes)
        assert f"In {ctx.dataset_folder} that is up to" in ctx.notes[-1]


def test_a_disk_that_is_too_small_is_refused_with_what_is_needed_and_what_is_free(golden: Path, tmp_path: Path) -> None:
    with disk(tmp_path / "small", "size=2m,nr_inodes=100000") as small, kit(golden, small / "d") as ctx:
        with pytest.raises(Problem) as caught:
            run(space(ctx))
        assert " MB are needed at once in " in caught.value.what
        assert " MB are free" in caught.value.what
        assert "inodes" not in caught.value.what
        assert caught.value.items[-1].startswith("All together")
        assert space_missing(ctx)


def test_a_disk_with_too_few_inodes_is_refused_too(golden: Path, tmp_path: Path) -> None:
    with (
        disk(tmp_path / "small", "size=500m,nr_inodes=300") as small,
        kit(golden, small / "d") as ctx,
        pytest.raises(Problem) as caught,
    ):
        run(space(ctx))
    assert "files (inodes) are needed" in caught.value.what
    assert " MB are needed" not in caught.value.what


def test_a_dataset_folder_that_leads_to_a_larger_disk_makes_it_fit(golden: Path, tmp_path: Path) -> None:
    with disk(tmp_path / "small", "size=2m,nr_inodes=100000") as small, kit(golden, small / "d") as ctx:
        (tmp_path / "large").mkdir()
        ctx.dataset_folder.symlink_to(tmp_path / "large")
        run(space(ctx))
        assert space_missing(ctx) == []


def test_a_disk_that_others_fill_later_stops_the_next_start_until_there_is_room_again(
    golden: Path, tmp_path: Path
) -> None:
    with disk(tmp_path / "small", "size=300m,nr_inodes=100000") as small, kit(golden, small / "d") as ctx:
        run(space(ctx))
        (small / "others").write_bytes(bytes(310_000_000))
        assert space_missing(ctx)
        with pytest.raises(Problem):
            run(space(ctx))
        (small / "others").unlink()
        assert space_missing(ctx) == []


def test_a_resumed_run_is_not_asked_for_the_room_of_what_is_done(golden: Path, tmp_path: Path) -> None:
    with disk(tmp_path / "small", "size=2m,nr_inodes=100000") as small, kit(golden, small / "d") as ctx:
        assert space_missing(ctx)
        *done, last = [call.key for step in ctx.steps for call in step.calls if call.archive or call.each_bytes]
        for key in done:
            ctx.store.finish(key)
        ctx.store.start(last)
        assert space_missing(ctx) == []
        run(space(ctx))


def test_room_is_kept_for_an_archive_of_which_only_what_no_list_names_is_missing(golden: Path, tmp_path: Path) -> None:
    with kit(golden, tmp_path / "d") as ctx:
        archive = next(archive for step in ctx.steps for archive in step.archives if archive.also and archive.holds)
        unlisted = {f"{archive.dataset}/{name}" for name in archive.also}
        for path in missing_files(ctx, archive):
            if path not in unlisted:
                (ctx.dataset_folder / path).parent.mkdir(parents=True, exist_ok=True)
                (ctx.dataset_folder / path).touch()
        assert set(missing_files(ctx, archive)) == unlisted
        assert archive in [change.call.archive for change in still_to_come(ctx) if change.files]


def test_stopped_while_it_counts_it_ends_at_once(golden: Path, tmp_path: Path) -> None:
    with kit(golden, tmp_path / "d") as ctx:
        task = space(ctx)
        next(task)
        task.close()
        assert not ctx.notes
