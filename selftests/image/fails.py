# SPDX-License-Identifier: GPL-2.0-only
#
# Every call by which a verb changes a file fails once, from the first to the last, with selftests/lib/failing.c; and
# all from one on that need room, as on a disk that is full. A verb that fails says why, and leaves the store as it was,
# once the next command has cleaned up; one that succeeds all the same has done its work. `make fails` tries every
# call, the ring some of them: all of the first ones, and then ever fewer.

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("SHALE_TEST_PROGRAM", TOP + "/build/user/shale")
FAILING = TOP + "/build/selftests/lib/failing.so"
IS_ALL = os.environ.get("FAILS") == "all"
# What is new in each run, and says nothing.
VOLATILE = {"id", "entered", "session", "index.before"}

work = tempfile.mkdtemp(prefix="shale-fails.", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
below = work + "/disk"
root = below + "/store"
mount = work + "/m"


def run(*command, **env):
    """Status and standard error of shale on the store."""
    done = subprocess.run([PROGRAM, command[0], *command[1:], "--root", root], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, **env}, timeout=120)
    return done.returncode, done.stderr.decode(errors="replace"), done.stdout.decode(errors="replace")


def must(*command):
    status, err, out = run(*command)
    assert status == 0, (command, err)
    return out.strip()


def rows():
    db = sqlite3.connect(root + "/store.db", timeout=60)
    for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall():
        cursor = db.execute(f"SELECT * FROM {table}")
        names = [column[0] for column in cursor.description]
        yield from sorted(f"{table} " + " ".join(
            f"{name}={value.hex() if isinstance(value, bytes) else value}"
            for name, value in zip(names, row) if name not in VOLATILE)
            for row in cursor if row[0] not in VOLATILE)
    db.close()


def files():
    """Every path with type and size, except those that are written at any time, and downloads that wait to go on."""
    for path, dirs, names in os.walk(below):
        for name in dirs + names:
            full = os.path.join(path, name)
            short = os.path.relpath(full, below)
            if name == "lock" or name.startswith("store.db") or short.startswith("store/downloads"):
                continue
            st = os.lstat(full)
            yield f"{short} {st.st_mode:o} {0 if os.path.isdir(full) else st.st_size}"


def snapshot():
    index = open(root + "/index.json").read() if os.path.exists(root + "/index.json") else ""
    return sorted(files()) + list(rows()) + [index]


def image_names():
    out = must("images", "--format", "{{.Repository}}:{{.Tag}}")
    return sorted(out.split())


def is_tight():
    """The store has what its images need, and nothing else; nobody is at work."""
    db = sqlite3.connect(root + "/store.db", timeout=60)
    one = lambda sql: {row[0].hex() for row in db.execute(sql)}
    blobs = one("SELECT digest FROM image UNION SELECT digest FROM image_blob UNION SELECT blob FROM image_layer")
    layers = one("SELECT diff_id FROM image_layer")
    found = set(os.listdir(root + "/blobs/sha256")), set(os.listdir(root + "/layers/sha256"))
    tight = (found == (blobs, layers) and one("SELECT diff_id FROM layer") == layers and
             not one("SELECT digest FROM lease") and not os.listdir(root + "/tmp") and
             not [name for name in os.listdir(root) if name.endswith(".new")])
    db.close()
    return tight


class Verb:
    """What is tried: a command, what it makes of the images there are, and how that is undone."""

    def __init__(self, command, after, undo, is_damaged=False):
        self.command = command
        self.after = after
        self.undo = undo
        self.is_damaged = is_damaged  # before it is done, check has something to find


