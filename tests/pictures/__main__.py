"""Makes the README's pictures: `python -m tests.pictures` plays practice on the real screen and lets it draw itself."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from mseg_wizard.context import Context, Options, open_context
from mseg_wizard.practice.server import PracticeServer, origins
from mseg_wizard.practice.world import make_world
from mseg_wizard.tasks.registry import load_steps
from mseg_wizard.tui import themes
from mseg_wizard.tui.app import Wizard
from mseg_wizard.tui.session import Session
from mseg_wizard.vault import Vault
from mseg_wizard.workers import pool
from tests.pictures import DESTINATION, HERE, places

SIZE = (100, 30)


async def pictures(folder: Path) -> None:
    steps = load_steps()
    world = make_world(folder / "world", images=3000, padding=20_000_000)
    with PracticeServer(world.mirror, tree=world.tree, limit=4_000_000) as server:
        options = Options(routes=tuple(f"{origin}={server.url}" for origin in origins(steps)), attended=True)

        def opener(place: Path) -> Context:
            return open_context(
                steps, place, options, vault=Vault("picture", backend=None, environment={}), remember=False
            )

        answers = {**world.answers, "prepare": {**world.answers["prepare"], "destination": str(DESTINATION)}}
        session = Session(
            steps, opener, DESTINATION, preset={name: table for name, table in answers.items() if name != "bdd"}
        )
        app = Wizard(session)
        async with app.run_test(size=SIZE) as pilot:
            await pilot.pause(0.5)
            save(app, "start")
            await pilot.press("f5")
            await until(lambda: downloading(session, "train2017.zip"))
            await pilot.pause(0.6)
            save(app, "overview")
            await pilot.press("f2")
            await pilot.pause(0.6)
            save(app, "working")
            await pilot.resize_terminal(160, 45)
            await pilot.pause(0.3)
            save(app, "wide")
            await pilot.resize_terminal(*SIZE)
            await until(lambda: any(pane.display and pane.picture.display for pane in app.main.panes.values()))
            await pilot.pause(0.1)
            save(app, "remapping")
            await until(lambda: session.snapshot.call.startswith("bdd/expect"))
            await pilot.pause(4)
            app.theme = themes.other(app.theme)
            await pilot.pause(0.6)
            save(app, "light")
            app.theme = themes.other(app.theme)
            await pilot.resize_terminal(60, 20)
            await pilot.pause(0.6)
            save(app, "small")
            session.runner.stop()  # type: ignore[union-attr]
            await until(lambda: not session.snapshot.running)
        session.close()


def downloading(session: Session, file: str) -> bool:
    """Is a third of it there, whether its turn has come or it is fetched ahead of it?"""
    at_work = (progress for progress in session.snapshot.progress.values() if file in progress.doing and progress.rate)
    return any(progress.done * 3 > (progress.total or 0) for progress in at_work)


async def until(what: Callable[[], bool]) -> None:
    while not what():
        await asyncio.sleep(0.05)


def save(app: Wizard, name: str) -> None:
    (HERE / f"{name}.svg").write_text(app.export_screenshot(title="mseg-wizard"), encoding="utf-8")


if __name__ == "__main__":
    os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "COLORFGBG": ""}
    os.environ.pop("NO_COLOR", None)
    pool.prepare_start()
    with places() as folder:
        asyncio.run(pictures(folder))
