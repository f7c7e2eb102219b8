# SPDX-License-Identifier: GPL-2.0-only
#
# Containers from their making to their removal: started, waited for, shown, listed, stopped, and what is refused. By the
# API, and by docker's clients.

from container import *

machine = []


def daemon():
    if not machine:
        machine.append(Machine())
    return machine[0]


@test("one is made, started, waited for, shown and removed, and nothing is left")
def life():
    it = daemon()
    name = it.create("sh", "-c", "echo out; echo err >&2; exit 42", name="life", Labels={"k": "v"})
    assert it.state("life")["Status"] == "created"
    it.launch("life")
    assert it.wait("life") == 42
    shown = it.get("/containers/life/json").json()
    assert shown["Id"] == name and shown["Name"] == "/life" and shown["Path"] == "sh", shown
    assert shown["State"]["Status"] == "exited" and shown["State"]["ExitCode"] == 42, shown["State"]
    assert not shown["State"]["Running"] and shown["State"]["Pid"] == 0
    assert shown["State"]["StartedAt"] < shown["State"]["FinishedAt"]
    assert shown["Config"]["Labels"] == {"k": "v"} and shown["Config"]["Image"] == "base:1"
    answer = it.get("/containers/life/logs?stdout=1&stderr=1")
    assert answer.fields["Content-Type"] == "application/vnd.docker.multiplexed-stream"
    assert sorted(frames(answer.body)) == [(1, b"out\n"), (2, b"err\n")], answer.body
    assert it.launch("life").status == 204 and it.wait("life") == 42
    assert it.logs("life").count("out") == 2
    assert it.delete("/containers/life").status == 204
    assert it.get("/containers/life/json").status == 404
    assert not cgroups([name]) and not os.path.exists(f"{RUNTIME}/{name}")
    it.assert_clean()


@test("the exit status is the process's, its signal's, or says that there was none")
def codes():
    it = daemon()
    assert it.run("true")[0] == 0
    assert it.run("sh", "-c", "sh -c 'kill -9 $$'; exit $?")[0] == 137
    for words, code, text in ((["nosuch"], 127, "executable file not found"), (["/etc/passwd"], 126, "permission denied"),
                              (["/nosuch/x"], 127, "no such file or directory")):
        name = it.create(*words)
        answer = it.post(f"/containers/{name}/start")
        assert answer.status == 400 and text in answer.message().lower(), (words, answer.status, answer.body)
        state = it.state(name)
        assert state["Status"] == "created" and state["ExitCode"] == code and text in state["Error"].lower(), state
        it.delete(f"/containers/{name}")
    it.assert_clean()


@test("docker run ends with the status that docker's users know")
def run_codes():
    it = daemon()
    for program in clients():
        for words, status in ((["base:1", "true"], 0), (["base:1", "sh", "-c", "exit 42"], 42), (["base:1", "nosuch"], 127),
                              (["base:1", "/etc/passwd"], 126), (["--nosuchflag", "base:1", "true"], 125),
                              (["--network", "nosuch", "base:1", "true"], 125)):
            done = docker(it, "run", "--rm", *words, program=program)
            assert done[0] == status, (program, words, done)
        done = docker(it, "run", "--rm", "base:1", "sh", "-c", "echo o; echo e >&2", program=program)
        assert done == (0, "o\n", "e\n"), done
    it.assert_clean()


@test("stop sends the stop signal, waits, and then kills; kill sends what it is told")
def stop():
    it = daemon()
    for words, more, query, code in (
            (["sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.1; done"], {}, "t=20", 5),
            (["sh", "-c", "trap 'exit 6' USR1; while :; do sleep 0.1; done"], {"StopSignal": "SIGUSR1"}, "t=20", 6),
            (["sleep", "1000"], {}, "t=1", 137), (["sleep", "1000"], {"StopTimeout": 1}, "", 137)):
        name = it.create(*words, **more)
        it.launch(name)
        # The trap is not there with the process.
        time.sleep(0.5)
        assert it.post(f"/containers/{name}/stop?{query}").status == 204
        assert it.state(name)["ExitCode"] == code, (words, it.state(name))
        assert it.post(f"/containers/{name}/stop").status == 304
        it.delete(f"/containers/{name}")
    name = it.create("sh", "-c", "trap 'echo got; exit 7' HUP; while :; do sleep 0.1; done")
    it.launch(name)
    time.sleep(0.5)
    assert it.post(f"/containers/{name}/kill?signal=nosuch").status == 400
    assert it.post(f"/containers/{name}/kill?signal=hup").status == 204
    assert it.wait(name) == 7 and "got" in it.logs(name)
    assert it.post(f"/containers/{name}/kill").status == 409
    assert it.launch(name).status == 204 and it.launch(name, 304).status == 304
    assert it.post(f"/containers/{name}/restart?t=0").status == 204 and it.state(name)["Running"]
    answer = it.delete(f"/containers/{name}")
    assert answer.status == 409 and answer.message().startswith("You cannot remove a running container"), answer.body
    assert it.delete(f"/containers/{name}?force=1").status == 204
    it.assert_clean()


