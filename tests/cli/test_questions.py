"""The journey by questions: what a slip does, and where a step's links are told."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mseg_wizard.cli.ask import FEW, by_questions
from mseg_wizard.context import Consent, Context
from mseg_wizard.core.exits import Exit
from mseg_wizard.progress import Problem, Progress
from mseg_wizard.step import Link
from tests.tui.kit import Desk, desk_at


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    with desk_at(tmp_path, monkeypatch) as desk:
        yield desk


@pytest.fixture
def ctx(desk: Desk) -> Iterator[Context]:
    ctx = desk.open(desk.ready())
    ctx.options = replace(ctx.options, by_questions=True)
    yield ctx
    ctx.close()


def answering(*words: str) -> tuple[Callable[[str], str], list[str]]:
    """Someone who says these words one after the other, and the questions that were asked."""
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt.split("[")[0].strip())
        return words[len(asked) - 1]

    return ask, asked


def failing(error: Callable[[], Problem]) -> Callable[[Context], Generator[Progress, None, None]]:
    def work(ctx: Context) -> Generator[Progress, None, None]:
        yield Progress("on the way")
        if "remake" not in ctx.consents:
            raise error()

    return work


def test_neither_a_yes_nor_a_no_is_asked_for_again(
    desk: Desk, ctx: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.behaviours["open"] = failing(lambda: Consent("3 maps are others'.", "Make them (--allow remake).", "remake"))
    ask, asked = answering("yed", "Yes")
    assert by_questions(ctx, ctx.steps[:2], ask) == Exit.DONE
    assert asked == ["Allow that?"] * 2
    said = capsys.readouterr()
    assert said.out.count("Answer y or n.") == 1
    assert "Make them." in said.out + said.err


def test_after_a_failure_a_slip_does_not_end_it(desk: Desk, ctx: Context, capsys: pytest.CaptureFixture[str]) -> None:
    desk.behaviours["open"] = failing(lambda: Problem("It can't.", "Look."))
    ask, asked = answering("tes", "y", "no")
    assert by_questions(ctx, ctx.steps[:2], ask) == Exit.FAILED
    assert asked == ["Try again?"] * 3
    assert desk.ran.count("open") == 2
    assert capsys.readouterr().out.count("Answer y, n, or a step's name or number.") == 1


@pytest.mark.parametrize("count", [FEW, FEW + 1])
def test_links_are_told_with_the_question_that_needs_them_and_many_only_to_who_asks(
    desk: Desk, ctx: Context, capsys: pytest.CaptureFixture[str], count: int
) -> None:
    city = ctx.step("city")
    links = tuple(Link(label=f"Page {at}", url=f"https://example.org/{at}") for at in range(count))
    ctx.steps = tuple(replace(step, links=links) if step is city else step for step in ctx.steps)
    told: list[bool] = []

    def ask(prompt: str) -> str:
        told.append("https://example.org/0" in capsys.readouterr().out)
        return ["?", "erika", "geheim", ""][len(told) - 1]

    by_questions(ctx, ctx.steps[:3], ask)
    assert told == [count <= FEW, True, False, False]
