"""HDF5 files, by a reader of our own for the part of the format that weights are written in.

libhdf5 has a long record of crashes on hostile files, follows links out of the file, and opens
external ones; so nothing of it is used. This reader knows the structures of "HDF5 File Format
Specification Version 3.0" (docs.hdfgroup.org) that h5py, Keras and PyTables write for groups,
attributes and contiguous datasets, each of which must lie inside the file and overlap no other.
docs/formats/hdf5.md says what is read, what is listed as unread and what is refused.
"""

from __future__ import annotations

from credenza.artifact.hdf5.reader import SIGNATURE, SUFFIXES, Contents, Hdf5, contents, examined

__all__ = ["SIGNATURE", "SUFFIXES", "Contents", "Hdf5", "contents", "examined"]
