"""What people paste around a link, a path or a name, taken off; whether it is the right one is not known here."""

from __future__ import annotations

import re

LINK = ("http://", "https://")
SCHEME = re.compile("^https?://", re.IGNORECASE)


def one_line(text: str) -> str:
    """A pasted value: wrapped lines joined, blanks at the ends and control characters dropped."""
    return "".join(c for line in text.splitlines() for c in line.strip() if c.isprintable())


def is_link(text: str) -> bool:
    """Is this, or will this become, a link?

    However it is written, and whatever was pasted around it: links are kept like passwords.
    """
    return bare_link(text).startswith(LINK)


def bare_link(text: str) -> str:
    """A link without what mail programs, shells and consoles put around and into it."""
    bare = "".join(one_line(text).split()).strip("<>\"'`").replace("&amp;", "&")
    return SCHEME.sub(lambda found: found[0].lower(), bare)
