"""The whole wizard behind a network where every archive's first answers
go wrong, each in another way: the tree is the same in the end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest

from mseg_wizard.practice.world import World
from tests.faults.counts import count
from tests.faults.journeys import Journey, served
from tests.http.faulty_server import Answer, Asked, page, redirect, s3_error, serving
from tests.wizard import tree_of

pytestmark = pytest.mark.long

WRONGS: dict[str, Callable[[Answer], Answer]] = {
    "reset in the middle": lambda right: replace(right, cut=len(right.body) // 2, reset=True),
    "cut after one byte": lambda right: replace(right, cut=1),
    "short, with its length": lambda right: replace(right, body=right.body[: len(right.body) // 3]),
    "more announced than comes": lambda right: replace(right, length=len(right.body) + 4096, cut=len(right.body)),
    "chunked and cut": lambda right: replace(right, framing="chunked", cut=len(right.body) // 4),
    "ended by the connection": lambda right: replace(right, framing="close", cut=len(right.body) // 2),
    "busy, come back at once": lambda _: page("Busy", status=503, headers=(("Retry-After", "0"),)),
    "too many requests": lambda _: page("Slow down", status=429, headers=(("Retry-After", "1"),)),
    "a page to log in": lambda _: page("Please log in"),
    "gone": lambda _: page("Not Found", status=404),
    "forbidden": lambda _: s3_error(403, "AccessDenied", "Request has expired"),
    "a redirect to itself": lambda _: redirect("?again"),
    "another file's bytes": lambda right: replace(right, body=b"PK\x03\x04" + bytes(len(right.body) - 4)),
    "nothing": lambda right: replace(right, body=b""),
}
LATER: dict[str, Callable[[Answer], Answer]] = {
    "as it should be": lambda right: right,
    "ranges ignored": lambda right: replace(right, ranges=False),
    "from another byte": lambda right: replace(right, shift=100),
    "another version": lambda right: replace(right, etag='"two"', if_range=False),
    "a total that is wrong": lambda right: replace(right, claims=7),
}
"""The second answer; from the third on it is right."""


@pytest.mark.parametrize("first", range(2))
def test_whatever_a_labs_server_answers_first_the_tree_is_the_same(
    world: World, expected: dict[str, str], tmp_path: Path, first: int
) -> None:
    turns: dict[str, int] = defaultdict(int)
    wrongs, laters = cycle(WRONGS), cycle(LATER)
    for _ in range(first * 7):
        next(wrongs)
    chosen = {file: (next(wrongs), next(laters)) for file in world.archives}

    def answer(asked: Asked) -> Answer:
        file = asked.path.rpartition("/")[2]
        if file not in chosen:
            return page("Not Found", status=404)
        turns[file] += 1
        right = Answer(body=(world.mirror / file).read_bytes(), etag='"one"')
        if turns[file] > 2:
            return right
        count("faults tried")
        return (WRONGS[chosen[file][0]] if turns[file] == 1 else LATER[chosen[file][1]])(right)

    journey = Journey(tmp_path, world)
    files = {f"/lab/{file}": answer for file in world.archives}
    with serving(files) as lab, served(world, limit=None) as (_, routes):
        done = journey.run(*routes, "--mirror", f"{lab.url}/lab")
        assert done.returncode == 0, done.stdout + done.stderr
    assert tree_of(journey.dataset) == expected
    assert journey.wizard.left_over() == []
