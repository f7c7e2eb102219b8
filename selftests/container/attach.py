# SPDX-License-Identifier: GPL-2.0-only
#
# Clients attached to containers: input and output through pipes and a terminal, sizes, several at once, slow ones, and logs
# that are followed.

from container import *

machine = []


def daemon():
    if not machine:
        machine.append(Machine())
    return machine[0]


@test("docker run passes input and output through, whatever is in them")
def pipes():
    it = daemon()
    data = os.urandom(3 << 20)
    for program in clients():
        done = subprocess.run([program, "-H", "unix://" + it.socket, "run", "--rm", "-i", "base:1", "cat"], input=data,
                              capture_output=True, timeout=60)
        assert done.returncode == 0 and done.stdout == data, (program, done.returncode, len(done.stdout), done.stderr)
        assert docker(it, "run", "--rm", "base:1", "cat", program=program) == (0, "", "")
        done = docker(it, "run", "--rm", "-i", "base:1", "sh", "-c", "head -c 3; exit 9", program=program, input=b"abcdef" * 50000)
        assert done[:2] == (9, "abc"), done
    it.assert_clean()


def resize_until(one, rows, columns, text):
    """docker tells the size that it has begun with beside those that follow, and the former may come last."""
    for attempt in range(6):
        one.resize(rows + 1, columns)
        time.sleep(0.2)
        one.resize(rows, columns)
        try:
            return one.expect(text, 5)
        except AssertionError:
            if attempt == 5:
                raise


@test("docker run has a terminal of the size of its own, which follows it")
def terminal():
    it = daemon()
    for program in clients():
        one = Terminal([program, "-H", "unix://" + it.socket, "run", "--rm", "-it", "base:1", "sh"], 33, 77)
        one.expect("# ")
        one.type("stty size; tty; echo $TERM\r")
        one.expect("33 77")
        one.expect("/dev/pts/0")
        one.expect("xterm")
        one.type("until [ \"$(stty size)\" = '40 100' ]; do sleep 0.1; done; echo is-$((1+1))\r")
        resize_until(one, 40, 100, "is-2")
        one.type("exit 7\r")
        assert one.end() == 7
    it.assert_clean()


@test("one that is attached before the start misses nothing, in frames or plain")
def before_start():
    it = daemon()
    for more, want in (({}, [(1, b"out\n"), (2, b"err\n")]), ({"Tty": True}, b"out\r\nerr\r\n")):
        name = it.create("sh", "-c", "echo out; sleep 0.2; echo err >&2", **more)
        one = Attached(it, f"/containers/{name}/attach?stream=1&stdout=1&stderr=1")
        assert one.status == 101 and b"Upgrade: tcp" in one.head, one.head
        assert (b"multiplexed" in one.head) == (not more), one.head
        it.launch(name)
        got = one.read()
        assert (got if more else frames(got)) == want, got
        it.wait(name)
        it.delete("/containers/" + name)
    name = it.create("true", HostConfig={"AutoRemove": True})
    one = Attached(it, f"/containers/{name}/attach?stream=1&stdout=1")
    it.delete("/containers/" + name)
    assert one.read() == b""
    it.assert_clean()


@test("several clients hear the same, those who come later the rest, and only streams that they want")
def several():
    it = daemon()
    name = it.create("sh", "-c", "read x; echo $x; echo $x >&2; read x; echo $x", OpenStdin=True)
    it.launch(name)
    all_of_it = Attached(it, f"/containers/{name}/attach?stream=1&stdin=1&stdout=1&stderr=1")
    errors = Attached(it, f"/containers/{name}/attach?stream=1&stderr=1")
    # The answer comes before the connection is handed over.
    filters = urllib.parse.quote(json.dumps({"event": ["attach"], "container": [name]}))
    wait_until("both to be attached", lambda: len(it.get(f"/events?since=1&until={time.time()}&filters={filters}").lines()) == 2)
    all_of_it.send(b"first\n")
    wait_until("the first line", lambda: it.logs(name).count("first") == 2)
    late = Attached(it, f"/containers/{name}/attach?stream=1&stdin=1&stdout=1")
    late.send(b"second\n")
    # The order of the two streams is the container's; nobody promises it.
    assert sorted(frames(all_of_it.read())) == [(1, b"first\n"), (1, b"second\n"), (2, b"first\n")]
    heard = frames(errors.read()), frames(late.read())
    assert heard == ([(2, b"first\n")], [(1, b"second\n")]), heard
    assert it.wait(name) == 0
    it.delete("/containers/" + name)
    it.assert_clean()


