# SPDX-License-Identifier: GPL-2.0-only
#
# Requests as no client of docker's sends them: bytes that are no HTTP, headers and bodies without end, JSON that is
# none, clients that stop in the middle. After each the daemon answers others, and its store is in order.

from daemon import *

shaled = Daemon()
# With thirty streams of 256 KiB, and as many savers.
MAX_MEMORY_KB = 200000


def after(description):
    """A test after which the daemon must be as it was."""
    def register(function):
        def run_and_look():
            function()
            assert shaled.get("/_ping").status == 200
            assert shaled.process.poll() is None
        run_and_look.__name__ = function.__name__
        return test(description)(run_and_look)
    return register


def status_of(data):
    head = data.split(b"\r\n", 1)[0].split()
    return int(head[1]) if len(head) > 1 else None


@after("bytes that are no HTTP")
def no_http():
    for data in (b"\0" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n\r\n\r\n", b"GET /_ping HTTP/1.1\r\n\r\n",
                 b"GET  /_ping  HTTP/1.1\r\nHost x\r\n\r\n"):
        got = shaled.raw(data, timeout=1)
        assert not got or status_of(got) in (200, 400, 404, 414, 431, 501, 505), got[:100]


@after("header fields without end are refused")
def endless_header():
    got = shaled.raw(b"GET /_ping HTTP/1.1\r\nHost: x\r\nX-A: " + b"a" * 200000, timeout=3)
    assert status_of(got) in (None, 413, 414, 431), got[:100]
    got = shaled.raw(b"GET /_ping HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 30000 + b"\r\n", timeout=3)
    assert status_of(got) in (None, 413, 414, 431), got[:100]
    got = shaled.raw(b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", timeout=3)
    assert status_of(got) in (None, 413, 414, 431), got[:100]


@after("a query with more values than anybody has")
def many_values():
    answer = shaled.get("/images/json?" + "&".join(["a=b"] * 400))
    assert answer.status == 400, answer.body
    # From about 900 on the HTTP library refuses it itself, and does not get as far as saying so.
    assert status_of(shaled.raw(b"GET /info?" + b"&".join([b"a=b"] * 5000) + b" HTTP/1.1\r\nHost: x\r\n\r\n", timeout=1)) \
        in (None, 400, 414, 431)


@table("a JSON body", [
    ("no JSON", b"{", 400), ("a list", b"[]", 400), ("a text", b'"a"', 400), ("a key twice", b'{"Name":"a","Name":"b"}',
                                                                              400),
    ("deep", b'{"a":' * 100 + b"1" + b"}" * 100, 400), ("broken UTF-8", b'{"Name":"\xff\xfe"}', 400),
    ("a NUL", b'{"Name":"a\\u0000b"}', 400), ("behind it more", b'{}x', 400), ("too much", b" " * (1 << 20) + b"{}", 413),
])
def bad_json(body, status):
    answer = shaled.post("/volumes/create", body, headers={"Content-Type": "application/json"})
    assert answer.status == status, (answer.status, answer.body)
    assert answer.message(), answer.body
    assert shaled.get("/volumes").json()["Volumes"] == []


@after("a body of another type")
def wrong_type():
    for kind in ("text/plain", "application/jsonx", ""):
        answer = shaled.post("/volumes/create", b"{}", headers={"Content-Type": kind})
        assert answer.status == 400 and "must be 'application/json'" in answer.message(), answer.body


@after("a body without end where none is wanted")
def endless_body():
    sock = shaled.connect(5)
    sock.sendall(b"POST /v1.41/images/prune HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    sent = 0
    try:
        while sent < 1 << 30:
            sock.sendall(piece)
            sent += 65536
    except OSError:
        pass
    assert sent < 1 << 28, sent
    sock.close()


@after("an archive without end that is none is refused, not kept")
def endless_archive():
    def body():
        for _ in range(2000):
            yield b"x" * 65536
    try:
        answer = shaled.post("/images/load", body())
        assert answer.status == 400, answer.body
    except (BrokenPipeError, ConnectionResetError):
        pass
    wait_until("nothing to be left", lambda: not os.listdir(shaled.root + "/tmp"))
    shaled.check()


@after("a client that stops in the middle of an archive leaves nothing")
def half_archive():
    data, _ = make_image(["half:1"], [{"a": os.urandom(500000)}])
    for cut in (1, 700, len(data) // 2, len(data) - 600):
        sock = shaled.connect()
        sock.sendall(b"POST /v1.41/images/load HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(data))
        sock.sendall(data[:cut])
        sock.close()
        wait_until("nothing to be left", lambda: not os.listdir(shaled.root + "/tmp"))
    assert shaled.get("/images/json").json() == []
    shaled.check()


@after("a client that stops in the middle of a root directory's tar leaves nothing")
def half_rootfs():
    data = make_tar({"a": os.urandom(500000)})
    sock = shaled.connect()
    sock.sendall(b"POST /v1.41/images/create?fromSrc=-&repo=half HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
                 % (len(data) + 5000))
    sock.sendall(data)
    time.sleep(0.3)
    sock.close()
    wait_until("nothing to be left", lambda: not os.listdir(shaled.root + "/tmp"))
    assert shaled.get("/images/json").json() == []
    shaled.check()


@after("a client that does not read what it asked for holds up nobody")
def deaf():
    data, _ = make_image(["big:1"], [{"a": os.urandom(8000000)}])
    assert shaled.post("/images/load?quiet=1", data).status == 200
    socks = [shaled.connect() for _ in range(30)]
    for sock in socks:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(b"GET /v1.41/images/big:1/get HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until("all to begin", lambda: len(os.listdir(shaled.root + "/tmp")) == len(socks))
    assert shaled.get("/images/json").status == 200
    with open(f"/proc/{shaled.process.pid}/status") as file:
        memory = int(re.search(r"VmRSS:\s+(\d+)", file.read())[1])
    assert memory < MAX_MEMORY_KB, memory
    for sock in socks:
        sock.close()
    wait_until("all to end", lambda: not os.listdir(shaled.root + "/tmp"))
    shaled.delete("/images/big:1")


@after("a client that waits for 100 before its body is answered before it")
def expect():
    sock = shaled.connect(10)
    sock.sendall(b"POST /v1.23/images/load HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n")
    got = sock.recv(4096)
    assert status_of(got) == 400, got
    sock.close()


@after("requests one behind the other on a connection")
def pipelined():
    one = b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /v1.41/images/json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    got = shaled.raw(one * 20 + last)
    assert got.count(b"HTTP/1.1 200 OK") == 21, got.count(b"HTTP/1.1 200 OK")


run()
