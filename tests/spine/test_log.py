"""What the log keeps of a problem, however many items it concerns."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from mseg_wizard.context import Context, Options
from mseg_wizard.core.log import log_to
from mseg_wizard.engine import ITEMS, LOGGED, Runner
from mseg_wizard.progress import Problem, Progress
from mseg_wizard.state.store import Store
from mseg_wizard.tasks.registry import TASKS, load_steps
from mseg_wizard.tasks.task import Task
from mseg_wizard.vault import Vault


@pytest.mark.parametrize("count", [3, 50_000])
def test_mass_failures_are_all_named_and_the_log_stays_small_at_every_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    def fail(ctx: Context, *_: Any) -> Generator[Progress, None, None]:
        yield Progress("working")
        raise Problem(
            f"{count} images failed.", "Mend them.", [f"image {number} is damaged" for number in range(count)]
        )

    steps = load_steps()
    call = steps[0].calls[0]
    monkeypatch.setitem(TASKS, call.task, Task(fail, lambda ctx, *_: [call.title]))
    ctx = Context(steps, Store(tmp_path / "d"), Vault("test", backend=None, environment={}), Options())
    monkeypatch.setattr("mseg_wizard.engine.waiting", lambda step, ctx: [])
    log = log_to(ctx.own)
    sizes = []
    try:
        for _ in range(2):
            runner = Runner(ctx, steps)
            runner.start()
            assert runner.join(60)
            sizes.append(log.stat().st_size)
        items = ctx.own / ITEMS
        assert items.exists() == (count > LOGGED)
        named = (items if count > LOGGED else log).read_text()
        assert all(f"image {number} is damaged" in named for number in (0, count // 2, count - 1))
        assert sizes[1] - sizes[0] < 100 * LOGGED
        assert log.stat().st_mode & 0o077 == 0
        assert not items.exists() or items.stat().st_mode & 0o077 == 0
    finally:
        ctx.close()
        log_to(tmp_path)
