# SPDX-License-Identifier: GPL-2.0-only
#
# What the tests of the daemon share: shaled started on a socket and a store of its own, requests to it that are sent
# exactly as a test writes them, docker's client, Debian's docker-registry as the other side, and shapes that answers
# must have. Imported by the programs here; each is run by the script of its name.

import base64
import http.client
import io
import os
import random
import subprocess
import sys
import tarfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "registry"))
from registry import (HOST, TOP, Skip, digest, exchange, free_port, json, main, re, scratch, shutil,  # noqa: F401
                      signal, socket, table, test, time, wait_until)

PROGRAM = os.environ.get("SHALE_TEST_SHALED", TOP + "/build/user/shaled")
SHALE = os.environ.get("SHALE_TEST_PROGRAM", TOP + "/build/user/shale")
VERSION = "v1.47"

for name in list(os.environ):
    if name.lower().endswith("_proxy") or name.startswith(("DOCKER_", "SHALE_ROOT", "REGISTRY_AUTH")):
        del os.environ[name]


def fresh_home():
    """Nothing of the person who runs the tests may be read or written."""
    home = scratch()
    for name, value in {"HOME": home, "DOCKER_CONFIG": home, "XDG_RUNTIME_DIR": home,
                        "CONTAINERS_REGISTRIES_CONF": home + "/registries.conf"}.items():
        os.environ[name] = value
    open(home + "/registries.conf", "w").close()


fresh_home()


class Connection(http.client.HTTPConnection):
    def __init__(self, path=None, sock=None, timeout=60):
        super().__init__("shaled", timeout=timeout)
        self.path, self.sock = path, sock

    def connect(self):
        if not self.sock:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(self.timeout)
            self.sock.connect(self.path)


class Answer:
    def __init__(self, response):
        self.status, self.fields, self.body = response.status, response.headers, response.read()

    def json(self):
        return json.loads(self.body)

    def message(self):
        return self.json()["message"]

    def lines(self):
        """Of a progress stream."""
        return [json.loads(line) for line in self.body.split(b"\n") if line.strip()]


class Daemon:
    all = []
    # A program and its arguments that run what follows.
    wrapper = []

    def __init__(self, root=None, start=True, **more):
        self.dir = scratch()
        self.root = root or self.dir + "/store"
        self.socket = self.dir + "/shaled.sock"
        self.log = self.dir + "/log"
        self.more = more
        self.process = None
        Daemon.all.append(self)
        if start:
            self.start()

    def start(self, *words):
        options = [f"--{name.replace('_', '-')}={value}" for name, value in self.more.items()]
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, PROGRAM, "--root", self.root, "--host", "unix://" + self.socket, "--group", "root",
                 "--log-level", "debug", *options, *words], stderr=log)
        wait_until("shaled to listen", self.is_up)

    def is_up(self):
        if self.process.poll() is not None:
            raise AssertionError("shaled has ended: " + self.read_log()[-1500:])
        try:
            return self.get("/_ping", timeout=5).status == 200
        except OSError:
            return False

    def read_log(self):
        with open(self.log) as log:
            return log.read()

    def stop(self, number=signal.SIGTERM, timeout=30):
        if not self.process:
            return None
        self.process.send_signal(number)
        code = self.process.wait(timeout)
        self.process = None
        return code

    def connect(self, timeout=60):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(timeout)
        sock.connect(self.socket)
        return sock

    def ask(self, method, path, body=None, headers=None, timeout=60):
        """path without a version gets ours, but for _ping."""
        if not re.match(r"/(v[0-9]|_ping)", path):
            path = f"/{VERSION}{path}"
        if isinstance(body, dict):
            body, headers = json.dumps(body), {"Content-Type": "application/json", **(headers or {})}
        connection = Connection(self.socket, timeout=timeout)
        try:
            connection.request(method, path, body, headers or {}, encode_chunked=hasattr(body, "__next__"))
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **more):
        return self.ask("GET", path, **more)

    def post(self, path, body=None, **more):
        return self.ask("POST", path, body, **more)

    def delete(self, path, **more):
        return self.ask("DELETE", path, **more)

    def raw(self, data, timeout=10):
        """What comes back to bytes that are no request of http.client's."""
        with self.connect(timeout) as sock:
            return exchange(sock, data, is_all=False)

    def check(self):
        """The store is in order, and nothing of work that ended is left."""
        done = subprocess.run([SHALE, "system", "check", "--root", self.root], capture_output=True, text=True)
        assert done.returncode == 0, (done.stdout, done.stderr)
        assert not os.listdir(self.root + "/tmp"), os.listdir(self.root + "/tmp")

    def docker(self, *words, input=None, status=0, env=None):
        """What docker's client prints on standard output; with a status other than 0, the end of its errors."""
        done = subprocess.run([docker_program(), "-H", "unix://" + self.socket, *words], input=input,
                              capture_output=True, timeout=120, env={**os.environ, **(env or {})})
        out, errors = done.stdout.decode(), done.stderr.decode()
        assert done.returncode == status, (words, done.returncode, out[-1000:], errors[-1500:])
        return errors.strip() if status else out.strip()

    def docker_json(self, *words):
        return [json.loads(line) for line in self.docker(*words, "--format", "{{json .}}").splitlines()]


