"""A kind of form field is one row of one table: a fictional one goes everywhere."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from mseg_wizard.answers.fields import KINDS, FieldKind, answered_by, check_answer, check_field
from mseg_wizard.answers.file import read_answers
from mseg_wizard.calls import waiting
from mseg_wizard.cli.ask import by_questions
from mseg_wizard.cli.commands import steps as steps_command
from mseg_wizard.context import Context, Options
from mseg_wizard.progress import Problem, Usage
from mseg_wizard.standing.step_states import filled, lacking
from mseg_wizard.state.store import Store
from mseg_wizard.step import Field, Step
from mseg_wizard.step_files import load
from mseg_wizard.tui.widgets.form import EDITORS
from mseg_wizard.vault import Vault
from tests.conftest import ROOT
from tests.tui.kit import desk_at, into, says, type_in, until

STEP = """
id = "asked"
title = "Asked"
summary = "When it was asked for"
why = "Because it takes days."
time = "a moment"
[[fields]]
name = "day"
kind = "day"
label = "Day you asked"
[[tasks]]
task = "folders"
title = "Make the folders"
folders = ["ScanNet"]
"""


def _day(item: Field, value: object) -> str:
    try:
        return date.fromisoformat(str(value).strip()).isoformat()
    except ValueError:
        raise Problem(f"“{item.label}” is no day.", "Write it like 2026-01-31.") from None


DAY = FieldKind(
    written="a day",
    editor="line",
    parse=_day,
    answered=lambda _, value: value not in (None, "1970-01-01"),
    shown=lambda value: f"the day {value}",
)


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Step:
    monkeypatch.setitem(KINDS, "day", DAY)
    (folder := tmp_path / "steps").mkdir()
    (folder / "01-asked.toml").write_text(STEP)
    return load(folder, check_field=check_field)[0]


def test_a_new_kind_is_read_from_an_answers_file(asked: Step, tmp_path: Path) -> None:
    answers = tmp_path / "answers.toml"
    answers.write_text("[asked]\nday = 2026-01-31\n")
    assert check_answer(asked, asked.field("day"), read_answers(answers, (asked,))["asked"]["day"]) == "2026-01-31"
    answers.write_text("[asked]\nday = 'yesterday'\n")
    with pytest.raises(Usage, match="is no day"):
        read_answers(answers, (asked,))


@pytest.mark.parametrize(("given", "lacks"), [({}, ["day"]), ({"day": "1970-01-01"}, ["day"]), ({"day": "x"}, [])])
def test_engine_and_status_ask_the_same_row_whether_it_is_answered(
    asked: Step, tmp_path: Path, given: dict[str, str], lacks: list[str]
) -> None:
    store = Store(tmp_path / "data")
    for name, value in given.items():
        store.answer("asked", name, value)
    ctx = Context((asked,), store, Vault("test", backend=None, environment={}), Options())
    assert waiting(asked, ctx) == lacking(asked, store.journal) == lacks
    assert filled((asked,), store.journal) == (set() if lacks else {"asked"})
    ctx.close()


def test_it_is_asked_for_and_shown_by_questions(
    asked: Step, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path / "data")
    ctx = Context((asked,), store, Vault("test", backend=None, environment={}), Options())
    said = iter(["yesterday", "2026-01-31"])
    assert by_questions(ctx, ctx.steps, lambda _: next(said)) == 0
    assert store.journal.answers["asked"] == {"day": "2026-01-31"}
    by_questions(ctx, ctx.steps, lambda _: "", form="asked")
    ctx.close()
    out = "".join(capsys.readouterr())
    assert "is no day" in out
    assert "Now: the day 2026-01-31" in out


def test_steps_says_how_it_is_written(asked: Step, capsys: pytest.CaptureFixture[str]) -> None:
    steps_command.tell_one(asked)
    assert "(a day; needed)" in capsys.readouterr().out


async def test_it_is_edited_on_the_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: Step) -> None:
    with desk_at(tmp_path / "desk", monkeypatch) as desk:
        folder = tmp_path / "more"
        folder.mkdir()
        for path in (tmp_path / "desk" / "steps").glob("*.toml"):
            (folder / path.name).write_text(path.read_text())
        (folder / "06-asked.toml").write_text(STEP)
        desk.steps = load(folder, check_field=check_field)
        app = desk.wizard(desk.ready())
        async with app.run_test() as pilot:
            await into(pilot, app, "asked")
            await type_in(pilot, "yesterday")
            await pilot.press("enter")
            await says(pilot, "is no day")
            await pilot.press("end", "ctrl+u")
            await type_in(pilot, "2026-01-31")
            await pilot.press("enter")
            await until(pilot, lambda: app.session.journal.answers.get("asked") == {"day": "2026-01-31"})


def test_every_kind_has_an_editor_that_the_screen_knows() -> None:
    assert {kind.editor for kind in KINDS.values()} <= EDITORS.keys()


def test_nothing_but_the_table_asks_which_kind_a_field_is() -> None:
    asking = re.compile(r"item\.kind\s*(==|!=|in\b)|field\([^)]*\)\.kind\s*(==|!=)")
    found = [
        path.name
        for path in (ROOT / "mseg_wizard").rglob("*.py")
        if path.name != "fields.py" and asking.search(path.read_text("utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("kind", "words"), [("link", "acknowledge"), ("password", "secret = true"), ("choice", "choices = ")]
)
def test_a_field_that_its_kind_refuses_is_named_with_a_remedy(kind: str, words: str) -> None:
    with pytest.raises(Problem, match=r"one\.toml: field a") as caught:
        check_field("one.toml: field a", Field(name="a", kind=kind, label="A"))
    assert words in str(caught.value)


def test_an_answer_counts_by_its_kind() -> None:
    item = Field(name="a", kind="choice", label="A", choices=("", "x"))
    assert answered_by(item, "")
    assert not answered_by(Field(name="a", kind="text", label="A"), "")
