"""Make the vectors of `ledger`: ``python -m tests.vectors.make_ledger``.

``ledger/FORMAT/NAME`` is one case: its name is what it probes, its first line what is expected
(``ok``, or what the refusal has to say), then an empty line and the bytes. ``ledger/others/`` is
not made here: these are checkpoints and keys of other implementations, as they were published.
"""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

from credenza.ledger import Kind, SigningKey

HERE = Path(__file__).parent / "ledger"
ROOT = base64.b64encode(bytes(32)).decode()
KEY = SigningKey("example.com/log", Kind.LOG, bytes(32))
TEXT = f"example.com/log\n7\n{ROOT}\n"
LINE = str(KEY.sign(TEXT))
NOTE = f"{TEXT}\n{LINE}\n"
VKEY = str(KEY.verifier)
PROOF = f"c2sp.org/tlog-proof@v1\nindex 3\n{ROOT}\n\n{NOTE}"
REQUEST = f"old 3\n{ROOT}\n\n{NOTE}"

CHECKPOINTS = {
    "smallest": (f"a\n0\n{ROOT}\n", "ok"),
    "extension_lines": (f"{TEXT}one\ntwo\n", "ok"),
    "origin_with_spaces": (f"Ada's log\n1\n{ROOT}\n", "ok"),
    "size_largest": (f"a\n{2**63 - 1}\n{ROOT}\n", "ok"),
    "size_too_large": (f"a\n{2**63}\n{ROOT}\n", "below 2**63"),
    "size_leading_zero": (f"a\n07\n{ROOT}\n", "a decimal number"),
    "size_leading_space": (f"a\n 7\n{ROOT}\n", "a decimal number"),
    "size_underscore": (f"a\n1_0\n{ROOT}\n", "a decimal number"),
    "size_plus": (f"a\n+7\n{ROOT}\n", "a decimal number"),
    "size_other_digits": (f"a\n٧\n{ROOT}\n", "a decimal number"),
    "root_stray_bits": (f"a\n7\n{ROOT[:-2]}B=\n", "one spelling"),
    "root_without_padding": (f"a\n7\n{ROOT[:-1]}\n", "base64 expected"),
    "root_url_alphabet": (f"a\n7\n{'_' * 43}=\n", "base64 expected"),
    "root_too_short": (f"a\n7\n{base64.b64encode(bytes(31)).decode()}\n", "32 bytes"),
    "root_too_long": (f"a\n7\n{base64.b64encode(bytes(33)).decode()}\n", "32 bytes"),
    "origin_empty": (f"\n7\n{ROOT}\n", "printable"),
    "origin_right_to_left": (f"a\u202eb\n7\n{ROOT}\n", "printable"),
    "extension_empty": (f"{TEXT}\none\n", "printable"),
    "line_missing": ("a\n7\n", "lines of origin"),
    "no_last_line_feed": (TEXT[:-1], "lines of origin"),
    "carriage_returns": (TEXT.replace("\n", "\r\n"), "a decimal number"),
}
NOTES = {
    "one_signature": (NOTE, "ok"),
    "text_with_empty_lines": (f"a\n\nb\n\n{LINE}\n", "ok"),
    "sixteen_signatures": (f"{TEXT}\n" + f"{LINE}\n" * 16, "ok"),
    "too_many_signatures": (f"{TEXT}\n" + f"{LINE}\n" * 65, "at most 64"),
    "no_signature": (f"{TEXT}\n", "signature line"),
    "no_empty_line": (f"{TEXT}{LINE}\n", "an empty line"),
    "no_last_line_feed": (NOTE[:-1], "an empty line"),
    "trailing_line": (f"{NOTE}more\n", "a signature line"),
    "hyphen_for_dash": (NOTE.replace("\u2014", "-"), "a signature line"),
    "name_missing": (NOTE.replace("\u2014 example.com/log", "\u2014 "), "key name"),
    "name_with_plus": (NOTE.replace("\u2014 example.com/log", "\u2014 a+b"), "key name"),
    "name_with_wide_space": (NOTE.replace("\u2014 example.com/log", "\u2014 a\u3000b"), "key name"),
    "two_spaces": (NOTE.replace("log ", "log  "), "base64"),
    "signature_stray_bits": (f"{TEXT}\n\u2014 a AAAAAAB=\n", "one spelling"),
    "signature_empty": (f"{TEXT}\n\u2014 a AAAAAA==\n", "a signature expected"),
    "control_character": (NOTE.replace("example", "ex\tmple", 1), "control characters"),
    "too_large": ("a" * 2**18 + f"\n\n{LINE}\n", "at most 262144"),
}
VKEYS = {
    "ed25519": (VKEY, "ok"),
    "cosigner": (str(SigningKey("w", Kind.COSIGNER, bytes(32)).verifier), "ok"),
    "id_of_another": (VKEY[:-1] + "A", "key id"),
    "id_in_capitals": (VKEY.replace(VKEY.split("+")[1], VKEY.split("+")[1].upper()), "key id"),
    "id_missing": ("example.com/log", "NAME+ID+BASE64"),
    "base64_stray_bits": ("a+00000000+AQB=", "one spelling"),
    "base64_with_line_feed": (f"{VKEY}\n", "base64"),
    "nothing_after_id": ("a+00000000+", "a type of"),
    "type_unknown": ("a+00000000+" + base64.b64encode(b"\x02" + bytes(32)).decode(), "a type of"),
    "key_too_short": ("a+00000000+" + base64.b64encode(b"\x01" + bytes(31)).decode(), "32 bytes"),
    "name_with_space": (VKEY.replace("example", "ex mple"), "key name"),
    "name_empty": (VKEY[VKEY.index("+") :], "key name"),
}
PROOFS = {
    "one_hash": (PROOF, "ok"),
    "no_hash": (PROOF.replace(f"3\n{ROOT}", "0"), "ok"),
    "extra": (PROOF.replace("index", "extra AAAA\nindex"), "ok"),
    "extra_empty": (PROOF.replace("index", "extra \nindex"), "ok"),
    "extra_stray_bits": (PROOF.replace("index", "extra AB==\nindex"), "one spelling"),
    "extra_after_index": (PROOF.replace("index 3", "index 3\nextra AAAA"), "base64"),
    "another_version": (PROOF.replace("@v1", "@v2"), "tlog-proof@v1"),
    "index_missing": (PROOF.replace("index 3\n", ""), "a line index"),
    "index_leading_zero": (PROOF.replace("index 3", "index 03"), "a decimal number"),
    "index_negative": (PROOF.replace("index 3", "index -3"), "a decimal number"),
    "hash_too_short": (PROOF.replace(ROOT, "AAAA", 1), "32 bytes"),
    "too_many_hashes": (PROOF.replace(f"{ROOT}\n", f"{ROOT}\n" * 64, 1), "at most 63"),
    "checkpoint_missing": (PROOF.partition("\n\n")[0] + "\n", "a checkpoint expected"),
}
REQUESTS = {
    "one_hash": (REQUEST, "ok"),
    "no_hash": (REQUEST.replace(f"3\n{ROOT}", "0"), "ok"),
    "old_missing": (REQUEST.replace("old 3\n", ""), "an old size"),
    "old_leading_zero": (REQUEST.replace("old 3", "old 03"), "a decimal number"),
    "old_two_spaces": (REQUEST.replace("old 3", "old  3"), "a decimal number"),
    "hash_too_long": (REQUEST.replace(ROOT, ROOT[:-1] + "A", 1), "32 bytes"),
    "too_many_hashes": (REQUEST.replace(f"{ROOT}\n", f"{ROOT}\n" * 64, 1), "at most 63"),
    "no_empty_line": (REQUEST.replace("\n\n", "\n"), "an old size"),
}
FORMATS = {
    "checkpoint": CHECKPOINTS,
    "note": NOTES,
    "vkey": VKEYS,
    "proof": PROOFS,
    "request": REQUESTS,
}


def main() -> None:
    for name, cases in FORMATS.items():
        shutil.rmtree(HERE / name, ignore_errors=True)
        (HERE / name).mkdir(parents=True)
        for case, (data, expected) in cases.items():
            (HERE / name / case).write_bytes(f"{expected}\n\n{data}".encode())


if __name__ == "__main__":
    main()
