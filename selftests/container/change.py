# SPDX-License-Identifier: GPL-2.0-only
#
# What changes in containers and of them: diff, commit, rename, pause, top, events, prune.

from container import *

machine = []


def daemon():
    if not machine:
        machine.append(Machine())
    return machine[0]


@test("docker diff shows what was changed, and nothing else")
def diff():
    it = daemon()
    script = "rm /data/seed; echo x >/srv/new; chmod 700 /root; mkdir /made; : >/etc/hosts"
    want = {"D /data/seed", "C /data", "A /srv/new", "C /srv", "C /root", "A /made"}
    for program in clients():
        docker(it, "run", "--name", "changed", "base:1", "sh", "-c", script, program=program)
        assert set(docker(it, "diff", "changed", program=program)[1].strip().split("\n")) == want
        docker(it, "rm", "changed", program=program)
    # An image without the places that the runtime mounts on.
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        with open(BUSYBOX, "rb") as file:
            data = file.read()
        info = tarfile.TarInfo("busybox")
        info.size, info.mode = len(data), 0o755
        tar.addfile(info, io.BytesIO(data))
    it.load("bare", out.getvalue())
    name = it.create("/busybox", "true", Image="bare:1")
    it.launch(name)
    it.wait(name)
    assert it.get(f"/containers/{name}/changes").json() is None, it.get(f"/containers/{name}/changes").body
    it.delete("/containers/" + name)
    name = it.create("/busybox", "sleep", "1000", Image="bare:1")
    it.launch(name)
    assert it.get(f"/containers/{name}/changes").json() is None
    it.delete(f"/containers/{name}?force=1")
    it.delete("/images/bare:1")
    it.assert_clean()


@test("docker commit makes an image of what changed, which runs as the container did")
def commit():
    it = daemon()
    for program in clients():
        docker(it, "run", "--name", "src", "-e", "A=1", "-w", "/srv", "base:1", "sh", "-c", "echo x >/srv/f; rm /data/seed", program=program)
        status, out, _ = docker(it, "commit", "-m", "said", "-a", "me", "-c", "ENV B=2", "src", "made:1", program=program)
        assert status == 0 and re.fullmatch(r"sha256:[0-9a-f]{64}\n", out), (status, out, _)
        assert docker(it, "run", "--rm", "made:1", "sh", "-c", "echo $A $B; pwd; cat f; ls /data", program=program)[1] == "1 2\n/srv\nx\n"
        image = it.get("/images/made:1/json").json()
        assert image["Comment"] == "said" and image["Author"] == "me" and image["Config"]["Cmd"][0] == "sh", image
        docker(it, "rm", "src", program=program)
        assert docker(it, "rmi", "made:1", program=program)[0] == 0
    name = it.create("sleep", "1000", name="runs")
    it.launch(name)
    assert it.post("/commit?container=runs&repo=made&tag=2", {}).status == 201
    assert it.state("runs")["Status"] == "running"
    assert it.post("/commit?container=nosuch&repo=made").status == 404
    it.delete("/containers/runs?force=1")
    it.delete("/images/made:2")
    it.assert_clean()


@test("one is renamed, and found by its new name only")
def rename():
    it = daemon()
    name = it.create("true", name="old")
    it.create("true", name="other")
    assert it.post("/containers/old/rename?name=other").status == 409
    assert it.post("/containers/old/rename?name=-").status == 400 and it.post("/containers/old/rename").status == 400
    for program in clients():
        assert docker(it, "rename", "old", "new", program=program)[0] == 0
        assert it.get("/containers/new/json").json()["Name"] == "/new" and it.get("/containers/old/json").status == 404
        docker(it, "rename", "new", "old", program=program)
    it.delete("/containers/" + name)
    it.delete("/containers/other")
    it.assert_clean()


@test("pause stops a container's processes until it is unpaused")
def pause():
    it = daemon()
    name = it.create("sh", "-c", "while :; do echo x; sleep 0.05; done", name="p1")
    it.launch(name)
    assert it.post("/containers/p1/unpause").status == 409
    assert it.post("/containers/p1/pause").status == 204
    state = it.state("p1")
    assert state["Paused"] and state["Running"] and state["Status"] == "paused", state
    assert it.get("/containers/json").json()[0]["Status"].endswith("(Paused)")
    # What was printed before may be on its way.
    time.sleep(0.3)
    before = it.logs("p1")
    time.sleep(0.4)
    assert it.logs("p1") == before
    for path, status in (("pause", 409), ("start", 409), ("stop", 409), ("kill", 409), ("exec", 409)):
        assert it.post(f"/containers/p1/{path}", {"Cmd": ["true"]} if path == "exec" else None).status == status, path
    assert it.post("/containers/p1/unpause").status == 204
    wait_until("it to go on", lambda: it.logs("p1") != before)
    assert it.post("/containers/p1/pause").status == 204
    assert it.delete("/containers/p1?force=1").status == 204
    it.assert_clean()


@test("docker top shows a container's processes")
def top():
    it = daemon()
    name = it.create("sh", "-c", "sleep 1000 & sleep 1001")
    it.launch(name)
    wait_until("both", lambda: len(it.get(f"/containers/{name}/top").json()["Processes"]) >= 2)
    for program in clients():
        status, out, _ = docker(it, "top", name, program=program)
        assert status == 0 and out.split()[:8] == "UID PID PPID C STIME TTY TIME CMD".split() and "sleep 1001" in out, out
    assert it.get(f"/containers/{name}/top?ps_args=aux").status == 400
    it.delete(f"/containers/{name}?force=1")
    it.assert_clean()


@test("events tell what happens to containers, in order")
def events():
    it = daemon()
    since = time.time()
    name = it.create("true", name="e1", Labels={"k": "v"})
    it.launch(name)
    it.wait(name)
    it.delete("/containers/e1")
    query = f"since={since}&until={time.time() + 0.1}&filters=" + urllib.parse.quote(json.dumps({"type": ["container"]}))
    lines = it.get("/events?" + query).lines()
    assert [line["Action"] for line in lines] == ["create", "start", "die", "destroy"], lines
    die = lines[2]["Actor"]
    assert die["ID"] == name and die["Attributes"] == {"exitCode": "0", "image": "base:1", "name": "e1", "k": "v"}, die
    it.assert_clean()


@test("prune takes containers that have ended, by its filters, and no others")
def prune():
    it = daemon()
    it.create("sleep", "1000", name="runs")
    it.launch("runs")
    it.create("true", name="new1", Labels={"keep": "1"})
    done = it.create("sh", "-c", "head -c 100000 /dev/zero >/f", name="done1")
    it.launch("done1")
    it.wait("done1")
    answer = it.post("/containers/prune?filters=" + urllib.parse.quote('{"label!":["keep"]}')).json()
    assert answer["ContainersDeleted"] == [done] and answer["SpaceReclaimed"] >= 100000, answer
    assert it.post("/containers/prune?filters=" + urllib.parse.quote('{"until":["1h"]}')).json()["ContainersDeleted"] is None
    for program in clients()[:1]:
        status, out, _ = docker(it, "container", "prune", "-f", program=program)
        assert status == 0 and "Total reclaimed space" in out, out
    assert [one["Names"] for one in it.get("/containers/json?all=1").json()] == [["/runs"]]
    it.delete("/containers/runs?force=1")
    it.assert_clean()


run()
