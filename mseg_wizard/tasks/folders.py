"""folders: the dataset folders that people upload into before anything is fetched for them."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from mseg_wizard.archives.member import why_unsafe
from mseg_wizard.context import Context
from mseg_wizard.progress import Problem, Progress
from mseg_wizard.tasks.task import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldersArguments:
    """What a step file says of the folders."""

    folders: tuple[str, ...]
    """Below mseg_dataset/."""

    def __post_init__(self) -> None:
        for name in self.folders:
            if why := why_unsafe(name):
                raise Problem(f"folders: {name!r} {why}.", "Name a folder below mseg_dataset/.")


def folders(ctx: Context, args: FoldersArguments) -> Generator[Progress, None, None]:
    """Make each folder below mseg_dataset/."""
    for done, name in enumerate(args.folders):
        yield Progress(f"making {name}", done, len(args.folders), "folders")
        try:
            (ctx.dataset_folder / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Problem(
                f"{ctx.dataset_folder / name} can't be made: {error.strerror}.", "Make it possible, then start again."
            ) from None
    yield Progress("made", len(args.folders), len(args.folders), "folders")


def folders_missing(ctx: Context, args: FoldersArguments) -> list[str]:
    return [name for name in args.folders if not (ctx.dataset_folder / name).is_dir()]


FOLDERS = Task(folders, folders_missing, FoldersArguments)
