"""No changed byte of a license is ever believed."""

import base64

import pytest

import mintreu


def test_every_flipped_bit_and_every_cut_is_refused(forever):
    document = base64.urlsafe_b64decode(forever["license"][4:] + "==")

    def verifies(changed):
        text = "MT1-" + base64.urlsafe_b64encode(changed).decode().rstrip("=")
        try:
            mintreu.verify(text, forever["trust"])
        except mintreu.MintreuError:
            return False
        return True

    # The control: the same road believes the unchanged bytes.
    assert verifies(document)
    for bit in range(len(document) * 8):
        changed = bytearray(document)
        changed[bit // 8] ^= 1 << bit % 8
        assert not verifies(bytes(changed)), f"bit {bit}"
    for length in range(len(document)):
        assert not verifies(document[:length]), f"cut to {length}"


def test_errors_say_what_is_wrong(forever):
    with pytest.raises(mintreu.MintreuError) as raised:
        mintreu.verify("MT1-nonsense", forever["trust"])
    assert raised.value.code == "malformed"
    assert raised.value.detail in str(raised.value)
    verdict = mintreu.verdict("MT1-nonsense", forever["trust"])
    assert (verdict.code, bool(verdict)) == ("malformed", False)
