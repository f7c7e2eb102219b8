# SPDX-License-Identifier: GPL-2.0-only
#
# The verbs of the shale command that make containers and run them: the same words to docker's clients and to it, and the same
# results. What differs on purpose stands here as well.

from beside import *


@test("run ends with the status that docker's does")
def codes():
    it = daemon()
    for words, status in ((["base:1", "true"], 0), (sh("exit 42"), 42), (["base:1", "nosuch"], 127), (["base:1", "/etc/passwd"], 126),
                          (["base:1", "/nosuch/x"], 127), (["--nosuchflag", "base:1", "true"], 125), (["--network", "nosuch", "base:1", "true"], 125),
                          (sh("sh -c 'kill -9 $$'; exit $?"), 137), (sh("sh -c 'kill -TERM $$'; exit $?"), 143), (["-u", "nosuch", "base:1", "true"], 125),
                          (["-w", "relative", "base:1", "true"], 125), (["--memory", "x", "base:1", "true"], 125)):
        done = same(it, "run", "--rm", *words)
        assert done[0] == status, (words, done)
    assert same(it, "run", "--rm", *sh("echo o; echo e >&2"), errors=True) == (0, "o\n", "e\n")
    assert shale(it, "run")[0] == 125 and shale(it, "run", "-x", "base:1")[0] == 125
    it.assert_clean()


@test("run gives a container what docker's gives it")
def options():
    it = daemon()
    base = scratch()
    with open(base + "/env", "w") as file:
        file.write("# comment\n\n  A=file\nB=two words\nOWN\nGONE\n")
    with open(base + "/labels", "w") as file:
        file.write("l1=x y\nl2\n")
    os.environ["OWN"] = "of ours"
    for words, want in (
            (["-e", "A=1", "-e", "B=x y", "-e", "OWN", "-e", "GONE"] + sh("echo $A-$B-$OWN-${GONE-unset}"), "1-x y-of ours-unset"),
            (["--env-file", base + "/env", "-e", "A=given"] + sh("echo $A-$B-$OWN-${GONE-unset}"), "given-two words-of ours-unset"),
            (["-w", "/new/dir"] + sh("pwd"), "/new/dir"), (["--workdir=/etc"] + sh("pwd"), "/etc"), (["-u", "7:8"] + sh("echo $(id -u) $(id -g)"), "7 8"),
            (["--entrypoint", "echo", "base:1", "a", "-b"], "a -b"), (["--hostname", "me"] + sh("hostname"), "me"), (["-h", "you"] + sh("hostname"), "you"),
            (["--read-only"] + sh("touch /x 2>/dev/null || echo ro"), "ro"), (["--read-only=false"] + sh("touch /x && echo rw"), "rw"),
            (["--network", "none"] + sh("ls /sys/class/net"), "lo"), (["--net=none"] + sh("ls /sys/class/net"), "lo"),
            (["--tmpfs", "/t:size=1m"] + sh("grep -c ' /t tmpfs .*size=1024k' /proc/mounts"), "1"), (["--tmpfs", "/t"] + sh("grep -c ' /t tmpfs ' /proc/mounts"), "1"),
            (["--mount", "type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=0700"] + sh("stat -c %a /t; grep -c ' /t tmpfs .*size=1024k' /proc/mounts"), "700\n1"),
            (["-v", base + ":/in:ro"] + sh("cat /in/labels | wc -l; touch /in/x 2>/dev/null || echo ro"), "2\nro"),
            (["--mount", f'type=bind,"source={base}",dst=/in,readonly'] + sh("touch /in/x 2>/dev/null || echo ro"), "ro"),
            (["--mount", "src=vol,dst=/data"] + sh("cat /data/seed"), "from the image"), (["-v", "/data"] + sh("cat /data/seed"), "from the image"),
            (["--cap-drop", "ALL", "--cap-add", "CHOWN"] + sh("grep CapEff /proc/1/status"), "CapEff:\t0000000000000001"),
            (["--security-opt", "no-new-privileges"] + sh("grep NoNewPrivs /proc/1/status"), "NoNewPrivs:\t1"),
            (["--ulimit", "nofile=100:200"] + sh("ulimit -n; ulimit -Hn"), "100\n200"), (["--add-host", "a.b:1.2.3.4"] + sh("grep a.b /etc/hosts"), "1.2.3.4\ta.b"),
            (["--dns", "9.9.9.9", "--dns-search", "x.y", "--dns-opt", "z:1"] + sh("cat /etc/resolv.conf"), "nameserver 9.9.9.9\nsearch x.y\noptions z:1"),
            (["--shm-size", "1m"] + sh("grep -c ' /dev/shm tmpfs .*size=1024k' /proc/mounts"), "1"), (["--group-add", "50"] + sh("id -G"), "0 50"),
            (["--sysctl", "kernel.msgmax=1000"] + sh("cat /proc/sys/kernel/msgmax"), "1000"), (["-i", "-a", "stdout"] + sh("cat; echo x >&2; echo o"), "o")):
        done = same(it, "run", "--rm", *words, input=b"")
        assert done[:2] == (0, want + "\n"), (words, done)
    it.delete("/volumes/vol")
    host = {os.path.basename(path) for path in glob.glob("/sys/class/net/*")}
    assert set(shale(it, "run", "--rm", "--network", "host", "base:1", "ls", "/sys/class/net")[1].split()) == host
    status, out, errors = shale(it, "run", "--rm", "-v", "./sub:/in", "base:1", "true")
    assert status == 0 and os.path.isdir("sub"), (status, out, errors)
    os.rmdir("sub")
    it.assert_clean()


