"""Python source, read as a tree and never run: what it reaches, and when.

`reading` makes a tree of bytes, `names` says what an expression stands for, `reach` when a function
runs, `judging` what speaks against it. What honest code does is in the table of `dangers`.
"""

from credenza.scan.source.interface import Kind, Reach, Sighting
from credenza.scan.source.judging import judged
from credenza.scan.source.reading import Source, UnreadableSourceError, parsed

__all__ = ["Kind", "Reach", "Sighting", "Source", "UnreadableSourceError", "judged", "parsed"]
