# SPDX-License-Identifier: GPL-2.0-only
#
# Which runtime a container gets; and the tests of programs beside this one again, over crun. SHALE_TEST_RUNTIME=crun runs
# any other one so.

import importlib.util
import os

os.environ["SHALE_TEST_RUNTIME"] = "crun"

import container  # noqa: E402
from container import *  # noqa: E402

AGAIN = ("run", "exec", "change", "survive")
run_all = container.run


def need_both():
    need()
    for name in ("runc", "crun"):
        if not shutil.which(name):
            raise Skip(f"{name} is not installed")


def made_with(it, name):
    return it.get(f"/containers/{name}/json").json()["HostConfig"]["Runtime"]


@test("a container keeps the runtime that it was made for, whatever the daemons prefer")
def choice():
    need_both()
    it = Machine(runtime="crun")
    info = it.get("/info").json()
    assert info["DefaultRuntime"] == "crun" and set(info["Runtimes"]) == {"runc", "crun"}, info
    it.create("sleep", "1000", name="own")
    it.create("sleep", "1000", name="other", HostConfig={"Runtime": "runc"})
    it.create("sleep", "1000", name="long", HostConfig={"Runtime": "io.containerd.runc.v2"})
    assert [made_with(it, name) for name in ("own", "other", "long")] == ["crun", "runc", "crun"]
    for name in ("own", "other", "long"):
        it.launch(name)
    it.stop(signal.SIGKILL)
    it.more["runtime"] = "runc"
    Daemon.start(it)
    assert it.get("/info").json()["DefaultRuntime"] == "runc"
    for name in ("own", "other", "long"):
        assert docker(it, "exec", name, "echo", name)[:2] == (0, name + "\n")
        for verb in ("pause", "unpause"):
            assert it.post(f"/containers/{name}/{verb}").status == 204, (name, verb)
        assert len(it.get(f"/containers/{name}/top").json()["Processes"]) == 1
    for shim in shims(it):
        os.kill(shim, signal.SIGKILL)
    for name in ("own", "other", "long"):
        wait_until("its end", lambda: it.state(name)["Status"] == "exited")
        assert it.delete("/containers/" + name).status == 204
    it.assert_clean()


@test("a runtime that there is not is refused")
def unknown():
    need_both()
    it = Machine()
    assert "runc and crun" in it.create("true", HostConfig={"Runtime": "nosuch"}, status=400)
    status, _, errors = docker(it, "run", "--rm", "--runtime", "kata", "base:1", "true")
    assert status == 125 and "runtime" in errors, errors
    it.assert_clean()
    done = subprocess.run([PROGRAM, "--root", it.dir + "/another", "--host", f"unix://{it.dir}/s", "--runtime", "nosuch"],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "'nosuch'" in done.stderr, done


def load(name):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".py")
    spec = importlib.util.spec_from_file_location("over_crun_" + name, path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


# What they do at their end is done here, once.
container.run = lambda: None
for one in AGAIN if shutil.which("crun") else ():
    load(one)
run_all()
