# SPDX-License-Identifier: GPL-2.0-only
#
# Containers over the end of daemons: stopped and killed ones, at any moment; over supervisors that are killed; and over a
# lost database.


from container import *


def shims(it):
    return [int(pid.rsplit("/", 1)[1]) for pid in glob.glob("/proc/[0-9]*") if is_ours(pid, it.root)]


@test("containers go on without a daemon, with their logs, codes and clients")
def restart():
    it = Machine()
    for number in (signal.SIGTERM, signal.SIGKILL):
        runs = it.create("sh", "-c", "n=0; while :; do n=$((n+1)); echo line $n; sleep 0.1; done")
        ends = it.create("sh", "-c", "sleep 1; echo last; exit 9")
        goes = it.create("sh", "-c", "sleep 1", HostConfig={"AutoRemove": True})
        types = it.create("cat", OpenStdin=True)
        for one in (runs, ends, goes, types):
            it.launch(one)
        client = Attached(it, f"/containers/{types}/attach?stream=1&stdin=1&stdout=1")
        client.send(b"before\n")
        wait_until("the echo", lambda: it.logs(types) == "before\n")
        it.stop(number)
        client.send(b"while\n")
        time.sleep(1.5)
        Daemon.start(it)
        state = it.state(ends)
        assert state["Status"] == "exited" and state["ExitCode"] == 9 and "last" in it.logs(ends), state
        wait_until("the one that goes to be gone", lambda: it.get(f"/containers/{goes}/json").status == 404)
        assert it.state(runs)["Running"]
        lines = it.logs(runs).split()
        assert len(lines) >= 20 and lines[1::2] == [str(n + 1) for n in range(len(lines) // 2)], lines
        again = Attached(it, f"/containers/{types}/attach?stream=1&stdin=1&stdout=1")
        again.send(b"after\n")
        wait_until("the echoes", lambda: it.logs(types) == "before\nwhile\nafter\n")
        waited = []
        thread = threading.Thread(target=lambda: waited.append(it.wait(runs)))
        thread.start()
        assert it.post(f"/containers/{runs}/stop?t=0").status == 204
        thread.join(30)
        assert waited == [137], waited
        for one in (runs, ends, types):
            assert it.delete(f"/containers/{one}?force=1").status == 204
        it.assert_clean()


@test("two daemons on one store see each other's containers, and their ends")
def two():
    one = Machine()
    other = Daemon(root=one.root)
    name = one.create("sleep", "1000", name="shared")
    one.launch(name)
    assert other.get("/containers/shared/json").json()["State"]["Running"]
    waited = []
    thread = threading.Thread(target=lambda: waited.append(one.wait(name)))
    thread.start()
    assert other.post("/containers/shared/kill").status == 204
    thread.join(30)
    assert waited == [137], waited
    assert other.delete("/containers/shared").status == 204 and one.get("/containers/shared/json").status == 404
    other.stop()
    one.assert_clean()


@test("what a killed supervisor leaves is ended, and shown as lost")
def lost():
    it = Machine()
    name = it.create("sleep", "1000")
    it.launch(name)
    pid = it.state(name)["Pid"]
    for shim in shims(it):
        os.kill(shim, signal.SIGKILL)
    wait_until("its end to be noticed", lambda: it.state(name)["Status"] == "exited")
    assert it.state(name)["ExitCode"] == 255 and "supervisor" in it.state(name)["Error"]
    # The process lives until somebody who may end it looks after it.
    assert it.launch(name).status == 204
    wait_until("the first one's end", lambda: not os.path.exists(f"/proc/{pid}"))
    for shim in shims(it):
        os.kill(shim, signal.SIGKILL)
    wait_until("the second one's end", lambda: it.state(name)["Status"] == "exited")
    assert it.delete("/containers/" + name).status == 204
    assert not cgroups([name])
    it.assert_clean()


@test("a lost database is filled with the containers there are")
def lost_database():
    it = Machine()
    name = it.create("sleep", "1000", name="kept")
    it.launch(name)
    it.stop()
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(it.root + "/store.db" + suffix):
            os.unlink(it.root + "/store.db" + suffix)
    Daemon.start(it)
    assert it.get("/containers/kept/json").json()["Id"] == name and it.state("kept")["Running"]
    it.delete("/containers/kept?force=1")
    it.assert_clean()


@test("a daemon that is killed at any moment leaves containers that are there or not")
def killed():
    it = Machine()
    chance = chance_of_seed()
    turns = int(os.environ.get("SHALE_TEST_TURNS", "12"))
    for turn in range(turns):
        made, doubtful = set(), set()

        def work(number):
            for n in range(1000):
                name = f"t{turn}-{number}-{n}"
                doubtful.add(name)
                try:
                    if it.post(f"/containers/create?name={name}", {"Image": "base:1", "Cmd": ["sh", "-c", "exit 3"]}).status == 201:
                        made.add(name)
                    it.post(f"/containers/{name}/start")
                    if n % 2:
                        made.discard(name)
                        it.delete(f"/containers/{name}?force=1")
                except (OSError, http.client.HTTPException):
                    return
        threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(0.05, 0.8))
        it.stop(signal.SIGKILL)
        for thread in threads:
            thread.join()
        Daemon.start(it)
        there = {one["Names"][0][1:]: one["Id"] for one in it.get("/containers/json?all=1").json()}
        assert made <= there.keys() <= made | doubtful, (made - there.keys(), there.keys() - made - doubtful)
        wait_until("what was started to end", lambda: not shims(it))
        for name, one in there.items():
            state = it.state(name)
            # One whose removal was broken off was killed for it.
            assert (state["Status"], state["ExitCode"]) in (("exited", 3), ("exited", 137), ("created", 0)), (name, state)
            assert it.delete("/containers/" + name).status == 204
        assert not cgroups(there.values())
        it.assert_clean()


run()
