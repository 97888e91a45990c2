"""Kills a program at random instants, again and again, and has the world looked at after each.

    kill_loop(kills, start=lambda n: Popen, verify=lambda n, killed: ...)

`start` begins round n; `verify` raises when anything is not as it must be. The instants are spread
over the time that an undisturbed run takes, which is measured first and followed as it changes.
TANK_SEED repeats a series.
"""
import os
import random
import select
import signal
import time

from case import check
from layout import file, tar

ROUNDS = int(os.environ.get("TANK_KILLS", "100"))


def wait_or_kill(process, seconds):
    """True when the timer came first and the process was killed."""
    fd = os.pidfd_open(process.pid)
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        killed = not poll.poll(max(0.0, seconds) * 1000)  # an event: its end, or the timer
        if killed:
            process.send_signal(signal.SIGKILL)
        process.communicate()
        return killed
    finally:
        os.close(fd)


def kill_loop(kills, start, verify):
    seed = int(os.environ.get("TANK_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
    print(f"seed {seed}", flush=True)
    instants = random.Random(seed)
    began = time.monotonic()
    wait_or_kill(start(-1), 3600)
    usual = time.monotonic() - began
    verify(-1, False)
    killed = n = 0
    while killed < kills and n < 5 * kills:
        at = instants.uniform(0, usual)
        began = time.monotonic()
        was_killed = wait_or_kill(start(n), at)
        killed += was_killed
        if not was_killed:
            usual = 0.7 * usual + 0.3 * (time.monotonic() - began)
        try:
            verify(n, was_killed)
        except Exception as e:
            raise AssertionError(f"round {n}, killed after {at:.6f} s (seed {seed}): {e}") from e
        n += 1
    print(f"{n} rounds, {killed} killed, {usual * 1000:.0f} ms undisturbed", flush=True)
    return killed


def layer(seed, files):
    """With an unnamed directory on one of another layer: laying it there is a step of its own."""
    entries = [file(f"d{seed}/{i % 7}/f{i}", (f"{seed}-{i} ".encode() * 40)[: 100 + 131 * (i % 9)])
               for i in range(files)]
    return tar([*entries, file(f"shared/of{seed}"), file(f"big{seed}", os.urandom(4096) * 256)])


def kill_rounds(world, bring, names):
    """`bring(image)`: the command that is killed; for images "a" and "b", which share layers."""
    before = []

    def start(n):
        # Half of the rounds begin with another image that shares layers, half with an empty store.
        if n % 2 == 0:
            world.tank(*bring("b"))
        before[:] = world.names() if n >= 0 else []
        return world.start(*bring("a"))

    def verify(n, killed):
        there = world.names()
        check(set(before) <= set(there), f"{before} were there, now {there}")
        check(killed or names["a"] in there, "an undisturbed one left no image")
        world.check_undamaged()
        if n % 3 == 0:  # prune at once: what the killed one left goes, what is named stays
            world.tank("prune")
            world.check_nothing_more()
        world.tank(*bring("a"))
        check(names["a"] in world.names(), "the next one did not bring it")
        world.check_undamaged()
        world.tank("prune", "--all")
        world.check_empty()

    killed = kill_loop(ROUNDS, start, verify)
    check(killed == ROUNDS, f"only {killed} of {ROUNDS} were killed in time")