def chance_of_seed():
    """What is random in a test, from a seed that is printed, or that of SHALE_TEST_SEED again."""
    seed = int(os.environ.get("SHALE_TEST_SEED", "0")) or random.randrange(1 << 30)
    print(f"# SHALE_TEST_SEED={seed}", flush=True)
    return random.Random(seed)


def end_all():
    for daemon in Daemon.all:
        if daemon.process:
            daemon.process.kill()
            daemon.process.wait()
    for peer in Peer.all:
        peer.process.kill()
        peer.process.wait()


def docker_program(found=[]):
    """Debian's, unless SHALE_TEST_DOCKER is another."""
    if not found:
        program = os.environ.get("SHALE_TEST_DOCKER")
        if not program:
            done = subprocess.run([TOP + "/scripts/docker-cli"], capture_output=True, text=True)
            program = done.stdout.strip()
        found.append(program)
    if not found[0]:
        raise Skip("docker's client cannot be fetched")
    return found[0]


def make_tar(files):
    """A tar of {name: bytes or None for a directory}."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.mtime = 1700000000
            if content is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            else:
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content or b""))
    return out.getvalue()


def make_image(names, layers, labels=None, created="2024-05-06T07:08:09Z"):
    """A docker-archive of one image; each layer is {name: bytes}."""
    tars = [make_tar(layer) for layer in layers]
    config = json.dumps({
        "architecture": "amd64", "os": "linux", "created": created, "config": {"Labels": labels, "Cmd": ["/x"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(tar) for tar in tars]},
        "history": [{"created": created, "created_by": f"step {n}"} for n in range(len(tars))]}).encode()
    files = {f"{n}.tar": tar for n, tar in enumerate(tars)}
    files[digest(config)[7:] + ".json"] = config
    files["manifest.json"] = json.dumps([{
        "Config": digest(config)[7:] + ".json", "RepoTags": names,
        "Layers": [f"{n}.tar" for n in range(len(tars))]}]).encode()
    return make_tar(files), digest(config)


class Peer:
    """Debian's docker-registry, with passwords if there are users: {"user": "password"}."""

    all = []

    def __init__(self, users=None):
        if not shutil.which("docker-registry"):
            raise Skip("no docker-registry")
        self.dir = scratch()
        self.port = free_port()
        self.name = f"{HOST}:{self.port}"
        config = {"version": 0.1, "log": {"level": "error", "accesslog": {"disabled": True}},
                  "storage": {"filesystem": {"rootdirectory": self.dir + "/data"}},
                  "http": {"addr": self.name}}
        if users:
            with open(self.dir + "/htpasswd", "w") as file:
                for user, password in users.items():
                    file.write(subprocess.run(["htpasswd", "-nbB", user, password], capture_output=True, check=True,
                                              text=True).stdout.strip() + "\n")
            config["auth"] = {"htpasswd": {"realm": "test", "path": self.dir + "/htpasswd"}}
        with open(self.dir + "/config.yml", "w") as file:
            json.dump(config, file)
        with open(self.dir + "/log", "w") as log:
            self.process = subprocess.Popen(["docker-registry", "serve", self.dir + "/config.yml"], stdout=log,
                                            stderr=log)
        Peer.all.append(self)
        wait_until("docker-registry", self.is_up)

    def is_up(self):
        try:
            connection = http.client.HTTPConnection(HOST, self.port, timeout=5)
            connection.request("GET", "/v2/")
            return connection.getresponse().status in (200, 401)
        except OSError:
            return False


