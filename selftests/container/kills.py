# SPDX-License-Identifier: GPL-2.0-only
#
# kill -9 of the daemon, and of supervisors, at random moments of run, exec, commit and rm by several clients. Afterwards
# everything is accounted for: what was acknowledged is there, what was removed is gone, what nobody was told of is there
# whole or not at all, and nothing is left over. `make container-kills` takes 100 moments of each, the ring a few; the
# seed, which is printed, repeats the choices and the moments, as far as the machine's load allows.

from container import *

KILLS = int(os.environ.get("SHALE_TEST_KILLS", "8"))
CLIENTS = 4
# Containers that run all the time; processes are started in one, the other is committed.
KEEPERS = ("keeper", "source")
# Of one client's work in one turn: more than it gets done in the time that moments are taken from.
STEPS = 200
# A container's own volume, that one shares, what it prints, and how it ends.
BODY = {"Image": "base:1", "Cmd": ["sh", "-c", "echo out >/anonymous/x; echo done; exit 7"], "Volumes": {"/anonymous": {}},
        "HostConfig": {"Binds": ["shared:/srv"]}}


class Died(Exception):
    """The daemon has gone in the middle of a request."""


class Turn:
    """What the clients of one turn were told."""

    def __init__(self, it, number, chance):
        self.it, self.number = it, number
        self.made, self.ended, self.gone, self.doubtful = {}, set(), set(), set()
        self.images, self.errors = {}, []
        self.steps = 0
        self.threads = [threading.Thread(target=self.client, args=(n, random.Random(chance.random()))) for n in range(CLIENTS)]

    def ask(self, method, path, body=None, good=()):
        """An answer that is none of the good ones, from a daemon that lives, is a fault."""
        try:
            answer = self.it.ask(method, path, body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Died(error)
        if answer.status not in good:
            self.errors.append((method, path, answer.status, answer.body[-400:]))
        return answer

    def client(self, number, chance):
        try:
            for n in range(STEPS):
                chance.choice([self.run, self.run, self.exec, self.commit])(f"t{self.number}-{number}-{n}", chance)
                self.steps += 1
        except Died:
            pass
        except Exception as error:  # a thread's end would not be noticed
            self.errors.append(repr(error))

    def run(self, name, chance):
        self.doubtful.add(name)
        made = self.ask("POST", f"/containers/create?name={name}", BODY, (201,))
        if made.status != 201:
            return
        self.made[name] = made.json()["Id"]
        self.it.seen.add(self.made[name][:12])
        self.doubtful.discard(name)
        if chance.random() < 0.9:
            self.ask("POST", f"/containers/{name}/start", None, (204,))
            if chance.random() < 0.8:
                answer = self.ask("POST", f"/containers/{name}/wait", None, (200,))
                if answer.json().get("StatusCode") != 7:
                    self.errors.append((name, answer.body))
                self.ended.add(name)
        if chance.random() < 0.6:
            self.doubtful.add(name)
            if self.ask("DELETE", f"/containers/{name}?force=1&v=1", None, (204,)).status == 204:
                self.gone.add(name)

    def exec(self, name, chance):
        made = self.ask("POST", "/containers/keeper/exec", {"Cmd": ["sh", "-c", f"echo {name} >/srv/{name}"]}, (201,))
        one = made.json()["Id"]
        self.ask("POST", f"/exec/{one}/start", {"Detach": True}, (200,))
        self.ask("GET", f"/exec/{one}/json", None, (200,))

    def commit(self, name, chance):
        answer = self.ask("POST", f"/commit?container=source&repo={name}&tag=1&pause={chance.randrange(2)}", {}, (201,))
        if answer.status == 201:
            self.images[name] = answer.json()["Id"]

    def start(self):
        for thread in self.threads:
            thread.start()

    def join(self):
        for thread in self.threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in self.threads), "a client still waits for a daemon that is dead"
        assert not self.errors, self.errors

    def check(self):
        """After the restart."""
        it = self.it
        there = {one["Names"][0][1:]: one["Id"] for one in it.get("/containers/json?all=1").json()}
        kept = [there.pop(name) for name in KEEPERS]
        must = {name for name in self.made if name not in self.doubtful}
        may = must | self.doubtful - self.gone
        assert must <= there.keys() <= may, (must - there.keys(), there.keys() - may)
        wait_until("what was started to end", lambda: not shims(it, kept))
        for name, one in there.items():
            state = it.state(name)
            good = {("exited", 7)} if name in self.ended else {("exited", 7), ("created", 0)}
            # One whose removal was broken off was killed for it.
            good |= {("exited", 137)} if name in self.doubtful else set()
            assert (state["Status"], state["ExitCode"]) in good, (name, state)
            assert state["ExitCode"] != 7 or it.logs(name) == "done\n", (name, it.logs(name))
        images = {tag: one["Id"] for one in it.get("/images/json").json() for tag in one["RepoTags"]}
        for name, digest_of in self.images.items():
            assert images.get(name + ":1") == digest_of, (name, images)
        return there, [tag for tag in images if tag != "base:1"]


def keep(it):
    """Containers that are to see no daemon's end: they print a number ten times in a second. Their IDs."""
    ids = [it.create("sh", "-c", "n=0; while :; do n=$((n+1)); echo $n; sleep 0.1; done", name=name) for name in KEEPERS]
    for one in ids:
        it.launch(one)
    return ids


