"""What the datasets are: what must be there, where archives can be had, the disk space, MSeg's own tree.

Nothing is worked on here.
"""