@test("input ends with its client only where that was said")
def input_end():
    it = daemon()
    for once, ends in ((True, True), (False, False)):
        name = it.create("cat", OpenStdin=True, StdinOnce=once)
        one = Attached(it, f"/containers/{name}/attach?stream=1&stdin=1&stdout=1")
        it.launch(name)
        one.send(b"x\n")
        one.finish()
        if ends:
            assert frames(one.read()) == [(1, b"x\n")] and it.wait(name) == 0
        else:
            wait_until("the output", lambda: it.logs(name) == "x\n")
            time.sleep(0.3)
            assert it.state(name)["Running"]
        it.delete(f"/containers/{name}?force=1")
    it.assert_clean()


@test("a client that does not read stops the container, not the daemon, and one that goes stops nothing")
def slow():
    it = daemon()
    name = it.create("sh", "-c", "head -c 20000000 /dev/zero; echo done >&2")
    one = Attached(it, f"/containers/{name}/attach?stream=1&stdout=1")
    it.launch(name)
    time.sleep(0.5)
    assert it.state(name)["Running"] and it.get("/_ping").status == 200
    one.close()
    assert it.wait(name) == 0 and "done" in it.logs(name, "stderr=1")
    it.delete("/containers/" + name)
    it.assert_clean()


@test("what cannot be attached to says so")
def refused():
    it = daemon()
    name = it.create("sleep", "1000")
    assert Attached(it, "/containers/nosuch/attach?stream=1&stdout=1").status == 404
    assert it.post(f"/containers/{name}/attach?stream=1&stdout=1").status == 400
    assert Attached(it, f"/containers/{name}/attach?stdout=1").status == 400
    assert it.post(f"/containers/{name}/resize?h=10&w=10").status == 409
    for bad in ("h=x&w=1", "h=1", "h=70000&w=1"):
        assert it.post(f"/containers/{name}/resize?{bad}").status == 400, bad
    it.delete("/containers/" + name)
    it.assert_clean()


@test("wait answers at once that it waits, and then with the code")
def waiting():
    it = daemon()
    name = it.create("sh", "-c", "sleep 0.5; exit 3", HostConfig={"AutoRemove": True})
    codes = {}

    def wait(condition):
        codes[condition] = it.wait(name, condition)
    threads = [threading.Thread(target=wait, args=(condition,)) for condition in ("next-exit", "removed")]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    it.launch(name)
    for thread in threads:
        thread.join(30)
    assert codes == {"next-exit": 3, "removed": 3}, codes
    assert it.get(f"/containers/{name}/json").status == 404
    assert it.post("/containers/nosuch/wait").status == 404
    assert it.post(f"/containers/{it.create('true', name='ww')}/wait?condition=nosuch").status == 400
    assert it.wait("ww") == 0
    it.delete("/containers/ww")
    it.assert_clean()


@test("logs are followed to the container's end, or until nobody reads them")
def followed():
    it = daemon()
    name = it.create("sh", "-c", "for i in 1 2 3 4; do echo $i; sleep 0.3; done")
    it.launch(name)
    assert it.logs(name, "stdout=1&follow=1") == "1\n2\n3\n4\n"
    it.delete("/containers/" + name)
    for program in clients():
        name = it.create("sh", "-c", "echo a; sleep 0.5; echo b")
        it.launch(name)
        assert docker(it, "logs", "-f", name, program=program) == (0, "a\nb\n", "")
        it.delete("/containers/" + name)
    name = it.create("sleep", "1000")
    it.launch(name)
    sock = it.connect()
    sock.sendall(f"GET /{VERSION}/containers/{name}/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert b"200 OK" in sock.recv(4096)
    sock.close()
    it.delete(f"/containers/{name}?force=1")
    it.assert_clean()


@test("docker attach, start -a and run -d do what they do")
def commands():
    it = daemon()
    for program in clients():
        status, out, _ = docker(it, "run", "-d", "--name", "dd", "base:1", "sh", "-c", "sleep 0.5; echo late; exit 4", program=program)
        assert status == 0 and re.fullmatch("[0-9a-f]{64}\n", out), out
        assert docker(it, "attach", "dd", program=program)[:2] == (4, "late\n")
        assert docker(it, "start", "-a", "dd", program=program)[:2] == (4, "late\n")
        assert docker(it, "wait", "dd", program=program)[:2] == (0, "4\n")
        assert docker(it, "attach", "dd", program=program)[0] == 1
        assert docker(it, "rm", "dd", program=program)[:2] == (0, "dd\n")
    it.assert_clean()


run()
