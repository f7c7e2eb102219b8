# SPDX-License-Identifier: GPL-2.0-only
#
# What a registry's server does over time: uploads that go on after it was killed, the collector beside
# pushes, purging, the verbs, storage that is full or sick, clients that lie or stall, sockets of all kinds,
# and its end.

import base64
import crypt
import http.server
import ssl
import threading

from registry import *

ABSENT = "sha256:" + "0" * 64
BLOBS = "docker/registry/v2/blobs"
REPOS = "docker/registry/v2/repositories"


def age(path, seconds=1000000):
    """Makes everything below a path look old."""
    then = time.time() - seconds
    for directory, names, files in os.walk(path):
        for name in names + files:
            os.utime(os.path.join(directory, name), (then, then))


def files(path):
    return sorted(os.path.relpath(os.path.join(d, f), path) for d, _, fs in os.walk(path) for f in fs)


# --- uploads over restarts

@table("an upload goes on after the server was killed", [("sha256", "sha256"), ("sha512", "sha512")])
def resume_killed(algorithm):
    with Server() as server:
        web = server.client()
        data = os.urandom(700000)
        answer = web.post(f"/v2/a/blobs/uploads/?digest-algorithm={algorithm}")
        answer = web.patch(answer["Location"], data[:300000], Content_Range="0-299999")
        server.kill()
        server.start()
        web.close()
        status = web.get(answer["Location"])
        assert status.status == 204 and status["Range"] == "0-299999"
        answer = web.patch(answer["Location"], data[300000:], Content_Range="300000-699999")
        assert answer.status == 202
        answer = web.put(location(answer) + "digest=" + digest(data, algorithm))
        assert answer.status == 201 and web.get(answer["Location"]).body == data


@test("a chunk that was cut off is gone on with from where it came to")
def resume_cut():
    with Server() as server:
        web = server.client()
        data = os.urandom(3000000)
        where = web.post("/v2/a/blobs/uploads/")["Location"]
        path = location(Answer(0, [("Location", where)], b""))[:-1]
        for is_killed in (False, True):
            size = int(web.get(where)["Range"].split("-")[1])
            size = size + 1 if size else 0
            with socket.create_connection((HOST, server.port)) as sock:
                sock.sendall(f"PATCH {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data) - size}\r\n\r\n".encode())
                sock.sendall(data[size:size + 1000000])
                wait_until("the bytes", lambda: os.path.getsize(
                    f"{server.root}/{REPOS}/a/_uploads/{path.rsplit('/', 1)[1]}/data") >= size + 500000)
                if is_killed:
                    server.kill()
                    server.start()
                    web.close()
        size = int(web.get(where)["Range"].split("-")[1]) + 1
        assert 1000000 <= size < len(data), size
        answer = web.patch(where, data[size:], Content_Range=f"{size}-{len(data) - 1}")
        assert answer.status == 202, (answer.status, answer.body)
        assert web.put(location(answer) + "digest=" + digest(data)).status == 201


