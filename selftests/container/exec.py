# SPDX-License-Identifier: GPL-2.0-only
#
# Further processes in containers: their input and output, codes, users and directories, and what becomes of them when the
# container ends.

from container import *

machine = []


def daemon():
    """With a container that runs, called 'box'."""
    if not machine:
        machine.append(Machine())
        machine[0].create("sleep", "1000", name="box", Env=["OWN=1"], User="alice", WorkingDir="/tmp")
        machine[0].launch("box")
    return machine[0]


def make(it, *command, status=201, **body):
    answer = it.post("/containers/box/exec", {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True, **body})
    assert answer.status == status, answer.body
    return answer.json()["Id"] if status == 201 else answer.message()


@test("docker exec passes input, output and the code through")
def command():
    it = daemon()
    for program in clients():
        assert docker(it, "exec", "box", "sh", "-c", "echo o; echo e >&2; exit 6", program=program) == (6, "o\n", "e\n")
        data = os.urandom(1 << 20)
        done = subprocess.run([program, "-H", "unix://" + it.socket, "exec", "-i", "box", "cat"], input=data,
                              capture_output=True, timeout=60)
        assert done.returncode == 0 and done.stdout == data, (done.returncode, len(done.stdout), done.stderr)
        status, out, errors = docker(it, "exec", "box", "nosuch", program=program)
        assert status == 127 and "executable file not found" in out + errors, (status, out, errors)
        assert docker(it, "exec", "box", "/etc/passwd", program=program)[0] == 126
        assert docker(it, "exec", "nosuch", "true", program=program)[0] == 1
        assert docker(it, "exec", "-d", "box", "sh", "-c", "echo x >/tmp/made", program=program) == (0, "", "")
        wait_until("the detached one", lambda: docker(it, "exec", "box", "cat", "/tmp/made", program=program)[1] == "x\n")
        docker(it, "exec", "box", "rm", "/tmp/made", program=program)


@test("docker exec -t has a terminal")
def terminal():
    it = daemon()
    for program in clients():
        one = Terminal([program, "-H", "unix://" + it.socket, "exec", "-it", "box", "sh"], 33, 77)
        one.expect("$ ")
        one.type("until [ \"$(stty size)\" = '33 77' ]; do sleep 0.1; done; tty; echo is-$((1+1))\r")
        one.expect("/dev/pts/")
        one.expect("is-2")
        one.type("exit 3\r")
        assert one.end() == 3


@test("it is who, where and with what it is told, or as the container")
def who():
    it = daemon()
    for words, want in ((["-u", "root"], "0 0 /tmp"), ([], "1000 1000 /tmp"), (["-u", "1:50"], "1 50 /tmp"),
                        (["-u", "12345"], "12345 0 /tmp"), (["-w", "/etc"], "1000 1000 /etc")):
        assert docker(it, "exec", *words, "box", "sh", "-c", "echo $(id -u) $(id -g) $(pwd)")[:2] == (0, want + "\n"), words
    status, out, _ = docker(it, "exec", "-e", "MORE=2", "-e", "OWN=3", "box", "env")
    assert "MORE=2\n" in out and "OWN=3\n" in out and "OWN=1" not in out, out
    assert "extra" in docker(it, "exec", "box", "id")[1]
    status, out, errors = docker(it, "exec", "-u", "nosuch", "box", "true")
    assert status and "unable to find user" in out + errors, (status, out, errors)


@test("one is inspected, started once, and refused where there is nothing to be run in")
def life():
    it = daemon()
    one = make(it, "sh", "-c", "exit 5")
    shown = it.get(f"/exec/{one}/json").json()
    assert shown["ExitCode"] is None and not shown["Running"] and shown["ProcessConfig"]["entrypoint"] == "sh", shown
    assert it.post(f"/exec/{one}/start", {"Detach": True}).status == 200
    wait_until("its end", lambda: it.get(f"/exec/{one}/json").json()["ExitCode"] == 5)
    assert it.post(f"/exec/{one}/start", {"Detach": True}).status == 409
    assert it.post(f"/exec/{'0' * 64}/start", {}).status == 404 and it.get("/exec/nosuch/json").status == 404
    assert it.get("/exec/..%2F..%2Fx/json").status == 404
    answer = it.post(f"/exec/{make(it, 'nosuch')}/start", {"Detach": True})
    assert answer.status == 400 and "executable file not found" in answer.message(), answer.body
    assert "No exec command" in make(it, status=400) and make(it, "x", status=400, WorkingDir="y")
    it.create("true", name="idle")
    assert it.post("/containers/idle/exec", {"Cmd": ["true"]}).status == 409
    assert it.post("/containers/nosuch/exec", {"Cmd": ["true"]}).status == 404
    it.delete("/containers/idle")


@test("its end is the container's at the latest, and nothing is left")
def end():
    it = daemon()
    one = make(it, "sleep", "1000")
    client = Attached(it, f"/exec/{one}/start", b"{}")
    assert client.status == 101
    wait_until("its start", lambda: it.get(f"/exec/{one}/json").json()["Pid"])
    assert it.post("/containers/box/kill").status == 204
    assert client.read() == b""
    wait_until("its end", lambda: it.get(f"/exec/{one}/json").json()["ExitCode"] == 137)
    it.launch("box")
    assert it.get(f"/exec/{one}/json").status == 404
    it.delete("/containers/box?force=1")
    machine.clear()
    it.assert_clean()


run()
