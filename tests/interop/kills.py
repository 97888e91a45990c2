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