class Sweep:
    """One verb under one kind of fault."""

    def __init__(self, verb, code, rest):
        self.verb = verb
        self.code = code
        self.rest = rest
        self.before = snapshot()
        self.faults = []
        self.late = 0
        self.wrong = []

    def complain(self, at, what):
        self.wrong.append(f"{' '.join(self.verb.command)} with call {at}: {what}")

    def check_failed(self, at, err):
        reason = os.strerror(self.code)
        lines = [line for line in err.splitlines() if line.startswith("shale: ")]
        # SQLite looks for another way, and does not remember why it had to.
        known = [reason] + ([] if self.rest else ["unable to open database file"])
        if not any(text in line for text in known for line in lines):
            self.complain(at, f"says '{err.strip()}'")
        now = snapshot()
        if now == self.before:
            return False
        # Once references have changed, what is left to do is the next command's.
        if image_names() == self.verb.after and is_tight():
            self.late += 1
            return True
        gone = [line for line in self.before if line not in now]
        new = [line for line in now if line not in self.before]
        self.complain(at, f"failed ({err.strip()}) and left {new[:4]} without {gone[:4]}")
        return True

    def check_done(self, at):
        if image_names() != self.verb.after:
            self.complain(at, f"is done, and there are {image_names()}")
        elif not is_tight():
            self.complain(at, "is done, and something is left")

    def try_at(self, at):
        """One run; whether any call failed."""
        note = work + "/note"
        if os.path.exists(note):
            os.unlink(note)
        # The command and the daemon it starts are one: a call of either fails, not one of each.
        with open(work + "/count", "wb") as file:
            file.write(bytes(8))
        status, err, out = run(*self.verb.command, LD_PRELOAD=FAILING, FAILING_BELOW=below, FAILING_AT=str(at),
                               FAILING_ERRNO=str(int(self.code)), FAILING_REST=str(int(self.rest)), FAILING_NOTE=note,
                               FAILING_COUNT=work + "/count")
        notes = open(note).read().split("\n") if os.path.exists(note) else []
        failed = [line for line in notes if line and not line.startswith("calls")]
        self.faults += failed[:1]
        # Whatever the verb could not clean up, the next one does.
        run("rmi", "nobody")
        changed = True
        if status == 0:
            self.check_done(at)
        else:
            changed = self.check_failed(at, err)
        status, err, out = run("system", "check")
        if status and (changed or not self.verb.is_damaged):
            self.complain(at, f"check finds {out.strip()}")
        if changed:
            self.verb.undo()
            if snapshot() != self.before:
                # Later ones are compared with what there is.
                self.complain(at, "and it cannot be undone")
                self.before = snapshot()
        return bool(failed)

    def run(self):
        at = 1
        while self.try_at(at) and at < 5000:
            at = at + 1 if IS_ALL or at < 6 else at * 13 // 10 + 1
        return self


class Results:
    def __init__(self, plan):
        self.number = self.failed = 0
        self.plan = plan
        print(f"KTAP version 1\n1..{plan}", flush=True)

    def add(self, is_good, text, lines=()):
        self.number += 1
        self.failed += not is_good
        for line in lines:
            print(f"# {line}")
        print(f"{'ok' if is_good else 'not ok'} {self.number} {text}", flush=True)

    def end(self):
        if self.number != self.plan:
            print(f"# planned {self.plan} tests, ran {self.number}")
        return self.failed or self.number != self.plan


def make_image(name, out, *layers):
    subprocess.run([TOP + "/selftests/image/mkimage", "--name", name, *(["--format", "tar"] if out.endswith(".tar") else []),
                    out, *layers], check=True)


