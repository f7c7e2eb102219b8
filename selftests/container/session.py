# SPDX-License-Identifier: GPL-2.0-only
#
# The verbs of the shale command that are attached to containers which are there: start -a, attach and exec, by pipes and at a
# terminal, beside docker's clients and with a private daemon.

from beside import *


@test("start -a and attach are where they are, with the container's code")
def attached():
    it = daemon()
    for private in (False, True):
        it.create("sh", "-c", "echo o; echo e >&2; sleep 0.5; echo late; exit 4", name="dd")
        assert shale(it, "start", "-a", "dd", private=private) == (4, "o\nlate\n", "e\n")
        it.delete("/containers/dd")
        # It lasts longer than it takes to attach, wherever this is.
        it.create("sh", "-c", "sleep 4; echo late; exit 4", name="dd")
        assert shale(it, "start", "dd", private=private) == (0, "dd\n", "")
        assert shale(it, "attach", "dd", private=private)[:2] == (4, "late\n")
        status, _, errors = shale(it, "attach", "dd", private=private)
        assert status == 1 and "start it first" in errors, errors
        it.delete("/containers/dd?force=1")
        it.create("cat", name="dd", OpenStdin=True, StdinOnce=True)
        assert shale(it, "start", "-ai", "dd", input=b"typed\n", private=private) == (0, "typed\n", "")
        it.delete("/containers/dd")
        status, out, _ = shale(it, "run", "-d", "--name", "dd", *sh("read x; echo $x"), private=private)
        assert status == 0 and re.fullmatch("[0-9a-f]{64}\n", out), (status, out)
        it.delete("/containers/dd?force=1")
    it.create("nosuch", name="dd")
    assert same(it, "start", "-a", "dd")[0] == 1 and same(it, "attach", "nosuch")[0] == 1
    it.delete("/containers/dd")
    for words in (["attach"], ["attach", "a", "b"], ["start", "-a", "a", "b"], ["exec", "dd"], ["start", "--sig-proxy=x", "dd"]):
        assert shale(it, *words)[0] == 125, words
    it.assert_clean()


@test("exec passes input, output and the code through, as who, where and with what it is told")
def execs():
    it = daemon()
    it.create("sleep", "1000", name="box", Env=["OWN=1"], User="alice", WorkingDir="/tmp")
    it.launch("box")
    for words, want in ((["box"] + sh("echo o; echo e >&2; exit 6")[1:], (6, "o\n", "e\n")), (["-u", "root", "-w", "/etc", "-e", "A=b c", "-e", "OWN=3", "box"] +
                        sh("echo $(id -u) $(pwd) $A $OWN")[1:], (0, "0 /etc b c 3\n", "")), (["-t", "box", "tty"], (0, "/dev/pts/0\r\n", ""))):
        assert same(it, "exec", *words, errors=True) == want, words
        assert shale(it, "exec", *words, private=True) == want, words
    data = os.urandom(1 << 20)
    done = subprocess.run([SHALE, "-H", "unix://" + it.socket, "exec", "-i", "box", "cat"], input=data, capture_output=True, timeout=60)
    assert done.returncode == 0 and done.stdout == data, (done.returncode, len(done.stdout), done.stderr)
    for words, status in ((["box", "nosuch"], 127), (["box", "/etc/passwd"], 126), (["nosuch", "true"], 1), (["-it", "box", "true"], 1)):
        assert same(it, "exec", *words)[0] == status, words
    for program in programs():
        assert docker(it, "exec", "-d", "box", "sh", "-c", "echo x >/tmp/made", program=program) == (0, "", "")
        wait_until("the detached one", lambda: shale(it, "exec", "box", "cat", "/tmp/made")[1] == "x\n")
        shale(it, "exec", "box", "rm", "/tmp/made")
    it.delete("/containers/box?force=1")
    it.assert_clean()


def modes(one):
    return termios.tcgetattr(one.fd)[:4]


