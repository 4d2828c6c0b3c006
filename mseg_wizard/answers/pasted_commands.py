"""Commands that people copy instead of a link, as browsers' "copy as cURL" gives them: the address and nothing else."""

from __future__ import annotations

import re
import shlex

_COMMAND = re.compile(
    r"\s*(?:[$>#%]\s+|PS\s[^>\n]*>\s*)?(?:sudo\s+)?(?:/\S*/)?"
    r"(?:(?P<name>curl|wget|aria2c|axel|Invoke-WebRequest|iwr)(?:\.exe)?\s|(?:await\s+)?(?P<call>fetch)\("
    r"|\$session\s*=)"
)
_URI = re.compile(r"""(?:-Uri\s+|fetch\(\s*)["'](https?://[^"']+)""", re.IGNORECASE)
_VALUED = {
    *("-H", "--header", "-b", "--cookie", "--load-cookies", "-A", "--user-agent", "-U", "-e", "--referer"),
    *("-x", "--proxy", "-u", "--user", "-d", "--data", "--data-raw", "--data-binary", "--post-data", "-o", "--output"),
    *("-F", "--form", "-Headers", "-UserAgent", "-OutFile", "-WebSession", "-Proxy"),
}
"""Options whose next word is no address to fetch; names of fields and headers stand in that word."""
_ADDRESS = re.compile(r"(?:--url=)?(https?://.+)", re.IGNORECASE | re.DOTALL)


def command_in(text: str) -> str:
    """Name of the command that a text begins with, where it is one that fetches something; else empty.

    Such a text may hold cookies: it is never shown.
    """
    found = _COMMAND.match(text)
    return (found["name"] or found["call"] or "PowerShell") if found else ""


def address_in(text: str) -> str:
    """The one address that a command fetches; empty where it fetches none, or several.

    Lines that `\\`, `^` or a backtick joins are one.
    """
    if found := _URI.findall(text):
        return str(found[0]) if len(set(found)) == 1 else ""
    one = re.sub(r"[\\^`]\s*\r?\n|\r?\n", " ", text)
    if "^" in one and '^"' in one:  # of the Windows shell, where ^ stands before what would mean something
        one = re.sub(r"\^(.)", r"\1", one)
    words = _words(one)
    addresses = []
    for at, word in enumerate(words):
        if at and words[at - 1] in _VALUED:
            continue
        if address := _ADDRESS.fullmatch(word):
            addresses.append(address[1])
    return addresses[0] if len(set(addresses)) == 1 else ""


def _words(text: str) -> list[str]:
    plain = text.replace("$'", "'")
    for posix in (True, False):
        try:
            return [word.strip("'\"") for word in shlex.split(plain, posix=posix)]
        except ValueError:  # a quote without its other half
            continue
    return [word.strip("'\"") for word in plain.split()]
