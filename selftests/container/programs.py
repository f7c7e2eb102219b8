# SPDX-License-Identifier: GPL-2.0-only
#
# Programs of a real Debian in containers without a network: a database that is mapped, packages that are made and
# installed, a repository that is cloned, and everything that Python can import. Each script runs in a container and,
# beside that, in a chroot on the kernel's overlayfs over the same files; output and exit code must be the same.

from container import *

# A script and its twin, together.
SCRIPT_SECONDS = 120
machine = []


class Debian(Daemon):
    """A daemon on overlay2 with the image debian:1."""

    def __init__(self):
        need()
        done = subprocess.run([TOP + "/scripts/programs-image"], capture_output=True, text=True)
        if done.returncode:
            raise Skip("no Debian can be made: " + done.stderr.strip()[-200:])
        self.seen = set()
        # Where the module is loaded the daemon would choose that.
        super().__init__(storage_driver="overlay2")
        with open(done.stdout.strip(), "rb") as tar:
            answer = self.ask("POST", "/images/create?fromSrc=-&repo=debian&tag=1", tar, timeout=SCRIPT_SECONDS,
                              headers={"Content-Type": "application/x-tar", "Content-Length": str(os.fstat(tar.fileno()).st_size)})
        assert answer.status == 200 and b"error" not in answer.body, answer.body
        (self.layer,) = [path for path in glob.glob(self.root + "/layers/sha256/*/*") + glob.glob(self.root + "/layers/sha256/*")
                         if os.path.isdir(path + "/usr/bin")]


for one in ("create", "launch", "wait", "logs", "state", "ids", "look", "assert_clean", "leftovers", "check_rows"):
    setattr(Debian, one, getattr(Machine, one))


def daemon():
    if not machine:
        machine.append(Debian())
    return machine[0]


ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
# The kernel's overlayfs, with what a container has besides.
CHROOT = """
set -e
mount -t tmpfs tmpfs "$1" && mkdir "$1/upper" "$1/work" "$1/m"
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/m"
mount -t proc proc "$1/m/proc" && mount --bind /dev "$1/m/dev"
hostname twin
exec chroot "$1/m" sh -c "$3"
"""


def in_chroot(it, script):
    done = subprocess.run(["unshare", "-mpnuif", "--kill-child", "sh", "-c", CHROOT, "sh", scratch(), it.layer, script],
                          capture_output=True, text=True, timeout=SCRIPT_SECONDS, env=ENVIRONMENT)
    return done.returncode, done.stdout, done.stderr


def in_container(it, script, image="debian:1"):
    """Code and output, and the container, for more."""
    name = it.create("sh", "-c", script, Image=image, Env=[f"{key}={value}" for key, value in ENVIRONMENT.items()])
    it.launch(name)
    code = it.post(f"/containers/{name}/wait", timeout=SCRIPT_SECONDS).json()["StatusCode"]
    return code, it.logs(name, "stdout=1"), it.logs(name, "stderr=1"), name


def same(it, script, wanted=()):
    """Runs it in both; the output, which has what is wanted. A script says what it did, but no times and numbers of processes."""
    ours = in_container(it, script)
    plain = in_chroot(it, script)
    it.delete("/containers/" + ours[3])
    assert plain[0] == 0, plain
    assert ours[:2] == plain[:2], (ours[:3], plain)
    for text in wanted:
        assert text in ours[1], (text, ours[1])
    return ours[1]


def python(text):
    return "cat >/tmp/program.py <<'END'\n" + text + "\nEND\npython3 /tmp/program.py"


