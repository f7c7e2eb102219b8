# SPDX-License-Identifier: GPL-2.0-only
#
# What the tests of containers share: a daemon with an image of busybox in its store, docker's clients, and the proof that
# nothing of a container is left. Imported by the programs here; each is run by the script of its name.

import fcntl
import glob
import os
import pty
import select
import sqlite3
import struct
import sys
import termios
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "api"))
from daemon import *  # noqa: E402,F401,F403

BUSYBOX = "/bin/busybox"
APPLETS = ("sh ls cat echo sleep true false id ps env pwd hostname mount touch rm mkdir stty tty head wc dd kill chmod chown "
           "ln readlink grep seq nc ip df find test date stat cp mv tar sort tail od tee").split()
PASSWD = "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/:/bin/sh\nalice:x:1000:1000::/home:/bin/sh\n"
GROUP = "root:x:0:\nextra:x:50:alice\nalice:x:1000:\n"
RUNTIME = "/run/shale/runtime"
# Another one than the daemon chooses for itself.
RUNTIME_NAME = os.environ.get("SHALE_TEST_RUNTIME")


# crun refuses a machine that has controllers in both versions of cgroups; so its daemons see those of the first only.
WITHOUT_UNIFIED = ["unshare", "-m", "sh", "-c", "umount /sys/fs/cgroup/unified; exec \"$@\"", "sh"]


def is_hybrid():
    return os.path.exists("/sys/fs/cgroup/unified/cgroup.controllers")


def need():
    if os.geteuid():
        raise Skip("containers need root")
    if not (shutil.which("runc") or shutil.which("crun")):
        raise Skip("there is no OCI runtime")
    if not os.path.exists(BUSYBOX):
        raise Skip("busybox-static is not installed")


def root_tar(more=None):
    """The files of the image."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        def add(name, content=None, mode=0o755, link=None, kind=None):
            info = tarfile.TarInfo(name)
            info.mode, info.mtime = mode, 1700000000
            if link:
                info.type, info.linkname = tarfile.SYMTYPE, link
            elif content is None:
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content or b""))
        for name in ("bin", "etc", "root", "home", "srv", "proc", "sys", "dev", "run", "data"):
            add(name)
        add("tmp", mode=0o1777)
        with open(BUSYBOX, "rb") as file:
            add("bin/busybox", file.read())
        for name in APPLETS:
            add("bin/" + name, link="busybox")
        for name, text in (("passwd", PASSWD), ("group", GROUP), ("hosts", ""), ("hostname", ""), ("resolv.conf", "")):
            add("etc/" + name, text.encode(), 0o644)
        add("data/seed", b"from the image\n", 0o640)
        for name, content in (more or {}).items():
            add(name, content, 0o644)
    return out.getvalue()


class Machine(Daemon):
    """A daemon with the image base:1."""

    def __init__(self, **more):
        need()
        self.seen = set()
        if RUNTIME_NAME:
            more.setdefault("runtime", RUNTIME_NAME)
        if is_hybrid() and more.get("runtime") == "crun":
            self.wrapper = WITHOUT_UNIFIED
        super().__init__(**more)
        self.load("base", root_tar())

    def load(self, name, tar, *changes):
        query = "".join("&changes=" + urllib.parse.quote(change) for change in changes)
        answer = self.post(f"/images/create?fromSrc=-&repo={name}&tag=1{query}", tar,
                           headers={"Content-Type": "application/x-tar"})
        assert answer.status == 200 and b"error" not in answer.body, answer.body

    def create(self, *command, name=None, status=201, **body):
        """The ID, or the message when it is refused."""
        body = {"Image": "base:1", "Cmd": list(command), **body}
        answer = self.post("/containers/create" + (f"?name={name}" if name else ""), body)
        assert answer.status == status, (answer.status, answer.body)
        if status != 201:
            return answer.message()
        self.seen.add(answer.json()["Id"][:12])
        return answer.json()["Id"]

    def launch(self, name, status=204):
        answer = self.post(f"/containers/{name}/start")
        assert answer.status == status, (answer.status, answer.body)
        return answer

    def wait(self, name, condition=""):
        return self.post(f"/containers/{name}/wait?condition={condition}", timeout=60).json()["StatusCode"]

    def run(self, *command, **body):
        """Exit code and output of one that is started, waited for and removed."""
        name = self.create(*command, **body)
        try:
            self.launch(name)
            code = self.wait(name)
            return code, self.logs(name)
        finally:
            self.delete(f"/containers/{name}?force=1")

    def logs(self, name, query="stdout=1&stderr=1"):
        """Both streams together."""
        answer = self.get(f"/containers/{name}/logs?{query}")
        assert answer.status == 200, answer.body
        return b"".join(data for _, data in frames(answer.body)).decode()

    def state(self, name):
        return self.get(f"/containers/{name}/json").json()["State"]

    def ids(self):
        found = [one["Id"] for one in self.get("/containers/json?all=1").json()]
        self.seen.update(one[:12] for one in found)
        return found

    def look(self):
        """What is on disk counts as seen, too: a container may have been made without anybody being told."""
        self.seen.update(os.path.basename(path) for path in glob.glob(self.root + "/containers/*"))

    def assert_clean(self, seconds=20, kept=()):
        """No container but those that are kept, and nothing of one: see leftovers()."""
        found = set(self.ids()) - set(kept)
        assert not found, found
        wait_until("everything of the containers to go", lambda: not self.leftovers(kept), seconds)
        self.check()
        self.check_rows(kept)

    def leftovers(self, kept=()):
        """Processes, mounts, directories, the runtime's notes, cgroups, and volumes that came with a container."""
        names = {one[:12] for one in kept}
        found = [pid for pid in glob.glob("/proc/[0-9]*") if is_ours(pid, self.root, names)]
        found += [line for line in mounts() if self.root in line and not any(name in line for name in names)]
        found += [path for path in glob.glob(self.root + "/containers/*") if os.path.basename(path) not in names]
        found += [path for path in glob.glob(RUNTIME + "/*") if os.path.basename(path)[:12] in self.seen - names]
        found += cgroups(self.seen - names)
        used = [mount.get("Name") for one in kept for mount in self.get(f"/containers/{one}/json").json()["Mounts"]]
        found += [one["Name"] for one in self.get("/volumes").json()["Volumes"] or []
                  if "com.docker.volume.anonymous" in (one["Labels"] or {}) and one["Name"] not in used]
        return found

    def check_rows(self, kept=()):
        """The database has containers that are there, and nobody who is at work."""
        db = sqlite3.connect(self.root + "/store.db", timeout=60)
        try:
            names = {row[0] for row in db.execute("SELECT id FROM instance")}
            layers = {row[0] for row in db.execute("SELECT layer FROM instance UNION SELECT id FROM container")}
            leases = db.execute("SELECT count(*) FROM lease").fetchone()[0]
        finally:
            db.close()
        assert names == set(kept) and layers == {one[:12] for one in kept} and not leases, (names, layers, leases)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def is_ours(pid, root, kept=()):
    """A supervisor, or a runtime at work, of this store: their directory is the container's, which may be gone."""
    try:
        here = os.readlink(pid + "/cwd")
        return here.startswith(root + "/containers/") and here[len(root) + 12:][:12] not in kept
    except OSError:
        return False


