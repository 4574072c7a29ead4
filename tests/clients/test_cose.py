"""pycose and cwt read our licenses, and we read theirs; each refuses what was changed."""

import os
import time

import cbor2
import cwt
import pytest
from conftest import ED25519, LICENSE_AAD, PRODUCT, TYPE, from_text, key_id
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pycose.algorithms import CoseAlgorithm, EdDSA
from pycose.headers import KID, Algorithm, CoseHeaderAttribute
from pycose.keys import OKPKey
from pycose.keys.curves import Ed25519
from pycose.messages import Sign1Message


@CoseAlgorithm.register_attribute()
class FullySpecifiedEd25519(EdDSA):
    """RFC 9864's number for the signature that pycose knows by its older, looser number."""

    identifier = ED25519
    fullname = "ED25519"


@CoseHeaderAttribute.register_attribute()
class Typ(CoseHeaderAttribute):
    """RFC 9596's header, which pycose doesn't know."""

    identifier = TYPE
    fullname = "TYP"


def claims():
    """Claims that a license needs: audience, instant of issue, id, and our own map."""
    now = int(time.time())
    return {3: PRODUCT, 6: now - 60, 7: os.urandom(16), -65537: {2: {"pro": True}}}


def canonical(value):
    return cbor2.dumps(value, canonical=True)


def fresh_key():
    key = Ed25519PrivateKey.generate()
    return key.private_bytes_raw(), key.public_key().public_bytes_raw()


def with_pycose(payload, seed, public, aad=LICENSE_AAD):
    headers = {Algorithm: FullySpecifiedEd25519, KID: key_id(public), Typ: "mintreu/license/1"}
    key = OKPKey(crv=Ed25519, d=seed, x=public)
    return Sign1Message(headers, {}, payload, external_aad=aad, key=key).encode()


def cwt_key(public, seed=None):
    private = {} if seed is None else {-4: seed}
    return cwt.COSEKey.new({1: 1, 3: ED25519, -1: 6, -2: public, 2: key_id(public), **private})


def with_cwt(payload, seed, public, aad=LICENSE_AAD):
    headers = {1: ED25519, 4: key_id(public), TYPE: "mintreu/license/1"}
    key = cwt_key(public, seed)
    return cwt.COSE.new().encode(payload, key, headers, {}, external_aad=aad)


def test_pycose_verifies_ours_and_no_changed_one(issued):
    document = from_text(issued["text"])
    message = Sign1Message.decode(document)
    message.key = OKPKey(crv=Ed25519, x=issued["public"])
    message.external_aad = LICENSE_AAD
    assert message.verify_signature()
    assert cbor2.loads(message.payload)[3] == PRODUCT
    message.external_aad = b"mintreu/lease/1"
    assert not message.verify_signature()


def test_cwt_verifies_ours_and_no_changed_one(issued):
    document = from_text(issued["text"])
    key = cwt_key(issued["public"])
    payload = cwt.COSE.new().decode(document, key, external_aad=LICENSE_AAD)
    assert cbor2.loads(payload)[3] == PRODUCT
    with pytest.raises(cwt.VerifyError):
        cwt.COSE.new().decode(document, key, external_aad=b"mintreu/lease/1")
    with pytest.raises(cwt.VerifyError):
        changed = document[:-1] + bytes([document[-1] ^ 1])
        cwt.COSE.new().decode(changed, key, external_aad=LICENSE_AAD)


@pytest.mark.parametrize("make", [with_pycose, with_cwt])
def test_we_verify_theirs(make, verify):
    seed, public = fresh_key()
    code, found = verify(make(canonical(claims()), seed, public), public)
    assert code == 0, found


@pytest.mark.parametrize("make", [with_pycose, with_cwt])
def test_we_refuse_theirs_outside_the_profile(make, verify):
    seed, public = fresh_key()
    payload = canonical(claims())
    other_kind = make(payload, seed, public, aad=b"mintreu/lease/1")
    assert refusal(verify, other_kind, public) == "bad_signature"
    sloppy = cbor2.dumps(dict(reversed(claims().items())))
    assert refusal(verify, make(sloppy, seed, public), public) == "malformed"
    _, stranger = fresh_key()
    assert refusal(verify, make(payload, seed, public), stranger) == "unknown_key"


def refusal(verify, document, public):
    code, found = verify(document, public)
    assert code == 1, found
    return found["verdict"]
