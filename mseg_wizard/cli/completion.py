"""Scripts by which bash, zsh and fish complete the command line,
made from the parser itself: what it doesn't take is not offered.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

FILES, FOLDERS = "files", "folders"
"""What a shell completes by itself."""

SHELLS = ("bash", "zsh", "fish")


@dataclass(frozen=True)
class CompletionWord:
    """An option, or an argument that has a place of its own."""

    name: str
    """`--dest`; empty for a place."""
    help: str
    takes: bool
    """A value follows."""
    value: str | tuple[str, ...] = ()
    """FILES, FOLDERS, or the values that there are; empty where only the user knows."""
    metavar: str = ""


@dataclass(frozen=True)
class Command:
    name: str
    """Empty for what may come before a command."""
    help: str
    words: tuple[CompletionWord, ...]


def script(shell: str, parser: argparse.ArgumentParser, steps: Sequence[str]) -> str:
    """The script for a shell; `steps`: ids that stand for STEP."""
    values: dict[str, str | tuple[str, ...]] = {
        "DIR": FOLDERS,
        "DIR_OR_URL": FOLDERS,
        "FILE": FILES,
        "STEP": tuple(steps),
        "SHELL": SHELLS,
    }
    return _WRITERS[shell](grammar(parser, values))


def grammar(parser: argparse.ArgumentParser, values: dict[str, str | tuple[str, ...]]) -> list[Command]:
    """What the parser takes: first what may come before a command, then each command; `values` by metavar."""
    found = [Command("", "", _words(parser, values))]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            help_of = {choice.dest: choice.help or "" for choice in action._choices_actions}
            found += [Command(name, help_of[name], _words(sub, values)) for name, sub in action.choices.items()]
    return found


def _words(parser: argparse.ArgumentParser, values: dict[str, str | tuple[str, ...]]) -> tuple[CompletionWord, ...]:
    words = []
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            takes, metavar = action.nargs != 0, str(action.metavar or "")
            value = values.get(metavar, ()) if takes else ()
            words += [
                CompletionWord(name, (action.help or "").partition(";")[0], takes, value, metavar)
                for name in action.option_strings or [""]
            ]
    return tuple(words)


def _bash(commands: list[Command]) -> str:
    valued = "|".join(sorted({word.name for command in commands for word in command.words if word.name and word.takes}))
    names = " ".join(command.name for command in commands[1:])
    cases = []
    for command in commands:
        words = " ".join(word.name for word in command.words if word.name)
        places = " ".join(
            " ".join(word.value) for word in command.words if not word.name and not isinstance(word.value, str)
        )
        cases.append(f'        "{command.name}") options="{words}" words="{places if command.name else names}" ;;')
    values = {word.name: word.value for command in commands for word in command.words if word.name and word.takes}
    fills = "\n".join(f"        {name}) {_bash_fill(value)}; return ;;" for name, value in sorted(values.items()))
    return f"""\
# bash completion for mseg-wizard
_mseg_wizard() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} command="" options words i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${{COMP_WORDS[i]}} in
        {valued})
            [ "${{COMP_WORDS[i+1]}}" = "=" ] && ((i++))
            ((i++)) ;;
        {names.replace(" ", "|")})
            command=${{COMP_WORDS[i]}}
            break ;;
        esac
    done
    [ "$previous" = "=" ] && previous=${{COMP_WORDS[COMP_CWORD-2]}}
    [ "$current" = "=" ] && current=""
    case $previous in
{fills}
    esac
    case $command in
{chr(10).join(cases)}
    esac
    case $current in
        -*) COMPREPLY=($(compgen -W "$options" -- "$current")) ;;
        *) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
    esac
}}
complete -F _mseg_wizard mseg-wizard
"""


def _bash_fill(value: str | tuple[str, ...]) -> str:
    if value in (FILES, FOLDERS):
        # names may hold blanks; macOS's bash 3 has neither compopt nor mapfile
        kind = "f" if value == FILES else "d"
        return f"compopt -o filenames 2>/dev/null; local IFS=$'\\n'; COMPREPLY=($(compgen -{kind} -- \"$current\"))"
    return f'COMPREPLY=($(compgen -W "{" ".join(value)}" -- "$current"))'


def _zsh(commands: list[Command]) -> str:
    top, *others = commands
    names = "\n".join(f"            {shlex.quote(f'{command.name}:{command.help}')}" for command in others)
    cases = "\n".join(f"        {command.name}) _arguments -S {_zsh_specs(command)} ;;" for command in others)
    return f"""\
#compdef mseg-wizard
_mseg_wizard() {{
    local curcontext="$curcontext" state line
    typeset -A opt_args
    _arguments -C -S {_zsh_specs(top)} '1: :->command' '*:: :->rest'
    case $state in
    command)
        local -a commands=(
{names}
        )
        _describe command commands ;;
    rest)
        case $line[1] in
{cases}
        esac ;;
    esac
}}
if [[ ${{funcstack[1]}} = _mseg[-_]wizard ]]; then
    _mseg_wizard "$@"
else
    compdef _mseg_wizard mseg-wizard
fi
"""


def _zsh_specs(command: Command) -> str:
    specs = []
    for word in command.words:
        fill = (
            {FILES: "_files", FOLDERS: "_files -/"}.get(word.value, "")
            if isinstance(word.value, str)
            else f"({' '.join(word.value)})"
        )
        if fill == "()":
            fill = " "
        value = f":{_zsh_quoted(word.metavar)}:{fill}" if word.takes else ""
        # `*`: again and again; `=`: its value may follow after a blank or after `=`
        specs.append(
            f"*{word.name}{'=' if word.takes else ''}[{_zsh_quoted(word.help)}]{value}" if word.name else f"1{value}"
        )
    return " ".join(shlex.quote(spec) for spec in specs)


def _zsh_quoted(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "[]:\\" else letter for letter in text)


def _fish(commands: list[Command]) -> str:
    top, *others = commands
    names = " ".join(command.name for command in others)
    lines = ["# fish completion for mseg-wizard", "complete -c mseg-wizard -f"]
    none = f"not __fish_seen_subcommand_from {names}"
    lines += [f"complete -c mseg-wizard -n {_fish_quoted(none)} {_fish_word(word)}" for word in top.words]
    for command in others:
        lines.append(
            f"complete -c mseg-wizard -n {_fish_quoted(none)} -a {command.name} -d {_fish_quoted(command.help)}"
        )
        here = _fish_quoted(f"__fish_seen_subcommand_from {command.name}")
        lines += [f"complete -c mseg-wizard -n {here} {_fish_word(word)}" for word in command.words]
    return "\n".join(lines) + "\n"


def _fish_word(word: CompletionWord) -> str:
    name = (
        f"-l {word.name[2:]}"
        if word.name.startswith("--")
        else f"-o {word.name[1:]}"
        if len(word.name) > 2
        else f"-s {word.name[1:]}"
    )
    if not word.name:
        name = ""
    fills = {FILES: "-r -F", FOLDERS: '-x -a "(__fish_complete_directories (commandline -ct))"'}
    fill = (
        fills[word.value]
        if isinstance(word.value, str)
        else f"{'-x ' if word.name else ''}-a {_fish_quoted(' '.join(word.value))}"
    )
    return f"{name} {fill if word.takes else ''} -d {_fish_quoted(word.help)}".strip()


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_WRITERS: dict[str, Callable[[list[Command]], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
