"""configure: MSEG_DST_DIR written into the accepted tree's
dataset_config.py, so that MSeg's code finds the datasets.
"""

from __future__ import annotations

import stat
from collections.abc import Generator

from mseg_wizard.context import Context
from mseg_wizard.core.files import give_mode, sweep, write_atomically
from mseg_wizard.datasets import mseg_config
from mseg_wizard.progress import Problem, Progress


def configure(ctx: Context) -> Generator[Progress, None, None]:
    """Set MSEG_DST_DIR in the tree's dataset_config.py, and nothing else there."""
    file = (ctx.tree_folder / mseg_config.CONFIG).resolve()
    yield Progress(f"writing {mseg_config.NAME} into {file.name}")
    try:
        sweep(file)
        before = file.read_bytes()
        after = mseg_config.with_value(before, str(ctx.destination))
        if after != before:
            mode = stat.S_IMODE(file.stat().st_mode)
            write_atomically(file, after, mode=mode)
            give_mode(file, mode)  # the umask has taken from it
    except mseg_config.Unset as unset:
        raise Problem(
            f"{file} can't be configured: {unset}.", f'Give it one line {mseg_config.NAME} = "", as MSeg has it.'
        ) from None
    except OSError as error:
        raise Problem(
            f"{file} can't be written: {error.strerror or error}.", "Make it and its folder writable for you."
        ) from None


def configure_missing(ctx: Context) -> list[str]:
    file = ctx.tree_folder / mseg_config.CONFIG
    try:
        return [] if mseg_config.value(file.read_bytes()) == str(ctx.destination) else [f"{mseg_config.NAME} in {file}"]
    except (OSError, mseg_config.Unset):
        return [str(file)]
