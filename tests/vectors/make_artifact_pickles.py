"""Writes the hostile pickles of tests/vectors/artifact/pickles, and what is expected of each.

Every payload is harmless: it would create an empty file called ``credenza-was-here`` in the
current directory. Run as ``python -m tests.vectors.make_artifact_pickles``.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

FOLDER = Path(__file__).parent / "artifact" / "pickles"
MARKER = "credenza-was-here"
COMMAND = f"touch {MARKER}".encode()
SYSTEM = "os.system"


def vectors() -> dict[str, tuple[bytes, str, str]]:
    """By name: the pickle, the name it would call, and the rule it is refused by ("" for none)."""
    argument = b"(X" + struct.pack("<I", len(COMMAND)) + COMMAND + b"t"
    text0 = b"(V" + COMMAND + b"\nt"
    by_name = b"\x8c\x02os\x8c\x06system\x93"
    call = b"cos\nsystem\n" + argument + b"R"
    framed = by_name + argument + b"R."
    plain = {
        "global-protocol0": b"cos\nsystem\n" + text0 + b"R.",
        "global-protocol1": call + b".",
        "global-protocol2": b"\x80\x02" + call + b".",
        "global-protocol3": b"\x80\x03" + call + b".",
        "stack-global-protocol4": b"\x80\x04\x95" + struct.pack("<Q", len(framed)) + framed,
        "stack-global-protocol5": b"\x80\x05\x95" + struct.pack("<Q", len(framed)) + framed,
        "inst": argument[:-1] + b"ios\nsystem\n.",
        "obj": b"(cos\nsystem\n" + argument[1:-1] + b"o.",
        "newobj": b"\x80\x02cos\nsystem\n" + argument + b"\x81.",
        "newobj-ex": b"\x80\x04cos\nsystem\n" + argument + b"}\x92.",
        "obj-then-pop": b"(cos\nsystem\n" + argument[1:-1] + b"o0N.",
        "reduce-then-build": call + b"}b.",
        "memo-shuffle": b"\x80\x04\x8c\x04math\x94\x8c\x02osq\x000\x8c\x06system\x94h\x00h\x01\x93"
        + argument
        + b"R.",
        "nested-pickle": b"\x80\x02cpickle\nloads\n(U" + bytes([len(call) + 1]) + call + b".tR.",
        "dup-and-pop-mark": b"cos\nsystem\n2(N1" + argument + b"R0.",
    }
    names = {"nested-pickle": "pickle.loads"}
    found = {name: (data, names.get(name, SYSTEM), "") for name, data in plain.items()}
    dotted = b"\x80\x04\x8c\x05torch\x8c\x09os.system\x93" + argument + b"R."
    found |= {
        "dotted-attribute": (dotted, "torch.os.system", ""),
        "computed-name": (
            b"\x80\x04cos\ngetenv\n(X\x01\x00\x00\x00xtRX\x06\x00\x00\x00system\x93"
            + argument
            + b"R.",
            "(computed).system",
            "",
        ),
        "extension1": (b"\x80\x02\x82\xf0" + argument + b"R.", "copyreg.extension(240)", ""),
        "extension2": (b"\x80\x02\x83\xf0\x01" + argument + b"R.", "copyreg.extension(496)", ""),
        "extension4": (b"\x80\x02\x84\xf0\1\0\0" + argument + b"R.", "copyreg.extension(496)", ""),
        "build-on-function": (
            b"\x80\x02cnumpy\ndtype\n}X\x08\x00\x00\x00__code__Nsb.",
            "BUILD on numpy.dtype, which no call has made",
            "",
        ),
        "build-sets-class": (
            b"\x80\x02ccollections\nOrderedDict\n)R}X\x09\x00\x00\x00__class__Nsb.",
            "BUILD sets a name with two underscores",
            "",
        ),
        "setitem-on-function": (
            b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nK\x01K\x02s.",
            "SETITEM on torch._utils._rebuild_tensor_v2, which no call has made",
            "",
        ),
        "append-on-dict": (b"\x80\x02}K\x01a.", "APPEND on a dict, which no call has made", ""),
        "setitem-on-list": (b"]K\x00K\x01s.", "SETITEM on a list, which no call has made", ""),
        "call-of-a-call": (
            call + b")R.",
            "REDUCE on the result of a call, which is no name",
            "",
        ),
        "codec-that-imports": (
            b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00xX\x04\x00\x00\x00evil\x86R.",
            "REDUCE of _codecs.encode with other arguments than text and a codec",
            "",
        ),
        "factory-that-runs": (
            b"\x80\x02ccollections\ndefaultdict\ncos\nsystem\n\x85R.",
            SYSTEM,
            "",
        ),
        "rebuild-that-calls": (
            b"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n(cos\nsystem\nctorch\nTensor\n"
            + argument
            + b"NtR.",
            SYSTEM,
            "",
        ),
        "payload-then-truncated": (call, SYSTEM, "pickle-truncated"),
        "payload-then-no-such-opcode": (call + b"\xff.", SYSTEM, "pickle-opcode"),
        "payload-then-unset-memo": (call + b"h\x07.", SYSTEM, "pickle-memo"),
        "payload-then-empty-stack": (call + b"000.", SYSTEM, "pickle-stack"),
        "payload-then-no-mark": (call + b"t.", SYSTEM, "pickle-stack"),
        "payload-then-huge-memo-key": (call + b"r\xff\xff\xff\xff.", SYSTEM, "pickle-memo"),
        "payload-then-latin1-text": (call + b"X\x01\x00\x00\x00\xe9.", SYSTEM, "pickle-text"),
        "payload-then-bad-number": (call + b"Iten\n.", SYSTEM, "pickle-operand"),
        "payload-then-long-number": (
            call + b"\x8b\x00\x00\x01\x00" + bytes(65536) + b".",
            SYSTEM,
            "pickle-limit",
        ),
        "payload-then-protocol6": (call + b"\x80\x06N.", SYSTEM, "pickle-protocol"),
        "payload-then-trailing": (call + b".not a pickle", SYSTEM, "pickle-trailing"),
        "payload-in-second-pickle": (b"N." + call + b".", SYSTEM, ""),
        "frame-straddle": (
            b"\x80\x04" + call + b"\x95" + struct.pack("<Q", 3) + b"\x8c\x08" + call + b".",
            SYSTEM,
            "pickle-frame",
        ),
        "frame-past-the-end": (
            b"\x80\x04" + call + b"\x95" + struct.pack("<Q", 1000) + b"N.",
            SYSTEM,
            "pickle-frame",
        ),
        "frame-goes-on": (
            b"\x80\x04" + call + b"\x95" + struct.pack("<Q", 4) + b"N.NN",
            SYSTEM,
            "pickle-frame",
        ),
    }
    return found


def expected() -> str:
    """What is expected of each file, as the JSON beside them."""
    table = {n: {"calls": c, "refused": r} for n, (_, c, r) in sorted(vectors().items())}
    return json.dumps(table, indent=1) + "\n"


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, (data, _, _) in vectors().items():
        (FOLDER / f"{name}.pkl").write_bytes(data)
    (FOLDER / "expected.json").write_text(expected())


if __name__ == "__main__":
    main()
