"""The parts that the screen is made of, each usable by itself. What happens to a destination is not decided here."""