@test("names are docker's, each once, and found by the beginning of an ID")
def names():
    it = daemon()
    name = it.create("true", name="one")
    message = it.create("true", name="one", status=409)
    assert message.startswith('Conflict. The container name "/one" is already in use by container "' + name), message
    for bad in ("-x", "a", "a%2Fb", "%C3%A4b", "a%20b", "x" * 300):
        assert "Invalid container name" in it.create("true", name=bad, status=400)
    for good in (name, name[:12], name[:4], "/one", "one"):
        assert it.get(f"/containers/{urllib.parse.quote(good, '')}/json").json()["Id"] == name, good
    assert it.get("/containers/ffff00/json").status == 404
    made_up = it.get(f"/containers/{it.create('true')}/json").json()["Name"]
    assert re.fullmatch(r"/[a-z]+_[a-z]+[0-9]+", made_up), made_up
    for one in it.ids():
        assert it.delete("/containers/" + one).status == 204
    it.assert_clean()


@test("what is asked for and cannot be had is refused in words")
def refused():
    it = daemon()
    for host, text in (
            ({"Privileged": True}, "privileged"), ({"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}, "ports"),
            ({"NetworkMode": "bridge"}, "none and host"), ({"RestartPolicy": {"Name": "always"}}, "restart policy"),
            ({"StorageOpt": {"size": "1G"}}, "cannot limit"), ({"CapAdd": ["NOSUCH"]}, "capability"),
            ({"Memory": 1000}, "6MB"), ({"LogConfig": {"Type": "syslog"}}, "log driver"), ({"Devices": [{"PathOnHost": "/dev/null"}]}, "devices"),
            ({"SecurityOpt": ["seccomp={}"]}, "security option"), ({"Ulimits": [{"Name": "x", "Hard": 1, "Soft": 1}]}, "ulimit"),
            ({"CgroupParent": "/../x"}, "cgroup parent"), ({"Binds": [5]}, "texts"), ({"AutoRemove": "yes"}, "wrong type")):
        message = it.create("true", HostConfig=host, status=400)
        assert text in message, (host, message)
    for body, text in (({"WorkingDir": "x"}, "absolute path"), ({"Cmd": []}, "no command"), ({"Env": ["=x"]}, "environment"),
                       ({"Cmd": [5]}, "texts"), ({"Tty": 5}, "wrong type"), ({"Labels": []}, "object")):
        answer = it.post("/containers/create", {"Image": "base:1", "Cmd": ["true"], **body})
        assert answer.status == 400 and text in answer.message(), (body, answer.body)
    answer = it.post("/containers/create", {"Image": "nosuch", "Cmd": ["true"]})
    assert answer.status == 404 and answer.message() == "No such image: nosuch", answer.body
    assert it.ids() == []
    it.assert_clean()


@test("an image that a container was made of stays, and so does its container when others are cleared away")
def in_use():
    it = daemon()
    it.load("used", root_tar())
    name = it.create("sleep", "1000", Image="used:1")
    assert it.delete("/images/used:1").status == 409
    assert it.delete("/images/used:1?force=1").status == 409
    it.launch(name)
    assert subprocess.run([SHALE, "system", "prune", "--root", it.root, "-a", "-f"], capture_output=True).returncode == 0
    assert it.state(name)["Running"]
    it.delete(f"/containers/{name}?force=1")
    assert it.delete("/images/used:1").status == 200
    # All images went with the pruning but the one in use.
    it.load("base", root_tar())
    it.assert_clean()


@test("the list has what docker's has, by its filters")
def listed():
    it = daemon()
    made = [it.create("sleep", "1000", name="run1", Labels={"a": "1"}), it.create("true", name="done1"),
            it.create("true", name="new1")]
    it.launch("run1")
    it.launch("done1")
    it.wait("done1")

    def listing(all=1, **filters):
        query = urllib.parse.quote(json.dumps(filters))
        return [one["Names"][0][1:] for one in it.get(f"/containers/json?all={all}&filters={query}").json()]
    assert listing() == ["new1", "done1", "run1"], listing()
    assert listing(all=0) == ["run1"]
    for filters, want in (({"status": ["exited"]}, ["done1"]), ({"status": ["created", "running"]}, ["new1", "run1"]),
                          ({"name": ["run"]}, ["run1"]), ({"label": ["a=1"]}, ["run1"]), ({"exited": ["0"]}, ["done1"]),
                          ({"before": ["done1"]}, ["run1"]), ({"since": ["done1"]}, ["new1"]), ({"id": [made[0][:12]]}, ["run1"]),
                          ({"ancestor": ["base:1"]}, ["new1", "done1", "run1"]), ({"ancestor": ["other"]}, [])):
        assert listing(**filters) == want, (filters, listing(**filters))
    assert it.get("/containers/json?filters=" + urllib.parse.quote('{"nosuch":["x"]}')).status == 400
    one = it.get("/containers/json").json()[0]
    assert one["Image"] == "base:1" and one["Command"] == "sleep 1000" and one["State"] == "running", one
    assert one["Status"].startswith("Up ") and one["Labels"] == {"a": "1"} and isinstance(one["Created"], int), one
    assert it.get("/containers/json?size=1").json()[0]["SizeRootFs"] > 100000
    for program in clients():
        status, out, _ = docker(it, "ps", "-a", program=program)
        assert status == 0 and out.split("\n")[0].split() == "CONTAINER ID IMAGE COMMAND CREATED STATUS PORTS NAMES".split()
        assert len(out.strip().split("\n")) == 4, out
    for one in made:
        it.delete(f"/containers/{one}?force=1")
    it.assert_clean()


@test("logs are of the streams, lines and times that are asked for")
def logs():
    it = daemon()
    name = it.create("sh", "-c", "for i in 1 2 3; do echo o$i; echo e$i >&2; done; echo -n end; exit 0")
    it.launch(name)
    it.wait(name)
    assert it.logs(name, "stdout=1") == "o1\no2\no3\nend"
    assert it.logs(name, "stderr=1") == "e1\ne2\ne3\n"
    assert it.logs(name, "stdout=1&tail=2") == "o3\nend" and it.logs(name, "stdout=1&tail=0") == ""
    stamped = it.logs(name, "stdout=1&timestamps=1").split("\n")
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z o1", stamped[0]), stamped
    assert it.logs(name, "stdout=1&since=4000000000") == "" and it.logs(name, "stdout=1&until=1") == ""
    assert it.get(f"/containers/{name}/logs").status == 400
    with open(it.get(f"/containers/{name}/json").json()["LogPath"]) as file:
        assert json.loads(file.readline()).keys() == {"log", "stream", "time"}
    it.delete("/containers/" + name)
    data = "x" * 40000
    code, out = it.run("sh", "-c", f"echo {data}; printf '\\xff\\x00\\t\"\\\\'")
    assert code == 0 and out == data + '\n\ufffd\x00\t"\\', out[-40:]
    it.assert_clean()


@test("a container sees itself as docker's do")
def inside():
    it = daemon()
    code, out = it.run("sh", "-c", "hostname; pwd; id -u; echo $$; env | sort; cat /etc/hostname; ls /proc/self/fd | wc -l",
                       Env=["A=b", "EMPTY="], WorkingDir="/made/here", Hostname="me")
    lines = out.split("\n")
    assert code == 0 and lines[:4] == ["me", "/made/here", "0", "1"], lines
    assert "A=b" in lines and "EMPTY=" in lines and "HOSTNAME=me" in lines, lines
    assert any(line.startswith("PATH=/usr/local/sbin:") for line in lines), lines
    code, out = it.run("sh", "-c", "grep Cap /proc/1/status; ls /sys/class/net; cat /proc/1/status | grep Seccomp:")
    assert "CapEff:\t00000000a80425fb" in out and "CapInh:\t0000000000000000" in out, out
    assert out.split("\n")[5] == "lo" and "Seccomp:\t2" in out, out
    code, out = it.run("sh", "-c", "echo 1 >/proc/sys/kernel/domainname; echo $?; cat /proc/kcore | wc -c; mount -t tmpfs x /tmp; echo $?")
    lines = out.split("\n")
    assert "1" in lines and "0" in lines, lines
    it.assert_clean()


run()
