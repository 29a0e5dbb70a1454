"""What a pickle would look up and call, judged by lists of names.

`PickleNames` is the list, `read` reads every pickle of a file by every way in which some loader
would, `judged` says what of it speaks against the file, and `payloads` finds the files in its
constants.
"""

from credenza.scan.pickles.judging import dangers, judged, plausible, spoken
from credenza.scan.pickles.names import PickleNames
from credenza.scan.pickles.nested import payloads
from credenza.scan.pickles.streams import Reading, read

__all__ = ["PickleNames", "Reading", "dangers", "judged", "payloads", "plausible", "read", "spoken"]
