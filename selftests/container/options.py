# SPDX-License-Identifier: GPL-2.0-only
#
# What containers can be given: volumes, directories, memory filesystems, variables, users, directories, capabilities, networks,
# limits; by docker's clients and by the API.

from container import *

machine = []


def daemon():
    if not machine:
        machine.append(Machine())
    return machine[0]


def run_docker(it, *words, program=None, status=0):
    """What docker run --rm prints."""
    done = docker(it, "run", "--rm", *words, program=program)
    assert done[0] == status, (words, done)
    return done[1].rstrip("\n") if not status else done[2]


@test("docker run gives what it is told")
def plain():
    it = daemon()
    sh = lambda script: ["base:1", "sh", "-c", script]  # noqa: E731
    for program in clients():
        for words, want in (
                (["-e", "A=1", "-e", "B=x y"] + sh("echo $A-$B"), "1-x y"), (["-w", "/new/dir"] + sh("pwd"), "/new/dir"),
                (["-u", "alice"] + sh("echo $(id -u) $(id -g) $(id -G)"), "1000 1000 1000 50"), (["-u", "7:8"] + sh("echo $(id -u) $(id -g)"), "7 8"),
                (["--entrypoint", "echo", "base:1", "a", "b"], "a b"), (["--hostname", "me"] + sh("hostname; cat /etc/hostname"), "me\nme"),
                (["--read-only"] + sh("touch /x 2>/dev/null || echo ro; echo x >/dev/shm/x && echo shm"), "ro\nshm"),
                (["--network", "none"] + sh("ls /sys/class/net"), "lo"), (sh("ls /sys/class/net"), "lo"),
                (["--tmpfs", "/t:size=1m"] + sh("grep -c ' /t tmpfs .*size=1024k' /proc/mounts"), "1"),
                (["--cap-drop", "ALL"] + sh("grep CapEff /proc/1/status"), "CapEff:\t0000000000000000"),
                (["--cap-drop", "ALL", "--cap-add", "CHOWN"] + sh("grep CapEff /proc/1/status"), "CapEff:\t0000000000000001"),
                (["--cap-add", "SYS_ADMIN"] + sh("mount -t tmpfs x /tmp && echo yes"), "yes"),
                (["--security-opt", "no-new-privileges"] + sh("grep NoNewPrivs /proc/1/status"), "NoNewPrivs:\t1"),
                (["--security-opt", "seccomp=unconfined"] + sh("grep Seccomp: /proc/1/status"), "Seccomp:\t0"),
                (["--ulimit", "nofile=100:200"] + sh("ulimit -n; ulimit -Hn"), "100\n200"),
                (["--add-host", "a.b:1.2.3.4"] + sh("grep a.b /etc/hosts"), "1.2.3.4\ta.b"),
                (["--dns", "9.9.9.9"] + sh("cat /etc/resolv.conf"), "nameserver 9.9.9.9"), (["--shm-size", "1m"] + sh("grep -c ' /dev/shm tmpfs .*size=1024k' /proc/mounts"), "1"),
                (["--group-add", "50"] + sh("id -G"), "0 50"), (["--label", "x=y"] + sh("echo l"), "l")):
            assert run_docker(it, *words, program=program) == want, (words, run_docker(it, *words, program=program))
        host = {os.path.basename(path) for path in glob.glob("/sys/class/net/*")}
        assert set(run_docker(it, "--network", "host", "base:1", "ls", "/sys/class/net", program=program).split()) == host
        assert "unable to find user" in run_docker(it, "-u", "nosuch", "base:1", "true", program=program, status=125)
    it.assert_clean()


@test("directories of the machine are mounted, made, read only, and refused")
def binds():
    it = daemon()
    base = scratch()
    os.mkdir(base + "/there")
    for program in clients():
        with open(base + "/there/file", "w") as file:
            file.write("machine's")
        assert run_docker(it, "-v", base + "/there:/in", "base:1", "cat", "/in/file", program=program) == "machine's"
        assert run_docker(it, "-v", base + "/there:/in", "base:1", "sh", "-c", "echo new >/in/file; mkdir /in/d", program=program) == ""
        assert open(base + "/there/file").read() == "new\n" and os.path.isdir(base + "/there/d")
        os.rmdir(base + "/there/d")
        assert run_docker(it, "-v", base + "/there:/in:ro", "base:1", "sh", "-c", "touch /in/x 2>/dev/null || echo ro", program=program) == "ro"
        run_docker(it, "-v", base + "/made/up:/in", "base:1", "true", program=program)
        assert os.path.isdir(base + "/made/up")
        shutil.rmtree(base + "/made")
        assert "does not exist" in run_docker(it, "--mount", f"type=bind,source={base}/no,target=/in", "base:1", "true", program=program, status=125)
        assert run_docker(it, "--mount", f"type=bind,source={base}/there,target=/in,readonly", "base:1", "cat", "/in/file", program=program) == "new"
        assert run_docker(it, "--mount", "type=tmpfs,target=/t,tmpfs-size=1m", "base:1", "sh", "-c", "grep -c ' /t tmpfs ' /proc/mounts", program=program) == "1"
    for bind, text in (("x", "invalid volume"), ("/a:/", "can't be '/'"), ("/a:b", "absolute"), ("a!:/b", "invalid characters"),
                       ("/a:/b:nosuch", "invalid mode"), ("/a:/b:shared", "propagation"), ("/a:/b:ro:rw", "invalid volume"), (":/b", "no source")):
        message = it.create("true", HostConfig={"Binds": [bind]}, status=400)
        assert text in message or "invalid mode" in message, (bind, message)
    assert "Duplicate" in it.create("true", HostConfig={"Binds": ["/tmp:/a", "/tmp:/x/../a"]}, status=400)
    it.assert_clean()


