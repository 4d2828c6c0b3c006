"""Fetching one file over HTTP, resumable and checked: client, connections, partial file, responses, logins.

No dataset is known here.
"""