SQLITE = '''
import hashlib, os, sqlite3, sys

def connect():
    db = sqlite3.connect("/srv/base.db", timeout=60)
    db.execute("PRAGMA mmap_size=268435456")
    return db

def say(db):
    rows = hashlib.sha256()
    for row in db.execute("SELECT id, name, amount FROM entry ORDER BY id"):
        rows.update(repr(row).encode())
    print(db.execute("PRAGMA mmap_size").fetchone(), db.execute("PRAGMA integrity_check").fetchone(),
          db.execute("SELECT count(*), sum(amount) FROM entry").fetchone(), rows.hexdigest(), flush=True)

def fork(work, count):
    pids = []
    for n in range(count):
        pid = os.fork()
        if not pid:
            work(n)
            os._exit(0)
        pids.append(pid)
    print([os.waitpid(pid, 0)[1] for pid in pids], flush=True)

def change(n):
    db = connect()
    for step in range(20):
        with db:
            db.execute("UPDATE entry SET amount = amount + ?, name = name || ? WHERE id % 4 = ? AND id % 20 = ?", (step, "x" * n, n, step))
        assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
    db.close()

if sys.argv[1:] != ["again"]:
    db = connect()
    print(db.execute("PRAGMA journal_mode=wal").fetchone())
    db.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, name TEXT, amount INTEGER)")
    db.execute("CREATE INDEX by_name ON entry (name)")
    with db:
        db.executemany("INSERT INTO entry VALUES (?, ?, ?)", ((n, "name of %d" % (n * 7919 % 20011), n) for n in range(20000)))
    say(db)
    db.close()
fork(change, 4)
db = connect()
say(db)
print(db.execute("PRAGMA journal_mode=delete").fetchone())
with db:
    db.execute("DELETE FROM entry WHERE id % 3 = 0")
db.execute("VACUUM")
say(db)
db.close()
print(os.path.getsize("/srv/base.db"), sorted(os.listdir("/srv")), hashlib.sha256(open("/srv/base.db", "rb").read()).hexdigest() != "")
'''


@test("a database of SQLite that is mapped and changed by several processes")
def sqlite():
    it = daemon()
    script = python(SQLITE)
    code, out, errors, name = in_container(it, script)
    plain = in_chroot(it, script + "\npython3 /tmp/program.py again")
    assert plain[0] == 0, plain
    assert code == 0 and out.count("('ok',)") == 3, (code, out, errors)
    # Again where the database is in a layer of the image.
    answer = it.post(f"/commit?container={name}&repo=based&tag=1", {})
    assert answer.status == 201, answer.body
    code, more, errors, other = in_container(it, "python3 /tmp/program.py again", image="based:1")
    assert (code, out + more) == (0, plain[1]), (code, out + more, errors, plain)
    for one in (name, other):
        assert it.delete("/containers/" + one).status == 204
    assert it.delete("/images/based:1").status == 200


PACKAGES = r'''
set -e
cd /root
package()
{
	mkdir -p "$1/DEBIAN" "$1/usr/share/$1" "$1/etc"
	printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDepends: %s\nDescription: %s\n' \
		"$1" "$2" "$3" "$1" >"$1/DEBIAN/control"
	i=0
	while [ $i -lt 300 ]; do i=$((i+1)); echo "$1 $2 $i" >"$1/usr/share/$1/$i"; done
	ln -sfn "../$1/1" "$1/usr/share/$1/link"
	ln -f "$1/usr/share/$1/1" "$1/usr/share/$1/hard"
	echo "$2" >"$1/etc/$1.conf" && echo "/etc/$1.conf" >"$1/DEBIAN/conffiles"
	printf '#!/bin/sh\nset -e\nfor i in 1 2 3 4 5 6 7 8 9 10; do (true | cat); done\necho "postinst of %s: $1"\nadduser=no\nldconfig\n' "$1" >"$1/DEBIAN/postinst"
	printf '#!/bin/sh\necho "prerm of %s: $1"\n' "$1" >"$1/DEBIAN/prerm"
	chmod 755 "$1/DEBIAN/postinst" "$1/DEBIAN/prerm"
	dpkg-deb --root-owner-group -b "$1" "$1_$2.deb" >/dev/null
}
package first 1 dpkg
package second 1 'first (>= 1)'
package first 2 dpkg
dpkg -i first_1.deb | grep -v 'Reading database'
apt-get -qq -y -o Dpkg::Use-Pty=0 install ./second_1.deb 2>/dev/null | grep -v 'Reading database'
dpkg -i first_2.deb | grep -v 'Reading database'
dpkg -s first second | grep -E '^(Package|Status|Version)'
dpkg -V first second && echo verified
stat -c '%n %h %F %U %a' /usr/share/first/1 /usr/share/first/link /usr/share/first/hard /etc/first.conf
find /usr/share/first /usr/share/second -type f | sort | xargs sha256sum | sha256sum
apt-get -qq -y -o Dpkg::Use-Pty=0 remove first 2>/dev/null | grep -v 'Reading database'
ls -d /usr/share/first /usr/share/second /etc/first.conf 2>/dev/null || echo "removed"
dpkg -P first second | grep -v 'Reading database'
dpkg --audit && dpkg -l | grep -c '^ii'
'''


