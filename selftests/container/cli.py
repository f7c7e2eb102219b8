# SPDX-License-Identifier: GPL-2.0-only
#
# The shale command's verbs about containers, beside docker's client at the same daemon, and with a private one.

from container import *

machine = []


def daemon():
    if not machine:
        machine.append(Machine())
    return machine[0]


def shale(it, *words, private=False):
    where = ["--root", it.root] if private else ["-H", "unix://" + it.socket]
    done = subprocess.run([SHALE, *where, *words], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def timeless(text):
    """Seconds may pass between two answers, and make columns wider."""
    text = re.sub(r"(Less than a second|About a minute|\d+ (second|minute)s?)", "SPAN", text)
    return re.sub(r" {2,}", "  ", text)


@test("ps prints what docker prints")
def ps():
    it = daemon()
    it.create("sh", "-c", "sleep 1000 # with a long tail", name="one", Labels={"a": "b"}, HostConfig={"Binds": ["v1:/x"]})
    it.create("true", name="two")
    it.launch("one")
    for words in (["ps"], ["ps", "-a"], ["ps", "-aq"], ["ps", "-a", "--no-trunc"], ["ps", "-l"], ["ps", "-an", "1"], ["ps", "-a", "--filter", "status=created"],
                  ["ps", "-as"], ["ps", "-a", "--format", "{{.ID}} {{.Names}} {{.Image}} {{.Command}} {{.Labels}} {{.State}} {{.Networks}}"],
                  ["ps", "--format", "table {{.Names}}\t{{.Mounts}}"], ["ps", "--filter", "nonsense=1"]):
        mine = shale(it, *words)
        for program in clients():
            its = docker(it, *words, program=program)
            assert (mine[0], timeless(mine[1])) == (its[0], timeless(its[1])), (words, mine, its)
    it.delete("/containers/one?force=1")
    it.delete("/containers/two")
    it.delete("/volumes/v1")
    it.assert_clean()


@test("each verb does what it says, by a daemon and by a private one")
def verbs():
    it = daemon()
    for private in (False, True):
        def run(*words, status=0):
            done = shale(it, *words, private=private)
            assert done[0] == status, (words, done)
            return done[1] if not status else done[2]
        it.create("sh", "-c", "echo out; echo err >&2; sleep 1000", name="box")
        assert run("start", "box") == "box\n" and run("start", "box") == "box\n"
        wait_until("its output", lambda: run("logs", "box") == "out\n")
        assert shale(it, "logs", "box", private=private)[2] == "err\n"
        assert run("logs", "-n", "0", "box") == ""
        assert json.loads(run("inspect", "box"))[0]["State"]["Running"]
        assert "sleep 1000" in run("top", "box"), run("top", "box")
        assert run("pause", "box") == "box\n" and it.state("box")["Paused"] and run("unpause", "box") == "box\n"
        assert "cannot remove a running container" in run("rm", "box", status=1)
        assert run("rename", "box", "case") == "" and run("restart", "-t", "0", "case") == "case\n"
        assert run("kill", "-s", "KILL", "case") == "case\n" and run("wait", "case") == "137\n"
        assert run("stop", "case") == "case\n" and "not running" in run("kill", "case", status=1)
        assert run("rm", "nosuch", "case", status=1).startswith("shale: No such container: nosuch")
        assert run("rm", "-f", "nosuch") == ""
        for words in (["start"], ["rename", "x"], ["top"], ["stop", "-t", "x", "y"], ["logs"]):
            run(*words, status=125)
    it.assert_clean()


@test("logs are followed, and words completed")
def follow():
    it = daemon()
    name = it.create("sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.3; done", name="talks")
    it.launch(name)
    assert shale(it, "logs", "-f", "talks") == (0, "1\n2\n3\n", "")
    assert shale(it, "__complete", "shale", "rm", "ta")[1] == "talks\n" or "talks" in shale(it, "__complete", "rm", "ta")[1]
    it.delete("/containers/talks")
    it.assert_clean()


run()
