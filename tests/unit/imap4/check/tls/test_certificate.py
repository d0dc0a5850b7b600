"""The end of a certificate's validity, against a library that knows all of X.509."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from imap4.check.tls.certificate import read

KEY = ec.generate_private_key(ec.SECP256R1())
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.example.org")])


def certificate(end: datetime.datetime) -> bytes:
    builder = x509.CertificateBuilder(NAME, NAME, KEY.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(datetime.datetime(1970, 1, 1)).not_valid_after(end)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize("year", [1971, 1999, 2000, 2026, 2049, 2050, 2099, 9999])
def test_end_is_read_in_both_encodings_of_time(year: int) -> None:
    end = datetime.datetime(year, 12, 31, 23, 59, 58)
    expected = end.replace(tzinfo=datetime.UTC).timestamp()
    found = read(certificate(end))
    assert found is not None
    assert (found.begin, found.end) == (0.0, expected)
    assert (found.subject, found.issuer, found.has_names) == ("mail.example.org", "mail.example.org", False)


@given(st.binary(max_size=200))
def test_no_bytes_raise(data: bytes) -> None:
    read(data)


@given(st.data())
def test_no_damaged_certificate_raises(data: st.DataObject) -> None:
    whole = bytearray(CERTIFICATE)
    for _ in range(data.draw(st.integers(1, 5))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    read(bytes(whole[: data.draw(st.integers(0, len(whole)))]))


CERTIFICATE = certificate(datetime.datetime(2030, 1, 1))
