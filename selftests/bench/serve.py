#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# serve.py - CPU per request and peak memory of shale-registry beside Debian's docker-registry, on the same files, in
# turns. Loads are wrk's and curl's, on 127.0.0.1 and bounded in time. Prints a table and asserts nothing: a bar is what
# is aimed at. Called by hand and by `make bench-registry`.
#
#	serve.py [TURNS [WORD...]]	only rows with one of the words; connections and lists are such, too

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../registry")
# The disk is part of what a large PUT costs.
os.environ.setdefault("SHALE_TEST_DIR", os.environ.get("TMPDIR", "/var/tmp"))

from registry import *  # noqa: E402

TURNS = int(sys.argv[1]) if len(sys.argv) > 1 else 3
WORDS = sys.argv[2:]
SECONDS = 2
TICK = os.sysconf("SC_CLK_TCK")
MIDDLE, LARGE = 2_000_000, 240_000_000
ACCEPT = ", ".join((OCI_MANIFEST, DOCKER_MANIFEST))
QUIET = {"log": {"level": "error", "accesslog": {"disabled": True}}}


def cpu(process):
    with open(f"/proc/{process.pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def peak(process):
    with open(f"/proc/{process.pid}/status") as file:
        return int(re.search(r"VmHWM:\s*(\d+)", file.read())[1]) / 1024


def is_wanted(name):
    return not WORDS or any(word in name for word in WORDS)


class Load:
    """What a server is asked, again and again: seconds of its CPU per request."""

    def __init__(self, name, bar, run):
        self.name, self.bar, self.run = name, bar, run
        self.best = {}

    def turn(self, who, server):
        spent = self.run(server)
        self.best[who] = min(spent, self.best.get(who, spent))

    def show(self):
        ours, theirs = self.best["ours"], self.best["theirs"]
        unit, factor = ("ms", 1e3) if theirs > 0.05 else ("us", 1e6)
        print(f"{self.name:<22} {ours * factor:10.1f} {theirs * factor:10.1f} {unit} {ours / max(theirs, 1e-9):8.3f}   {self.bar}")


def wrk(path, connections=16):
    def run(server):
        before = cpu(server.process)
        done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--timeout", "20s", "-H", "Accept: " + ACCEPT,
                               f"http://{HOST}:{server.port}{path}"], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0 and "Non-2xx" not in done.stdout, done.stdout + done.stderr
        return (cpu(server.process) - before) / int(re.search(r"(\d+) requests in", done.stdout)[1])
    return run


def curl(*words):
    done = subprocess.run(["curl", "-sS", "-f", "-o", "/dev/null", "-w", "%{http_code}", *words], capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def get_large(path):
    def run(server):
        before = cpu(server.process)
        for _ in range(4):
            assert curl(f"http://{HOST}:{server.port}{path}") == "200"
        return (cpu(server.process) - before) / 4
    return run


class Large:
    """
    240 MB that no server has seen: the first bytes are new each time. Where this is a virtual machine, memory that it has
    not used before is much dearer than other, whoever gets it: so as much is used and given back before each turn, and the
    last blob is taken away.
    """

    def __init__(self, path):
        self.path = path
        self.rest = os.urandom(1 << 20) * (LARGE >> 20)
        self.count = 0
        self.last = None

    def renew(self):
        self.count += 1
        head = b"%020d" % self.count
        with open(self.path, "wb") as file:
            file.write(head)
            file.write(self.rest)
        summer = hashlib.sha256(head)
        summer.update(self.rest)
        return "sha256:" + summer.hexdigest()

    def put(self, server):
        if self.last:
            os.unlink(self.last)
        name = self.renew()
        used = b"x" * (2 * LARGE)
        del used
        before = cpu(server.process)
        self.send(server, name)
        self.last = f"{server.root}/docker/registry/v2/blobs/sha256/{name[7:9]}/{name[7:]}/data"
        return cpu(server.process) - before

    def send(self, server, name):
        answer = server.client().post("/v2/bench/blobs/uploads/")
        assert curl("-T", self.path, "-H", "Content-Type: application/octet-stream",
                    f"http://{HOST}:{server.port}{location(answer)}digest={name}") == "201"


def push(server, blobs):
    web = server.client()
    for data in blobs:
        web.push_blob("bench", data)
    config = b'{"os":"linux","architecture":"amd64"}'
    web.push_blob("bench", config)
    image = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(config, OCI_CONFIG),
                        "layers": [descriptor(blob, OCI_LAYER) for blob in blobs]}).encode()
    assert web.push_manifest("bench", "t", image).status == 201
    return digest(image)


def both():
    """The two servers, each on a directory of its own."""
    return {"ours": Server(extra=QUIET), "theirs": Distribution(scratch())}


