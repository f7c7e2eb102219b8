# SPDX-License-Identifier: GPL-2.0-only
#
# Pulling through: from Debian's docker-registry over http, https, with passwords and tokens; from an upstream
# that is gone, slow, or lies; many clients at once; what is kept, how long, and who is told the password.

import base64
import http.server
import ssl
import threading

from registry import *
from clients import Distribution, blobs, make_layout, need, run, skopeo

TESTS.clear()       # of clients

HERE = os.path.dirname(os.path.abspath(__file__))


class Upstream(http.server.ThreadingHTTPServer):
    """A registry that answers as a test wants, notes what it is asked, and can be switched off."""
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, tls=None):
        super().__init__((HOST, 0), Upstream.Handler)
        self.scheme = "http"
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls + ".crt", tls + ".key")
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"
        self.manifests = {}
        self.blobs = {}
        self.asked = []
        self.is_off = False
        self.status = None      # of every answer
        self.say = None         # (path) -> another answer: (status, fields, body)
        self.cut = 0            # bytes after which blobs end, so many times
        self.cuts = 0
        self.gate = None        # an event blobs wait for after their first half
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"{self.scheme}://{HOST}:{self.server_port}"

    def add_blob(self, repo, data):
        self.blobs[f"/v2/{repo}/blobs/{digest(data)}"] = data
        return digest(data)

    def add_image(self, repo, tag, *layers):
        config = b'{"os":"linux","architecture":"amd64"}'
        for data in (config, *layers):
            self.add_blob(repo, data)
        data = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(config, OCI_CONFIG),
                           "layers": [descriptor(layer, OCI_LAYER) for layer in layers]}).encode()
        for name in (tag, digest(data)):
            self.manifests[f"/v2/{repo}/manifests/{name}"] = data
        return data

    def count(self, method, word):
        return sum(1 for line in self.asked if line[0] == method and word in line[1])

    def off(self):
        self.is_off = True
        self.shutdown()
        self.server_close()

    def handle_error(self, *_):
        """Clients that leave are part of the tests."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def reply(self, status, body=b"", cut=None, **fields):
            self.send_response(status)
            fields.setdefault("Content_Length", len(body))
            for key, value in fields.items():
                if value is not None:
                    self.send_header(key.replace("_", "-"), str(value))
            self.end_headers()
            if self.command == "HEAD":
                return
            gate = self.server.gate
            half = len(body) // 2 if status == 200 else 0
            if gate and cut is not None:
                self.wfile.write(body[:half])
                gate.wait(60)
                body = body[half:]
            if cut:
                body = body[:cut]
                self.close_connection = True
            try:
                self.wfile.write(body)
            except OSError:
                pass

        def do_GET(self):
            server = self.server
            path = self.path
            if server.is_off:
                self.close_connection = True
                return
            server.asked.append((self.command, path, self.headers.get("Authorization"), self.headers.get("Range")))
            said = server.say(path) if server.say else None
            if said:
                status, fields, body = said
                return self.reply(status, body, **fields)
            if server.status:
                return self.reply(server.status)
            if path in server.manifests:
                data = server.manifests[path]
                return self.reply(200, data, Content_Type=json.loads(data)["mediaType"],
                                  Docker_Content_Digest=digest(data))
            if path in server.blobs:
                return self.blob(server.blobs[path])
            self.reply(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no"}]}')

        def blob(self, data):
            server = self.server
            first = int((self.headers.get("Range") or "bytes=0-")[6:].split("-")[0])
            cut = 0
            if server.cuts and self.command == "GET":
                server.cuts -= 1
                cut = server.cut
            fields = {}
            if first:
                fields["Content_Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
            self.reply(206 if first else 200, data[first:], cut=cut, **fields)

        do_HEAD = do_GET


def cache(upstream, **more):
    url = upstream if isinstance(upstream, str) else upstream.url
    extra = {"proxy": {"remoteurl": url}, "shale": {"proxy": {"timeout": "3s"}},
             "http": {"debug": {"addr": f"{HOST}:{free_port()}", "prometheus": {"enabled": True}}}}
    merge(extra, more)
    return Server(extra=extra)


def metric(server, name):
    port = int(server.config["http"]["debug"]["addr"].split(":")[1])
    text = Client(port).get("/metrics").body.decode()
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
    return float(found.group(1)) if found else 0


def get_all(server, path, count):
    got = [None] * count

    def get(i):
        got[i] = server.client().get(path)
    threads = [threading.Thread(target=get, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


# --- what is kept

@test("an image comes through, is kept, and is served when the upstream is gone")
def kept():
    upstream = Upstream()
    layer = os.urandom(3000000)
    image = upstream.add_image("lib/app", "t", layer)
    with cache(upstream) as server:
        web = server.client()
        assert web.head(f"/v2/lib/app/blobs/{digest(layer)}")["Content-Length"] == "3000000"
        for _ in range(2):
            answer = web.get("/v2/lib/app/manifests/t")
            assert answer.body == image and answer["Content-Type"] == OCI_MANIFEST
            assert answer["Docker-Content-Digest"] == digest(image)
            answer = web.get(f"/v2/lib/app/blobs/{digest(layer)}")
            assert answer.body == layer and answer["Docker-Content-Digest"] == digest(layer)
        assert web.get(f"/v2/lib/app/manifests/{digest(image)}").body == image
        assert upstream.count("GET", "/manifests/") == 1 and upstream.count("GET", "/blobs/") == 1
        assert upstream.count("HEAD", "/manifests/t") == 1
        assert web.get("/v2/_catalog").json()["repositories"] == ["lib/app"]
        assert metric(server, 'registry_proxy_misses_total{type="blob"}') == 2
        assert metric(server, 'registry_proxy_hits_total{type="blob"}') == 1
        assert metric(server, 'registry_proxy_pulled_bytes_total{type="blob"}') == len(layer)
        upstream.off()
        assert web.get("/v2/lib/app/manifests/t").body == image
        assert web.get(f"/v2/lib/app/blobs/{digest(layer)}").body == layer
        server.stop()
        server.start()
        web.close()
        assert web.get("/v2/lib/app/manifests/t").body == image
        answer = web.get("/v2/lib/app/manifests/other")
        assert answer.status == 503 and answer.code() == "UNAVAILABLE" and answer["Retry-After"]
        server.stop()
        assert server.verb("check").returncode == 0


@test("a tag that moves upstream moves here, one that is gone there is gone here")
def moved():
    upstream = Upstream()
    upstream.add_image("a", "t", b"one")
    with cache(upstream) as server:
        web = server.client()
        assert web.get("/v2/a/manifests/t").status == 200
        new = upstream.add_image("a", "t", b"two")
        assert web.head("/v2/a/manifests/t")["Docker-Content-Digest"] == digest(new)
        assert web.get("/v2/a/manifests/t").body == new
        del upstream.manifests["/v2/a/manifests/t"]
        answer = web.get("/v2/a/manifests/t")
        assert answer.status == 404 and answer.code() == "MANIFEST_UNKNOWN"
        upstream.off()
        assert web.get("/v2/a/manifests/t").status == 503
        assert web.get(f"/v2/a/manifests/{digest(new)}").body == new


@test("a tag is not asked for again while it is fresh")
def fresh():
    upstream = Upstream()
    image = upstream.add_image("a", "t", b"one")
    with cache(upstream, shale={"proxy": {"fresh": "1h"}}) as server:
        web = server.client()
        for _ in range(5):
            assert web.get("/v2/a/manifests/t").body == image
        assert len(upstream.asked) == 1, upstream.asked


@table("what is kept is served when the upstream answers", [("500", 500), ("503", 503), ("429", 429)])
def stale(status):
    upstream = Upstream()
    image = upstream.add_image("a", "t", b"one")
    with cache(upstream) as server:
        web = server.client()
        web.get("/v2/a/manifests/t")
        upstream.status = status
        assert web.get("/v2/a/manifests/t").body == image
        answer = web.get("/v2/a/manifests/u")
        assert answer.status == (429 if status == 429 else 503), answer.status
        answer = web.get(f"/v2/a/blobs/{digest(b'one')}")
        assert answer.status == (429 if status == 429 else 503) and answer["Retry-After"], answer.status


@table("what the upstream refuses is not served, kept or not", [("401", 401), ("403", 403)])
def refused(status):
    upstream = Upstream()
    upstream.add_image("a", "t", b"one")
    with cache(upstream) as server:
        web = server.client()
        web.get("/v2/a/manifests/t")
        upstream.status = status
        answer = web.get("/v2/a/manifests/t")
        assert answer.status == 404 and answer.code() == "MANIFEST_UNKNOWN", answer.status


@test("what nobody asks for goes after its ttl, and comes again")
def expiry():
    upstream = Upstream()
    layer = os.urandom(100000)
    image = upstream.add_image("a", "old", layer)
    with cache(upstream, proxy={"ttl": "2s"}) as server:
        web = server.client()
        web.get("/v2/a/manifests/old")
        web.get(f"/v2/a/blobs/{digest(layer)}")
        blob = f"{server.root}/docker/registry/v2/blobs/sha256/{digest(layer)[7:9]}/{digest(layer)[7:]}/data"
        assert os.path.exists(blob)
        # What was used within a day stays while the server runs; the next one knows of no use.
        server.stop()
        server.start()
        wait_until("the tag's end", lambda: not os.path.exists(
            f"{server.root}/docker/registry/v2/repositories/a/_manifests/tags/old/current/link"))
        wait_until("the blob's end", lambda: not os.path.exists(blob))
        web.close()
        assert web.get("/v2/a/manifests/old").body == image
        assert web.get(f"/v2/a/blobs/{digest(layer)}").body == layer


# --- blobs on their way

@test("a blob is sent while it comes, to all who want it, and asked for once")
def streamed():
    upstream = Upstream()
    data = os.urandom(4000000)
    upstream.add_blob("a", data)
    upstream.gate = threading.Event()
    path = f"/v2/a/blobs/{digest(data)}"
    with cache(upstream) as server:
        readers = []
        for _ in range(40):
            connection = http.client.HTTPConnection(HOST, server.port, timeout=30)
            connection.request("GET", path)
            readers.append(connection)
        answers = [connection.getresponse() for connection in readers]
        halves = [answer.read(1500000) for answer in answers]
        assert all(half == data[:1500000] for half in halves)
        part = http.client.HTTPConnection(HOST, server.port, timeout=30)
        part.request("GET", path, headers={"Range": "bytes=1000-2999"})
        assert part.getresponse().read() == data[1000:3000]
        # Whoever leaves does not end it for the others.
        for connection in readers[:10]:
            connection.close()
        upstream.gate.set()
        for answer, half in list(zip(answers, halves))[10:]:
            assert half + answer.read() == data
        assert upstream.count("GET", "/blobs/") == 1, upstream.asked
        assert server.client().get(path, Range="bytes=-5").body == data[-5:]
        assert upstream.count("GET", "/blobs/") == 1
        for connection in readers:
            connection.close()


@test("many who want the same manifest at once make one request")
def single_manifest():
    upstream = Upstream()
    image = upstream.add_image("a", "t", b"one")
    slow = lambda path: time.sleep(0.5)
    upstream.say = slow
    with cache(upstream) as server:
        got = get_all(server, "/v2/a/manifests/t", 30)
        assert all(answer.body == image for answer in got), [a.status for a in got]
        assert upstream.count("GET", "/manifests/t") <= 2, upstream.asked


@test("a transfer that breaks goes on where it stood")
def resumed():
    upstream = Upstream()
    data = os.urandom(1000000)
    upstream.add_blob("a", data)
    upstream.cut, upstream.cuts = 300000, 3
    with cache(upstream) as server:
        assert server.client().get(f"/v2/a/blobs/{digest(data)}").body == data
        spans = [line[3] for line in upstream.asked if line[0] == "GET"]
        assert spans == [None, "bytes=300000-", "bytes=600000-", "bytes=900000-"], spans


def is_cut_short(server, path, size):
    connection = http.client.HTTPConnection(HOST, server.port, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    if answer.status != 200:
        return True
    try:
        return len(answer.read()) < size
    except (http.client.IncompleteRead, ConnectionResetError):
        return True


@test("a blob with another digest never comes to its end, and is not kept")
def wrong_blob():
    upstream = Upstream()
    data, lie = os.urandom(500000), os.urandom(500000)
    path = f"/v2/a/blobs/{digest(data)}"
    upstream.blobs[path] = lie
    with cache(upstream) as server:
        assert is_cut_short(server, path, len(lie))
        assert not [f for _, _, fs in os.walk(server.root + "/docker") for f in fs if f == "data"]
        upstream.blobs[path] = data
        assert server.client().get(path).body == data
        upstream.off()
        assert server.client().get(path).body == data


@table("a blob that is", [("empty", b""), ("one_byte", b"x")])
def tiny(data):
    upstream = Upstream()
    upstream.add_blob("a", data)
    with cache(upstream) as server:
        for _ in range(2):
            answer = server.client().get(f"/v2/a/blobs/{digest(data)}")
            assert answer.status == 200 and answer.body == data


@test("an upstream that ends too early again and again, and one that stalls, break what was begun")
def truncated():
    upstream = Upstream()
    data = os.urandom(500000)
    path = f"/v2/a/blobs/{digest(data)}"
    upstream.add_blob("a", data)
    upstream.say = lambda p: (200, {"Content_Length": len(data), "Connection": "close"}, data[:1000])
    with cache(upstream, shale={"proxy": {"timeout": "1s"}}) as server:
        assert is_cut_short(server, path, len(data))
        upstream.say = None
        upstream.gate = threading.Event()
        assert is_cut_short(server, path, len(data))
        upstream.gate.set()
        upstream.gate = None
        assert server.client().get(path).body == data


@test("a manifest with another digest or that is none is not passed on, and an older one is served instead")
def wrong_manifest():
    upstream = Upstream()
    image = upstream.add_image("a", "t", b"one")
    with cache(upstream) as server:
        web = server.client()
        assert web.get("/v2/a/manifests/t").body == image
        other = upstream.add_image("b", "t", b"two")
        upstream.manifests["/v2/a/manifests/" + digest(other)] = image
        assert web.get(f"/v2/a/manifests/{digest(other)}").status == 503
        upstream.say = lambda path: (200, {"Content_Type": OCI_MANIFEST, "Docker_Content_Digest": digest(other)}, b"{}")
        assert web.get("/v2/a/manifests/t").body == image
        upstream.say = lambda path: (200, {"Content_Type": OCI_MANIFEST}, b"<html>")
        assert web.get("/v2/a/manifests/t").body == image and web.get("/v2/a/manifests/u").status == 503
        upstream.say = lambda path: (200, {"Content_Type": OCI_MANIFEST}, b" " * (5 << 20))
        assert web.get("/v2/a/manifests/v").status == 503


@test("an upstream that does not answer holds up nobody who wants what is here")
def stalled():
    upstream = Upstream()
    image = upstream.add_image("a", "t", b"one")
    gate = threading.Event()
    with cache(upstream, shale={"workers": 12, "proxy": {"timeout": "20s"}}) as server:
        server.client().get("/v2/a/manifests/t")
        server.client().get(f"/v2/a/blobs/{digest(b'one')}")
        upstream.say = lambda path: gate.wait(30) and None
        threads = [threading.Thread(target=lambda i=i: server.client().get(f"/v2/a/manifests/x{i}")) for i in range(20)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        web = server.client(timeout=5)
        assert web.get(f"/v2/a/manifests/{digest(image)}").body == image
        assert web.get(f"/v2/a/blobs/{digest(b'one')}").body == b"one"
        answer = web.get("/v2/a/manifests/y")
        assert answer.status == 429 and answer["Retry-After"], answer.status
        gate.set()
        for thread in threads:
            thread.join()


@test("a server that ends does not wait for an upstream that stalls")
def stopped():
    upstream = Upstream()
    data = os.urandom(100000)
    upstream.add_blob("a", data)
    upstream.gate = threading.Event()
    with cache(upstream, shale={"proxy": {"timeout": "50s"}}, http={"draintimeout": "1s"}) as server:
        connection = http.client.HTTPConnection(HOST, server.port, timeout=30)
        connection.request("GET", f"/v2/a/blobs/{digest(data)}")
        assert connection.getresponse().read(1000) == data[:1000]
        connection.close()
        assert server.stop() == 0
    upstream.gate.set()


@test("what the storage has of another repository is only given when the upstream says so")
def other_repository():
    upstream = Upstream()
    data = b"secret"
    upstream.add_blob("a", data)
    with cache(upstream) as server:
        web = server.client()
        assert web.get(f"/v2/a/blobs/{digest(data)}").body == data
        assert web.get(f"/v2/b/blobs/{digest(data)}").status == 404
        upstream.add_blob("c", data)
        assert web.get(f"/v2/c/blobs/{digest(data)}").body == data
        assert upstream.count("GET", "/v2/c/blobs/") == 0
        upstream.off()
        assert web.get(f"/v2/c/blobs/{digest(data)}").body == data
        assert web.get(f"/v2/b/blobs/{digest(data)}").status == 503


@test("a storage that is full passes on what it cannot keep")
def full():
    root = scratch()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", root], stderr=subprocess.DEVNULL).returncode:
        raise Skip("a tmpfs cannot be mounted")
    try:
        upstream = Upstream()
        data = os.urandom(4 << 20)
        upstream.add_blob("a", data)
        server = cache(upstream, health={"storagedriver": {"enabled": False}},
                       storage={"filesystem": {"rootdirectory": root}})
        with server:
            for _ in range(2):
                assert server.client().get(f"/v2/a/blobs/{digest(data)}").body == data
            assert "is not kept" in server.read_log()
    finally:
        subprocess.run(["umount", "-l", root])


# --- who may do what, and who is told what

@test("a cache takes no push and deletes nothing")
def pushes():
    upstream = Upstream()
    image = upstream.add_image("a", "t", b"one")
    with cache(upstream) as server:
        web = server.client()
        web.get("/v2/a/manifests/t")
        for answer in (web.post("/v2/a/blobs/uploads/"), web.push_manifest("a", "t", image),
                       web.delete("/v2/a/manifests/t"), web.delete(f"/v2/a/blobs/{digest(b'one')}"),
                       web.post(f"/v2/a/blobs/uploads/?digest={digest(b'x')}", b"x")):
            assert answer.status == 405 and answer.code() == "UNSUPPORTED", answer.status
        assert web.get("/v2/a/manifests/t").body == image


@test("the password goes to the upstream that asks for it, and to nobody it leads to")
def secrets():
    upstream, other = Upstream(), Upstream()
    data = os.urandom(50000)
    upstream.add_image("a", "t", data)
    want = "Basic " + base64.b64encode(b"me:secret").decode()
    elsewhere = f"{other.url}/elsewhere"

    def say(path):
        if upstream.asked[-1][2] != want:
            return 401, {"WWW_Authenticate": 'Basic realm="x"'}, b""
        if "/blobs/" in path:
            return 307, {"Location": elsewhere}, b""
    upstream.say = say
    other.say = lambda path: (401, {"WWW_Authenticate": 'Basic realm="me too"'}, b"")
    with cache(upstream, proxy={"username": "me", "password": "secret"}) as server:
        web = server.client(Authorization="Basic " + base64.b64encode(b"client:word").decode())
        assert web.get("/v2/a/manifests/t").status == 200
        assert web.get(f"/v2/a/blobs/{digest(data)}").status == 404
        other.say = lambda path: (200, {}, data)
        assert web.get(f"/v2/a/blobs/{digest(data)}").body == data
        assert other.asked and all(line[2] is None for line in other.asked), other.asked
        assert {line[2] for line in upstream.asked} == {None, want}, upstream.asked
        assert "secret" not in server.read_log()


@test("without a password nobody's is used, and https certificates are checked")
def https():
    stem = scratch() + "/tls"
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", stem + ".key", "-out", stem + ".crt",
        "-days", "2", "-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1")
    upstream = Upstream(tls=stem)
    image = upstream.add_image("a", "t", b"one")
    with cache(upstream) as server:
        answer = server.client().get("/v2/a/manifests/t")
        assert answer.status == 503 and "certificate" in answer.body.decode(), answer.body
    with cache(upstream, shale={"proxy": {"cacert": stem + ".crt"}}) as server:
        assert server.client().get("/v2/a/manifests/t").body == image
        assert all(line[2] is None for line in upstream.asked)


@table("wrong settings stop the server", [
    ("scheme", {"proxy": {"remoteurl": "ftp://x"}}, "proxy.remoteurl"),
    ("credentials", {"proxy": {"remoteurl": "https://me:pw@x"}}, "proxy.remoteurl"),
    ("password", {"proxy": {"remoteurl": "https://x", "password": "x"}}, "no username"),
    ("exec", {"proxy": {"remoteurl": "https://x", "exec": {"command": "x"}}}, "proxy.exec"),
    ("namespace", {"shale": {"upstreams": [{"namespace": "A", "remoteurl": "https://x"}]}}, "namespace"),
    ("twice", {"shale": {"upstreams": [{"namespace": "a", "remoteurl": "https://x"}] * 2}}, "twice"),
    ("key", {"shale": {"upstreams": [{"namespace": "a", "url": "https://x"}]}}, "no key 'url'"),
])
def wrong(extra, says):
    done = Server(extra=extra).verb("check")
    assert done.returncode == 1 and says in done.stderr, done.stderr


@test("several upstreams under names of their own, beside repositories of ours")
def several():
    one, two = Upstream(), Upstream()
    first = one.add_image("lib/app", "t", b"one")
    second = two.add_image("app", "t", b"two")
    upstreams = [{"namespace": "docker.io", "remoteurl": one.url}, {"namespace": "quay.io", "remoteurl": two.url + "/"}]
    with Server(extra={"shale": {"upstreams": upstreams}}) as server:
        web = server.client()
        assert web.get("/v2/docker.io/lib/app/manifests/t").body == first
        assert web.get("/v2/quay.io/app/manifests/t").body == second
        assert web.get(f"/v2/quay.io/app/blobs/{digest(b'two')}").body == b"two"
        assert web.post("/v2/quay.io/app/blobs/uploads/").status == 405
        mine = web.push_image("mine", "t")
        assert web.get("/v2/mine/manifests/t").body == mine
        assert web.get("/v2/docker.io/manifests/t").status == 404
        assert all("docker.io" not in line[1] for line in one.asked)


@test("lists of tags and of referrers are the upstream's, page by page")
def lists():
    upstream = Upstream()
    image = upstream.add_image("a", "t", b"one")
    entry = {**descriptor(image, OCI_MANIFEST), "artifactType": "x/y", "annotations": {"k": "v"}}

    def say(path):
        if "/tags/list" in path:
            return 200, {"Link": '</v2/a/tags/list?last=b&n=2>; rel="next"'}, b'{"name":"x","tags":["a","b","../c"]}'
        if "/referrers/" in path:
            bad = {"mediaType": "x", "digest": "sha256:no", "size": 1}
            return 200, {}, json.dumps({"schemaVersion": 2, "manifests": [entry, bad]}).encode()
    upstream.say = say
    with cache(upstream) as server:
        web = server.client()
        answer = web.get("/v2/a/tags/list?n=2")
        assert answer.json() == {"name": "a", "tags": ["a", "b"]}, answer.body
        assert answer["Link"] == '</v2/a/tags/list?last=b&n=2>; rel="next"', answer["Link"]
        assert "n=2" in upstream.asked[-1][1]
        answer = web.get(f"/v2/a/referrers/{digest(image)}")
        assert answer.json()["manifests"] == [entry] and answer["Content-Type"] == OCI_INDEX
        answer = web.get(f"/v2/a/referrers/{digest(image)}?artifactType=other")
        assert answer.json()["manifests"] == [] and answer["OCI-Filters-Applied"] == "artifactType"
        upstream.say = None
        assert web.get(f"/v2/a/referrers/{digest(image)}").json()["manifests"] == []
        assert web.get("/v2/a/tags/list").status == 404
        web.get("/v2/a/manifests/t")
        upstream.off()
        assert web.get("/v2/a/tags/list").json()["tags"] == ["t"]


# --- real servers and clients

def token_server(stem):
    process = subprocess.Popen([HERE + "/../client/tokens", "serve", stem, "me:secret"], stdout=subprocess.PIPE, text=True)
    atexit.register(process.kill)
    return process, int(process.stdout.readline())


def real(kind):
    need("docker-registry", "skopeo")
    path, manifest, _ = make_layout()
    root = scratch()
    with Distribution(root) as plain:
        skopeo("copy", "--dest-tls-verify=false", f"oci:{path}:latest", f"docker://{HOST}:{plain.port}/some/image:one")
    process = None
    more = {"proxy": {"username": "me", "password": "secret"}} if kind != "plain" else {}
    other = Distribution(root)
    with open(other.config) as file:
        config = json.load(file)
    if kind == "basic":
        with open(root + ".htpasswd", "w") as file:
            file.write(run("htpasswd", "-Bbn", "me", "secret"))
        atexit.register(os.unlink, root + ".htpasswd")
        config["auth"] = {"htpasswd": {"realm": "x", "path": root + ".htpasswd"}}
    if kind == "tokens":
        stem = scratch() + "/token"
        run(HERE + "/../client/tokens", "make", stem)
        process, port = token_server(stem)
        config["auth"] = {"token": {"realm": f"http://{HOST}:{port}/token", "service": "test", "issuer": "tester",
                                    "rootcertbundle": stem + ".crt"}}
    with open(other.config, "w") as file:
        json.dump(config, file)
    server = cache(f"http://{HOST}:{other.port}", **more)
    with server:
        with other:
            out = scratch()
            skopeo("copy", "--src-tls-verify=false", f"docker://{HOST}:{server.port}/some/image:one", f"oci:{out}:latest")
            assert blobs(out) == blobs(path)
            assert server.client().get("/v2/some/image/tags/list").json()["tags"] == ["one"]
            answer = server.client().get("/v2/some/none/manifests/one")
            assert answer.status == 404 and answer.code() == "MANIFEST_UNKNOWN", answer.body
        # The upstream is gone; another client, ours, finds all of it.
        out, store = scratch(), scratch()
        skopeo("copy", "--src-tls-verify=false", f"docker://{HOST}:{server.port}/some/image:one", f"oci:{out}:latest")
        assert blobs(out) == blobs(path)
        run(TOP + "/build/user/shale", "pull", "--root", store, "--download-only", "-q",
            f"{HOST}:{server.port}/some/image:one")
        assert server.client().get("/v2/some/image/manifests/one").body == manifest
    if process:
        process.kill()
        process.wait()


@test("an image of docker-registry, with skopeo and shale pull")
def distribution_plain():
    real("plain")


@test("an image of docker-registry that wants a password")
def distribution_basic():
    real("basic")


@test("an image of docker-registry that wants a token")
def distribution_tokens():
    real("tokens")


if __name__ == "__main__":
    main()
