"""Keys on a PKCS #11 token: the real thing, on SoftHSM's tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credenza.attest import KINDS, PrivateKey, Statement, Subject, Trust, sign
from credenza.attest.kinds import ED25519, P256_KIND, Kind
from credenza.attest.signers import public_key, signer
from credenza.attest.signers.pkcs11_uri import Pkcs11Uri
from credenza.errors import InputError
from tests.attest.softhsm import PIN, needs_softhsm
from tests.vectors.make_keys import KEYS

STATEMENT = Statement((Subject("m", "credenza-blake3", "00" * 32),), "https://t", b'{"a":1}')


@needs_softhsm
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("token=bank;object=p256", P256_KIND),
        ("token=bank;id=%01", P256_KIND),
        ("token=bank;object=ed25519;type=private", ED25519),
        ("token=bank;manufacturer=SoftHSM%20project;model=SoftHSM%20v2;id=%02", ED25519),
    ],
)
def test_a_token_signs(name: str, kind: Kind, tokens: str) -> None:
    uri = f"pkcs11:{name}{tokens}&pin-value={PIN}"
    by = signer(uri)
    assert by.public.kind is kind
    for _ in range(8):  # of ECDSA signatures every other one has the higher s
        envelope = sign(STATEMENT, [by])
        assert Trust((by.public,)).verify(envelope).keys == (by.public.id,)
    assert public_key(uri) == by.public


@needs_softhsm
def test_a_key_put_on_a_token_stays_the_same_key(tokens: str) -> None:
    by = signer(f"pkcs11:token=bank;object=imported{tokens}", lambda what: PIN)
    assert by.public == KEYS["p256"].public
    KEYS["p256"].public.verify(b"message", by.sign(b"message").sig)


@needs_softhsm
def test_the_pin_is_asked_for_once(tokens: str) -> None:
    asked = []

    def ask(what: str) -> str:
        asked.append(what)
        return PIN

    by = signer(f"pkcs11:token=bank;object=p256{tokens}", ask)
    by.sign(b"one")
    by.sign(b"two")
    assert asked == ["PIN of pkcs11:token=bank;object=p256"]
    assert PIN not in repr(by)


@needs_softhsm
def test_the_pin_may_lie_in_a_file(tokens: str, tmp_path: Path) -> None:
    (tmp_path / "pin").touch(mode=0o600)
    (tmp_path / "pin").write_text(f"{PIN}\n")
    for source in (str(tmp_path / "pin"), f"file:{tmp_path / 'pin'}", f"file://{tmp_path / 'pin'}"):
        by = signer(f"pkcs11:token=bank;object=p256{tokens}&pin-source={source}")
        by.public.verify(b"message", by.sign(b"message").sig)
    (tmp_path / "pin").chmod(0o644)
    with pytest.raises(InputError, match="its mode is 0644"):
        signer(f"pkcs11:token=bank;object=p256{tokens}&pin-source={tmp_path / 'pin'}")


@needs_softhsm
@pytest.mark.parametrize(
    ("name", "pin", "message"),
    [
        ("token=bank;object=p256", "4321", "the PIN is wrong"),
        ("token=bank;object=p256", "", "a PIN expected, none given"),
        ("token=none;object=p256", PIN, "one such token expected, 0 found"),
        ("object=p256;manufacturer=SoftHSM%20project", PIN, "one such token expected, "),
        ("token=bank;slot-id=99;object=p256", PIN, "one such token expected, 0 found"),
        ("token=bank;object=none", PIN, "one such private key expected, 0 found"),
        ("token=bank;id=%99", PIN, "one such private key expected, 0 found"),
        ("token=bank;object=p256;id=%02", PIN, "one such private key expected, 0 found"),
        ("token=bank;object=twins", PIN, "one such private key expected, 2 found"),
        ("token=bank", PIN, "one such private key expected, 7 found"),
        ("token=empty", PIN, "one such private key expected, 0 found"),
        ("token=bank;object=p384", PIN, "another kind found"),
        ("token=bank;object=lonely", PIN, "one public key .* expected, 0 found"),
    ],
)
def test_what_a_token_has_not(name: str, pin: str, message: str, tokens: str) -> None:
    with pytest.raises(InputError, match=message):
        signer(f"pkcs11:{name}{tokens}", lambda what: pin)


@needs_softhsm
def test_a_token_that_shows_another_public_key_is_found_out(tokens: str) -> None:
    from dataclasses import replace

    from credenza.attest.signers.pkcs11 import Pkcs11Signer

    by = Pkcs11Signer.open(f"pkcs11:token=bank;object=p256{tokens}", lambda what: PIN)
    other = PrivateKey.new(KINDS[1]).public
    with pytest.raises(InputError, match="its own public key does not verify"):
        replace(by, public=other).sign(b"message")


@pytest.mark.parametrize("module", ["/none.so", "/dev/null", __file__])
def test_what_is_no_module(module: str) -> None:
    with pytest.raises(InputError, match="no PKCS #11 module that can be loaded"):
        signer(f"pkcs11:token=bank?module-path={module}", lambda what: PIN)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("pkcs11:", "module-path expected, none found"),
        ("pkcs11:token=a", "module-path expected"),
        ("pkcs11:token=a;token=b?module-path=m", "token: one expected, two found"),
        ("pkcs11:token?module-path=m", "'token' found"),
        ("pkcs11:colour=red?module-path=m", "'colour' found"),
        ("pkcs11:token=a;?module-path=m", "'' found"),
        ("pkcs11:token=a?module-path=m&pin-value=1&pin-source=2", "both found"),
        ("pkcs11:token=a?module-path=m&module-path=m", "two found"),
        ("pkcs11:token=a?module-name=m", "'module-name' found"),
        ("pkcs11:token=%zz?module-path=m", "not percent-encoded"),
        ("pkcs11:token=a b?module-path=m", "not percent-encoded"),
        ("pkcs11:token=%ff?module-path=m", "UTF-8 expected"),
        ("pkcs11:type=public?module-path=m", "type=private expected, 'public' found"),
        ("pkcs11:type=cert?module-path=m", "type=private expected, 'cert' found"),
        ("pkcs11:slot-id=x?module-path=m", "a number expected"),
        ("pkcs11:slot-id=-1?module-path=m", "a number expected"),
    ],
)
def test_a_uri_is_read_strictly(uri: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Pkcs11Uri.parse(uri)


def test_a_uri_of_the_rfc() -> None:
    # RFC 7512, section 3, with the query made one that names a module's path.
    uri = (
        "pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;"
        "model=1.0;object=my-certificate;type=private;id=%69%95%3E%5C%F4%BD%EC%91;serial="
        "?module-path=/usr/lib/p.so&pin-source=file:/etc/token_pin"
    )
    parsed = Pkcs11Uri.parse(uri)
    assert parsed == Pkcs11Uri(
        module_path="/usr/lib/p.so",
        token=(
            ("token", "The Software PKCS#11 Softtoken"),
            ("manufacturer", "Snake Oil, Inc."),
            ("serial", ""),
            ("model", "1.0"),
        ),
        label="my-certificate",
        id=b"\x69\x95>\\\xf4\xbd\xec\x91",
        pin_source="file:/etc/token_pin",
    )


def test_a_pin_source_that_is_a_command_is_never_run(tmp_path: Path) -> None:
    uri = f"pkcs11:token=a?module-path=m&pin-source=|touch%20{tmp_path / 'ran'}"
    with pytest.raises(InputError, match="a file expected, a command found"):
        _ = Pkcs11Uri.parse(uri).pin
    assert not (tmp_path / "ran").exists()


@given(st.text(max_size=60))
def test_no_text_raises_anything_else(text: str) -> None:
    for uri in (text, f"pkcs11:{text}", f"pkcs11:{text}?module-path=m"):
        try:
            Pkcs11Uri.parse(uri)
        except InputError:
            continue
