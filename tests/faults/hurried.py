"""The wizard with little patience, as a program with the wizard's
own arguments: what it waits minutes for takes it a second here.
"""

from __future__ import annotations

import sys
from functools import partial

from mseg_wizard.cli.main import main
from mseg_wizard.http import download
from mseg_wizard.http.remote_file import RetryPolicy

if __name__ == "__main__":
    quick = partial(RetryPolicy, tries=3, tries_before_next=2, first=0.05, stall=1.0, connect=1.0)
    setattr(download, "RetryPolicy", quick)  # noqa: B010 - a name
    sys.exit(main())