def serve(layout):
    server = subprocess.Popen([TOP + "/selftests/client/server", "--log", work + "/log", layout],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return server, int(server.stdout.readline())


def set_up():
    """A store with one image, a writable layer that was changed, archives to load and a registry."""
    os.makedirs(below)
    os.mkdir(mount)
    make_image("base:1", work + "/base", "d:.,f:etc/name:base,rand:etc/blob:20000", "f:one:1,f:usr/bin/x:x")
    make_image("more:1", work + "/more.tar", "d:.,f:etc/name:base,rand:etc/blob:20000",
               "rand:m1:30000,d:dir,s:dir/link:m1,h:hard:m1", "f:dir/.wh.gone:,f:low/low:x@x.user.a=1")
    make_image("pulled", work + "/pulled", "d:.,rand:p1:300000,f:p2:x", "f:dir/p3:x")
    must("import", work + "/base")
    # What rmi and prune remove is made anew by import, in the same way each time.
    identity = must("mount", "-s", "vfs", "--rw", "base:1", mount)
    with open(mount + "/etc/name", "a") as file:
        file.write("more")
    os.unlink(mount + "/one")
    os.mkdir(mount + "/new")
    with open(mount + "/new/file", "wb") as file:
        file.write(bytes(range(256)) * 100)
    must("umount", "--keep", mount)
    return identity


def forget(*names):
    def undo():
        for name in names:
            run("rmi", "-f", name)
        if os.path.exists(below + "/out.tar"):
            os.unlink(below + "/out.tar")
        run("rmi", "nobody")
    return undo


def bring_more():
    must("load", "-i", work + "/more.tar")


def spoil():
    """Something for repair to do: a layer's directory is gone."""
    layers = root + "/layers/sha256/"
    shutil.rmtree(layers + sorted(os.listdir(layers))[0])


def bring_damaged():
    must("load", "-i", work + "/more.tar")
    spoil()


def verbs(identity, port):
    """By name: what comes first, and the verb."""
    pulled = f"127.0.0.1:{port}/x:pulled"
    more = work + "/more.tar"
    return {
        "load": (None, Verb(["load", "-i", more], ["base:1", "more:1"], forget("more:1"))),
        "commit": (None, Verb(["commit", "-m", "why", identity, "made:1"], ["base:1", "made:1"], forget("made:1"))),
        "pull": (None, Verb(["pull", "-q", "--tries", "1", pulled], sorted([pulled, "base:1"]), forget(pulled))),
        "save": (None, Verb(["save", "-o", below + "/out.tar", "base:1"], ["base:1"], forget())),
        "rmi": (bring_more, Verb(["rmi", "more:1"], ["base:1"], bring_more)),
        # The writable layer is younger than that, and so stays.
        "prune": (bring_more, Verb(["system", "prune", "-a", "-f", "--filter", "until=24h"], ["base:1"], bring_more)),
        "repair": (bring_damaged, Verb(["system", "check", "--repair", "--no-fetch"], ["base:1", "more:1"], spoil, True)),
    }


KINDS = [
    ("no space at one call", errno.ENOSPC, False, None),
    ("no space from one call on", errno.ENOSPC, True, None),
    ("an I/O error at one call", errno.EIO, False, {"commit", "pull", "rmi"}),
    ("over quota from one call on", errno.EDQUOT, True, {"commit", "pull", "load"}),
]


# By hand: fails.py VERB... tries only these.
def main():
    server = None
    try:
        identity = set_up()
        server, port = serve(work + "/pulled")
        all_verbs = verbs(identity, port)
        chosen = [name for name in all_verbs if not sys.argv[1:] or name in sys.argv[1:]]
        results = Results(sum(not only or name in only for name in chosen for *_, only in KINDS))
        for name in chosen:
            prepare, verb = all_verbs[name]
            if prepare:
                prepare()
            for text, code, rest, only in KINDS:
                if only and name not in only:
                    continue
                sweep = Sweep(verb, code, rest).run()
                kinds = sorted({line.split()[0] for line in sweep.faults})
                results.add(not sweep.wrong and len(sweep.faults) >= 5,
                            f"{name}: {text}: it says so, and nothing is left",
                            [f"{len(sweep.faults)} calls failed, {sweep.late} after it was done: {' '.join(kinds)}"] +
                            sweep.wrong[:8])
            if prepare:
                must("rmi", "-f", "more:1")
    finally:
        if server:
            server.kill()
            server.wait()
        subprocess.run(["umount", "-l", mount], stderr=subprocess.DEVNULL)
        shutil.rmtree(work, ignore_errors=True)
    return 1 if results.end() else 0


sys.exit(main())
