# SPDX-License-Identifier: GPL-2.0-only
#
# Containers over the end of daemons, stopped and killed ones; over supervisors that are killed; and over a lost database.
# Kills at random moments are in kills.py.

from container import *


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
    waited = []
    thread = threading.Thread(target=lambda: waited.append(it.wait(name)))
    thread.start()
    for shim in shims(it):
        os.kill(shim, signal.SIGKILL)
    wait_until("its end to be noticed", lambda: it.state(name)["Status"] == "exited")
    assert it.state(name)["ExitCode"] == 255 and "supervisor" in it.state(name)["Error"]
    # Nobody has to ask for that, and who waits hears of it when it is done.
    thread.join(30)
    assert waited == [255] and has_ended(pid) and not cgroups([name]), waited
    assert it.launch(name).status == 204
    for shim in shims(it):
        os.kill(shim, signal.SIGKILL)
    wait_until("the second one's end", lambda: it.state(name)["Status"] == "exited")
    assert it.delete("/containers/" + name).status == 204
    assert not cgroups([name])
    it.assert_clean()


@test("a supervisor that is killed before it has noted anything leaves nothing either")
def lost_early():
    it = Machine()
    name = it.create("sleep", "1000")
    it.launch(name)
    pid = it.state(name)["Pid"]
    for shim in shims(it):
        os.kill(shim, signal.SIGSTOP)
    it.stop(signal.SIGKILL)
    os.unlink(f"{it.root}/containers/{name[:12]}/state.json")
    for shim in shims(it):
        os.kill(shim, signal.SIGKILL)
    Daemon.start(it)
    wait_until("the process to end", lambda: has_ended(pid))
    assert it.state(name)["Status"] == "created" and not cgroups([name])
    assert it.delete("/containers/" + name).status == 204
    it.assert_clean()


@test("a commit that dies with its daemon leaves nothing paused, and a pause stays")
def broken_commit():
    it = Machine()
    busy = it.create("sh", "-c", "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); echo $i >/srv/$i; done; echo ready; sleep 1000")
    still = it.create("sleep", "1000")
    for one in (busy, still):
        it.launch(one)
    assert it.post(f"/containers/{still}/pause").status == 204
    wait_until("there to be much to commit", lambda: it.logs(busy) == "ready\n")

    def commit():
        try:
            it.post(f"/commit?container={busy}&repo=half&tag=1", {})
        except (OSError, http.client.HTTPException):
            pass
    thread = threading.Thread(target=commit)
    thread.start()
    wait_until("the pause", lambda: os.path.exists(f"{it.root}/containers/{busy[:12]}/paused"))
    it.stop(signal.SIGKILL)
    thread.join()
    Daemon.start(it)
    wait_until("each to be what it was", lambda: [it.state(one)["Status"] for one in (busy, still)] == ["running", "paused"])
    code, out, errors = docker(it, "exec", busy, "echo", "on")
    assert (code, out) == (0, "on\n"), errors
    assert it.post(f"/containers/{still}/unpause").status == 204
    for one in (busy, still):
        it.delete(f"/containers/{one}?force=1")
    it.assert_clean()


@test("a mark of a pause that never came is no pause")
def unpaused():
    it = Machine()
    name = it.create("sleep", "1000")
    it.launch(name)
    it.stop(signal.SIGKILL)
    open(f"{it.root}/containers/{name[:12]}/paused", "w").close()
    Daemon.start(it)
    assert it.state(name)["Status"] == "running"
    assert it.post(f"/containers/{name}/stop?t=0").status == 204
    it.delete("/containers/" + name)
    it.assert_clean()


@test("a removal with volumes that was broken off is finished")
def broken_removal():
    it = Machine()
    half, whole = (it.create("true", Volumes={"/v": {}}) for _ in range(2))
    it.stop(signal.SIGKILL)
    open(f"{it.root}/containers/{half[:12]}/removing", "w").close()
    Daemon.start(it)
    wait_until("it to go", lambda: it.ids() == [whole])
    assert len(it.get("/volumes").json()["Volumes"]) == 1
    assert it.delete(f"/containers/{whole}?v=1").status == 204
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


run()
