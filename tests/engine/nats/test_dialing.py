"""Real sockets to real servers: what goes through, who is let in, and what happens when servers go."""

from pathlib import Path

import pytest
from engine.nats.nkeys import make_jwt, make_nkey
from engine.nats.watching import Client, Heard
from pytest_twisted import ensureDeferred
from support.tls import PEM, Issued

from radiod.engine.nats.credentials import Nkey, Password, Token, UserJwt
from radiod.engine.nats.errors import NoResponders, Refused
from radiod.engine.nats.tls import Tls

MANY = 5_000


class TestOneServer:
    @ensureDeferred
    async def test_all_messages_come_in_order_over_several_subjects(self, clients, one_server):
        publisher, listener = [await clients(one_server.url) for _ in range(2)]
        heard = Heard()
        listener.subscribe(b"many.>", heard)
        await listener.flush()
        for number in range(MANY):
            assert publisher.publish(b"many.%d" % (number % 3), b"%d" % number)
        await heard.wait(MANY)
        assert [int(payload) for *_, payload in heard] == list(range(MANY))

    @ensureDeferred
    async def test_nobody_hears_itself_but_who_wants_to(self, clients, one_server):
        for echo in (False, True):
            connection = await clients(one_server.url, echo=echo)
            heard = Heard()
            connection.subscribe(b"echo", heard)
            connection.publish(b"echo", b"")
            await connection.flush()
            assert len(heard) == echo

    @ensureDeferred
    async def test_nobody_answers_is_told_at_once(self, connection):
        with pytest.raises(NoResponders):
            await connection.request(b"nobody", b"", timeout=1000)

    @ensureDeferred
    async def test_a_request_is_answered(self, clients, one_server):
        asking, answering = [await clients(one_server.url) for _ in range(2)]
        answering.subscribe(
            b"twice", lambda _, reply, headers, payload: answering.publish(reply, payload * 2)
        )
        await answering.flush()
        assert (await asking.request(b"twice", b"ab", 10)).payload == b"abab"

    @ensureDeferred
    async def test_what_no_socket_takes_at_once_goes_all_the_same(self, connection):
        await send_much(connection)

    @ensureDeferred
    async def test_a_listener_that_is_unsubscribed_is_forgotten_by_the_server(self, connection):
        heard = Heard()
        sid = connection.subscribe(b"gone", heard)
        connection.unsubscribe(sid)
        with pytest.raises(NoResponders):
            await connection.request(b"gone", b"", 10)
        assert heard == []


async def send_much(connection):
    heard = Heard()
    connection.subscribe(b"large", heard)
    payloads = [bytes([number]) * 1_000_000 for number in range(30)]
    for payload in payloads:
        assert connection.publish(b"large", payload)
    assert connection.unsent > 30_000_000
    await heard.wait(30)
    assert [payload for *_, payload in heard] == payloads
    assert connection.unsent == 0


class TestWhoIsLetIn:
    @pytest.fixture
    def try_as(self, clients, servers):
        async def try_as(config, **more):
            cluster = servers(more=config)
            return await clients(cluster.all[0].url, **more)

        return try_as

    @ensureDeferred
    async def test_token(self, try_as):
        config = 'authorization { token: "secret" }'
        assert (await try_as(config, credentials=Token("secret"))).is_connected
        with pytest.raises(Refused, match="does not take our credentials: Authorization Violation"):
            await try_as(config, credentials=Token("wrong"))
        with pytest.raises(Refused):
            await try_as(config)

    @ensureDeferred
    async def test_password(self, try_as):
        config = 'authorization { user: "radio", password: "secret" }'
        assert (await try_as(config, credentials=Password("radio", "secret"))).is_connected
        with pytest.raises(Refused):
            await try_as(config, credentials=Password("radio", "wrong"))

    @ensureDeferred
    async def test_nkey(self, try_as):
        seed, public = make_nkey("U", bytes(range(32)))
        config = f'authorization {{ users: [{{ nkey: "{public}" }}] }}'
        assert (await try_as(config, credentials=Nkey(seed))).is_connected
        with pytest.raises(Refused):
            await try_as(config, credentials=Nkey(make_nkey("U", bytes(32))[0]))

    @ensureDeferred
    async def test_jwt(self, try_as):
        secrets = {kind: bytes([ord(kind)]) * 32 for kind in "OAU"}
        seeds = {kind: make_nkey(kind, secret) for kind, secret in secrets.items()}
        operator, account, user = [seeds[kind][1] for kind in "OAU"]
        # JetStream wants an account for the system.
        system = make_nkey("A", bytes(32))[1]
        names = ("subs", "data", "payload", "imports", "exports", "conn", "leaf")
        limits = {**dict.fromkeys(names, -1), "wildcards": True}
        preload = [
            f"{one}: {make_jwt(secrets['O'], operator, one, 'account', limits=limits)}"
            for one in (account, system)
        ]
        config = (
            f"operator: {make_jwt(secrets['O'], operator, operator, 'operator')}\nsystem_account: {system}\n"
            f"resolver: MEMORY\nresolver_preload: {{ {', '.join(preload)} }}\n"
        )
        user_jwt = make_jwt(secrets["A"], account, user, "user", subs=-1, data=-1, payload=-1)
        creds = (
            f"-----BEGIN NATS USER JWT-----\n{user_jwt}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{seeds['U'][0]}\n------END USER NKEY SEED------\n"
        )
        assert (await try_as(config, credentials=UserJwt(creds))).is_connected
        with pytest.raises(Refused):
            await try_as(config)


