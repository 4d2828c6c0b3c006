"""One file per command of `mseg-wizard`. Work that a run does is a task and not here."""
