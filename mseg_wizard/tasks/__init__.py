"""One file per kind of work; The registry names them as steps/*.toml does; what they have in common is a kind, and what they work on is in the rooms below."""