def at_terminal(it, words, keys, want):
    """Types into a shell there, changes the size, leaves it with the keys; the terminal is as before."""
    one = Terminal([SHALE, "-H", "unix://" + it.socket, *words], 33, 77)
    before = modes(one)
    one.expect("# ")
    one.type("until [ \"$(stty size)\" = '33 77' ]; do sleep 0.1; done; tty; echo is-$((1+1))\r")
    one.expect("/dev/pts/")
    one.expect("is-2")
    assert modes(one)[3] & (termios.ICANON | termios.ECHO | termios.ISIG) == 0
    one.resize(40, 100)
    one.type("until [ \"$(stty size)\" = '40 100' ]; do sleep 0.1; done; echo is-$((2+2))\r")
    one.expect("is-4")
    if isinstance(keys, int):
        os.kill(one.pid, keys)
    else:
        one.type(keys)
    # It is looked at before the other side is closed.
    wait_until("the terminal's mode", lambda: modes(one) == before)
    assert one.end() == want, (words, keys)


@test("at a terminal run, start, attach and exec have its size, which follows it, and leave it as it was")
def terminals():
    it = daemon()
    at_terminal(it, ["run", "--rm", "-it", "base:1", "sh"], "exit 7\r", 7)
    at_terminal(it, ["run", "-it", "--name", "tt", "base:1", "sh"], "\x10\x11", 0)
    assert it.state("tt")["Running"]
    # The prompt is drawn again when the size is another one, or at a key.
    for words, keys, want in ((["attach", "tt"], "\x10\x11", 1), (["exec", "-it", "tt", "sh"], "exit 3\r", 3), (["exec", "-it", "tt", "sh"], "\x10\x11", 1),
                              (["exec", "-it", "--detach-keys", "ctrl-@,x", "tt", "sh"], "\0x", 1), (["exec", "-it", "tt", "sh"], signal.SIGTERM, -signal.SIGTERM)):
        if words[0] == "attach":
            one = Terminal([SHALE, "-H", "unix://" + it.socket, *words])
            one.type("echo a$((1+1))\r")
            one.expect("a2")
            one.type(keys)
            one.expect("read escape sequence")
            assert one.end() == want
            continue
        at_terminal(it, words, keys, want)
    assert it.post("/containers/tt/stop?t=0").status == 204
    at_terminal(it, ["start", "-ai", "tt"], "\x10\x11", 0)
    it.delete("/containers/tt?force=1")
    assert same(it, "run", "--rm", "-it", "base:1", "true", input=b"")[0] == 1
    assert same(it, "run", "--rm", "-t", *sh("tty; echo x"))[:2] == (0, "/dev/pts/0\r\nx\r\n")
    it.assert_clean()


@test("a reader that goes away ends it, and not with the terminal as it was then")
def gone():
    it = daemon()
    words = f"run --rm -it --name gone base:1 sh -c 'while :; do echo x; done'"
    one = Terminal(["sh", "-c", f"{{ '{SHALE}' -H unix://{it.socket} {words}; echo code-$? >&2; }} | head -c 1; read x; echo read-$x"])
    before = modes(one)
    one.expect("Broken pipe")
    one.expect("code-125")
    assert modes(one) == before
    one.type("y\r")
    one.expect("read-y")
    one.end()
    it.delete("/containers/gone?force=1")
    it.assert_clean()


@test("a daemon that is replaced meanwhile is no matter to who is attached")
def replaced():
    it = daemon()
    with subprocess.Popen([SHALE, "-H", "unix://" + it.socket, "run", "--name", "stays", "-i", *sh("echo up; read x; echo $x; exit 9")],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"up\n"
        it.stop(signal.SIGKILL)
        it.start()
        process.stdin.write(b"word\n")
        process.stdin.close()
        assert process.stdout.read() == b"word\n" and process.wait(30) == 9
    it.delete("/containers/stays")
    it.assert_clean()


run()
