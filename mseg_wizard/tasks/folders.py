"""folders: the dataset folders that people upload into before anything is fetched for them."""

from __future__ import annotations

from collections.abc import Generator

from mseg_wizard.context import Context
from mseg_wizard.progress import Problem, Progress
from mseg_wizard.tasks.arguments import FoldersArguments


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
