# SPDX-License-Identifier: GPL-2.0-only
#
# What the tests of the registry share: a server started on a free port of 127.0.0.1 with a directory of
# its own, requests to it that are sent exactly as a test writes them, and KTAP lines. Imported by the
# programs here; each is run by the script of its name.

import atexit
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("SHALE_TEST_REGISTRY", TOP + "/build/user/shale-registry")
HOST = "127.0.0.1"
# Most of what is tested does not depend on the disk, and a memory filesystem makes it short.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"


def digest(data, algorithm="sha256"):
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def scratch():
    """A directory that is removed when the program ends."""
    path = tempfile.mkdtemp(prefix="shale-registry.", dir=os.environ.get("SHALE_TEST_DIR", MEMORY))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def free_port():
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return sock.getsockname()[1]


def wait_until(what, condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.02)


class Answer:
    def __init__(self, status, fields, body):
        self.status = status
        self.fields = fields
        self.body = body

    def __getitem__(self, name):
        for key, value in self.fields:
            if key.lower() == name.lower():
                return value
        return None

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def json(self):
        return json.loads(self.body)

    def code(self):
        """The protocol's code of an error."""
        return self.json()["errors"][0]["code"]


class Server:
    """shale-registry on a directory. extra is merged into the configuration."""

    all = []

    @classmethod
    def crashes(cls):
        """What servers said last that ended without being told to."""
        for server in cls.all:
            if server.process and server.process.poll() not in (None, 0, -signal.SIGKILL):
                yield from server.read_log().splitlines()[-20:]
        cls.all.clear()

    def __init__(self, root=None, extra=None, driver=None, delete=True, **options):
        self.dir = scratch()
        self.root = root or self.dir + "/root"
        self.port = free_port()
        self.options = options
        self.process = None
        self.config = {
            "version": 0.1,
            "log": {"level": "info"},
            "storage": {"delete": {"enabled": delete}},
            "http": {"addr": f"{HOST}:{self.port}"},
        }
        self.config["storage"].update(driver or self.other_driver() or {"filesystem": {"rootdirectory": self.root}})
        if "filesystem" not in self.config["storage"]:
            self.config["shale"] = {"index": self.dir + "/index.db"}
        merge(self.config, extra or {})
        self.log = self.dir + "/log"
        Server.all.append(self)

    def other_driver(self):
        """SHALE_TEST_DRIVER: another storage for all servers, as JSON; each gets a part of it."""
        if "SHALE_TEST_DRIVER" not in os.environ:
            return None
        driver = json.loads(os.environ["SHALE_TEST_DRIVER"])
        for parameters in driver.values():
            parameters["rootdirectory"] = self.root.strip("/").replace("/", "-")
        self.config["storage"]["redirect"] = {"disable": True}
        return driver

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def write_config(self):
        path = self.dir + "/config.yml"
        with open(path, "w") as file:
            json.dump(self.config, file)
        return path

    def start(self, seconds=20):
        self.process = subprocess.Popen([PROGRAM, "serve", self.write_config()],
                                        stderr=open(self.log, "ab"), **self.options)
        atexit.register(self.kill)
        wait_until("the server", lambda: self.process.poll() is not None or listens(self.process, self.port), seconds)
        if self.process.poll() is not None:
            raise AssertionError("the server did not start: " + self.read_log()[-500:])
        return self

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)
        return self.process and self.process.returncode

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def read_log(self):
        with open(self.log, errors="replace") as file:
            return file.read()

    def verb(self, *words):
        return subprocess.run([PROGRAM, *words, self.write_config()], capture_output=True, text=True,
                              timeout=120)

    def client(self, timeout=60, **fields):
        return Client(self.port, fields, timeout)


class Distribution:
    """Docker distribution's server on a storage directory. extra is merged into the configuration."""

    def __init__(self, root, extra=None):
        self.root = root
        self.port = free_port()
        self.process = None
        self.config = scratch() + "/config.yml"
        config = {"version": 0.1, "log": {"level": "error", "accesslog": {"disabled": True}},
                  "http": {"addr": f"{HOST}:{self.port}"},
                  "storage": {"filesystem": {"rootdirectory": root}, "delete": {"enabled": True}}}
        merge(config, extra or {})
        with open(self.config, "w") as file:
            json.dump(config, file)

    def __enter__(self):
        self.process = subprocess.Popen(["docker-registry", "serve", self.config], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        atexit.register(self.process.kill)
        wait_until("docker-registry", lambda: is_open(self.port))
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)

    def client(self, timeout=60):
        return Client(self.port, {"Accept": ", ".join((OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST))}, timeout)


def merge(tree, extra):
    for key, value in extra.items():
        if isinstance(value, dict) and isinstance(tree.get(key), dict):
            merge(tree[key], value)
        else:
            tree[key] = value


