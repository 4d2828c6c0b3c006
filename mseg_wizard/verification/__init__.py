"""Looking at every file once: what is to be looked at, how, what was found, and setting aside what is at fault.

It makes no label maps.
"""
