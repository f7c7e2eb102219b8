# SPDX-License-Identifier: GPL-2.0-only
#
# Volumes over crashes: a daemon that is killed while it makes and removes them, a database that is lost, directories
# and rows that do not fit together, and what is in the place of a volume but is none.

import sqlite3

from daemon import *


def check(daemon, *options):
    """What shale system check says, and its status."""
    done = subprocess.run([SHALE, "system", "check", "--root", daemon.root, *options], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def names(daemon):
    return [volume["Name"] for volume in daemon.get("/volumes").json()["Volumes"]]


def rows(daemon, sql, *values):
    with sqlite3.connect(daemon.root + "/store.db", timeout=60) as db:
        return db.execute(sql, values).fetchall()


@test("a daemon that is killed while it makes and removes volumes has them or not")
def killed():
    daemon = Daemon()
    chance = chance_of_seed()
    there, gone = set(), set()
    for turn in range(12):
        begun = threading.Event()
        open_names = set()

        def work():
            for n in range(1000):
                name = f"v{turn}-{n}"
                open_names.add(name)
                begun.set()
                try:
                    if daemon.post("/volumes/create", {"Name": name, "Labels": {"n": name}}).status == 201:
                        there.add(name)
                        open_names.discard(name)
                    if n % 2:
                        open_names.add(name)
                        there.discard(name)
                        if daemon.delete("/volumes/" + name).status == 204:
                            gone.add(name)
                            open_names.discard(name)
                except OSError:
                    return
        worker = threading.Thread(target=work)
        worker.start()
        begun.wait()
        time.sleep(chance.uniform(0.01, 0.4))
        daemon.stop(signal.SIGKILL)
        worker.join()
        daemon.start()
        got = set(names(daemon))
        assert there <= got, there - got
        assert not gone & got, gone & got
        assert got <= there | open_names, got - there - open_names
        there |= got
        for name in got:
            assert os.path.isdir(f"{daemon.root}/volumes/{name}/_data"), name
    # A change collects what the last kill may have left.
    daemon.delete("/volumes/" + sorted(there)[0])
    assert check(daemon)[0] == 0, check(daemon)
    assert set(os.listdir(daemon.root + "/volumes")) == set(names(daemon))


@test("a lost database is filled with the volumes there are, and their labels")
def lost_database():
    daemon = Daemon()
    made = [daemon.post("/volumes/create", body).json() for body in ({"Name": "one", "Labels": {"k": "v"}}, {"Name": "two"})]
    daemon.stop()
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(daemon.root + "/store.db" + suffix):
            os.unlink(daemon.root + "/store.db" + suffix)
    daemon.start()
    assert daemon.get("/volumes").json()["Volumes"] == made


@test("a directory of ours without a row is what a crash has left")
def no_row():
    daemon = Daemon()
    for name in ("kept", "left"):
        daemon.post("/volumes/create", {"Name": name})
    rows(daemon, "DELETE FROM volume WHERE name = 'left'")
    assert names(daemon) == ["kept"]
    status, text = check(daemon)
    assert status == 1 and "volume left: nothing needs it" in text, text
    assert daemon.post("/volumes/create", {"Name": "left", "Labels": {"new": "1"}}).status == 201
    assert daemon.get("/volumes/left").json()["Labels"] == {"new": "1"}
    assert check(daemon)[0] == 0
    rows(daemon, "DELETE FROM volume WHERE name = 'left'")
    assert check(daemon, "--repair")[0] == 0
    assert os.listdir(daemon.root + "/volumes") == ["kept"]


@test("a row without its directory is told, and dropped by a repair")
def no_directory():
    daemon = Daemon()
    daemon.post("/volumes/create", {"Name": "lost"})
    shutil.rmtree(daemon.root + "/volumes/lost")
    status, text = check(daemon)
    assert status == 1 and "volume lost: its directory is missing" in text, text
    status, text = check(daemon, "--repair")
    assert status == 0 and names(daemon) == [], text


@test("a note that is lost is written again by a repair")
def no_note():
    daemon = Daemon()
    made = daemon.post("/volumes/create", {"Name": "noted", "Labels": {"k": "v"}}).json()
    note = daemon.root + "/volumes/noted/volume.json"
    with open(note) as file:
        want = json.load(file)
    for damage in (os.unlink, lambda path: open(path, "w").close()):
        damage(note)
        status, text = check(daemon)
        assert status == 1 and "volume noted: volume.json is missing or damaged" in text, text
        assert check(daemon, "--repair")[0] == 0
        with open(note) as file:
            assert json.load(file) == want
    assert daemon.get("/volumes/noted").json() == made


@test("what is in a volume's place and is none is left alone")
def foreign():
    daemon = Daemon()
    daemon.post("/volumes/create", {"Name": "own"})
    os.makedirs(daemon.root + "/volumes/foreign/_data")
    os.symlink("/etc", daemon.root + "/volumes/link")
    for name in ("foreign", "link"):
        answer = daemon.post("/volumes/create", {"Name": name})
        assert answer.status == 409 and "is there and is no volume" in answer.message(), answer.body
        assert daemon.delete("/volumes/" + name).status == 404
    assert check(daemon, "--repair")[0] == 0
    assert sorted(os.listdir(daemon.root + "/volumes")) == ["foreign", "link", "own"]


@test("volumes are not followed out of the store, and hold what is put there")
def content():
    daemon = Daemon()
    path = daemon.post("/volumes/create", {"Name": "deep"}).json()["Mountpoint"]
    outside = scratch()
    open(outside + "/kept", "w").close()
    os.symlink(outside, path + "/out")
    os.makedirs(path + "/a" * 200)
    with open(path + "/sparse", "wb") as file:
        file.truncate(1 << 30)
    usage = daemon.get("/system/df?type=volume").json()["Volumes"][0]["UsageData"]
    assert usage == {"RefCount": 0, "Size": 1 << 30}, usage
    assert daemon.delete("/volumes/deep").status == 204
    assert os.path.exists(outside + "/kept")
    daemon.check()


run()
