"""What a user typed, pasted or wrote into an answers file: made clean, checked, and whether it counts.

Keeping it is the context's part.
"""