@test("create makes the same container of the same words")
def creation():
    it = daemon()
    base = scratch()
    words = ["--name", "made", "-i", "-t", "-e", "A=b", "-l", "x=y", "--label", "z", "-w", "/tmp", "-u", "1:2", "--hostname", "h", "--stop-signal", "SIGUSR1",
             "--stop-timeout", "3", "--memory", "64m", "--memory-swap", "-1", "--cpus", "0.5", "--pids-limit", "20", "--cap-add", "CAP_SYS_TIME", "--read-only", "--cpu-shares", "7",
             "--rm", "--tmpfs", "/t:size=1m", "-v", "vol:/v:ro", "--mount", "type=volume,src=v2,dst=/w,volume-nocopy", "--restart", "no", "--oom-score-adj", "5",
             "--cgroup-parent", "/x", "--log-driver", "json-file", "--security-opt", "seccomp=unconfined", "--no-healthcheck", "base:1", "sh", "-c", "true"]
    shown = []
    for program in programs():
        status, out, errors = docker(it, "create", *words, program=program)
        assert status == 0 and re.fullmatch("[0-9a-f]{64}\n", out), (program, status, out, errors)
        one = it.get("/containers/made/json").json()
        config = {name: value for name, value in one["Config"].items() if value not in ("", [], {}, None, False)}
        for mount in one["HostConfig"].get("Mounts") or []:
            mount.get("VolumeOptions", {}).pop("DriverConfig", None)
        host = {name: value for name, value in one["HostConfig"].items()
                if value not in ("", [], {}, None, False, 0, -1, [0, 0]) and name not in ("ConsoleSize", "Isolation", "ConsistencyMode", "CgroupnsMode", "MemorySwappiness")}
        shown.append((config, host))
        assert it.delete("/containers/made").status == 204
    for config, host in shown[:-1]:
        mine = shown[-1]
        for name in set(host) | set(mine[1]):
            assert host.get(name) == mine[1].get(name), (name, host.get(name), mine[1].get(name))
        for name in set(config) | set(mine[0]):
            assert config.get(name) == mine[0].get(name), (name, config.get(name), mine[0].get(name))
    file = base + "/cid"
    status, out, _ = shale(it, "create", "--cidfile", file, "base:1", "true")
    assert status == 0 and open(file).read() == out.strip()
    assert shale(it, "create", "--cidfile", file, "base:1", "true")[0] == 1
    it.delete("/containers/" + out.strip())
    assert shale(it, "create", "--cidfile", file + "2", "--pull", "never", "nosuch", "true")[0] == 1 and not os.path.exists(file + "2")
    for volume in ("vol", "v2"):
        it.delete("/volumes/" + volume)
    it.assert_clean()


@test("what cannot be read of a command line is said, and nothing is made")
def refused():
    it = daemon()
    for words, text in ((["--memory", "lots"], 'invalid argument "lots" for "-m, --memory" flag: invalid size: \'lots\''), (["--cpus", "x"], "rational number"),
                        (["--mount", "type=bind,source=/x"], "target is required"), (["--mount", "nonsense"], "must be a key=value pair"),
                        (["--mount", "type=bind,target=/x,volume-nocopy"], "cannot mix 'volume-*' options with mount type 'bind'"),
                        (["--mount", "type=bind,target=/x,nosuch=1"], "unexpected key 'nosuch'"), (["--ulimit", "nofile"], "invalid ulimit argument"),
                        (["--ulimit", "nofile=9:2"], "soft limit must be less"), (["--env", "=x"], "invalid environment variable"), (["--env-file", "/nosuch"], "No such file"),
                        (["-a", "stdnone"], "valid streams"), (["--rm=perhaps"], "invalid syntax"), (["-a", "stdout", "-d"], "conflicting options"),
                        (["--restart", "always", "--rm"], "conflicting options"), (["--pull", "sometimes"], "invalid pull option"), (["--pids-limit", "many"], "invalid syntax"),
                        (["--restart", "on-failure:x"], "maximum retry count"), (["--privileged"], "privileged containers are not served"),
                        (["--detach-keys", "ctrl-1"], "invalid detach keys")):
        status, out, errors = shale(it, "run", *words, "base:1", "true")
        assert status in (1, 125) and text in errors and not out, (words, status, out, errors)
    it.assert_clean()


