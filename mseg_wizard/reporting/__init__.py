"""The report: what it says (facts), what it shows (pictures, palette), and the page that holds both.

The task that makes it is in tasks.
"""