def shims(it, kept=()):
    """The supervisors at work."""
    names = {one[:12] for one in kept}
    return [int(pid.rsplit("/", 1)[1]) for pid in glob.glob("/proc/[0-9]*")
            if is_ours(pid, it.root, names) and command(pid).startswith(b"shale-shim\0")]


def has_ended(pid):
    """What is left may be a child that the machine's first process has not asked for yet."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def command(pid):
    try:
        with open(pid + "/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


def mounts():
    """Of all namespaces."""
    seen, lines = set(), []
    for pid in glob.glob("/proc/[0-9]*"):
        try:
            space = os.stat(pid + "/ns/mnt").st_ino
            if space in seen:
                continue
            with open(pid + "/mountinfo") as file:
                lines += file.read().splitlines()
            seen.add(space)
        except OSError:
            continue
    return lines


def cgroups(ids):
    """Those of containers whose IDs begin so, in each hierarchy there is."""
    beginnings = {one[:12] for one in ids}
    return [path for pattern in ("/sys/fs/cgroup/*/*", "/sys/fs/cgroup/*/*/*") for path in glob.glob(pattern)
            if os.path.basename(path)[:12] in beginnings]


def frames(data):
    """(stream, bytes) of what is not a terminal's."""
    out = []
    while data:
        stream, length = data[0], struct.unpack(">I", data[4:8])[0]
        assert stream in (1, 2) and data[1:4] == b"\0\0\0", data[:16]
        out.append((stream, data[8:8 + length]))
        data = data[8 + length:]
    return out


def newer_docker():
    """Another client than Debian's, if the machine has one."""
    program = os.environ.get("SHALE_TEST_DOCKER_NEW") or shutil.which("docker")
    return program if program and program != docker_program() else None


def clients():
    return [program for program in (docker_program(), newer_docker()) if program]


def docker(daemon, *words, program=None, input=None, timeout=60):
    """(status, output, errors)"""
    done = subprocess.run([program or docker_program(), "-H", "unix://" + daemon.socket, *words], input=input,
                          capture_output=True, timeout=timeout)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


class Terminal:
    """A command with a terminal of its own."""

    def __init__(self, words, rows=24, columns=80):
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.execvp(words[0], words)
        self.out = b""
        self.resize(rows, columns)

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.fd, text.encode())

    def expect(self, text, seconds=30):
        """Waits for it behind what was expected before."""
        end = time.monotonic() + seconds
        while text.encode() not in self.out:
            assert time.monotonic() < end, (text, self.out[-600:])
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.out += os.read(self.fd, 4096)
                except OSError:
                    raise AssertionError(f"{text!r} has not come: {self.out[-600:]}")
        self.out = self.out.partition(text.encode())[2]

    def end(self):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.out += os.read(self.fd, 4096)
                except OSError:
                    time.sleep(0.05)
        os.kill(self.pid, signal.SIGKILL)
        raise AssertionError("the command does not end")


class Attached:
    """A connection that has left HTTP."""

    def __init__(self, daemon, path, body=b"", version=VERSION):
        self.sock = daemon.connect()
        head = (f"POST /{version}{path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n")
        self.sock.sendall(head.encode() + body)
        self.rest = b""
        while b"\r\n\r\n" not in self.rest:
            got = self.sock.recv(4096)
            assert got, self.rest
            self.rest += got
        self.head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        self.status = int(self.head.split()[1])

    def send(self, data):
        self.sock.sendall(data)

    def finish(self):
        self.sock.shutdown(socket.SHUT_WR)

    def read(self):
        while True:
            got = self.sock.recv(65536)
            if not got:
                return self.rest
            self.rest += got

    def close(self):
        self.sock.close()


def remove_all():
    """What a test that failed has left would go on without its daemon."""
    for daemon in Daemon.all:
        try:
            for one in daemon.get("/containers/json?all=1").json() if daemon.process else []:
                daemon.delete(f"/containers/{one['Id']}?force=1&v=1")
        except (OSError, ValueError, http.client.HTTPException) as error:
            print(f"# {daemon.root}: {error}", flush=True)


def run():
    try:
        main()
    finally:
        remove_all()
        end_all()
