"""Honest files, written by the libraries whose formats they are, at their defaults.

A module a library, whose ``files()`` says how each file is written. They run in environments of
their own (`tests/vectors/honest/environments`), by `tests.vectors.make_scan_honest`.
"""