class TokenServer:
    """A registry that wants tokens, and its token service, which gives refresh tokens to who asks for one."""

    def __init__(self):
        from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
        good = "Basic " + base64.b64encode(b"somebody:secret").decode()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status, body=b"{}", **fields):
                self.send_response(status)
                for name, value in {"Content-Length": len(body), **fields}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                host = self.headers["Host"]
                if self.path.startswith("/token"):
                    if self.headers["Authorization"] != good:
                        return self.answer(401)
                    given = {"token": "short"}
                    if "offline_token=true" in self.path:
                        given["refresh_token"] = "long"
                    return self.answer(200, json.dumps(given).encode())
                if self.headers["Authorization"] == "Bearer short":
                    return self.answer(200)
                return self.answer(401, WWW_Authenticate=f'Bearer realm="http://{host}/token",service="test"')

            do_HEAD = do_GET

            def log_message(self, *words):
                pass
        self.server = ThreadingHTTPServer((HOST, 0), Handler)
        self.server.daemon_threads = True
        self.name = f"{HOST}:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Silent:
    """A registry that takes connections and never answers."""

    def __init__(self):
        self.sock = socket.create_server((HOST, 0))
        self.name = f"{HOST}:{self.sock.getsockname()[1]}"

    def close(self):
        self.sock.close()


def auth_header(**auth):
    return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(auth).encode()).decode()}


def check_shape(value, shape, where="answer"):
    """
    Whether a JSON value has a form: a type, None, a tuple of forms of which one will do, [form] for a list of such,
    a dict for an object that has these keys and no others, a set for one of several values, a compiled pattern.
    """
    if isinstance(shape, tuple):
        errors = []
        for one in shape:
            try:
                return check_shape(value, one, where)
            except AssertionError as error:
                errors.append(str(error))
        raise AssertionError("; ".join(errors))
    if shape is None:
        assert value is None, f"{where}: {value!r} instead of null"
    elif isinstance(shape, list):
        assert isinstance(value, list), f"{where}: {value!r} is no list"
        for n, one in enumerate(value):
            check_shape(one, shape[0], f"{where}[{n}]")
    elif isinstance(shape, dict):
        assert isinstance(value, dict), f"{where}: {value!r} is no object"
        assert set(value) == set(shape), f"{where}: keys {sorted(set(value) ^ set(shape))} differ"
        for key in shape:
            check_shape(value[key], shape[key], f"{where}.{key}")
    elif isinstance(shape, set):
        assert value in shape, f"{where}: {value!r} is none of {shape}"
    elif isinstance(shape, re.Pattern):
        assert isinstance(value, str) and shape.fullmatch(value), f"{where}: {value!r} is not {shape.pattern}"
    else:
        # To Python, true is a number.
        good = isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
        assert good, f"{where}: {value!r} is no {shape.__name__}"


ID = re.compile("sha256:[0-9a-f]{64}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def run():
    try:
        main()
    finally:
        end_all()
