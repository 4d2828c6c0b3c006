"""Several command lines in one process, for tests of what they say: a JSON list of lists of arguments comes in."""

from __future__ import annotations

import json
import sys

from mseg_wizard.cli.main import main

if __name__ == "__main__":
    for number, args in enumerate(json.load(sys.stdin)):
        try:
            code: object = main(args)
        except SystemExit as end:  # argparse's way
            code = end.code
        for stream in (sys.stdout, sys.stderr):
            print(f"\n== {number} {code}", file=stream, flush=True)
