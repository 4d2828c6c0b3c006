"""How a run and its steps stand: what screen, `status`, messages and the last line say, each from here alone."""