@test("an image that is not there is pulled, or not, as docker run does it")
def pulls():
    it = daemon()
    peer = Peer()
    name = f"{peer.name}/pulled:1"
    docker(it, "tag", "base:1", name)
    assert docker(it, "push", name)[0] == 0
    for program in programs():
        it.delete("/images/" + name)
        status, out, errors = docker(it, "run", "--rm", name, "echo", "here", program=program)
        assert (status, out) == (0, "here\n") and f"Unable to find image '{name}' locally" in errors, (program, status, out, errors)
        status, out, errors = docker(it, "run", "--rm", "--pull", "always", name, "echo", "here", program=program)
        assert (status, out) == (0, "here\n") and "Image is up to date" in errors, (program, errors)
    it.delete("/images/" + name)
    status, out, errors = shale(it, "run", "--rm", "-q", name, "echo", "here")
    assert (status, out, errors) == (0, "here\n", ""), errors
    it.delete("/images/" + name)
    assert same(it, "run", "--rm", "--pull", "never", name, "true")[0] == 125
    assert same(it, "run", "--rm", f"{peer.name}/nosuch:1", "true")[0] == 125
    it.assert_clean()


@test("input and output go through a pipe, whatever is in them")
def pipes():
    it = daemon()
    data = os.urandom(3 << 20)
    for words in (["cat"], ["sh", "-c", "cat >&2"]):
        done = subprocess.run([SHALE, "-H", "unix://" + it.socket, "run", "--rm", "-i", "base:1", *words], input=data, capture_output=True, timeout=60)
        assert done.returncode == 0 and done.stdout + done.stderr == data, (done.returncode, len(done.stdout), len(done.stderr))
    assert same(it, "run", "--rm", "-i", *sh("head -c 3; exit 9"), input=b"abcdef" * 50000)[:2] == (9, "abc")
    assert same(it, "run", "--rm", "base:1", "cat", input=b"not passed on")[:2] == (0, "")
    base = scratch()
    with open(base + "/both", "wb") as file:
        done = subprocess.run([SHALE, "-H", "unix://" + it.socket, "run", "--rm", *sh("seq 20000; seq 20000 >&2")], stdout=file, stderr=file, timeout=60)
    with open(base + "/both") as file:
        assert done.returncode == 0 and sorted(file.read().split(), key=int) == [str(n // 2 + 1) for n in range(40000)]
    assert shale(it, "run", "--rm", "-i", "base:1", "cat", input=b"private\n", private=True) == (0, "private\n", "")
    it.assert_clean()


@test("signals are passed on, unless they are not to be")
def signals():
    it = daemon()
    script = "trap 'echo got; exit 5' TERM; echo up; while :; do sleep 0.1; done"
    for program, more, want in [(program, [], 5) for program in programs()] + [(SHALE, ["--sig-proxy=false"], -signal.SIGTERM)]:
        with subprocess.Popen([program, "-H", "unix://" + it.socket, "run", "--name", "sig", *more, *sh(script)], stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"up\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == want, (program, more, process.returncode)
            assert process.stdout.read() == (b"" if more else b"got\n") and it.state("sig")["Running"] == bool(more), (program, more)
        it.delete("/containers/sig?force=1")
    it.assert_clean()


@test("one that nobody reads from still hears signals")
def blocked():
    it = daemon()
    script = "trap 'echo >/v/got; kill $!; exit 6' TERM; while :; do echo line; done & while :; do sleep 0.1; done"
    with subprocess.Popen([SHALE, "-H", "unix://" + it.socket, "run", "--rm", "--name", "full", "-v", "full:/v", *sh(script)], stdout=subprocess.PIPE) as process:
        assert process.stdout.read(5) == b"line\n"
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        where = it.get("/volumes/full").json()["Mountpoint"]
        wait_until("the signal", lambda: os.path.exists(where + "/got"))
        while process.stdout.read(1 << 16):
            pass
        assert process.wait(30) == 6
    it.delete("/volumes/full")
    it.assert_clean()


run()