@test("no target leads out of the container, whatever links are in its image")
def targets():
    it = daemon()
    base = scratch()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        with tarfile.open(fileobj=io.BytesIO(root_tar())) as old:
            for info in old:
                tar.addfile(info, old.extractfile(info) if info.isfile() else None)
        for name, link in (("out", base), ("up", "../../../../.." + base), ("etc/hosts2", "/etc/passwd")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, link
            tar.addfile(info)
    it.load("links", out.getvalue())
    source = scratch()
    for target in ("/out/x", "/up/x", "/../../.." + base + "/x", "/out", "/up"):
        for host in ({"Binds": [f"{source}:{target}"]}, {"Tmpfs": {target: ""}}, {"Binds": [f"vol:{target}"]}):
            name = it.create("true", Image="links:1", HostConfig=host)
            it.post(f"/containers/{name}/start")
            it.wait(name)
            it.delete(f"/containers/{name}?force=1&v=1")
            assert os.listdir(base) == [], (target, host, os.listdir(base))
    for directory in ("/out/w", "/up/w", "/../.." + base + "/w"):
        name = it.create("true", Image="links:1", WorkingDir=directory)
        it.post(f"/containers/{name}/start")
        it.wait(name)
        it.delete(f"/containers/{name}?force=1")
        assert os.listdir(base) == [], (directory, os.listdir(base))
    assert it.delete("/volumes/vol").status == 204 and it.delete("/images/links:1").status == 200
    it.assert_clean()


@test("volumes are made, filled from the image once, shared, in use, and removed with those who have no name for them")
def volumes():
    it = daemon()
    for program in clients():
        assert run_docker(it, "-v", "vol:/data", "base:1", "cat", "/data/seed", program=program) == "from the image"
        run_docker(it, "-v", "vol:/data", "base:1", "sh", "-c", "echo mine >/data/seed", program=program)
        assert run_docker(it, "-v", "vol:/data", "base:1", "cat", "/data/seed", program=program) == "mine"
        assert run_docker(it, "-v", "vol:/other:ro", "base:1", "sh", "-c", "cat /other/seed; touch /other/x 2>/dev/null || echo ro", program=program) == "mine\nro"
        assert run_docker(it, "-v", "empty:/data:nocopy", "base:1", "ls", "/data", program=program) == ""
        assert docker(it, "volume", "rm", "vol", "empty", program=program)[0] == 0
        assert run_docker(it, "-v", "/data", "base:1", "ls", "-ln", "/data/seed", program=program).startswith("-rw-r-----")
        assert it.get("/volumes").json()["Volumes"] == [], "a volume without a name outlives docker run --rm"
    name = it.create("true", name="has", HostConfig={"Binds": ["kept:/k"], "Mounts": [{"Type": "volume", "Target": "/anon"}]})
    shown = it.get("/containers/has/json").json()["Mounts"]
    assert [one["Destination"] for one in shown] == ["/k", "/anon"] and shown[0]["Name"] == "kept", shown
    answer = it.delete("/volumes/kept")
    assert answer.status == 409 and "volume is in use" in answer.message(), answer.body
    assert len(it.get("/volumes?filters=" + urllib.parse.quote('{"dangling":["false"]}')).json()["Volumes"]) == 2
    assert it.post("/volumes/prune?filters=" + urllib.parse.quote('{"all":["true"]}')).json()["VolumesDeleted"] in ([], None)
    assert it.delete("/containers/has?v=1").status == 204
    assert [one["Name"] for one in it.get("/volumes").json()["Volumes"]] == ["kept"]
    assert it.delete("/volumes/kept").status == 204
    it.load("vols", root_tar(), "VOLUME /data")
    assert it.run("cat", "/data/seed", Image="vols:1") == (0, "from the image\n")
    for one in it.get("/volumes").json()["Volumes"]:
        assert it.delete("/volumes/" + one["Name"]).status == 204
    it.delete("/images/vols:1")
    it.assert_clean()


@test("limits are the cgroup's")
def limits():
    it = daemon()
    name = it.create("sleep", "1000", HostConfig={"Memory": 64 << 20, "PidsLimit": 50, "CpuShares": 512, "CgroupParent": "/shale-test"})
    it.launch(name)
    paths = cgroups([name])
    assert paths and all("/shale-test/" in path for path in paths), paths
    values = {}
    for path in paths:
        for file in ("memory.limit_in_bytes", "memory.max", "pids.max", "cpu.shares"):
            if os.path.exists(f"{path}/{file}"):
                values[file] = open(f"{path}/{file}").read().strip()
    assert str(64 << 20) in values.values() and values.get("pids.max", "50") == "50", values
    it.delete(f"/containers/{name}?force=1")
    assert not cgroups([name])
    for path in glob.glob("/sys/fs/cgroup/**/shale-test", recursive=True):
        os.rmdir(path)
    it.assert_clean()


@test("what is secret is not in the log of the daemon")
def secrets():
    it = daemon()
    it.run("true", Env=["PASSWORD=not-to-be-told"], Cmd=["echo", "not-to-be-told"])
    with open(it.log) as log:
        assert "not-to-be-told" not in log.read()


run()
