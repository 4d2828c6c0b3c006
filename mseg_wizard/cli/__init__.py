"""The command line: its grammar, the plain lines, the questions.

What the commands do with a destination is in `commands`.
"""
