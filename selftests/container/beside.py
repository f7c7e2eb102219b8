# SPDX-License-Identifier: GPL-2.0-only
#
# What the tests of the command's verbs about containers share: the same words given to docker's clients and to shale, at one
# daemon, and their results compared. Imported by the programs here.

from container import *

machine = []


def daemon():
    if not machine:
        machine.append(Machine())
    return machine[0]


def programs():
    return clients() + [SHALE]


def shale(it, *words, input=None, private=False):
    where = ["--root", it.root] if private else ["-H", "unix://" + it.socket]
    done = subprocess.run([SHALE, *where, *words], input=input, capture_output=True, timeout=60)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def same(it, *words, input=None, errors=False):
    """What all of them answer, and that it is the same; words for errors are not, unless it is said."""
    answers = [docker(it, *words, program=program, input=input) for program in programs()]
    mine = answers[-1]
    for its in answers[:-1]:
        assert its[:2] == mine[:2] and (not errors or its[2] == mine[2]), (words, its, mine)
    return mine


def sh(script):
    return ["base:1", "sh", "-c", script]
