"""What every other room may use and nothing of MSeg is in: files, the
host, preferences, threads, subprocesses, the log and its redaction.
"""
