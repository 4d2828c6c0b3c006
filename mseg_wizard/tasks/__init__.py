"""One file per kind of work; `table` names them as steps/*.toml does."""
