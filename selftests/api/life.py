# SPDX-License-Identifier: GPL-2.0-only
#
# The daemon's life: its socket, those it inherits from systemd, the one connection it may be started for, its end by a
# signal, and what a kill leaves.

import stat

from daemon import *


def run_to_end(*words, env=None):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **(env or {})})


@test("the socket is for root and a group, and goes with the daemon")
def socket_mode():
    daemon = Daemon()
    st = os.stat(daemon.socket)
    assert stat.S_ISSOCK(st.st_mode) and stat.S_IMODE(st.st_mode) == 0o660, oct(st.st_mode)
    assert daemon.stop() == 0
    assert not os.path.exists(daemon.socket)


@test("the socket's directory is made, but not those above it")
def socket_directory():
    daemon = Daemon(start=False)
    daemon.socket = daemon.dir + "/run/shaled.sock"
    daemon.start()
    assert stat.S_IMODE(os.stat(daemon.dir + "/run").st_mode) == 0o755
    daemon.stop()


@test("the socket is given to the group that is named")
def socket_group():
    import grp
    daemon = Daemon(group="daemon")
    assert os.stat(daemon.socket).st_gid == grp.getgrnam("daemon").gr_gid
    daemon.stop()
    daemon = Daemon(group="no-such-group")
    assert "cannot be given to group 'no-such-group'" in daemon.read_log()
    assert os.stat(daemon.socket).st_gid == 0
    daemon.stop()


@test("a dead daemon's socket is replaced, a living one's is not")
def socket_taken():
    daemon = Daemon()
    done = run_to_end("--root", daemon.root, "--host", "unix://" + daemon.socket)
    assert done.returncode == 1 and "Address already in use" in done.stderr, done.stderr
    assert daemon.get("/_ping").status == 200
    assert daemon.stop(signal.SIGKILL) == -signal.SIGKILL
    assert os.path.exists(daemon.socket)
    daemon.start()
    assert daemon.stop() == 0


@table("a command line", [
    ("an unknown option", ["--nope"], 125, "unknown option '--nope'"),
    ("a word", ["serve"], 125, "one word too many: 'serve'"),
    ("no value", ["--root"], 125, "a value is missing for '--root'"),
    ("another host", ["--host", "tcp://127.0.0.1:1"], 1, "--host is unix:///PATH, not 'tcp://127.0.0.1:1'"),
    ("a relative socket", ["--host", "unix://x.sock"], 1, "--host is unix:///PATH, not 'unix://x.sock'"),
    ("a long socket", ["--host", "unix:///" + "a" * 200], 1, "too long for a socket"),
    ("no such directory", ["--host", "unix:///no/such/dir/x.sock"], 1, "cannot listen on /no/such/dir/x.sock"),
    ("another driver", ["--storage-driver", "zfs"], 1, "no storage driver 'zfs'"),
    ("no descriptor", ["--connection", "x"], 125, "--connection is a file descriptor, of four at most, not 'x'"),
    ("a descriptor that is none", ["--connection", "77"], 1, "file descriptor 77 is no connected socket"),
    ("another level", ["--log-level", "loud"], 125, "--log-level is error, warn, info or debug, not 'loud'"),
    ("another format", ["--log-format", "xml"], 125, "--log-format is text or json, not 'xml'"),
])
def command_line(words, status, message):
    done = run_to_end(*words, env={"SHALE_ROOT": scratch() + "/store"})
    assert done.returncode == status and message in done.stderr, (done.returncode, done.stderr)


@test("help and version")
def help_version():
    assert "--connection FD" in run_to_end("--help").stdout
    assert re.fullmatch(r"shaled \S+\n", run_to_end("--version").stdout)


@test("a storage driver is chosen, and shown")
def driver():
    daemon = Daemon(storage_driver="vfs")
    assert daemon.get("/info").json()["Driver"] == "vfs"
    daemon.stop()


