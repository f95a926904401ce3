"""Folders of certificates: which one a client is shown, and when they are read again."""

import os

import pytest
from cryptography.x509 import NameOID
from OpenSSL import SSL
from support.tls import Issued
from twisted.internet.task import Clock

from radiod.endpoints import EndpointError
from radiod.endpoints.certificates import LOOK_SECONDS, certificate_folder


def shown(certificates, name):
    """The common names of the chain that a client gets which asks for ``name``; all in memory."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    client, server = SSL.Connection(context), certificates.connection()
    if name is not None:
        client.set_tlsext_host_name(name.encode())
    client.set_connect_state()
    server.set_accept_state()
    for _ in range(10):
        for one, other in ((client, server), (server, client)):
            try:
                one.do_handshake()
            except SSL.WantReadError:
                """Its peer's turn."""
            try:
                other.bio_write(one.bio_read(1 << 16))
            except SSL.WantReadError:
                """It has nothing to say."""
    chain = client.get_peer_cert_chain(as_cryptography=True)
    return [one.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value for one in chain]


@pytest.fixture
def folder(tmp_path):
    def put(name, *issued, keys=True):
        parts = [one.certificate_pem() for one in issued] + [issued[0].key_pem()] * keys
        (tmp_path / name).write_bytes(b"\n".join(parts))

    return tmp_path, put


@pytest.fixture
def clock():
    return Clock()


def test_a_client_is_shown_the_certificate_of_the_name_that_it_asks_for(folder, clock):
    path, put = folder
    put("a.pem", Issued("a.example", "b.example"))
    put("c.pem", Issued("*.c.example"))
    certificates = certificate_folder(str(path), clock.seconds)
    assert shown(certificates, "b.example") == ["a.example"]
    assert shown(certificates, "A.Example") == ["a.example"]
    assert shown(certificates, "any.c.example") == ["*.c.example"]
    for unknown in (None, "c.example", "x.y.c.example", "elsewhere"):
        assert shown(certificates, unknown) == ["a.example"]


def test_the_chain_is_put_together_from_all_files_without_its_root(folder, clock):
    path, put = folder
    root = Issued("root", is_ca=True)
    between = Issued("between", issuer=root, is_ca=True)
    put("leaf.pem", Issued("leaf", issuer=between))
    put("above.pem", root, between, keys=False)
    assert shown(certificate_folder(str(path), clock.seconds), "leaf") == ["leaf", "between"]


def test_new_certificates_are_taken_without_a_restart(folder, clock):
    path, put = folder
    put("a.pem", Issued("old", "a.example"))
    certificates = certificate_folder(str(path), clock.seconds)
    put("a.pem", Issued("new", "a.example"))
    os.utime(path / "a.pem", ns=(1, 1))
    assert shown(certificates, "a.example") == ["old"]
    clock.advance(LOOK_SECONDS)
    assert shown(certificates, "a.example") == ["new"]


def test_what_cannot_be_read_changes_nothing(folder, clock):
    path, put = folder
    put("a.pem", Issued("old", "a.example"))
    certificates = certificate_folder(str(path), clock.seconds)
    for damage in (lambda: (path / "a.pem").write_bytes(b"half a"), lambda: (path / "a.pem").unlink()):
        damage()
        clock.advance(LOOK_SECONDS)
        assert shown(certificates, "a.example") == ["old"]
    put("a.pem", Issued("new", "a.example"))
    clock.advance(LOOK_SECONDS)
    assert shown(certificates, "a.example") == ["new"]


def test_signatures_that_go_in_a_circle_end(folder, clock):
    path, put = folder
    first = Issued("first", is_ca=True)
    second = Issued("second", issuer=first, is_ca=True)
    # Another certificate of the first name, signed by the second.
    put("leaf.pem", Issued("leaf", issuer=second))
    put("circle.pem", Issued("first", issuer=second, is_ca=True), second, keys=False)
    chain = shown(certificate_folder(str(path), clock.seconds), "leaf")
    assert chain[:3] == ["leaf", "second", "first"]
    assert len(chain) <= 11


def test_a_folder_that_is_none_is_refused(tmp_path, clock):
    with pytest.raises(EndpointError, match="no such folder"):
        certificate_folder(str(tmp_path / "x"), clock.seconds)
