"""Reading and unpacking zip and tar archives so that nothing leaves its folder and each file is whole.

Which archive and why is not known here.
"""
