"""The long run of kills: `python -m tests.faults.long_kills --kills
1000 --seed 1` kills the wizard that often, journey after journey.

Prints one line for each journey and the sum at the end; exit code 1 at the first tree that differs, whose folder is
then kept.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.faults.journeys import Journey, expected_tree, killed_journey, moments, padded_world
from tests.wizard import tree_of

EACH = 6


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.long_kills", description="Kill the wizard at seeded moments of every phase."
    )
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mseg-kills-"))
    world = padded_world(folder / "world")
    expected = expected_tree(folder / "calm", world)
    kills = again = number = 0
    by_phase: Counter[str] = Counter()
    while kills < args.kills:
        seed = args.seed * 1000 + number
        place = folder / f"journey {number}"
        journey = Journey(place, world)
        toll = killed_journey(journey, seed, moments(seed, EACH))
        left, tree = journey.wizard.left_over(), tree_of(journey.dataset)
        if left or tree != expected:
            odd = sorted(path for path in tree.keys() | expected.keys() if tree.get(path) != expected.get(path))
            print(f"seed {seed}: left over {left}, different {odd[:10]}; kept in {place}", flush=True)
            return 1
        kills, again, number = kills + toll.kills, again + toll.again, number + 1
        by_phase += toll.by_phase
        print(f"seed {seed}: {toll.kills} kills, {toll.again:,} bytes again; {kills} kills so far", flush=True)
        shutil.rmtree(place)
    print(
        json.dumps({"journeys": number, "kills survived": kills, "bytes re-fetched": again, "by phase": dict(by_phase)})
    )
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
