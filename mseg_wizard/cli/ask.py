"""The guided journey by questions one after the other (`--plain`): works, asks for what is lacking, goes on.

The lines are plain's.
"""

from __future__ import annotations

import select
import sys
import termios
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from mseg_wizard.answers.fields import HOME, NO, YES, kind_of, may_hold_secrets, taken_as
from mseg_wizard.cli.plain import complain, exit_code, printable_redacted, say, say_complete, say_stopped, work
from mseg_wizard.cli.text import interactive, wrapped
from mseg_wizard.context import Consent, Context
from mseg_wizard.core.exits import Exit
from mseg_wizard.core.log import LOG
from mseg_wizard.progress import Problem, Waiting, printable
from mseg_wizard.step import Field, Link, Step
from mseg_wizard.vault import Secret

FEW = 6
"""Links that are told with the first question; more of them only to who asks: they would push it out of sight."""
REST = 0.2
"""Seconds without another byte after which a paste has ended."""


def by_questions(
    ctx: Context, steps: Sequence[Step], ask: Callable[[str], str] = input, *, form: str = "", closing: bool = True
) -> Exit:
    """The same with questions, for screen readers and simple terminals:
    works as far as it can, asks what the next step needs, goes on.

    `form`: id of a step whose whole form is asked first, with what was given before; `closing` as in `unattended`.
    """
    explained: set[str] = set()
    known: frozenset[str] = frozenset()
    while True:
        try:
            if form:
                _ask_for(ctx, ctx.step(form), [item.name for item in ctx.step(form).fields], ask, ahead=True)
                form = ""
            end, stopped_by = work(ctx, steps, known=known)
            known = ctx.store.journal.done_calls()
            if stopped_by:
                return say_stopped(ctx, stopped_by)
            if isinstance(end.problem, Consent):
                if not _allowed(ctx, end.problem, ask):
                    return Exit.WAITING
            elif isinstance(end.problem, Waiting) and end.problem.lacks:
                if not _brought(ctx, end.problem, ask, explain=end.problem.step not in explained):
                    return Exit.WAITING
                explained.add(end.problem.step)
            elif failure := end.problem or end.crash:
                complain(failure, ctx.own / LOG)
                names = {name: step.id for step in ctx.steps for name in (step.id, str(step.number))}
                prompt = "Try again? [y/N, or a step whose answers you want to change first] "
                said = _one_of(ask, prompt, (*YES, *NO, *names), "Answer y, n, or a step's name or number.")
                form = names.get(said, "")
                if said in NO:
                    return exit_code(failure)
            else:
                if closing:
                    say_complete(ctx, end, steps)
                return Exit.ASIDE if end.aside else Exit.DONE
        except (EOFError, KeyboardInterrupt) as end_of_talk:
            say(f"\nStopped. {ctx.options.invocation.resume_hint(ctx.destination)}")
            # Ctrl+D is a person's doing; where there is no terminal, there is nobody who could answer.
            left = isinstance(end_of_talk, KeyboardInterrupt) or interactive()
            return Exit.INTERRUPTED if left else Exit.WAITING


def _allowed(ctx: Context, consent: Consent, ask: Callable[[str], str]) -> bool:
    """Ask whether it may be done; False where it can't go on without that."""
    complain(Problem(consent.what, consent.question, consent.items))
    if _one_of(ask, "Allow that? [y/N] ", (*YES, *NO), "Answer y or n.") in YES:
        ctx.consents.add(consent.key)
        return True
    return consent.offer


def _one_of(ask: Callable[[str], str], prompt: str, words: Sequence[str], do: str) -> str:
    """Ask until it is one of these words: a slip must not be taken for a no."""
    while (said := ask(prompt).strip().lower()) not in words:
        say(do)
    return said


def _brought(ctx: Context, waiting: Waiting, ask: Callable[[str], str], *, explain: bool) -> bool:
    """Ask for what a step lacks; False where it was refused and the step can't go on."""
    complain(Problem(waiting.what, waiting.do))
    step = ctx.step(waiting.step)
    _ask_for(ctx, step, waiting.lacks, ask, explain=explain)
    asked = [step.field(name) for name in waiting.lacks if kind_of(step.field(name)).yes_no]
    if refused := [f"“{item.label}”" for item in asked if not ctx.given(step.id, item.name)]:
        again = ctx.options.invocation.resume_command(ctx.destination)
        say(f"Without a yes to {' and '.join(refused)} it can't go on. To try again: {again}")
        return False
    return True


def _ask_for(
    ctx: Context,
    step: Step,
    lacks: Sequence[str],
    ask: Callable[[str], str],
    *,
    explain: bool = True,
    ahead: bool = False,
) -> None:
    say(f"\nStep {step.number}: {step.title}")
    if explain:
        say(f"{wrapped(step.why)}")
        if len(step.links) > FEW:
            say(f"\n? as an answer lists this step's {len(step.links)} links.")
    also = [item.name for item in step.fields if not item.required and not ctx.given(step.id, item.name)]
    links = step.links if explain and len(step.links) <= FEW else ()
    if step.logins and any(step.field(name).secret for name in lacks):
        # Of a login that was refused the user name may be what is wrong.
        lacks = [item.name for item in step.fields if item.required]
    for name in dict.fromkeys((*lacks, *also)):
        item = step.field(name)
        if (step.id, name) == HOME:  # a run has one, and works on it already
            continue
        while not _answered(ctx, step, item, ask, ahead=ahead, links=links):
            links = ()
        links = ()


