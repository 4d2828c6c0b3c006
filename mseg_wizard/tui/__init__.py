"""The screen: panes, forms, keys, and a session with a destination.

Nothing below imports it: without this folder `mseg-wizard run` does the same job.
"""

import os

for _name in ("TEXTUAL_LOG", "TEXTUAL", "TEXTUAL_DEBUG"):
    # Textual's own log and its developer console record every key,
    # and so every password; it reads these names when it is imported.
    os.environ.pop(_name, None)