def compare():
    small, middle = os.urandom(400), os.urandom(MIDDLE)
    large = Large(scratch() + "/large")
    servers = both()
    name = large.renew()
    for server in servers.values():
        server.__enter__()
        image = push(server, [small, middle])
        large.send(server, name)
    loads = [
        Load("GET /v2/", "", wrk("/v2/")),
        Load("GET manifest by tag", "1/10", wrk("/v2/bench/manifests/t")),
        Load("GET manifest by digest", "1/10", wrk(f"/v2/bench/manifests/{image}")),
        Load("GET blob of 400 B", "1/10", wrk(f"/v2/bench/blobs/{digest(small)}")),
        Load("GET tags/list", "", wrk("/v2/bench/tags/list")),
        Load("GET blob of 2 MB", "1/5", wrk(f"/v2/bench/blobs/{digest(middle)}")),
        Load("GET blob of 240 MB", "1/2", get_large(f"/v2/bench/blobs/{name}")),
        Load("PUT blob of 240 MB", "1/2", large.put),
    ]
    loads = [load for load in loads if is_wanted(load.name)]
    for _ in range(TURNS):
        for load in loads:
            for who, server in servers.items():
                load.turn(who, server)
    print(f"{'CPU per request':<22} {'shale':>10} {'distrib.':>10}    {'ratio':>8}   aim", flush=True)
    for load in loads:
        load.show()
    peaks = {who: peak(server.process) for who, server in servers.items()}
    print(f"{'peak memory':<22} {peaks['ours']:10.1f} {peaks['theirs']:10.1f} MiB {peaks['ours'] / peaks['theirs']:7.3f}", flush=True)
    for server in servers.values():
        server.__exit__()


def is_alive(sock):
    try:
        sock.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        return b" 200 " in sock.recv(4096)
    except OSError:
        return False


def connections():
    """1,000 connections that have asked once and stay, and 200 that work."""
    found = {}
    for who, server in both().items():
        with server:
            push(server, [b"x"])
            idle = [socket.create_connection((HOST, server.port)) for _ in range(1000)]
            assert all(is_alive(sock) for sock in idle)
            wrk("/v2/bench/manifests/t", 200)(server)
            found[who] = (peak(server.process), sum(is_alive(sock) for sock in idle))
            for sock in idle:
                sock.close()
    for who, (size, count) in found.items():
        print(f"{who}: 1000 idle connections, of which {count} are open at the end, and 200 busy ones: {size:.1f} MiB (aim: 24)", flush=True)


def make_many(root, repos, tags):
    """As distribution lays it out: each tag of each repository leads to one manifest."""
    registry = root + "/docker/registry/v2"
    config = b"{}"
    image = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(config, OCI_CONFIG), "layers": []}).encode()

    def put(path, data):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
    for data in (config, image):
        hexes = digest(data)[7:]
        put(f"{registry}/blobs/sha256/{hexes[:2]}/{hexes}/data", data)
    link, hexes = digest(image).encode(), digest(image)[7:]
    for number in range(repos):
        repo = f"{registry}/repositories/group{number % 100}/image{number}"
        put(f"{repo}/_manifests/revisions/sha256/{hexes}/link", link)
        put(f"{repo}/_layers/sha256/{digest(config)[7:]}/link", digest(config).encode())
        for tag in range(tags):
            put(f"{repo}/_manifests/tags/v{tag}/current/link", link)


def lists(repos=10000, tags=20):
    root = tempfile.mkdtemp(prefix="shale-registry.", dir=MEMORY)
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    make_many(root, repos, tags)
    print(f"{repos} repositories of {tags} tags", flush=True)
    servers = {"ours": Server(root=root, extra=QUIET), "theirs": Distribution(root)}
    # The first start makes the index.
    servers["ours"].start(300)
    print(f"the index made: {cpu(servers['ours'].process):.1f} s of CPU")
    servers["theirs"].__enter__()
    for name, path, count in (("catalog, 1000 of them", "/v2/_catalog?n=1000", 200), ("catalog, its end", "/v2/_catalog?n=1000&last=group98", 200),
                              ("a page of 20 tags", "/v2/group5/image5/tags/list?n=20", 2000)):
        line = []
        for who, server in servers.items():
            web, times = server.client(timeout=300), count if who == "ours" else count // 20
            before = cpu(server.process)
            for _ in range(times):
                assert web.get(path).status == 200
            line.append((cpu(server.process) - before) / times * 1000)
            web.close()
        print(f"{name:<22} {line[0]:10.2f} {line[1]:10.2f} ms {line[0] / max(line[1], 1e-9):8.3f}   5 ms", flush=True)
    for server in servers.values():
        server.__exit__()


compare()
if is_wanted("connections"):
    connections()
if is_wanted("lists"):
    lists()
