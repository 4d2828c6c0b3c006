"""Label maps as arrays: PNG in and out, taxonomies, remapping, relabelling.

Pure functions a worker runs; no destination is known here.
"""
