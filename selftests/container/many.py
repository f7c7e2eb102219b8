# SPDX-License-Identifier: GPL-2.0-only
#
# Many containers at a time, again and again: nothing of them is left, on disk or in the daemon. `make container-many` takes
# ten rounds of a hundred.

from concurrent.futures import ThreadPoolExecutor

from container import *

COUNT = int(os.environ.get("SHALE_TEST_COUNT", "100"))
ROUNDS = int(os.environ.get("SHALE_TEST_ROUNDS", "2"))
AT_ONCE = 8


def counts(it):
    pid = it.process.pid
    return {"descriptors": it.descriptors(), "threads": len(os.listdir(f"/proc/{pid}/task")),
            "mounts": sum(it.root in line for line in mounts()), "cgroups": len(cgroups(it.seen)), "supervisors": len(shims(it)),
            "files": sum(len(names) + len(files) for _, names, files in os.walk(it.root))}


@test(f"{COUNT} containers, {AT_ONCE} at a time, leave nothing")
def many():
    it = Machine(storage_driver="overlay2")

    def one(n):
        code, out = it.run("sh", "-c", f"echo {n} >/srv/n; cat /srv/n; exit {n % 5}", HostConfig={"Binds": [f"v{n % 3}:/data"]})
        assert (code, out) == (n % 5, f"{n}\n"), (n, code, out)
        return n
    # What there is after the first time stays: rooms of the store, threads.
    one(0)
    assert it.delete("/volumes/v0").status == 204
    it.assert_clean()
    before = counts(it)
    for number in range(1, ROUNDS + 1):
        with ThreadPoolExecutor(AT_ONCE) as pool:
            assert sorted(pool.map(one, range(COUNT))) == list(range(COUNT))
        print(f"# after {number * COUNT}: {counts(it)}", flush=True)
    for n in range(3):
        assert it.delete(f"/volumes/v{n}").status == 204
    it.assert_clean()
    # Threads of the library and of work that has ended go in their own time.
    wait_until(f"there to be what there was: {before}", lambda: all(counts(it)[what] <= before[what] for what in before))
    print(f"# before: {before}\n# at the end: {counts(it)}", flush=True)


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
