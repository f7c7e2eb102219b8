# SPDX-License-Identifier: GPL-2.0-only
#
# Bodies and queries of any shape, which the daemon answers and survives.

import random

from container import *

SEED = int(os.environ.get("SHALE_TEST_SEED", "0")) or random.randrange(1 << 30)
VALUES = [None, True, False, 0, -1, 1 << 62, -(1 << 63), 1.5, "", "x", "a:b:c", "/", "/..", "../..", "\u00e4", "x" * 5000, [], [None], [[]], ["x", 5],
          {}, {"x": None}, {"": ""}, {"/x": {}}, ["/a:/b"], [{"Type": "bind", "Source": "/", "Target": "x"}], [{"Type": "tmpfs", "Target": "/t"}]]
CREATE = {"Hostname": "h", "User": "u", "Tty": True, "OpenStdin": True, "StdinOnce": True, "Env": ["A=b"], "Cmd": ["true"], "Entrypoint": ["sh"],
          "Image": "base:1", "Labels": {"a": "b"}, "Volumes": {"/v": {}}, "WorkingDir": "/", "StopSignal": "TERM", "StopTimeout": 1,
          "ExposedPorts": {"80/tcp": {}}, "Healthcheck": {}}
HOST = {"Binds": ["v:/x"], "Mounts": [{"Type": "volume", "Target": "/y", "VolumeOptions": {"Labels": {}, "DriverConfig": {}}}], "Tmpfs": {"/z": "size=1m"},
        "NetworkMode": "none", "AutoRemove": False, "CapAdd": ["ALL"], "CapDrop": ["ALL"], "GroupAdd": ["1"], "Dns": ["1.1.1.1"], "ExtraHosts": ["a:1"],
        "SecurityOpt": ["no-new-privileges"], "Memory": 0, "ShmSize": 0, "Ulimits": [{"Name": "core", "Hard": 1, "Soft": 1}], "LogConfig": {"Type": "none"},
        "ReadonlyRootfs": True, "ConsoleSize": [10, 10], "Sysctls": {}, "MaskedPaths": [], "ReadonlyPaths": None, "CgroupParent": "", "PidsLimit": 10,
        "RestartPolicy": {"Name": "no"}, "OomScoreAdj": 0, "StorageOpt": {}, "CpusetCpus": "", "NanoCpus": 1000000000}
EXEC = {"Cmd": ["true"], "Tty": True, "AttachStdin": True, "AttachStdout": True, "Env": ["A=b"], "User": "root", "WorkingDir": "/", "Privileged": False,
        "ConsoleSize": [1, 1], "DetachKeys": ""}


def spoil(chance, value):
    """The same with something of it replaced by something else."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        key = chance.choice(sorted(value))
        return {**value, key: spoil(chance, value[key])}
    if isinstance(value, list) and value and chance.random() < 0.5:
        return value[:-1] + [spoil(chance, value[-1])]
    return chance.choice(VALUES)


@test("no body makes the daemon end, or leaves something behind")
def bodies():
    it = Machine()
    print(f"# SHALE_TEST_SEED={SEED}", flush=True)
    chance = random.Random(SEED)
    it.create("sleep", "1000", name="runs")
    it.launch("runs")
    for n in range(int(os.environ.get("SHALE_TEST_TURNS", "400"))):
        body = spoil(chance, {**CREATE, "HostConfig": spoil(chance, HOST) if n % 2 else HOST})
        answer = it.post("/containers/create", json.dumps(body).encode(), headers={"Content-Type": "application/json"})
        assert answer.status in (201, 400, 404, 409, 500), (body, answer.status, answer.body)
        assert answer.status != 500 or "memory" not in answer.message(), (body, answer.body)
        if answer.status == 201:
            name = answer.json()["Id"]
            assert it.get(f"/containers/{name}/json").status == 200 and it.get("/containers/json?all=1").status == 200, body
            if n % 5 == 0:
                it.post(f"/containers/{name}/start")
            assert it.delete(f"/containers/{name}?force=1&v=1").status in (204, 404), body
        answer = it.post("/containers/runs/exec", json.dumps(spoil(chance, EXEC)).encode(), headers={"Content-Type": "application/json"})
        assert answer.status in (201, 400), answer.body
    assert it.process.poll() is None
    it.delete("/containers/runs?force=1")
    for volume in it.get("/volumes").json()["Volumes"]:
        it.delete("/volumes/" + volume["Name"])
    it.assert_clean()


@test("no query makes the daemon end")
def queries():
    it = Machine()
    name = it.create("true")
    for method, path, keys in (("POST", "start", ["detachKeys"]), ("POST", "stop", ["t", "signal"]), ("POST", "kill", ["signal"]), ("POST", "wait", ["condition"]),
                               ("GET", "logs", ["since", "until", "tail", "stdout", "follow"]), ("POST", "resize", ["h", "w"]), ("POST", "attach", ["stream", "stdin"]),
                               ("GET", "archive", ["path"]), ("PUT", "archive", ["path"]), ("POST", "rename", ["name"]), ("GET", "top", ["ps_args"]),
                               ("GET", "json", ["size"]), ("GET", "changes", [])):
        for value in ("", "x", "-1", "99999999999999999999", "%00", "%ff%fe", "..%2f..", "[]", "{}", "x" * 3000, "1e9", "stdout"):
            query = "&".join(f"{key}={value}" for key in keys)
            answer = it.ask(method, f"/containers/{name}/{path}?{query}", b"x" * 600 if method == "PUT" else None)
            assert answer.status in (200, 204, 304, 400, 404, 409, 500), (path, value, answer.status)
            if answer.status == 204 and path == "rename":
                continue
    for bad in ("..", "%2e%2e", "..%2f..%2fx", "%00", "*", "?", "' OR 1=1 --", "x" * 1000, "%ff"):
        assert it.get(f"/containers/{urllib.parse.quote(bad, safe='%')}/json").status in (400, 404), bad
    assert it.process.poll() is None
    for one in it.ids():
        it.delete(f"/containers/{one}?force=1")
    it.assert_clean()


@test("the files of containers are root's alone")
def modes():
    it = Machine()
    name = it.create("true", Env=["SECRET=x"])
    it.launch(name)
    it.wait(name)
    top = f"{it.root}/containers/{name[:12]}"
    assert os.stat(top).st_mode & 0o077 == 0
    for file in ("container.json", "state.json", "config.json", f"{name}-json.log"):
        st = os.stat(f"{top}/{file}")
        assert st.st_uid == 0 and st.st_mode & 0o022 == 0, (file, oct(st.st_mode))
    it.delete("/containers/" + name)
    it.assert_clean()


run()
