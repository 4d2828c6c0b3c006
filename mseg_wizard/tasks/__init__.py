"""One file per kind of work; the registry names them as steps/*.toml does.

What they have in common is a kind, and what they work on is in the rooms below.
"""