@test("two requests at one session do not mix")
def session_shared():
    with Server() as server:
        web = server.client()
        where = web.post("/v2/a/blobs/uploads/")["Location"]
        got = []

        def send(piece):
            got.append(server.client().patch(where, piece, Content_Range="0-99999").status)
        threads = [threading.Thread(target=send, args=(bytes([i]) * 100000,)) for i in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # Who comes while another one has it is told to come again, who comes later that it goes on elsewhere.
        assert got.count(202) == 1 and set(got) <= {202, 416, 429}, got
        assert web.get(where)["Range"] == "0-99999"


@test("a session that somebody holds does not hold up the server")
def session_held():
    with Server(extra={"shale": {"workers": 6}}) as server:
        where = server.client().post("/v2/a/blobs/uploads/")["Location"]
        path = re.sub("^https?://[^/]*", "", where)
        holder = socket.create_connection((HOST, server.port))
        holder.sendall(f"PATCH {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx".encode())
        wait_until("the holder", lambda: os.path.exists(f"{server.root}/{REPOS}/a/_uploads/{path.rsplit('/', 1)[1]}/data"))
        got = []
        threads = [threading.Thread(target=lambda: got.append(server.client().get(where).status)) for _ in range(20)]
        for thread in threads:
            thread.start()
        assert server.client(timeout=8).push_image("b", "t")
        for thread in threads:
            thread.join()
        holder.close()
        assert set(got) == {429}, got
        wait_until("the session", lambda: server.client().get(where).status == 204)


# --- the index

@test("the index is trusted after an end, mended after a kill, made anew when it is gone or no index")
def index_states():
    with Server() as server:
        web = server.client()
        for i in range(5):
            web.push_image(f"r{i}", "t")
        index = server.root + "/.shale/index.db"

        def check(what):
            web.close()
            assert web.get("/v2/_catalog").json()["repositories"] == [f"r{i}" for i in range(5)], what
            assert web.get("/v2/r3/tags/list").json()["tags"] == ["t"], what
        server.stop()
        server.start()
        check("stopped")
        assert "made anew" not in server.read_log().split("stopped")[-1]
        server.kill()
        server.start()
        check("killed")
        server.stop()
        os.unlink(index)
        server.start()
        check("removed")
        server.stop()
        with open(index, "wb") as file:
            file.write(os.urandom(20000))
        for name in (index + "-wal", index + "-shm"):
            if os.path.exists(name):
                os.unlink(name)
        server.start()
        check("garbage")


@test("index makes it anew from what another program has written")
def index_verb():
    with Server() as server:
        web = server.client()
        data = web.push_image("a", "t")
        server.stop()
        tags = f"{server.root}/{REPOS}/a/_manifests/tags"
        shutil.copytree(tags + "/t", tags + "/other")
        done = server.verb("index")
        assert done.returncode == 0, done.stderr
        server.start()
        web.close()
        assert web.get("/v2/a/tags/list").json()["tags"] == ["other", "t"]
        assert web.get("/v2/a/manifests/other").body == data


# --- the collector

def blobs_of(server):
    return {f"sha256:{path.split('/')[-2]}" for path in files(f"{server.root}/{BLOBS}")}


def referenced(*manifests):
    """Digests of image manifests and what they refer to."""
    found = set()
    for data in manifests:
        image = json.loads(data)
        found.add(digest(data))
        found.update(d["digest"] for d in image.get("layers", []) + image.get("manifests", []))
        if "config" in image:
            found.add(image["config"]["digest"])
    return found


@test("gc takes what nothing refers to, and only what is old")
def gc_orphans():
    with Server() as server:
        web = server.client()
        kept = web.push_image("a", "t")
        orphan = web.push_blob("a", b"orphan")
        untagged = web.push_image("b", "t", layers=(b"old",))
        web.push_image("b", "t", layers=(b"new",))
        server.stop()
        done = server.verb("gc")
        assert done.returncode == 0 and orphan in blobs_of(server), done.stderr
        age(server.root + "/docker")
        done = server.verb("gc", "--dry-run")
        assert f"would take blob {orphan}" in done.stdout and orphan in blobs_of(server)
        done = server.verb("gc")
        assert done.returncode == 0 and f"took blob {orphan}" in done.stdout, done.stderr
        left = blobs_of(server)
        assert orphan not in left and referenced(kept, untagged) <= left
        server.start()
        web.close()
        assert web.get(f"/v2/a/blobs/{orphan}").status == 404
        assert web.push_blob("a", b"orphan") and web.get(f"/v2/a/blobs/{orphan}").body == b"orphan"


@test("gc takes what is left of a manifest whose push ended before its link was there")
def gc_cut_off():
    with Server() as server:
        web = server.client()
        kept, lost = [b'{"x":%d}' % i for i in range(2)]
        for data in (kept, lost):
            assert web.push_manifest("a", None, data, "application/vnd.example+json").status == 201
        server.stop()
        revisions = f"{server.root}/{REPOS}/a/_manifests/revisions/sha256"
        os.unlink(f"{revisions}/{digest(lost)[7:]}/link")
        done = server.verb("gc")
        assert done.returncode == 0 and len(files(revisions)) == 3 and digest(lost) in blobs_of(server), done.stderr
        age(server.root + "/docker")
        done = server.verb("gc", "--dry-run")
        assert digest(lost)[7:] in done.stdout and len(files(revisions)) == 3, done.stdout
        done = server.verb("gc")
        assert done.returncode == 0 and blobs_of(server) == {digest(kept)}, done.stdout
        assert files(revisions) == [f"{digest(kept)[7:]}/link", f"{digest(kept)[7:]}/mediatype"]
        done = server.verb("check")
        assert done.returncode == 0, done.stdout


@test("gc of untagged manifests keeps an index's children, nested, and referrers of what stays")
def gc_untagged():
    with Server() as server:
        web = server.client()
        children = [web.make_image("a", layers=(bytes([i]),)) for i in range(3)]
        for child in children:
            web.push_manifest("a", None, child)
        inner = json.dumps({"schemaVersion": 2, "manifests": [descriptor(children[0], OCI_MANIFEST)]}).encode()
        web.push_manifest("a", None, inner, OCI_INDEX)
        outer = json.dumps({"schemaVersion": 2, "manifests": [
            descriptor(inner, OCI_INDEX), descriptor(children[1], OCI_MANIFEST)]}).encode()
        assert web.push_manifest("a", "all", outer, OCI_INDEX).status == 201
        signature = web.make_image("a", layers=(b"sig",), subject=descriptor(children[0], OCI_MANIFEST))
        web.push_manifest("a", None, signature)
        lost = web.make_image("a", layers=(b"lost",), subject=descriptor(children[2], OCI_MANIFEST))
        web.push_manifest("a", None, lost)
        server.stop()
        age(server.root + "/docker")
        done = server.verb("gc", "--delete-untagged")
        assert done.returncode == 0, done.stderr
        left = blobs_of(server)
        assert referenced(outer, inner, children[0], children[1], signature) <= left
        assert digest(children[2]) not in left and digest(lost) not in left and digest(b"lost") not in left
        check = server.verb("check")
        assert check.returncode == 0, check.stdout
        server.start()
        web.close()
        assert web.get(f"/v2/a/manifests/{digest(children[0])}").status == 200
        assert web.get(f"/v2/a/manifests/{digest(children[2])}").status == 404
        found = web.get(f"/v2/a/referrers/{digest(children[0])}").json()["manifests"]
        assert [entry["digest"] for entry in found] == [digest(signature)]


@test("gc beside pushes of the same old blobs loses none of them")
def gc_online():
    with Server(extra={"shale": {"gc": {"age": "0s", "untagged": True}}}) as server:
        web = server.client()
        shared = [os.urandom(500) for _ in range(20)]
        for blob in shared:
            web.push_blob("seed", blob)
        server.stop()
        age(server.root + "/docker")
        server.start()
        web.close()
        stop, broken, pushed = threading.Event(), [], []

        def push(number):
            client = server.client()
            n = 0
            while not stop.is_set():
                n += 1
                name = f"p{number}"
                config = b"{}"
                layers = [shared[(n + i) % 20] for i in range(3)]
                for blob in layers + [config]:
                    answer = client.head(f"/v2/{name}/blobs/{digest(blob)}")
                    if answer.status == 404:
                        client.post(f"/v2/{name}/blobs/uploads/?digest={digest(blob)}", blob)
                image = json.dumps({"schemaVersion": 2, "config": descriptor(config, OCI_CONFIG), "n": n,
                                    "layers": [descriptor(b, OCI_LAYER) for b in layers]}).encode()
                answer = client.push_manifest(name, "t", image)
                if answer.status != 201:
                    broken.append((answer.status, answer.body))
                    continue
                pushed.append(n)
                for blob in layers:
                    if client.get(f"/v2/{name}/blobs/{digest(blob)}").body != blob:
                        broken.append((name, n))
        threads = [threading.Thread(target=push, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        # Twelve times, and as long as it takes until something was pushed on a machine that is busy.
        end = time.monotonic() + 60
        turns = 0
        while turns < 12 or (len(pushed) <= 20 and time.monotonic() < end):
            os.kill(server.process.pid, signal.SIGUSR1)
            time.sleep(0.25)
            turns += 1
        stop.set()
        for thread in threads:
            thread.join()
        log = server.read_log()
        assert not broken, broken[:3]
        assert len(pushed) > 20 and log.count("repositories: ") >= 3, (len(pushed), log.count("repositories: "))
        server.stop()
        check = server.verb("check")
        assert check.returncode == 0, check.stdout


@test("gc does not run while a server has the storage")
def gc_busy():
    with Server() as server:
        done = server.verb("gc")
        assert done.returncode == 1 and "another server uses it" in done.stderr, done.stderr


@test("uploads that were given up are purged, others not")
def purge():
    extra = {"storage": {"maintenance": {"uploadpurging": {"age": "1h", "interval": "1s"}}}}
    with Server(extra=extra) as server:
        web = server.client()
        old, new = [web.patch(web.post("/v2/a/blobs/uploads/")["Location"], b"x")["Location"] for _ in "12"]
        age(f"{server.root}/{REPOS}/a/_uploads/{old.rsplit('/', 1)[1]}")
        wait_until("the purge", lambda: web.get(old).status == 404)
        assert web.get(new).status == 204


# --- check, migrate

@test("check finds what is wrong")
def check():
    with Server() as server:
        web = server.client()
        image = web.push_image("a", "t")
        web.push_image("b", "t", layers=(b"other",))
        done = server.verb("check")
        assert done.returncode == 0 and " 0 faults" in done.stdout, done.stdout
        path = lambda d: f"{server.root}/{BLOBS}/sha256/{d[7:9]}/{d[7:]}/data"
        with open(path(digest(b"layer")), "r+b") as file:
            file.write(b"L")
        os.unlink(path(digest(b"other")))
        os.unlink(f"{server.root}/{REPOS}/a/_manifests/revisions/sha256/{digest(image)[7:]}/link")
        done = server.verb("check")
        assert done.returncode == 1, done.stdout
        assert digest(b"layer") in done.stdout and "a:t leads to nothing" in done.stdout
        assert digest(b"other") in done.stdout and " 3 faults" in done.stdout, done.stdout


@test("migrate copies a storage, can be run again, and refuses blobs that are broken")
def migrate():
    with Server() as server:
        web = server.client()
        image = web.push_image("a/b", "t")
        thing = b'{"annotations":{},"x":1}'
        web.push_manifest("a/b", "thing", thing, "application/vnd.example+json")
        server.stop()
        other = Server()
        run = lambda: subprocess.run([PROGRAM, "migrate", server.write_config(), other.write_config()],
                                     capture_output=True, text=True)
        done = run()
        assert done.returncode == 0 and " 0 were there" in done.stdout, done.stderr
        done = run()
        assert done.returncode == 0 and done.stdout.startswith("0 blobs"), done.stdout
        with other:
            client = other.client()
            assert client.get("/v2/a/b/manifests/t").body == image
            assert client.get("/v2/a/b/manifests/thing")["Content-Type"] == "application/vnd.example+json"
            assert client.get("/v2/a/b/tags/list").json()["tags"] == ["t", "thing"]
            assert client.get(f"/v2/a/b/blobs/{digest(b'layer')}").body == b"layer"
        shutil.rmtree(other.root)
        with open(f"{server.root}/{BLOBS}/sha256/{digest(b'layer')[7:9]}/{digest(b'layer')[7:]}/data", "w") as file:
            file.write("LAYER")
        done = run()
        assert done.returncode == 1 and digest(b"layer") in done.stderr, done.stderr


# --- storage that fails

@test("a full disk is 507, harms nothing, and is over when there is room again")
def full_disk():
    root = scratch()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", root], stderr=subprocess.DEVNULL).returncode:
        raise Skip("a tmpfs cannot be mounted")
    try:
        with Server(root=root, extra={"health": {"storagedriver": {"enabled": False}}}) as server:
            web = server.client()
            image = web.push_image("a", "t")
            data = os.urandom(8 << 20)
            answer = web.post(f"/v2/a/blobs/uploads/?digest={digest(data)}", data)
            assert answer.status == 507 and answer.code() == "UNAVAILABLE", answer.status
            where = web.post("/v2/a/blobs/uploads/")["Location"]
            assert web.patch(where, iter([data[i:i + 65536] for i in range(0, len(data), 65536)])).status == 507
            status = web.get(where)
            assert status.status == 204, status.status
            assert web.get("/v2/a/manifests/t").body == image
            assert web.delete(where).status == 204
            small = os.urandom(1 << 20)
            assert web.push_blob("a", small) and web.get(f"/v2/a/blobs/{digest(small)}").body == small
            server.stop()
            assert server.verb("check").returncode == 0
    finally:
        subprocess.run(["umount", "-l", root])


@test("a storage that fails its checks makes the server say so, until it works again")
def sick():
    extra = {"health": {"storagedriver": {"interval": "1s", "threshold": 1}}}
    with Server(extra=extra) as server:
        web = server.client()
        os.rename(server.root + "/.shale/tmp", server.root + "/.shale/away")
        wait_until("the failure", lambda: web.get("/v2/a/tags/list").status == 503)
        assert web.get("/v2/a/tags/list")["Retry-After"]
        os.rename(server.root + "/.shale/away", server.root + "/.shale/tmp")
        wait_until("the recovery", lambda: web.get("/v2/a/tags/list").status == 404)


# --- clients that are not nice

def start_of_push(port, path, length, data):
    sock = socket.create_connection((HOST, port), timeout=30)
    sock.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode() + data)
    return sock


@test("a body shorter than it said leaves nothing that could be taken for a blob")
def lying_short():
    with Server() as server:
        data = b"0123456789"
        path = f"/v2/a/blobs/uploads/?digest={digest(data)}"
        start_of_push(server.port, path, 20, data).close()
        wait_until("the end of the request", lambda: "connection lost" in server.read_log())
        assert server.client().get(f"/v2/a/blobs/{digest(data)}").status == 404


@test("a body longer than it said is not part of the blob")
def lying_long():
    with Server() as server:
        data = b"0123456789"
        got = raw(server.port, f"POST /v2/a/blobs/uploads/?digest={digest(data)} HTTP/1.1\r\nHost: x\r\n"
                  f"Content-Length: 10\r\n\r\n".encode() + data + b"more\r\n\r\n")
        assert b" 201 " in got.split(b"\r\n")[0]
        assert server.client().get(f"/v2/a/blobs/{digest(data)}").body == data


@test("clients that stall are let go, and others are served meanwhile")
def stalling():
    with Server(extra={"shale": {"idletimeout": "2s", "workers": 2}}) as server:
        stalled = [start_of_push(server.port, f"/v2/a/blobs/uploads/?digest={ABSENT}", 100, b"x") for _ in range(20)]
        stalled += [socket.create_connection((HOST, server.port)) for _ in range(20)]
        for sock in stalled[20:]:
            sock.sendall(b"GET /v2/ HT")
        web = server.client()
        web.push_image("b", "t")
        assert web.get("/v2/b/manifests/t").status == 200
        for sock in stalled:
            sock.settimeout(20)
            try:
                while sock.recv(4096):
                    pass
            except ConnectionResetError:
                pass
            sock.close()


@test("clients that send a byte now and then are let go, slow ones that mean it are not")
def trickling():
    with Server(extra={"shale": {"idletimeout": "2s"}}) as server:
        data = os.urandom(30000)
        header = socket.create_connection((HOST, server.port))
        body = start_of_push(server.port, f"/v2/a/blobs/uploads/?digest={ABSENT}", 100000, b"")
        slow = start_of_push(server.port, f"/v2/a/blobs/uploads/?digest={digest(data)}", len(data), b"")
        open_ = {header, body}
        end = time.monotonic() + 25
        sent = 0
        while time.monotonic() < end and (open_ or sent < len(data)):
            for sock in list(open_):
                try:
                    sock.sendall(b"G")
                except OSError:
                    open_.discard(sock)
            slow.sendall(data[sent:sent + 2000])
            sent = min(sent + 2000, len(data))
            time.sleep(0.5)
        assert not open_, "a trickling client is still there"
        assert b" 201 " in slow.recv(4096)
        for sock in (header, body, slow):
            sock.close()


@test("a client that reads nothing of a large blob does not cost memory")
def stalling_reader():
    with Server() as server:
        web = server.client()
        data = os.urandom(1 << 20) * 64
        name = web.push_blob("a", data)
        socks = []
        for _ in range(16):
            sock = socket.create_connection((HOST, server.port))
            sock.sendall(f"GET /v2/a/blobs/{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            socks.append(sock)
        time.sleep(0.5)
        assert web.get("/v2/").status == 200
        with open(f"/proc/{server.process.pid}/status") as file:
            peak = int(re.search(r"VmHWM:\s*(\d+)", file.read())[1])
        for sock in socks:
            sock.close()
        assert peak < 40 * 1024, f"{peak} KiB"


@table("what is too large or no HTTP is refused", [
    ("header", b"GET /v2/ HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100000 + b"\r\n\r\n", (400, 413, 431)),
    ("line", b"GET /v2/" + b"x" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", (400, 414, 431)),
    ("fields", b"GET /v2/ HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20000 + b"\r\n", (400, 413, 431)),
    ("no_host", b"GET /v2/ HTTP/1.1\r\n\r\n", (400,)),
    ("length", b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", (400,)),
    ("length_huge", b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", (400, 413)),
    ("chunk", b"PATCH /v2/a/blobs/uploads/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", (400, 404)),
    ("binary", bytes(range(256)) * 10, (400,)),
])
def bad_http(data, statuses):
    with Server() as server:
        got = raw(server.port, data)
        match = re.match(rb"HTTP/1\.[01] (\d+)", got)
        assert not got or (match and int(match[1]) in statuses), got[:200]
        assert server.client().get("/v2/").status == 200


ESCAPES = [
    "/v2/../../../etc/passwd", "/v2/a/../../b/manifests/t", "/v2/%2e%2e/%2e%2e/etc/manifests/passwd",
    "/v2/a%2f..%2f..%2fsecret/manifests/t", "/v2/a/manifests/..%2f..%2f..%2fsecret", "/v2/a/manifests/%2e%2e",
    "/v2/a/blobs/sha256:..%2f..%2fsecret", "/v2/a/blobs/../../../secret", "/v2/a/blobs/uploads/..",
    "/v2/a/blobs/uploads/..%2f..%2f..%2fsecret", "/v2//etc/passwd/manifests/t", "/v2/SECRET/manifests/t",
    "/v2/secret/_manifests/manifests/t", "/v2/_catalog/../secret/manifests/t", "/v2/a/manifests/t%00",
    "/v2/secret%00/manifests/t", "/V2/secret/manifests/t", "/v2/secret/manifests/T", "/v2/./secret/manifests/t",
    "/v2/secret/./manifests/t", "/v2/secret//manifests/t", "\\v2\\secret", "http://x/v2/secret/manifests/none",
]


@table("nothing leads out of a repository", [(re.sub("[^a-z]+", "_", e)[:40] + str(i), e) for i, e in enumerate(ESCAPES)])
def escapes(target):
    server = escaping_server()
    before = files(server.root + "/docker")
    for method in ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"):
        got = raw(server.port, f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                  "Content-Length: 2\r\n\r\n{}".encode())
        match = re.match(rb"HTTP/1\.1 (\d+)", got)
        assert match and int(match[1]) in (400, 404, 405), (method, got[:100])
        assert b"root:" not in got
    assert files(server.root + "/docker") == before


ESCAPING = []


def escaping_server():
    if not ESCAPING:
        ESCAPING.append(Server().start())
        ESCAPING[0].client().push_image("secret", "t")
    return ESCAPING[0]


# --- sockets, the end

@test("a unix socket, with its mode")
def unix_socket():
    path = scratch() + "/sock"
    server = Server(extra={"http": {"net": "unix", "addr": path}, "shale": {"socketmode": 0o600}})
    server.process = subprocess.Popen([PROGRAM, "serve", server.write_config()], stderr=subprocess.DEVNULL)
    try:
        wait_until("the socket", lambda: os.path.exists(path))
        assert os.stat(path).st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
            sock.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert b"200 OK" in sock.recv(4096)
    finally:
        server.stop()


@test("sockets that a service manager holds, which hears when we are ready")
def inherited_socket():
    with socket.socket() as listening, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        listening.bind((HOST, 0))
        listening.listen()
        path = scratch() + "/notify"
        notify.bind(path)
        notify.settimeout(20)
        server = Server()
        program = f'exec 3<&{listening.fileno()}; LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" serve "$1"'
        server.process = subprocess.Popen(["bash", "-c", program, PROGRAM, server.write_config()],
                                          pass_fds=[listening.fileno()], stderr=subprocess.DEVNULL,
                                          env={**os.environ, "NOTIFY_SOCKET": path})
        try:
            assert notify.recv(100) == b"READY=1"
            assert Client(listening.getsockname()[1]).get("/v2/").status == 200
            assert not is_open(server.port)
            server.process.terminate()
            assert notify.recv(100) == b"STOPPING=1"
        finally:
            server.stop()


def make_certificates(path):
    run = lambda *words: subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=path)
    for name in ("ca", "other"):
        run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", name + ".key", "-out", name + ".pem",
            "-subj", "/CN=" + name, "-days", "2")
    for name, ca in (("server", "ca"), ("client", "ca"), ("stranger", "other"), ("servers", "ca"),
                     ("other-server", "ca")):
        run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", name + ".key", "-out", name + ".csr",
            "-subj", "/CN=" + name)
        with open(f"{path}/{name}.ext", "w") as file:
            file.write("extendedKeyUsage = serverAuth\n" if name == "servers" else "")
        run("x509", "-req", "-in", name + ".csr", "-CA", ca + ".pem", "-CAkey", ca + ".key",
            "-CAcreateserial", "-out", name + ".pem", "-days", "2", "-extfile", name + ".ext")


def tls_connection(port, path, certificate=None, version=None):
    context = ssl.create_default_context(cafile=path + "/ca.pem")
    context.check_hostname = False
    context.maximum_version = version or ssl.TLSVersion.MAXIMUM_SUPPORTED
    if certificate:
        context.load_cert_chain(f"{path}/{certificate}.pem", f"{path}/{certificate}.key")
    return http.client.HTTPSConnection(HOST, port, context=context, timeout=20)


def tls_get(want, *arguments):
    """
    The status, or "alert" when there is no getting through the handshake. With TLS 1.3 a client is through before the
    server has looked at its certificate: one that is to be told so listens first, since what it says to a connection
    that was closed can cost it the alert.
    """
    connection = tls_connection(*arguments)
    try:
        connection.connect()
        if want == "alert":
            assert not connection.sock.recv(1)
        connection.request("GET", "/v2/")
        return connection.getresponse().status
    except ssl.SSLError as error:
        assert "ALERT" in (error.reason or ""), repr(error)
        return "alert"
    finally:
        connection.close()


CERTIFICATES = []


def certificates():
    if not CERTIFICATES:
        CERTIFICATES.append(scratch())
        make_certificates(CERTIFICATES[0])
    return CERTIFICATES[0]


@table("TLS and what is asked of clients' certificates", [
    # What the mode lets through of: none, one of the authority, one of another, one for servers only.
    ("not_asked", None, False, (200, 200, 200, 200)),
    ("request", "request-client-cert", True, (200, 200, 200, 200)),
    ("require_any", "require-any-client-cert", True, ("alert", 200, 200, 200)),
    ("if_given", "verify-client-cert-if-given", True, (200, 200, "alert", "alert")),
    ("verify", "require-and-verify-client-cert", True, ("alert", 200, "alert", "alert")),
    ("default", None, True, ("alert", 200, "alert", "alert")),
])
def tls(mode, has_authorities, want):
    path = certificates()
    keys = {"certificate": path + "/server.pem", "key": path + "/server.key"}
    if mode:
        keys["clientauth"] = mode
    if has_authorities:
        keys["clientcas"] = [path + "/ca.pem"]
    with Server(extra={"http": {"tls": keys}}) as server:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            got = tuple(tls_get(want, server.port, path, name, version)
                        for want, name in zip(want, (None, "client", "stranger", "servers")))
            assert got == want, (version, got)


@test("SIGHUP takes a new certificate for new connections; one that will not do changes nothing")
def tls_reload():
    path, keys = certificates(), scratch()

    def use(name):
        for end in ("pem", "key"):
            shutil.copy(f"{path}/{name}.{end}", f"{keys}/now.{end}")

    def subject():
        connection = tls_connection(server.port, path)
        connection.connect()
        name = dict(part[0] for part in connection.sock.getpeercert()["subject"])["commonName"]
        connection.close()
        return name

    def reload(what):
        count = server.read_log().count(what)
        server.process.send_signal(signal.SIGHUP)
        wait_until(what, lambda: server.read_log().count(what) > count)
    use("server")
    with Server(extra={"http": {"tls": {"certificate": keys + "/now.pem", "key": keys + "/now.key"}}}) as server:
        old = tls_connection(server.port, path)
        old.request("GET", "/v2/")
        assert old.getresponse().read() == b"{}" and subject() == "server"
        use("other-server")
        reload("were read again")
        assert subject() == "other-server"
        shutil.copy(path + "/server.key", keys + "/now.key")
        reload("stays as it is: TLS: certificate and key")
        os.unlink(keys + "/now.pem")
        reload("stays as it is: http.tls.certificate")
        open(keys + "/now.pem", "w").close()
        reload("is empty")
        assert subject() == "other-server"
        old.request("GET", "/v2/")
        assert old.getresponse().status == 200
        use("server")
        for _ in range(20):
            reload("were read again")
        assert subject() == "server"
    with Server() as server:
        reload("no http.tls to read again")
        assert server.client().get("/v2/").status == 200


@test("SIGTERM lets a download and an upload end, and takes no new connection")
def drain():
    with Server() as server:
        web = server.client()
        data = os.urandom(1 << 20) * 16
        name = web.push_blob("a", data)
        reader = socket.create_connection((HOST, server.port))
        reader.sendall(f"GET /v2/a/blobs/{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        got = reader.recv(1000)
        writer = start_of_push(server.port, f"/v2/a/blobs/uploads/?digest={digest(b'12')}", 2, b"1")
        time.sleep(0.3)
        server.process.terminate()
        wait_until("the listener's end", lambda: not is_open(server.port))
        writer.sendall(b"2")
        assert b" 201 " in writer.recv(4096)
        while piece := reader.recv(1 << 20):
            got += piece
        assert got.split(b"\r\n\r\n", 1)[1] == data
        assert server.process.wait(20) == 0


@test("an end that is overdue cuts off who does not go on")
def drain_timeout():
    with Server(extra={"http": {"draintimeout": "1s"}}) as server:
        with start_of_push(server.port, f"/v2/a/blobs/uploads/?digest={ABSENT}", 100, b"x"):
            time.sleep(0.3)
            server.process.terminate()
            assert server.process.wait(20) == 0


@test("more connections than are allowed to one client are refused")
def per_client():
    with Server(extra={"shale": {"perclient": 4}}) as server:
        socks = [socket.create_connection((HOST, server.port), timeout=10) for _ in range(12)]
        served = 0
        for sock in socks:
            try:
                sock.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
                served += sock.recv(100) != b""
            except (ConnectionResetError, BrokenPipeError):
                pass
        # The probe that found the server open may still count.
        assert 3 <= served <= 4, served
        for sock in socks:
            sock.close()
        wait_until("room", lambda: try_base(server))


def try_base(server):
    try:
        return server.client().get("/v2/").status == 200
    except OSError:
        return False


def ask(sock):
    """The head of an answer, or nothing when the connection is closed."""
    try:
        sock.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        return sock.recv(4096)
    except OSError:
        return b""


@test("as many connections as are kept stay open; those that have waited longest make room for others")
def kept():
    with Server(extra={"shale": {"kept": 8}}) as server:
        dial = lambda: socket.create_connection((HOST, server.port), timeout=20)
        first = [dial() for _ in range(8)]
        silent = [dial() for _ in range(20)]
        for _ in range(5):
            for sock in first:
                answer = ask(sock)
                assert b" 200 " in answer and b"close" not in answer
        time.sleep(1)
        assert b" 200 " in ask(first[0])
        second = [dial() for _ in range(7)]
        for _ in range(5):
            for sock in second:
                answer = ask(sock)
                assert b" 200 " in answer and b"close" not in answer
        assert not any(ask(sock) for sock in first[1:])
        assert b" 200 " in ask(first[0]) and b" 200 " in ask(silent[0])
        for sock in first + second + silent:
            sock.close()


@test("a thousand idle connections and two hundred busy ones stay small")
def memory():
    with Server() as server:
        idle = []
        for number in range(1000):
            sock = socket.create_connection((HOST, server.port))
            if number % 2:
                sock.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
            idle.append(sock)
        busy = [start_of_push(server.port, f"/v2/a/blobs/uploads/?digest={ABSENT}", 1 << 30, b"x" * 100000)
                for _ in range(200)]
        time.sleep(1)
        with open(f"/proc/{server.process.pid}/status") as file:
            peak = int(re.search(r"VmHWM:\s*(\d+)", file.read())[1])
        for sock in idle + busy:
            sock.close()
        print(f"# {peak} KiB")
        assert peak < 24 * 1024, f"{peak} KiB"


# --- the door, notifications, metrics

def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def make_htpasswd(*users):
    path = scratch() + "/htpasswd"
    with open(path, "w") as file:
        for user, password in users:
            done = subprocess.run(["openssl", "passwd", "-6", password], capture_output=True, text=True)
            file.write(f"{user}:{crypt.crypt(password, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))}\n"
                       if crypt.METHOD_BLOWFISH in crypt.methods else f"{user}:{done.stdout}")
    return path


@test("htpasswd: nobody else comes in, not even to ask what is there")
def door_htpasswd():
    path = make_htpasswd(("joe", "secret"))
    with Server(extra={"auth": {"htpasswd": {"realm": "here", "path": path}}}) as server:
        web = server.client()
        for answer in (web.get("/v2/"), web.get("/v2/a/tags/list"), web.post("/v2/a/blobs/uploads/"),
                       web.get("/v2/_catalog"), web.put("/v2/a/manifests/t", b"{}"),
                       web.get("/v2/", Authorization=basic("joe", "wrong")),
                       web.get("/v2/", Authorization=basic("jim", "secret"))):
            assert answer.status == 401 and answer.code() == "UNAUTHORIZED"
            assert answer["WWW-Authenticate"].startswith("Basic realm=")
        joe = server.client(Authorization=basic("joe", "secret"))
        assert joe.get("/v2/").status == 200
        joe.push_image("a", "t")
        assert joe.get("/v2/a/manifests/t").status == 200
        assert 'auth.user.name="joe"' in server.read_log()


@test("tokens of the server's own service do what they say and nothing more")
def door_token():
    path = make_htpasswd(("joe", "secret"), ("ann", "other"))
    extra = {
        "auth": {"token": {"service": "reg", "issuer": "us", "builtin": {
            "path": "/auth/token", "htpasswd": path, "keys": scratch() + "/keys"}}},
        "policy": {"rules": [{"repositories": ["joe/**"], "users": ["joe"], "actions": ["pull", "push"]},
                             {"repositories": ["joe/**"], "users": ["ann"], "actions": ["pull"]}]},
    }
    with Server(extra=extra) as server:
        web = server.client()
        answer = web.get("/v2/joe/x/tags/list")
        assert answer.status == 401
        challenge = answer["WWW-Authenticate"]
        assert challenge.startswith("Bearer realm=") and 'scope="repository:joe/x:pull"' in challenge, challenge
        realm = re.search('realm="([^"]*)"', challenge)[1]

        def token(user, password, scope):
            answer = web.get(f"{realm}?service=reg&scope={scope}", Authorization=basic(user, password))
            assert answer.status == 200, (answer.status, answer.body)
            return "Bearer " + answer.json()["token"]
        joe = server.client(Authorization=token("joe", "secret", "repository:joe/x:pull,push"))
        data = joe.push_image("joe/x", "t")
        assert joe.get("/v2/joe/x/manifests/t").body == data
        assert joe.post("/v2/joe/y/blobs/uploads/").status == 401
        ann = server.client(Authorization=token("ann", "other", "repository:joe/x:pull,push"))
        assert ann.get("/v2/joe/x/manifests/t").body == data
        assert ann.post("/v2/joe/x/blobs/uploads/").status in (401, 403)
        assert web.get(f"{realm}?service=reg", Authorization=basic("joe", "no")).status == 401
        layer = digest(b"layer")
        answer = ann.post(f"/v2/joe/x/blobs/uploads/?mount={layer}")
        assert answer.status in (401, 403)


@test("without a source nothing is mounted where not everybody may read everything")
def door_mount():
    path = make_htpasswd(("joe", "secret"))
    with Server(extra={"auth": {"htpasswd": {"realm": "here", "path": path}}}) as server:
        joe = server.client(Authorization=basic("joe", "secret"))
        d = joe.push_blob("a", b"mine")
        assert joe.post(f"/v2/b/blobs/uploads/?mount={d}").status == 202
        assert joe.post(f"/v2/b/blobs/uploads/?mount={d}&from=a").status == 201


class Listener(http.server.BaseHTTPRequestHandler):
    events = []
    is_down = False

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not Listener.is_down:
            Listener.events += body["events"]
        self.send_response(503 if Listener.is_down else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@test("what happens is told, also what happened before a kill while the listener was away")
def notifications():
    listener = http.server.ThreadingHTTPServer((HOST, 0), Listener)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    endpoint = {"name": "x", "url": f"http://{HOST}:{listener.server_address[1]}/", "timeout": "2s",
                "threshold": 1000, "backoff": "100ms"}
    try:
        with Server(extra={"notifications": {"endpoints": [endpoint]}}) as server:
            web = server.client()
            data = web.push_image("a", "t")
            d = web.push_blob("a", b"more")
            web.post(f"/v2/b/blobs/uploads/?mount={d}&from=a")
            web.get("/v2/a/manifests/t")
            web.get(f"/v2/a/blobs/{d}")
            web.delete("/v2/a/manifests/t")
            seen = lambda: [(e["action"], e["target"].get("digest", e["target"].get("tag"))) for e in Listener.events]
            want = [("push", digest(data)), ("push", d), ("mount", d), ("pull", digest(data)), ("pull", d),
                    ("delete", "t")]
            wait_until("the events", lambda: set(want) <= set(seen()))
            pushed = next(e for e in Listener.events if e["target"].get("digest") == digest(data))
            assert pushed["target"]["tag"] == "t" and pushed["target"]["mediaType"] == OCI_MANIFEST
            assert pushed["target"]["repository"] == "a" and pushed["target"]["size"] == len(data)
            assert pushed["request"]["method"] == "PUT"
            Listener.is_down = True
            late = web.push_blob("a", b"late")
            server.kill()
            Listener.is_down = False
            server.start()
            wait_until("the late event", lambda: ("push", late) in seen())
    finally:
        listener.shutdown()
        listener.server_close()


@test("the debug address tells health and metrics")
def debug_server():
    port = free_port()
    extra = {"http": {"debug": {"addr": f"{HOST}:{port}", "prometheus": {"enabled": True, "path": "/metrics"}}},
             "health": {"storagedriver": {"interval": "1s", "threshold": 1}}}
    with Server(extra=extra) as server:
        server.client().push_image("a", "t")
        debug = Client(port)
        assert debug.get("/debug/health").status == 200
        counted = lambda text: re.search(r'registry_http_requests_total\{[^}]*handler="manifest"[^}]*\} 1', text)
        # A request is counted when its answer is out.
        wait_until("the count", lambda: counted(debug.get("/metrics").body.decode()))
        text = debug.get("/metrics").body.decode()
        for name in ("registry_http_requests_total", "registry_http_request_duration_seconds_bucket",
                     "registry_storage_action_seconds_count", "process_resident_memory_bytes"):
            assert name in text, text[:2000]
        assert debug.get("/v2/").status == 404 and debug.post("/metrics").status == 405
        os.rename(server.root + "/.shale/tmp", server.root + "/.shale/away")
        wait_until("the failure", lambda: debug.get("/debug/health").status == 503)


# --- the command line and the configuration

@table("a command line that is wrong is 125", [("none", []), ("verb", ["sreve"]), ("option", ["--no"]),
                                               ("many", ["serve", "a", "b"])])
def usage(words):
    done = subprocess.run([PROGRAM, *words], capture_output=True, text=True)
    assert done.returncode == 125 and done.stderr and not done.stdout


@table("a configuration that is wrong is one clear line", [
    ("absent", None, "No such file"), ("yaml", "a: [", "line 2"), ("key", "storag: {}", "'storag'"),
    ("nested", "storage: {inmemory: }\nhttp: {adr: x}", "'http.adr'"), ("driver", "storage: {floppy: }", "floppy"),
    ("no_driver", "version: 0.1", "no driver"), ("two", "storage: {inmemory: , filesystem: }", "one driver"),
    ("type", "storage: {inmemory: }\nhttp: {addr: 5}", "'http.addr'"),
    ("address", "storage: {inmemory: }\nhttp: {addr: nowhere}", "nowhere"),
    ("refused", "storage: {inmemory: }\nmiddleware: {storage: [{name: cloudfront}]}", "'middleware'"),
    ("tls", "storage: {inmemory: }\nhttp: {tls: {certificate: /none}}", "http.tls.certificate"),
    ("clientauth", "storage: {inmemory: }\nhttp: {tls: {clientauth: sometimes}}", "http.tls.clientauth"),
    ("authorities", "storage: {inmemory: }\nhttp: {tls: {clientauth: verify-client-cert-if-given}}", "http.tls.clientcas"),
    ("parameter", "storage: {filesystem: {rotdirectory: /x}}", "rotdirectory"),
    ("alias", "a: &x 1\nb: *x", "anchors"), ("twice", "storage: {inmemory: }\nstorage: {inmemory: }", "twice"),
    ("documents", "version: 0.1\n---\nversion: 0.1", "document"),
])
def bad_config(text, want):
    path = scratch() + "/config.yml"
    if text is not None:
        with open(path, "w") as file:
            file.write(text)
    done = subprocess.run([PROGRAM, "serve", path], capture_output=True, text=True, timeout=20)
    said = [line for line in done.stderr.splitlines() if not line.startswith("time=")]
    assert done.returncode == 1 and len(said) == 1 and want in said[0], done.stderr


DISTRIBUTION_EXAMPLE = """
version: 0.1
log:
  accesslog:
    disabled: true
  level: debug
  fields:
    service: registry
    environment: development
storage:
    delete:
      enabled: true
    cache:
        blobdescriptor: inmemory
    filesystem:
        rootdirectory: %s
        maxthreads: 100
    maintenance:
        uploadpurging:
            enabled: false
    tag:
      concurrencylimit: 8
http:
    addr: 127.0.0.1:%d
    secret: asecretforlocaldevelopment
    debug:
        addr: 127.0.0.1:%d
        prometheus:
            enabled: true
            path: /metrics
    headers:
        X-Content-Type-Options: [nosniff]
    http2:
      disabled: false
    h2c:
      enabled: false
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
"""


@test("distribution's example configuration starts the server; environment variables change it")
def example_config():
    path = scratch()
    port, other = free_port(), free_port()
    with open(path + "/config.yml", "w") as file:
        file.write(DISTRIBUTION_EXAMPLE % (path + "/root", port, free_port()))
    environment = {**os.environ, "REGISTRY_HTTP_ADDR": f"{HOST}:{other}", "REGISTRY_LOG_LEVEL": "error"}
    process = subprocess.Popen([PROGRAM, "serve", path + "/config.yml"], env=environment, stderr=subprocess.PIPE)
    try:
        wait_until("the server", lambda: is_open(other))
        answer = Client(other).get("/v2/")
        assert answer.status == 200 and answer["X-Content-Type-Options"] == "nosniff"
        assert not is_open(port)
    finally:
        process.terminate()
        process.communicate()


main()
