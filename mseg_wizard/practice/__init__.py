"""A miniature MSeg made of nothing but code, and the web sites that hand it out.

The command that plays it is in cli.
"""