@test("the log is JSON when it is asked for, whatever clients send")
def log_format():
    daemon = Daemon(log_format="json")
    daemon.get("/images/%22%5c%0d")
    daemon.stop()
    lines = [json.loads(line) for line in daemon.read_log().splitlines()]
    assert {"time", "level", "msg"} <= set(lines[0]), lines[0]
    asked = [line for line in lines if line.get("method") == "GET" and "status" in line]
    assert asked[-1]["status"] in (400, 404) and asked[-1]["pid"] == os.getpid(), asked


@test("sockets that systemd holds are served, and left there")
def activation():
    daemon = Daemon(start=False)
    path = daemon.dir + "/activated.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(16)
    # As systemd: descriptor 3 and the process's own ID in its environment.
    script = f'LISTEN_PID=$$ LISTEN_FDS=1 exec "{PROGRAM}" --root "{daemon.root}" --host unix:///no/such/x 3<&{listener.fileno()}'
    with open(daemon.log, "a") as log:
        process = subprocess.Popen(["bash", "-c", script], pass_fds=[listener.fileno()], stderr=log)
    daemon.process, daemon.socket = process, path
    wait_until("the activated daemon", daemon.is_up)
    assert daemon.get("/info").status == 200
    assert daemon.stop() == 0
    assert os.path.exists(path)
    listener.close()


@test("sockets that are another process's are not taken")
def not_activated():
    daemon = Daemon(start=False)
    os.environ.update(LISTEN_PID="1", LISTEN_FDS="1")
    try:
        daemon.start()
    finally:
        del os.environ["LISTEN_PID"], os.environ["LISTEN_FDS"]
    assert daemon.stop() == 0


@test("the service manager is told when it is ready and when it stops")
def notified():
    daemon = Daemon(start=False)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(daemon.dir + "/notify")
    sock.settimeout(20)
    os.environ["NOTIFY_SOCKET"] = daemon.dir + "/notify"
    try:
        daemon.start()
    finally:
        del os.environ["NOTIFY_SOCKET"]
    assert sock.recv(100) == b"READY=1"
    daemon.stop()
    assert sock.recv(100) == b"STOPPING=1"
    sock.close()


class Private:
    """A daemon for one connection."""

    def __init__(self):
        self.root = scratch() + "/store"
        self.sock, theirs = socket.socketpair()
        self.process = subprocess.Popen([PROGRAM, "--root", self.root, "--connection", str(theirs.fileno())],
                                        pass_fds=[theirs.fileno()], stderr=subprocess.PIPE, text=True)
        theirs.close()
        self.connection = Connection(sock=self.sock)

    def ask(self, method, path, body=None):
        self.connection.request(method, path, body, {})
        return Answer(self.connection.getresponse())

    def close(self):
        self.connection.close()
        self.sock.close()


@test("one connection: requests on it, and the daemon's end with it")
def connection():
    private = Private()
    data, ident = make_image(["c:1"], [{"a": b"1"}])
    for _ in range(3):
        assert private.ask("GET", "/_ping").body == b"OK"
        assert private.ask("POST", "/v1.41/images/load", data).status == 200
        assert private.ask("GET", "/v1.41/images/json").json()[0]["Id"] == ident
    private.close()
    assert private.process.wait(20) == 0, private.process.stderr.read()


@test("one connection: no store is made before something needs it")
def connection_storeless():
    private = Private()
    for path in ("/_ping", "/version", "/v1.41/images/json", "/v1.41/volumes", "/v1.41/system/df"):
        assert private.ask("GET", path).status == 200
    assert private.ask("DELETE", "/v1.41/images/a").status == 404
    assert private.ask("POST", "/v1.41/images/prune").status == 200
    assert not os.path.exists(private.root)
    private.close()
    assert private.process.wait(20) == 0, private.process.stderr.read()


@test("one connection that is closed at once, or is never used")
def connection_unused():
    private = Private()
    private.close()
    assert private.process.wait(20) == 0, private.process.stderr.read()