def listens(process, port):
    """It is this process that has the port: while a server is down another program may get it."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as file:
            rows = [line.split() for line in file][1:]
        inodes |= {f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].rsplit(":", 1)[1], 16) == port}
    try:
        fds = f"/proc/{process.pid}/fd"
        return bool(inodes) and any(os.readlink(f"{fds}/{fd}") in inodes for fd in os.listdir(fds))
    except OSError:
        return False


def is_open(port):
    with socket.socket() as sock:
        return sock.connect_ex((HOST, port)) == 0


class Client:
    """Requests over one connection that is opened again when the server has closed it."""

    def __init__(self, port, fields=None, timeout=60):
        self.port = port
        self.fields = fields or {}
        self.timeout = timeout
        self.connection = None

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def request(self, method, path, body=None, **fields):
        for attempt in (1, 2):
            is_new = self.connection is None
            try:
                return self.try_request(method, path, body, fields)
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                self.close()
                if is_new or attempt == 2:
                    raise

    def try_request(self, method, path, body, fields):
        if not self.connection:
            self.connection = http.client.HTTPConnection(HOST, self.port, timeout=self.timeout)
        path = re.sub(r"^https?://[^/]*", "", path)
        connection = self.connection
        connection.putrequest(method, path, skip_accept_encoding=True)
        given = {**self.fields, **{k.replace("_", "-"): str(v) for k, v in fields.items()}}
        is_chunked = body is not None and not isinstance(body, bytes)
        if is_chunked:
            given["Transfer-Encoding"] = "chunked"
        elif (body is not None or method in ("POST", "PUT", "PATCH")) and "Content-Length" not in given:
            given["Content-Length"] = str(len(body or b""))
        for key, value in given.items():
            connection.putheader(key, value)
        if is_chunked:
            connection.endheaders()
            for piece in body:
                connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
            connection.send(b"0\r\n\r\n")
        else:
            connection.endheaders(body if body else None)
        answer = connection.getresponse()
        result = Answer(answer.status, answer.getheaders(), answer.read())
        if answer.will_close:
            self.close()
        return result

    def get(self, path, **fields):
        return self.request("GET", path, **fields)

    def head(self, path, **fields):
        return self.request("HEAD", path, **fields)

    def post(self, path, body=None, **fields):
        return self.request("POST", path, body, **fields)

    def put(self, path, body=None, **fields):
        return self.request("PUT", path, body, **fields)

    def patch(self, path, body=None, **fields):
        return self.request("PATCH", path, body, **fields)

    def delete(self, path, **fields):
        return self.request("DELETE", path, **fields)

    def push_blob(self, repo, data, algorithm="sha256"):
        name = digest(data, algorithm)
        answer = self.post(f"/v2/{repo}/blobs/uploads/?digest={name}", data,
                           Content_Type="application/octet-stream")
        # Distribution does not do it at once.
        if answer.status == 202:
            answer = self.put(location(answer) + "digest=" + name, data)
        assert answer.status == 201, (answer.status, answer.body)
        return name

    def push_manifest(self, repo, reference, data, media_type=OCI_MANIFEST):
        return self.put(f"/v2/{repo}/manifests/{reference or digest(data)}", data,
                        Content_Type=media_type)

    def push_image(self, repo, tag, layers=(b"layer",), **fields):
        data = self.make_image(repo, layers, **fields)
        answer = self.push_manifest(repo, tag, data)
        assert answer.status == 201, (answer.status, answer.body)
        return data

    def make_image(self, repo, layers=(b"layer",), **fields):
        """Pushes the blobs; the manifest is returned."""
        config = b'{"os":"linux","architecture":"amd64"}'
        self.push_blob(repo, config)
        for layer in layers:
            self.push_blob(repo, layer)
        return json.dumps({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(config, OCI_CONFIG),
            "layers": [descriptor(layer, OCI_LAYER) for layer in layers],
            **fields,
        }).encode()


def descriptor(data, media_type, algorithm="sha256", **more):
    return {"mediaType": media_type, "digest": digest(data, algorithm), "size": len(data), **more}


def location(answer):
    """The path of a Location, to which a query can be added."""
    path = re.sub(r"^https?://[^/]*", "", answer["Location"])
    return path + ("&" if "?" in path else "?")


def exchange(sock, data, is_all=True):
    """Sends bytes as they are, all there will be or not; what comes back until the server closes or falls silent."""
    got = b""
    try:
        sock.sendall(data)
        if is_all:
            sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    try:
        while piece := sock.recv(65536):
            got += piece
    except (ConnectionResetError, TimeoutError):
        pass
    return got


def raw(port, data, timeout=20):
    with socket.create_connection((HOST, port), timeout=timeout) as sock:
        return exchange(sock, data)


TESTS = []


def test(description):
    def register(function):
        TESTS.append((function.__name__, description, function))
        return function
    return register


class Skip(Exception):
    pass


def table(description, rows):
    """One test for each row (name, ...): the function gets the rest."""
    def register(function):
        for name, *arguments in rows:
            TESTS.append((f"{function.__name__}.{name}", f"{description}: {name}",
                          lambda arguments=arguments: function(*arguments)))
        return function
    return register


def main():
    wanted = sys.argv[1:]
    selected = [t for t in TESTS if not wanted or any(word in t[0] for word in wanted)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print(f"KTAP version 1\n1..{len(selected)}", flush=True)
    failed = 0
    for number, (name, description, function) in enumerate(selected, 1):
        result, more = "ok", ""
        try:
            function()
        except Skip as why:
            more = f" # SKIP {why}"
        except Exception:
            result = "not ok"
            failed += 1
            for line in traceback.format_exc().splitlines()[-8:]:
                print("# " + line)
            for line in Server.crashes():
                print("# " + line)
        print(f"{result} {number} {name} - {description}{more}", flush=True)
    sys.exit(1 if failed else 0)