class TestTls:
    @pytest.fixture
    def tls(self, tmp_path):
        """Certificates, and a server's configuration with them."""
        authority = Issued("authority", is_ca=True)
        server = Issued("localhost", issuer=authority)
        for name, data in {
            "ca.pem": authority.certificate.public_bytes(PEM),
            "cert.pem": server.certificate.public_bytes(PEM),
            "key.pem": server.key_pem(),
        }.items():
            (tmp_path / name).write_bytes(data)
        return tmp_path

    def config(self, tls: Path, more=""):
        files = {f"{what}_file": tls / f"{what}.pem" for what in ("cert", "key", "ca")}
        named = ", ".join([f'{name}: "{file}"' for name, file in files.items()])
        return f"tls {{ {named} {more} }}"

    def url(self, cluster, scheme="tls", host="localhost"):
        return f"{scheme}://{host}:{cluster.all[0].port}"

    @pytest.mark.parametrize("is_first", [False, True])
    @ensureDeferred
    async def test_messages_go_through_it(self, clients, servers, tls, is_first):
        cluster = servers(more=self.config(tls, ", handshake_first: true" if is_first else ""))
        believed = Tls((tls / "ca.pem").read_bytes(), is_first=is_first)
        connection = await clients(self.url(cluster), tls=believed, echo=True)
        await send_much(connection)
        await connection.close()

    @ensureDeferred
    async def test_a_server_that_wants_it_gets_it(self, clients, servers, tls):
        cluster = servers(more=self.config(tls))
        believed = Tls((tls / "ca.pem").read_bytes())
        assert (await clients(self.url(cluster, "nats"), tls=believed)).is_connected

    @ensureDeferred
    async def test_a_certificate_of_ours_is_shown(self, clients, servers, tls):
        cluster = servers(more=self.config(tls, ", verify: true"))
        authority = (tls / "ca.pem").read_bytes()
        own = (tls / "key.pem").read_bytes() + (tls / "cert.pem").read_bytes()
        assert (await clients(self.url(cluster), tls=Tls(authority, own))).is_connected

    @ensureDeferred
    async def test_one_that_nobody_believes_is_refused(self, clients, servers, tls):
        cluster = servers(more=self.config(tls))
        with pytest.raises(Refused, match="TLS: certificate verify failed"):
            await clients(self.url(cluster))

    @ensureDeferred
    async def test_another_servers_is_refused(self, clients, servers, tls):
        cluster = servers(more=self.config(tls))
        believed = Tls((tls / "ca.pem").read_bytes())
        with pytest.raises(Refused, match="TLS: its certificate is another server's"):
            await clients(self.url(cluster, host="127.0.0.1"), tls=believed)

    def test_what_is_no_certificate_is_refused(self):
        with pytest.raises(ValueError, match="no certificate in PEM"):
            Tls(b"")


class TestServersThatGo:
    @ensureDeferred
    async def test_one_that_is_not_there_yet_is_waited_for(self, servers):
        cluster = servers()
        server = cluster.all[0]
        server.stop()
        client = Client(server.url)
        connected = client.connection.connect()
        await client.watching.wait(1)
        [(what, text)] = client.watching.told
        assert what == "trouble"
        assert text.startswith(f"nats-server at 127.0.0.1:{server.port}: Connection was refused")
        server.start()
        await connected
        await client.connection.close()

    @pytest.mark.parametrize("how", ["kill", "pause", "lame_duck"])
    @ensureDeferred
    async def test_subscriptions_go_on_at_another(self, clients, three, how):
        listener, publisher = [await clients(*three.urls, ping_interval=0.3, echo=True) for _ in range(2)]
        heard = Heard()
        listener.subscribe(b"on", heard)
        await listener.flush()
        [server] = [server for server in three.all if server.url.endswith(listener.server.rpartition(":")[2])]
        asked = listener.request(b"on", b"who?", 1000)
        getattr(server, how)()
        watching = clients.made[0].watching
        await watching.wait(3)
        assert watching.names() == ["connected", "lost", "connected"]
        assert not listener.server.endswith(f":{server.port}")
        await asked.addErrback(lambda failure: failure.trap(Exception))
        listener.publish(b"on", b"again")
        await listener.flush()
        assert heard[-1][3] == b"again"
        assert publisher is not listener

    @ensureDeferred
    async def test_all_of_them_gone_is_told_and_healed(self, clients, servers):
        cluster = servers()
        server = cluster.all[0]
        connection = await clients(server.url, echo=True)
        watching = clients.made[0].watching
        heard = Heard()
        connection.subscribe(b"a", heard)
        server.kill()
        await watching.wait(3)
        assert watching.names() == ["connected", "lost", "trouble"]
        assert not connection.publish(b"a", b"lost")
        server.start()
        await watching.wait(4)
        assert connection.publish(b"a", b"heard")
        await heard.wait(1)
        assert [payload for *_, payload in heard] == [b"heard"]
        assert connection.counts.while_away == 1
