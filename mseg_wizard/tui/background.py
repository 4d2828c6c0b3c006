"""Work beside the keys, on the screen's own thread. What blocks goes on from there into a thread."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, cast

from textual.dom import DOMNode


def beside(node: DOMNode, work: Callable[[], Coroutine[Any, Any, object]], *, exclusive: bool = False) -> None:
    """Do this for as long as the widget is there; `exclusive`: in place of the same that it does already.

    It comes uncalled: a coroutine that is made and then never begun, since the widget goes, is dropped with a warning.
    """
    group = f"one {getattr(work, '__qualname__', work)}" if exclusive else "default"  # Textual ends all of a group
    node.run_worker(cast("Any", work), group=group, exclusive=exclusive)
