"""wipe: the last step's task. What is wiped and searched is in wiping.py; here it becomes notes, faults and one offer."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from mseg_wizard.context import Consent, Context
from mseg_wizard.core.background import Job, background
from mseg_wizard.progress import Problem, Progress, Waiting
from mseg_wizard.tasks.wipe import Leftover, Wiping, declared, delete
from mseg_wizard.tasks.wipe import wipe as wipe_all

OFFER = "leftovers"


def wipe(ctx: Context) -> Generator[Progress, None, None]:
    """Remove every stored secret of this destination; offer, once, to delete what others left that holds such things."""
    doing = Progress("wiping passwords and links")
    yield doing
    if not ctx.given("finish", "confirm"):
        what = "Wiping the stored passwords and links waits for your word."
        raise Waiting(what, f"Fill in {ctx.step('finish').form}.", "finish", ("confirm",))

    def work(job: Job) -> Wiping:
        return wipe_all(ctx.vault, ctx.steps, ctx.destination, ctx.store.journal.kept)

    done = yield from background(work, doing)
    if done.removed:
        ctx.note(f"wiped: {', '.join(done.removed)}")
    for text in done.beyond:
        ctx.note(text)
    if done.remains:
        raise Problem("Not all stored passwords and links could be wiped.", "Do what each line says, then start again.", done.remains)
    ctx.store.forget_kept()
    _tidy(ctx, done.leftovers)


def wipe_missing(ctx: Context) -> list[str]:
    """Names of the secrets that are still stored."""
    return ctx.vault.kept(declared(ctx.steps))


def _tidy(ctx: Context, found: tuple[Leftover, ...]) -> None:
    """Leftovers: deleted where the user allowed it, else offered to a person once, else named."""
    # Those that were found by their content are not found again: what they were searched for is gone.
    before = ctx.offered.get(OFFER, ())
    paths = tuple(dict.fromkeys((*before, *(str(leftover.path) for leftover in found if leftover.ours_to_offer))))
    for leftover in found:
        if not leftover.ours_to_offer:
            ctx.note(f"{leftover.path} {leftover.why}: look at it")
    if not paths:
        return
    if OFFER in ctx.consents:
        failed = delete(Leftover(Path(path), "") for path in paths)
        for text in failed or [f"deleted what MSeg's scripts or a shell had left: {', '.join(paths)}"]:
            ctx.note(text)
        return
    if ctx.options.attended and OFFER not in ctx.offered:
        ctx.offered[OFFER] = paths
        raise Consent(
            f"{len(paths)} files hold passwords, or cookies and pages of logins: {', '.join(paths)}.",
            f"Should they be deleted (--allow {OFFER})? Without that they stay and are named in the report; start again to go on.",
            OFFER,
            offer=True,
            items=paths,
        )
    for path in paths:
        ctx.note(f"{path} holds a password, or cookies or a page of a login: delete it (--allow {OFFER} does)")
