"""Running work on many items: processes of this machine or a Dask cluster, in batches.

What the items mean is not known here.
"""
