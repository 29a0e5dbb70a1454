"""No poisoned model reaches the table.

Seal and verify exactly which parameters run; examine artefacts, data and behaviour for
poison; guard the running model in memory; keep a record that nobody can quietly change.
``docs/`` has a page for each verb.
"""

__version__ = "0.1.0"
