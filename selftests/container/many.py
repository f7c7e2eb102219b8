# SPDX-License-Identifier: GPL-2.0-only
#
# Many containers at a time, again and again: nothing of them is left, on disk or in the daemon.

from concurrent.futures import ThreadPoolExecutor

from container import *

COUNT = int(os.environ.get("SHALE_TEST_COUNT", "100"))
ROUNDS = int(os.environ.get("SHALE_TEST_ROUNDS", "2"))
AT_ONCE = 8


def counts(it):
    pid = it.process.pid
    return {"descriptors": len(os.listdir(f"/proc/{pid}/fd")), "threads": len(os.listdir(f"/proc/{pid}/task")),
            "mounts": len(open("/proc/self/mountinfo").readlines()),
            "cgroups": len(glob.glob("/sys/fs/cgroup/**/shale/*", recursive=True))}


@test(f"{COUNT} containers, {AT_ONCE} at a time, leave nothing")
def many():
    it = Machine()

    def one(n):
        code, out = it.run("sh", "-c", f"echo {n} >/srv/n; cat /srv/n; exit {n % 5}", HostConfig={"Binds": [f"v{n % 3}:/data"]})
        assert (code, out) == (n % 5, f"{n}\n"), (n, code, out)
        return n
    it.run("true")
    before = counts(it)
    for _ in range(ROUNDS):
        with ThreadPoolExecutor(AT_ONCE) as pool:
            assert sorted(pool.map(one, range(COUNT))) == list(range(COUNT))
    for n in range(3):
        assert it.delete(f"/volumes/v{n}").status == 204
    it.assert_clean()
    # Threads of the library and of work that has ended go in their own time.
    wait_until(f"the daemon to have what it had: {before}", lambda: all(counts(it)[what] <= before[what] for what in before))


@test("containers that run at the same time are all there, and end at once")
def together():
    it = Machine()
    names = [it.create("sleep", "1000") for _ in range(40)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(it.launch, names))
    assert len(it.get("/containers/json").json()) == 40
    waited = []
    threads = [threading.Thread(target=lambda name=name: waited.append(it.wait(name))) for name in names]
    for thread in threads:
        thread.start()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert set(pool.map(lambda name: it.post(f"/containers/{name}/stop?t=0").status, names)) == {204}
    for thread in threads:
        thread.join(60)
    assert waited == [137] * 40, waited
    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert set(pool.map(lambda name: it.delete("/containers/" + name).status, names)) == {204}
    assert not cgroups(names)
    it.assert_clean()


run()