def check_keepers(it, before):
    """They run, are not paused, have printed all numbers, and go on. How many, of each."""
    counts = []
    for name in KEEPERS:
        # What a commit that was killed has left goes when the daemon begins.
        wait_until("it to run", lambda: it.state(name)["Status"] == "running")
        wait_until("the next line", lambda: len(it.logs(name).split()) > before.get(name, 0))
        lines = it.logs(name).split()
        assert lines == [str(n + 1) for n in range(len(lines))], (name, lines)
        counts.append(len(lines))
    return dict(zip(KEEPERS, counts))


def measure(it, kept, chance):
    """How long the clients take for some work when nobody is killed: moments are spread over that."""
    turn = Turn(it, "first", chance)
    begin = time.monotonic()
    turn.start()
    wait_until("some work to be done", lambda: turn.steps >= 6 * CLIENTS or turn.errors, 60)
    took = time.monotonic() - begin
    it.stop(signal.SIGKILL)
    turn.join()
    Daemon.start(it)
    clear(it, kept, turn)
    return took


def clear(it, kept, turn):
    """What it has left goes, and then there is nothing."""
    it.look()
    there, images = turn.check()
    for name in there:
        assert it.delete(f"/containers/{name}?v=1").status == 204, name
    for tag in images:
        assert it.delete("/images/" + tag).status == 200, tag
    it.assert_clean(kept=kept)


def end(it, kept):
    for one in kept:
        assert it.delete(f"/containers/{one}?force=1&v=1").status == 204, one
    it.delete("/volumes/shared")
    it.assert_clean()


@test(f"a daemon killed at {KILLS} moments of run, exec, commit and rm leaves everything accounted for")
def daemons():
    it = Machine()
    chance = chance_of_seed()
    idle = it.descriptors()
    kept = keep(it)
    took = measure(it, kept, chance)
    print(f"# moments within {took:.2f} s", flush=True)
    done, killed, lines = 0, 0, {}
    for number in range(KILLS):
        turn = Turn(it, number, chance)
        moment = chance.uniform(0, took)
        turn.start()
        time.sleep(moment)
        killed += any(thread.is_alive() for thread in turn.threads)
        it.stop(signal.SIGKILL)
        try:
            turn.join()
            it.look()
            Daemon.start(it)
            lines = check_keepers(it, lines)
            clear(it, kept, turn)
        except AssertionError as error:
            raise AssertionError(f"kill {number} after {moment:.3f} s: {error}")
        done += turn.steps
    # A connection to each keeper's supervisor comes on top.
    wait_until("the daemon's descriptors to go", lambda: it.descriptors() <= idle + len(KEEPERS))
    print(f"# {KILLS} kills, {killed} at work; {done} steps were done; lines printed meanwhile: {lines}", flush=True)
    assert killed == KILLS
    end(it, kept)


def murder(it, chance, spared, stop, killed):
    """Supervisors die until there are enough, and now and then a runtime at work for one."""
    names = {one[:12] for one in spared}
    while len(killed) < KILLS and not stop.is_set():
        time.sleep(chance.uniform(0, 0.3))
        found = shims(it, spared)
        if chance.random() < 0.2:
            found = [int(pid.rsplit("/", 1)[1]) for pid in glob.glob("/proc/[0-9]*") if is_ours(pid, it.root, names)]
        if found:
            victim = chance.choice(found)
            try:
                os.kill(victim, signal.SIGKILL)
                killed.append(victim)
            except ProcessLookupError:
                pass


@test(f"{KILLS} supervisors killed at random moments: their containers have ended, and nothing is left")
def supervisors():
    it = Machine()
    chance = chance_of_seed()
    idle = it.descriptors()
    kept = keep(it)
    stop, killed, faults, codes = threading.Event(), [], [], []

    def client(number, chance):
        for n in range(100 * KILLS):
            if stop.is_set():
                return
            name = f"s{number}-{n}"
            one = it.create("sh", "-c", f"sleep {chance.choice(['0', '0.05', '0.2'])}; exit 3", name=name,
                            Tty=chance.random() < 0.3, Volumes={"/anonymous": {}})
            started = it.post(f"/containers/{name}/start")
            if started.status == 204:
                code = it.wait(name)
                if code not in (3, 255):
                    faults.append((name, code))
                state = it.state(name)
                codes.append(code)
            else:
                state = it.state(name)
                # The runtime says so of a part of itself, in its own words.
                if started.status != 500 or not re.search(b"killed|OCI runtime", started.body):
                    faults.append((name, started.status, started.body))
                codes.append(-1)
            if state["Running"] or state["Pid"]:
                faults.append((name, state))
            # It has ended, whoever asks: without its removal.
            for _ in range(200):
                if not cgroups([one]):
                    break
                time.sleep(0.05)
            else:
                faults.append((name, cgroups([one])))
            gone = it.delete(f"/containers/{name}?v=1")
            if gone.status != 204:
                faults.append((name, gone.status, gone.body))

    def guarded(number, chance):
        try:
            client(number, chance)
        except Exception as error:  # a thread's end would not be noticed
            faults.append((number, repr(error)))
    threads = [threading.Thread(target=guarded, args=(n, random.Random(chance.random()))) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    murderer = threading.Thread(target=murder, args=(it, random.Random(chance.random()), kept, stop, killed))
    murderer.start()
    murderer.join(60 + 3 * KILLS)
    stop.set()
    for thread in threads:
        thread.join(60)
    print(f"# {len(killed)} supervisors killed; of {len(codes)} containers {codes.count(255)} were lost and {codes.count(-1)} "
          f"did not start", flush=True)
    assert not faults, faults
    assert len(killed) >= KILLS, "there was hardly anybody to kill"
    check_keepers(it, {})
    it.assert_clean(kept=kept)
    end(it, kept)
    wait_until("the daemon's descriptors to go", lambda: it.descriptors() <= idle)


run()
