"""`python -m mseg_wizard` is `mseg-wizard`."""

import sys

from mseg_wizard.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