def _answered(
    ctx: Context, step: Step, item: Field, ask: Callable[[str], str], *, ahead: bool, links: Sequence[Link] = ()
) -> bool:
    """Ask for one field, with the `links` that it needs; False where it is to be asked again."""
    present = _present(ctx, step, item)
    if present:
        say(f"\n  Now: {present}. Enter keeps that{', - takes it back' if _may_go(ctx, step, item) else ''}.")
    text = _question(item, ask, anew=not present, links=links)
    if text.strip() == "?" and not kind_of(item).hidden:
        _say_links(step.links)
        return False
    if kind_of(item).rows and len(step.archives) > 1 and text.strip() not in ("", "-"):
        text = "\n".join([text, *_more(ask)])
    # Where an archive can come from somewhere else, or nothing waits for this form yet, no answer is an answer.
    if not text.strip() and (ahead or not item.required or item.only_for or ctx.given(step.id, item.name)):
        return True
    if text.strip() == "-" and _may_go(ctx, step, item):
        _take_back(ctx, step, item)
        return True
    try:
        where = ctx.remember(step, {item.name: text})
    except Problem as problem:
        complain(problem)
        return False
    if said := taken_as(step, item, text):
        say(f"  {said}")
    if where:
        say(f"  {where.get(item.name, '')}")
    return kind_of(item).yes_no or ctx.given(step.id, item.name) or not item.required  # a no is an answer


def _more(ask: Callable[[str], str]) -> Iterator[str]:
    """The further rows of an answer that may have several."""
    with suppress(EOFError):
        while row := ask("One more, or Enter: ").strip():
            yield row


def _present(ctx: Context, step: Step, item: Field) -> str:
    """What was answered before, in words that quote nothing secret; empty where nothing was."""
    if not ctx.given(step.id, item.name):
        return ""
    if kind_of(item).rows:
        return ", ".join(
            "a link" if isinstance(row, Secret) else printable_redacted(row) for row in ctx.sources(step.id)
        )
    if item.secret:
        name = ctx.secret(step.id, item.name) if kind_of(item).seen else None
        return printable(name.reveal(), 100) if name else "given"
    return printable_redacted(kind_of(item).shown(ctx.answer(step.id, item.name))) or "nothing"


def _may_go(ctx: Context, step: Step, item: Field) -> bool:
    """Can what was answered be taken back, so that the default or nothing stands there again?"""
    kept = may_hold_secrets(item) or ctx.store.journal.answer(step.id, item.name) is not None
    return kept and not kind_of(item).yes_no and (not item.required or item.default is not None)


def _take_back(ctx: Context, step: Step, item: Field) -> None:
    if may_hold_secrets(item):
        ctx.vault.wipe([(step.id, item.name)])
    ctx.store.answer(step.id, item.name, None)


def _say_links(links: Sequence[Link]) -> None:
    for link in links:
        say(f"  {link.label}\n      {link.url}")


def _question(item: Field, ask: Callable[[str], str], *, anew: bool, links: Sequence[Link] = ()) -> str:
    if item.help:
        say(f"\n{wrapped(item.help, '  ')}")
    _say_links(links)
    choices = f" ({', '.join(choice or 'nothing' for choice in item.choices)})" if item.choices else ""
    yes_or_no = "" if not kind_of(item).yes_no else " [y/N]" if anew else " [y/n]"
    prompt = f"{item.label}{choices}{yes_or_no}: "
    # From a pipe, getpass would go to the terminal behind it, or warn that it can't hide what nobody sees.
    hidden = item.secret and not kind_of(item).seen and ask is input and sys.stdin is not None and sys.stdin.isatty()
    if hidden:
        return _hidden(prompt, kind_of(item).goes_on)
    lines = [ask(prompt)]
    with suppress(EOFError):
        while kind_of(item).goes_on(lines):
            lines.append(ask(""))
    return "\n".join(lines).strip("\r\n")


def _hidden(prompt: str, goes_on: Callable[[Sequence[str]], bool]) -> str:
    """An answer that the terminal does not show, of several lines where it was pasted so; its rest is dropped.

    getpass drops what was pasted behind the first line, so the lines are read while the terminal is already silent.
    """
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    try:
        termios.tcsetattr(terminal, termios.TCSADRAIN, silent)
        print(prompt, end="", flush=True)
        lines = [_typed_line()]
        while goes_on(lines):
            lines.append(_typed_line())
        if len(lines) > 1:
            termios.tcflush(terminal, termios.TCIFLUSH)
        while len(lines) > 1 and select.select([terminal], [], [], REST)[0]:
            termios.tcflush(terminal, termios.TCIFLUSH)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
        print()
    return "\n".join(lines).strip("\r\n")


def _typed_line() -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\r\n")