@test("one connection that goes in the middle of work cancels it")
def connection_gone():
    private = Private()
    silent = Silent()
    assert private.ask("GET", "/_ping").status == 200
    private.sock.sendall(f"POST /images/create?fromImage={silent.name}/a&tag=1 HTTP/1.1\r\nHost: x\r\n"
                         "Content-Length: 0\r\n\r\n".encode())
    wait_until("the work to begin", lambda: os.path.isdir(private.root + "/tmp") and os.listdir(private.root + "/tmp"))
    private.close()
    assert private.process.wait(20) == 0, private.process.stderr.read()
    assert os.listdir(private.root + "/tmp") == []
    silent.close()


@test("a signal ends one connection, too")
def connection_signal():
    private = Private()
    assert private.ask("GET", "/_ping").status == 200
    private.process.terminate()
    assert private.process.wait(30) == 0, private.process.stderr.read()
    private.close()


@test("SIGTERM: listeners are let go at once")
def stop_listeners():
    daemon = Daemon()
    sock = daemon.connect(20)
    sock.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
    sock.recv(100)
    begun = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - begun < 8
    assert sock.recv(10000).endswith(b"0\r\n\r\n") or sock.recv(10000) == b""
    sock.close()


@test("SIGTERM: work that runs is finished")
def stop_finishes():
    daemon = Daemon()
    data, ident = make_image(["s:1"], [{"a": os.urandom(2000000)}])
    sock = daemon.connect(30)
    sock.sendall(b"POST /v1.41/images/load?quiet=1 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(data))
    sock.sendall(data[:-1000])
    wait_until("the work to begin", lambda: os.listdir(daemon.root + "/tmp"))
    daemon.process.terminate()
    wait_until("the daemon to stop", lambda: "stopping" in daemon.read_log())
    time.sleep(0.2)
    sock.sendall(data[-1000:])
    got = b""
    while piece := sock.recv(65536):
        got += piece
    assert b"Loaded image: s:1" in got, got
    assert daemon.process.wait(30) == 0
    daemon.process = None
    daemon.start()
    assert daemon.get("/images/json").json()[0]["Id"] == ident
    daemon.stop()
    daemon.check()


@test("SIGTERM: work that does not end is cancelled, and leaves nothing")
def stop_cancels():
    daemon = Daemon()
    silent = Silent()
    pull = daemon.connect(30)
    pull.sendall(f"POST /images/create?fromImage={silent.name}/a&tag=1 HTTP/1.1\r\nHost: x\r\n"
                 "Content-Length: 0\r\n\r\n".encode())
    load = daemon.connect(30)
    load.sendall(b"POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"\0" * 512)
    wait_until("the work to begin", lambda: len(os.listdir(daemon.root + "/tmp")) == 2)
    assert daemon.stop(timeout=60) == 0
    for sock in (pull, load):
        sock.close()
    silent.close()
    daemon.check()


@test("kill -9 in the middle of work: after the next start nothing is left")
def killed():
    daemon = Daemon()
    data, ident = make_image(["k:1"], [{"a": os.urandom(2000000)}])
    assert daemon.post("/images/load?quiet=1", data).status == 200
    daemon.post("/volumes/create", {"Name": "kept"})
    other, _ = make_image(["k:2"], [{"a": os.urandom(2000000)}])
    sock = daemon.connect()
    sock.sendall(b"POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(other) + other[:-2000])
    wait_until("the work to begin", lambda: os.listdir(daemon.root + "/tmp"))
    daemon.stop(signal.SIGKILL)
    sock.close()
    daemon.start()
    assert [image["Id"] for image in daemon.get("/images/json").json()] == [ident]
    assert [volume["Name"] for volume in daemon.get("/volumes").json()["Volumes"]] == ["kept"]
    assert daemon.post("/images/load?quiet=1", other).status == 200
    daemon.stop()
    daemon.check()


@test("two daemons on one store see each other's images")
def two():
    one = Daemon()
    two = Daemon(root=one.root)
    data, ident = make_image(["t:1"], [{"a": b"1"}])
    assert one.post("/images/load?quiet=1", data).status == 200
    assert two.get("/images/t:1/json").json()["Id"] == ident
    assert two.delete("/images/t:1").status == 200
    assert one.get("/images/json").json() == []
    assert one.stop() == 0 and two.stop() == 0
    one.check()


run()