@test("packages are built, installed by dpkg and apt-get, upgraded and removed")
def packages():
    out = same(daemon(), PACKAGES, ["postinst of first: configure", "postinst of second: configure", "verified", "prerm of second: remove"])
    assert "Version: 2" in out and "/usr/share/first\n" not in out, out


GIT = r'''
set -e
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org
export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
git config --global init.defaultBranch main
git init -q /srv/origin && cd /srv/origin
for d in 1 2 3 4 5 6 7 8 9 10; do
	mkdir -p "dir$d"
	for f in $(seq 40); do seq "$f" "$((f * d))" >"dir$d/file$f"; done
done
cp -r /usr/lib/python3.11/json code
git add -A && git commit -qm one && git mv dir1 moved && git rm -qr dir2 && git commit -qm two
git checkout -qb side HEAD~1 && echo side >dir3/file1 && git commit -qam side && git checkout -q main
git merge -q -m merged side
git gc -q
git clone -q /srv/origin /srv/hard && git clone -q --no-local /srv/origin /srv/copy && git clone -q --bare /srv/origin /srv/bare
for d in hard copy bare; do cd /srv/$d; git fsck --strict --no-progress; git rev-parse HEAD; done
cd /srv/copy && git status --porcelain && git log --format=%s | sort | tr '\n' ' ' && git ls-files | wc -l
git ls-files -s | sha256sum && find . -path ./.git -prune -o -type f -print | sort | xargs sha256sum | sha256sum
echo more >>dir4/file4 && git commit -qam more && git push -q origin HEAD:pushed && git -C /srv/origin rev-parse pushed
git -C /srv/copy worktree add -q /srv/tree side && ls /srv/tree | wc -l && git -C /srv/copy stash list | wc -l
'''


@test("a repository of git is made, packed, cloned with links and without, checked and pushed to")
def git():
    same(daemon(), GIT, ["merged"])


IMPORTS = '''
import os, subprocess, sys
names = sorted(set(sys.stdlib_module_names) - {"this", "antigravity"})
for turn in range(2):
    # The first writes what is compiled, the second reads it.
    workers = [subprocess.Popen([sys.executable, "-c", """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
        print(name, "ok")
    except Exception as error:
        print(name, type(error).__name__)
""", *names[n::12]], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) for n in range(12)]
    lines = sorted(line for worker in workers for line in worker.communicate()[0].splitlines())
    print(turn, len(lines), sum(line.endswith(" ok") for line in lines), [line for line in lines if not line.endswith(" ok")])
compiled = [os.path.join(top, name) for top, _, names in os.walk("/usr/lib/python3.11") for name in names if name.endswith(".pyc")]
print(len(compiled), subprocess.run([sys.executable, "-m", "compileall", "-q", "/usr/lib/python3.11/json"]).returncode)
for n in range(100):
    assert subprocess.run([sys.executable, "-S", "-c", "import json, decimal, email.message"]).returncode == 0
print("done")
'''


@test("everything that Python can import is imported by many processes, compiled and not")
def imports():
    same(daemon(), python(IMPORTS), ["done"])


@test("nothing is left")
def end():
    daemon().assert_clean()


run()
